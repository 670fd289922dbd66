"""Faults of tracking that no threshold of confidence finds. Pure functions of arrays.

Positions are `(n_frames, n_keypoints, 2)`, pixels, NaN where missing.
"""

from __future__ import annotations

import numpy as np

MAX_SAMPLE = 60_000
"""Points that are searched for repeated values; a placeholder is common or does no harm."""
MAX_CANDIDATES = 20
LINK_S = 0.25
"""Frames that are this close in time belong to one stretch, although some between them are missing."""
STEP_S = 0.2
"""Time over which travel is measured: longer than a tracker's noise, shorter than a turn."""
MIN_SPEED = 0.3
"""Body lengths per second; an animal that is slower shows no direction of travel."""
MIN_TRAVEL = 3.0
"""Body lengths of net travel that decide which end of an animal is its head."""


def find_placeholders(position: np.ndarray) -> tuple[np.ndarray, list[tuple[float, float]]]:
    """Find points that a program wrote in place of a missing point, as (0, 0) or (-1, -1).

    Exact zeros are placeholders, and so is any other value to which points jump, again and again, over
    more than the size of the animal. A keypoint that never moves is not touched: objects do not, nor does
    the centre of poses that are egocentric already.

    Returns
    -------
    placeholder : numpy.ndarray
        `(n_frames, n_keypoints)` bool.
    values : list of tuple
        The values found, the most frequent first.
    """
    x, y = position[..., 0], position[..., 1]
    moves = _moves(x) | _moves(y)
    placeholder = np.zeros(x.shape, dtype=bool)
    counts: dict[tuple[float, float], int] = {}
    for value in [(0.0, 0.0), *_repeated(position)]:
        at = (x == value[0]) & (y == value[1]) & moves
        if at.any() and (value == (0.0, 0.0) or _is_jumped_to(position, at)):
            placeholder |= at
            counts[value] = int(at.sum())
    return placeholder, sorted(counts, key=counts.__getitem__, reverse=True)


def _moves(values: np.ndarray) -> np.ndarray:
    """Return for each column whether its finite values differ."""
    known = np.isfinite(values)
    return np.where(known, values, -np.inf).max(axis=0) > np.where(known, values, np.inf).min(
        axis=0
    )


def _repeated(position: np.ndarray) -> list[tuple[float, float]]:
    """Return the values that occur most often in a sample of the points, without (0, 0)."""
    n_frames, n_keypoints, _ = position.shape
    sample = position[:: max(1, n_frames * n_keypoints // MAX_SAMPLE)].reshape(-1, 2)
    sample = sample[np.isfinite(sample).all(axis=1) & (sample != 0).any(axis=1)]
    values, counts = np.unique(sample[:, 0] + 1j * sample[:, 1], return_counts=True)
    often = np.argsort(-counts, kind="stable")[:MAX_CANDIDATES]
    return [(float(values[i].real), float(values[i].imag)) for i in often if counts[i] >= 3]


def _is_jumped_to(position: np.ndarray, at: np.ndarray) -> bool:
    """Return whether points come to a value from afar, in at least two stretches of any keypoints."""
    others = np.where(at[..., None], np.nan, position)
    distances = []
    for k in np.flatnonzero(at.any(axis=0)):
        known = np.flatnonzero(np.isfinite(others[:, k, 0]))
        first = np.flatnonzero(np.diff(at[:, k], prepend=False) & at[:, k])
        before = known[np.clip(np.searchsorted(known, first) - 1, 0, None)]
        distances += list(np.hypot(*(others[before, k] - position[first, k]).T))
    return len(distances) >= 2 and float(np.median(distances)) > _extent(others)


def _extent(position: np.ndarray) -> float:
    """Return the median diagonal of the box around the keypoints of a frame, pixels."""
    sample = position[:: max(1, len(position) // 5000)]
    sample = sample[np.isfinite(sample[..., 0]).sum(axis=1) >= 2]
    if not len(sample):
        return np.inf
    return float(np.median(np.hypot(*(np.nanmax(sample, axis=1) - np.nanmin(sample, axis=1)).T)))


def find_flips(
    position: np.ndarray, centre: int, forward: int, fps: float, length: float
) -> np.ndarray:
    """Find frames in which the ends of the body axis are swapped (head for tail).

    Where an animal seems to turn by half a turn from one frame to the next, while each end appears where
    the other one was, its ends were swapped. Travel decides which of the two ways is right: animals walk
    forward. A stretch with too little of it is taken to be like most of the recording.

    Parameters
    ----------
    position : numpy.ndarray
        `(n_frames, n_keypoints, 2)`, pixels, NaN where missing.
    centre, forward : int
    fps : float
    length : float
        Body length, pixels.

    Returns
    -------
    numpy.ndarray
        `(n_frames,)` bool; False where either end is missing.
    """
    flipped = np.zeros(len(position), dtype=bool)
    ends = position[:, [centre, forward]]
    rows = np.flatnonzero(np.isfinite(ends).all(axis=(1, 2)))
    if len(rows) < 2:
        return flipped
    back, front = ends[rows, 0], ends[rows, 1]
    linked = np.diff(rows) <= max(1, LINK_S * fps)
    kept = _distance(back[1:], back[:-1]) + _distance(front[1:], front[:-1])
    swapped = _distance(back[1:], front[:-1]) + _distance(front[1:], back[:-1])
    event = linked & (swapped < kept / 2) & (kept > length)
    state = np.concatenate([[0], np.cumsum(event)]) % 2
    stretch = np.concatenate([[0], np.cumsum(~linked)])

    # the middle of the axis is the same whichever end is called the head
    travel = _travel(rows, (back + front) / 2, front - back, max(1, round(STEP_S * fps)))
    travel /= length
    travel[np.abs(travel) < MIN_SPEED / fps] = 0.0
    net = np.bincount(stretch, travel * (1 - 2 * state))
    wrong_state = np.where(net < 0, 0, 1)
    decided = np.abs(net) > MIN_TRAVEL
    known = decided[stretch]
    reversed_ = 2 * (state == wrong_state[stretch])[known].sum() > known.sum()
    usual_state = (2 * np.bincount(stretch, state) > np.bincount(stretch)).astype(int)
    wrong_state = np.where(decided, wrong_state, usual_state if reversed_ else 1 - usual_state)
    flipped[rows] = state == wrong_state[stretch]
    return flipped


def _distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.hypot(*(one - other).T)


def _travel(rows: np.ndarray, middle: np.ndarray, axis: np.ndarray, step: int) -> np.ndarray:
    """Return the travel of each frame along its axis, pixels per frame; 0 where it is not known."""
    travel = np.zeros(len(rows))
    if len(rows) > 2 * step:
        span = rows[2 * step :] - rows[: -2 * step]
        moved = middle[2 * step :] - middle[: -2 * step]
        inner = axis[step:-step]
        size = np.hypot(*inner.T)
        along = (moved * inner).sum(axis=1) / np.where(size > 0, size, np.inf)
        travel[step:-step] = np.where(span == 2 * step, along / (2 * step), 0.0)
    return travel
