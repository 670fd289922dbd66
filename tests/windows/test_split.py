import itertools
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from vame_pipe.windows.data import window_starts
from vame_pipe.windows.split import (
    draw_sessions,
    min_splittable,
    run_lengths,
    segments,
    split_frames,
    split_rows,
)


@dataclass(frozen=True)
class Rows:
    """The valid rows of a session, one animal after the other."""

    animal: np.ndarray
    row: np.ndarray
    run: np.ndarray


def rows_of(animals: list[list[tuple[int, int]]]) -> Rows:
    """Return the rows of animals that are each given as gaps and runs: (rows missing, rows valid)."""
    animal, row, run = [], [], []
    n_runs = 0
    for number, stretches in enumerate(animals):
        start = 0
        for gap, length in stretches:
            start += gap
            animal += [number] * length
            row += range(start, start + length)
            run += [n_runs] * length
            start += length
            n_runs += 1
    return Rows(*map(np.array, (animal, row, run)))


def split_of(lengths, window, fraction, seed):
    return split_frames(np.array(lengths), window, fraction, np.random.default_rng(seed))


def windows_of(rows: Rows, split: np.ndarray, window: int, split_id: int) -> list[int]:
    return window_starts(segments(rows.run, split, split_id), window).tolist()


stretches = st.lists(st.tuples(st.integers(1, 30), st.integers(1, 120)), min_size=1, max_size=6)
sessions = {
    "animals": st.lists(stretches, min_size=1, max_size=3),
    "window": st.integers(2, 12),
    "fraction": st.floats(0.05, 0.5),
    "seed": st.integers(0, 99),
}


@given(**sessions)
@settings(deadline=None)
def test_windows_are_those_that_brute_force_finds(animals, window, fraction, seed):
    """In one animal, in consecutive rows, in one split; the runs of the animals differ."""
    rows = rows_of(animals)
    split = split_rows(rows.row, window, fraction, np.random.default_rng(seed))
    for split_id in (0, 1):
        expected = []
        for i in range(len(rows.row) - window + 1):
            part = slice(i, i + window)
            consecutive = list(range(rows.row[i], rows.row[i] + window))
            if (
                len(set(rows.animal[part])) == 1
                and rows.row[part].tolist() == consecutive
                and set(split[part]) == {split_id}
            ):
                expected.append(i)
        assert windows_of(rows, split, window, split_id) == expected


@given(**sessions)
@settings(deadline=None)
def test_guard_frames_lie_between_the_splits_of_each_animal(animals, window, fraction, seed):
    rows = rows_of(animals)
    split = split_rows(rows.row, window, fraction, np.random.default_rng(seed))
    for run in range(rows.run.max() + 1):
        inside = rows.run == run
        train, val = (rows.row[inside & (split == i)] for i in (0, 1))
        distance = np.abs(val[:, None] - train)
        assert (distance >= window).all()


@given(**sessions)
@settings(deadline=None)
def test_validation_blocks_are_the_same_stretches_of_time_for_all_animals(
    animals, window, fraction, seed
):
    rows = rows_of(animals)
    split = split_rows(rows.row, window, fraction, np.random.default_rng(seed))
    at: dict[int, int] = {}
    for row, split_id in zip(rows.row.tolist(), split.tolist(), strict=True):
        assert at.setdefault(row, split_id) == split_id
    # and no animal is trained on a time near one that another is validated on, in an unbroken stretch
    steps = np.array(sorted(at))
    stretch = np.repeat(np.arange(len(run_lengths(steps))), run_lengths(steps))
    of_step = np.array([at[step] for step in steps.tolist()])
    for number in range(stretch.max() + 1):
        train, val = (steps[(stretch == number) & (of_step == i)] for i in (0, 1))
        assert (np.abs(val[:, None] - train) >= window).all()


