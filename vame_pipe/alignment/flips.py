"""Stretches in which head and tail are swapped.

Pure functions of arrays. Positions are `(n_frames, n_keypoints, 2 or 3)` float64, in the coordinates of
`vame_pipe.poses.contract`, NaN where missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vame_pipe.alignment.cleaning import runs
from vame_pipe.alignment.geometry import norm

if TYPE_CHECKING:
    from vame_pipe.config.sections import Align

LINK_S = 0.25
"""Frames that are this close in time belong together, although some between them are missing."""
STEP_S = 0.2
"""Time over which travel is measured: longer than tracking noise, shorter than a turn."""
MIN_TRAVEL_SPEED = 0.3
"""Body lengths per second; a slower animal shows no direction of travel."""
MIN_TRAVEL = 3.0
"""Body lengths of net travel that decide which end of an animal is its head."""
MIN_FLIPPED = 0.005
"""Fraction of frames with swapped ends of the body axis above which there is a warning."""


def find_flips(
    position: np.ndarray, centre: int, forward: int, fps: float, length: float
) -> np.ndarray:
    """Find frames in which the ends of the body axis are swapped (head for tail).

    The ends were swapped if an animal seems to turn by half a turn from one frame to the next while each
    end appears where the other one was. The direction of travel decides which of both orientations is
    right, because animals walk forward. A stretch with too little travel is assumed to have the
    orientation of most of the recording.

    Parameters
    ----------
    position : numpy.ndarray
        `(n_frames, n_keypoints, 2 or 3)`, NaN where missing.
    centre, forward : int
        Indices of the keypoints at both ends of the body axis.
    fps, length : float
        Frames per second, and the length of the body in the unit of the positions.

    Returns
    -------
    numpy.ndarray
        `(n_frames,)` bool; False where either end is missing.
    """
    flipped = np.zeros(len(position), dtype=bool)
    back, front = position[:, centre], position[:, forward]
    rows = np.flatnonzero(np.isfinite(back[:, 0]) & np.isfinite(front[:, 0]))
    if len(rows) < 2:
        return flipped
    back, front = back[rows], front[rows]
    linked = np.diff(rows) <= max(1, LINK_S * fps)
    kept = norm(back[1:] - back[:-1]) + norm(front[1:] - front[:-1])
    swapped = norm(back[1:] - front[:-1]) + norm(front[1:] - back[:-1])
    event = linked & (swapped < kept / 2) & (kept > length)
    state = np.concatenate([[0], np.cumsum(event)]) % 2
    stretch = np.concatenate([[0], np.cumsum(~linked)])

    # the middle of the axis is the same whichever end is called the head
    travel = _travel(rows, (back + front) / 2, front - back, max(1, round(STEP_S * fps)))
    travel /= length
    travel[np.abs(travel) < MIN_TRAVEL_SPEED / fps] = 0.0
    net = np.bincount(stretch, travel * (1 - 2 * state))
    wrong_state = np.where(net < 0, 0, 1)
    decided = np.abs(net) > MIN_TRAVEL
    known = decided[stretch]
    mostly_reversed = 2 * (state == wrong_state[stretch])[known].sum() > known.sum()
    usual_state = (2 * np.bincount(stretch, state) > np.bincount(stretch)).astype(int)
    assumed = usual_state if mostly_reversed else 1 - usual_state
    wrong_state = np.where(decided, wrong_state, assumed)
    flipped[rows] = state == wrong_state[stretch]
    return flipped


def minority(flipped: np.ndarray, position: np.ndarray, centre: int, forward: int) -> np.ndarray:
    """Return the frames `(n_frames,)` bool in which the body points the other way than in most frames.

    If most of a recording seems to be the wrong way round, centre and forward are chosen so, or the animal
    walks backwards. Then those frames are at fault in which it is not.

    Parameters
    ----------
    flipped : numpy.ndarray
        What `find_flips` returns for `position`, `centre` and `forward`.
    """
    known = np.isfinite(position[:, centre, 0]) & np.isfinite(position[:, forward, 0])
    reverse = 2 * flipped.sum() > known.sum()
    return known & ~flipped if reverse else flipped


def count_flips(removed: np.ndarray, position: np.ndarray) -> tuple[int, int]:
    """Return the number of flips, and how many of them were repaired.

    Parameters
    ----------
    removed : numpy.ndarray
        `(n_frames,)` bool, frames with a flip, in which all points were removed.
    position : numpy.ndarray
        `(n_frames, n_keypoints, 2 or 3)` after gaps were filled.
    """
    starts, ends = runs(removed)
    open_ = np.concatenate([[0], np.cumsum(np.isnan(position[:, :, 0]).all(axis=1))])
    return len(starts), int((open_[ends] == open_[starts]).sum())


def flip_warnings(flipped: np.ndarray, settings: Align) -> list[str]:
    """Return a warning if the ends of the body axis are swapped in many frames, `(n_frames,)` bool."""
    if flipped.mean() <= MIN_FLIPPED:
        return []
    if flipped.mean() > 0.5:
        return [
            f"the animal seems to walk backwards in {flipped.mean():.1%} of the frames: check the "
            f"tracking, or exchange align.centre '{settings.centre}' and align.forward '{settings.forward}'"
        ]
    return [
        f"'{settings.centre}' and '{settings.forward}' seem to be swapped (head for tail) in "
        f"{flipped.mean():.1%} of the frames: check the tracking"
    ]


def _travel(rows: np.ndarray, middle: np.ndarray, axis: np.ndarray, step: int) -> np.ndarray:
    """Return the travel of each frame along its axis, per frame; 0 where it is unknown."""
    travel = np.zeros(len(rows))
    if len(rows) > 2 * step:
        span = rows[2 * step :] - rows[: -2 * step]
        moved = middle[2 * step :] - middle[: -2 * step]
        inner = axis[step:-step]
        size = norm(inner)
        along = sum((moved * inner).T) / np.where(size > 0, size, np.inf)
        travel[step:-step] = np.where(span == 2 * step, along / (2 * step), 0.0)
    return travel
