"""Split sessions into training and validation frames, without leakage between the two."""

from __future__ import annotations

import numpy as np

from vame_pipe.windows.data import number_stretches

VAL_BLOCK_WINDOWS = 4
"""Length of a validation block, in windows: room for many windows, short enough for several blocks."""


def split_rows(
    row: np.ndarray, window: int, val_fraction: float, rng: np.random.Generator
) -> np.ndarray:
    """Return the split of each valid row of a session.

    The validation blocks are the same stretches of time for all animals: animals of one session react to
    each other, so one must not be trained on what the other is validated on.

    Parameters
    ----------
    row : numpy.ndarray
        `(n_rows,)` int, the time step of each valid row of all animals, one animal after the other.
    window : int
        Frames of one window, future included.
    val_fraction : float
        Fraction of the time steps to hold out.
    rng : numpy.random.Generator

    Returns
    -------
    numpy.ndarray
        `(n_rows,)` int8: 0 train, 1 val, -1 guard.
    """
    steps = valid_steps(row)
    split = split_frames(run_lengths(steps), window, val_fraction, rng)
    return split[np.searchsorted(steps, row)]


def split_frames(
    lengths: np.ndarray, window: int, val_fraction: float, rng: np.random.Generator
) -> np.ndarray:
    """Draw the validation blocks of one session and mark the guard frames next to them.

    Parameters
    ----------
    lengths : numpy.ndarray
        `(n_runs,)` int, frames of each run.
    window : int
        Frames of one window, future included.
    val_fraction : float
        Fraction of the frames to hold out.
    rng : numpy.random.Generator

    Returns
    -------
    numpy.ndarray
        `(lengths.sum(),)` int8 over the runs end to end: 0 train, 1 val, -1 guard. In each run, at least
        `window - 1` guard frames lie between frames of different splits. All 0 if every run is too short
        for a validation block, see `min_splittable` and `draw_sessions`.
    """
    total = int(lengths.sum())
    longest = int(lengths.max(initial=0))
    if longest < min_splittable(window):
        return np.zeros(total, dtype=np.int8)
    n_val = round(val_fraction * total)
    block = int(np.clip(n_val, window, min(VAL_BLOCK_WINDOWS * window, longest - 2 * window + 1)))
    n_blocks = max(1, round(n_val / block))
    candidates = _candidate_blocks(lengths, window, block, n_blocks, rng)
    drawn = rng.choice(len(candidates), size=min(n_blocks, len(candidates)), replace=False)
    run = np.repeat(np.arange(len(lengths)), lengths)
    # in a short session, as many blocks as were asked for may leave no training window; one block does
    for n_used in range(len(drawn), 0, -1):
        split = _mark([candidates[i] for i in drawn[:n_used]], block, window, total)
        train = segments(run, split, 0)
        if np.bincount(train[train >= 0], minlength=1).max() >= window:
            break
    return split


def _mark(blocks: list[tuple[int, int, int]], block: int, window: int, total: int) -> np.ndarray:
    """Return the split `(total,)` with validation blocks, given their start and the bounds of their run."""
    split = np.zeros(total, dtype=np.int8)
    for start, run_start, run_end in blocks:
        guard = slice(max(run_start, start - window + 1), min(run_end, start + block + window - 1))
        split[guard] = np.where(split[guard] == 1, 1, -1)
        split[start : start + block] = 1
    return split


def _candidate_blocks(
    lengths: np.ndarray, window: int, block: int, n_blocks: int, rng: np.random.Generator
) -> list[tuple[int, int, int]]:
    """Return where validation blocks may lie: the start of the block, and the start and end of its run.

    If there is to be one block only, it lies at an end of a run, where it costs the fewest training
    windows. If there are to be several, a run that is too short for three has them at its ends.
    """
    candidates = []
    for run_start, length in zip(np.cumsum(lengths) - lengths, lengths, strict=True):
        run_end = run_start + length
        n_fitting = length // block
        ends = [run_start, run_end - block]
        if n_blocks == 1:
            starts = ends if length >= block + 2 * window - 1 else []
        elif n_fitting <= 2:
            starts = ends[:n_fitting]
        else:
            first = run_start + rng.integers(length - n_fitting * block + 1)
            starts = [first + i * block for i in range(n_fitting)]
        candidates += [(start, run_start, run_end) for start in starts]
    return candidates


def min_splittable(window: int) -> int:
    """Return how long a run must be to hold a validation window, guard frames and a training window."""
    return 3 * window - 1


def draw_sessions(
    sessions: list[str], val_fraction: float, seed: int, has_train: bool, has_val: bool
) -> list[str]:
    """Choose which short sessions are used only for validation.

    Whether a session is drawn does not depend on the other sessions, unless there would otherwise be no
    training or no validation window at all.

    Parameters
    ----------
    sessions : list of str
        Sessions that have windows and are too short for a validation block.
    val_fraction : float
        Probability that a session is drawn.
    seed : int
    has_train, has_val : bool
        Whether the other sessions have training windows, and validation windows.
    """
    draws = {s: np.random.default_rng([seed, *s.encode()]).random() for s in sessions}
    order = sorted(sessions, key=draws.__getitem__)
    n_drawn = sum(draws[s] < val_fraction for s in sessions)
    if not has_val:
        n_drawn = max(n_drawn, 1)
    if not has_train:
        n_drawn = min(n_drawn, len(order) - 1)
    return order[: max(n_drawn, 0)]


def valid_steps(row: np.ndarray) -> np.ndarray:
    """Return the time steps at which any animal is valid, in order.

    Examples
    --------
    >>> valid_steps(np.array([3, 4, 7, 0, 4])).tolist()
    [0, 3, 4, 7]
    """
    return np.flatnonzero(np.bincount(row))


def run_lengths(rows: np.ndarray) -> np.ndarray:
    """Return the length of each unbroken stretch of rising row numbers.

    Examples
    --------
    >>> run_lengths(np.array([3, 4, 5, 9, 11, 12])).tolist()
    [3, 1, 2]
    """
    return np.bincount(np.cumsum(np.diff(rows, prepend=rows[:1]) > 1))


def segments(run: np.ndarray, split: np.ndarray, split_id: int) -> np.ndarray:
    """Return a number for each row of one split that is the same within a run and differs between runs.

    Parameters
    ----------
    run : numpy.ndarray
        `(n_rows,)` int, the run of each row, different for each animal.
    split : numpy.ndarray
        `(n_rows,)` int, the split of each row.
    split_id : int
        The split to number; rows of other splits get -1.

    Examples
    --------
    >>> run, split = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 0, 1])
    >>> segments(run, split, 1).tolist()
    [-1, 1, 1, 2, -1, 4]
    """
    return np.where(split == split_id, number_stretches(run, split), -1)