@given(**sessions | {"animals": st.lists(stretches, min_size=1, max_size=1)})
@example(
    animals=[[(1, 23)]], window=8, fraction=0.5, seed=0
)  # two blocks leave nothing to train on
@settings(deadline=None)
def test_one_animal_has_windows_of_both_splits_if_a_run_is_long_enough(
    animals, window, fraction, seed
):
    rows = rows_of(animals)
    lengths = [length for _, length in animals[0]]
    assume(max(lengths) >= min_splittable(window))
    split = split_rows(rows.row, window, fraction, np.random.default_rng(seed))
    assert split.tolist() == split_of(lengths, window, fraction, seed).tolist()
    assert (split == 1).sum() >= window
    assert windows_of(rows, split, window, 1)
    assert windows_of(rows, split, window, 0)


@pytest.mark.parametrize(
    ("lengths", "window", "fraction", "seed", "expected"),
    [
        ([300], 45, 0.1, [0, 97], [(0, 211), (-1, 44), (1, 45)]),
        ([500, 90, 260, 40], 15, 0.1, [0, 97], [(0, 590), (1, 60), (-1, 14), (0, 226)]),
        ([120, 130, 64], 15, 0.3, [7, 98], [(0, 120), (1, 60), (-1, 10), (1, 60), (0, 64)]),
        (
            *([900], 15, 0.2, [3]),
            [
                (0, 46),
                (-1, 14),
                (1, 120),
                (-1, 14),
                (0, 392),
                (-1, 14),
                (1, 60),
                (-1, 14),
                (0, 226),
            ],
        ),
    ],
)
def test_the_split_of_one_animal_is_that_of_version_0_1(lengths, window, fraction, seed, expected):
    """Numbers of the first release: (split, frames) of each stretch."""
    rows = rows_of([[(1, length) for length in lengths]])
    split = split_rows(rows.row, window, fraction, np.random.default_rng(seed))
    found = [(int(key), len(list(group))) for key, group in itertools.groupby(split)]
    assert found == expected


def test_a_second_animal_that_is_valid_at_the_same_times_changes_no_split():
    one = [(3, 200), (20, 400), (1, 30)]
    alone, together = rows_of([one]), rows_of([one, one])
    split, of_both = (
        split_rows(rows.row, 15, 0.1, np.random.default_rng(0)) for rows in (alone, together)
    )
    assert of_both.tolist() == split.tolist() * 2
    for split_id in (0, 1):
        expected = windows_of(alone, split, 15, split_id)
        assert windows_of(together, of_both, 15, split_id) == [
            *expected,
            *(start + len(alone.row) for start in expected),
        ]


def test_validation_blocks_come_to_the_fraction_that_was_asked_for():
    for seed in range(20):
        split = split_of([20_000], 45, 0.1, seed)
        assert (split == 1).mean() == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize(("n_frames", "kept"), [(134, 1), (150, 17), (300, 167)])
def test_a_short_session_keeps_the_training_windows_that_guards_leave(n_frames, kept):
    """The single block at an end costs its own 45 frames and 44 guard frames."""
    rows = rows_of([[(0, n_frames)]])
    for seed in range(50):
        split = split_of([n_frames], 45, 0.1, seed)
        assert len(windows_of(rows, split, 45, 0)) == kept
        assert len(windows_of(rows, split, 45, 1)) == 1


def test_about_a_tenth_of_the_short_sessions_are_drawn_never_none_and_never_all():
    names = [f"s{i}" for i in range(200)]
    drawn = draw_sessions(names, 0.1, 0, has_train=False, has_val=False)
    assert 8 <= len(drawn) <= 35
    more = draw_sessions([*names, "t"], 0.1, 0, has_train=False, has_val=False)
    assert set(more) - {"t"} == set(drawn)
    assert len(draw_sessions(["a", "b"], 0.0001, 0, False, False)) == 1
    assert len(draw_sessions(["a", "b"], 0.9999, 0, False, False)) == 1
    assert draw_sessions(["a", "b"], 0.0001, 0, True, True) == []
    assert draw_sessions(["a"], 0.9999, 0, False, True) == []
