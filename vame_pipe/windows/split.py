"""Divide sessions into training and validation frames, without leakage between the two."""

from __future__ import annotations

import numpy as np

VAL_BLOCK_WINDOWS = 4
"""Length of a validation block, in windows: long enough for many windows, short enough for several blocks."""


def split_frames(
    lengths: np.ndarray, window: int, val_fraction: float, rng: np.random.Generator
) -> np.ndarray:
    """Draw the validation blocks of one session.

    A single block lies at an end of a run, where it costs the fewest training windows; of several, those
    in runs too short for three lie at the ends of these.

    Parameters
    ----------
    lengths : numpy.ndarray
        Length in frames of each run of valid frames.
    window : int
        Frames of one window, future included.
    val_fraction : float
        Fraction of the frames to hold out.
    rng : numpy.random.Generator

    Returns
    -------
    numpy.ndarray
        `(lengths.sum(),)` int8 over the runs end to end: 0 train, 1 val, -1 guard. Between frames
        of different splits in one run lie at least `window - 1` frames of guard. All 0 where no run can
        hold a validation window, its guard and a training window, see `draw_sessions`.
    """
    total = int(lengths.sum())
    split = np.zeros(total, dtype=np.int8)
    wanted = round(val_fraction * total)
    longest = int(lengths.max(initial=0))
    if longest < min_splittable(window):
        return split
    block = int(np.clip(wanted, window, min(VAL_BLOCK_WINDOWS * window, longest - 2 * window + 1)))
    n_blocks = max(1, round(wanted / block))
    slots, homes = [], []
    for start, length in zip(np.cumsum(lengths) - lengths, lengths, strict=True):
        count = length // block
        ends = [start, start + length - block]
        if n_blocks == 1:
            offsets = ends if length >= block + 2 * window - 1 else []
        elif count <= 2:
            offsets = ends[:count]
        else:
            offset = rng.integers(length - count * block + 1)
            offsets = [start + offset + i * block for i in range(count)]
        slots += offsets
        homes += [(start, start + length)] * len(offsets)
    for i in rng.choice(len(slots), size=min(n_blocks, len(slots)), replace=False):
        low, high = homes[i]
        guard = slice(max(low, slots[i] - window + 1), min(high, slots[i] + block + window - 1))
        split[guard] = np.where(split[guard] == 1, 1, -1)
        split[slots[i] : slots[i] + block] = 1
    return split


def min_splittable(window: int) -> int:
    """Return the frames of a run that holds a validation window, its guard and a training window."""
    return 3 * window - 1


def draw_sessions(
    sessions: list[str], val_fraction: float, seed: int, has_train: bool, has_val: bool
) -> list[str]:
    """Return those of some sessions that are held out as a whole.

    They are too short for a validation block of their own. Whether one is held out does not depend on the
    others, unless there would be nothing to train on, or to test on, at all.

    Parameters
    ----------
    sessions : list of str
        Sessions that have windows and are too short to be split.
    val_fraction : float
    seed : int
    has_train, has_val : bool
        Whether other sessions have training windows, validation windows.
    """
    draws = {s: np.random.default_rng([seed, *s.encode()]).random() for s in sessions}
    order = sorted(sessions, key=draws.__getitem__)
    n_drawn = sum(draws[s] < val_fraction for s in sessions)
    if not has_val:
        n_drawn = max(n_drawn, 1)
    if not has_train:
        n_drawn = min(n_drawn, len(order) - 1)
    return order[: max(n_drawn, 0)]


def split_rows(
    row: np.ndarray, window: int, val_fraction: float, rng: np.random.Generator
) -> np.ndarray:
    """Return the split of each valid row of a session, the same stretches of time for all its animals.

    Parameters
    ----------
    row : numpy.ndarray
        `(n_rows,)` int, the time step of each valid row of all animals, one animal after the other.
    window : int
        Frames of one window, future included.
    val_fraction : float
    rng : numpy.random.Generator

    Returns
    -------
    numpy.ndarray
        `(n_rows,)` int8: 0 train, 1 val, -1 guard.
    """
    steps, inverse = np.unique(row, return_inverse=True)
    return split_frames(run_lengths(steps), window, val_fraction, rng)[inverse]


def run_lengths(rows: np.ndarray) -> np.ndarray:
    """Return the length of each unbroken stretch of rising row numbers.

    Examples
    --------
    >>> run_lengths(np.array([3, 4, 5, 9, 11, 12])).tolist()
    [3, 1, 2]
    """
    return np.bincount(np.cumsum(np.diff(rows, prepend=rows[:1]) > 1))


def segments(run: np.ndarray, split: np.ndarray, value: int) -> np.ndarray:
    """Return the number of the unbroken stretch of one run and one split that each row is in, else -1.

    Parameters
    ----------
    run : numpy.ndarray
        `(n_rows,)`, the run of each row, different for each animal.
    split : numpy.ndarray
        `(n_rows,)`, the split of each row.
    value : int
        The split to keep.
    """
    changes = (np.diff(run, prepend=run[:1]) != 0) | (np.diff(split, prepend=split[:1]) != 0)
    return np.where(split == value, np.cumsum(changes), -1)
