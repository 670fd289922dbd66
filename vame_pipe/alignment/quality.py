"""Tracking quality: swapped ends of the body, unusable body axes, and what was found per keypoint.

Pure functions of arrays. Positions are `(n_frames, n_keypoints, 2)` float64, pixels, in the image
coordinates of `vame_pipe.poses.contract`, NaN where missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vame_pipe.core.errors import InputError, listing

if TYPE_CHECKING:
    from vame_pipe.alignment.egocentric import Selection
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
FIXED_RATIO = 0.05
"""A keypoint whose spatial range is below this fraction of the largest range counts as stationary."""
MAX_AXIS_SPREAD = 0.8
"""Relative spread of the body length: 0.3 to 0.5 in tracked mice, 1.2 and more if one end is an object."""


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
        `(n_frames, n_keypoints, 2)`, pixels, NaN where missing.
    centre, forward : int
        Indices of the keypoints at both ends of the body axis.
    fps, length : float
        Frames per second, and the length of the body in pixels.

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


def _distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    distance: np.ndarray = np.hypot(*(one - other).T)
    return distance


def _travel(rows: np.ndarray, middle: np.ndarray, axis: np.ndarray, step: int) -> np.ndarray:
    """Return the travel of each frame along its axis, pixels per frame; 0 where it is unknown."""
    travel = np.zeros(len(rows))
    if len(rows) > 2 * step:
        span = rows[2 * step :] - rows[: -2 * step]
        moved = middle[2 * step :] - middle[: -2 * step]
        inner = axis[step:-step]
        size = np.hypot(*inner.T)
        along = (moved * inner).sum(axis=1) / np.where(size > 0, size, np.inf)
        travel[step:-step] = np.where(span == 2 * step, along / (2 * step), 0.0)
    return travel


def require_tracked(position: np.ndarray, selected: Selection, thresholds: np.ndarray) -> None:
    """Check that every keypoint has points above its confidence threshold `(n_keypoints,)`.

    Raises
    ------
    InputError
        If a keypoint has none.
    """
    unused = [k for k in range(position.shape[1]) if not np.isfinite(position[:, k, 0]).any()]
    if unused:
        names = listing([selected.names[k] for k in unused], "'")
        highest = selected.confidence[:, unused].max()
        raise InputError(
            f"{_by_count(unused, f'keypoint {names} has', f'keypoints {names} have')} no usable point: "
            f"the highest confidence is {highest:.3g}, align.min_confidence is "
            f"{thresholds[unused].max():.3g}. Remove {_by_count(unused, 'it', 'them')} from keypoints, "
            "or lower align.min_confidence."
        )


def body_axis_warnings(position: np.ndarray, selected: Selection, settings: Align) -> list[str]:
    """Check that the body axis ends in no object; return a warning of other stationary keypoints.

    An animal can turn on the spot, but its length changes little, while its distance to an object does.

    Raises
    ------
    InputError
        If an end of the body axis is stationary like an object, or if the poses are already egocentric
        and kinematics are asked for.
    """
    names, centre, forward = selected.names, selected.centre, selected.forward
    sample = position[:: max(1, len(position) // 20_000)]
    if _is_egocentric(sample, centre, forward):
        if settings.kinematics:
            raise InputError(
                f"'{names[centre]}' never moves and '{names[forward]}' is always in the same direction "
                "from it, so these poses are egocentric already. Set align.kinematics to false: such "
                "poses contain neither speed nor turning."
            )
        return []
    low, high = np.nanquantile(sample, [0.05, 0.95], axis=0)
    extent = np.hypot(*(high - low).T)
    axis = np.hypot(*(sample[:, forward] - sample[:, centre]).T)
    if settings.head_fixed or np.isnan(axis).all():
        return []  # a body axis that is never known is refused next
    short, median, long = np.nanquantile(axis, [0.05, 0.5, 0.95])
    fixed = [name for name, e in zip(names, extent, strict=True) if e < FIXED_RATIO * extent.max()]
    wrong = [names[k] for k in (centre, forward) if names[k] in fixed]
    if len(wrong) == 2 or (wrong and long - short > MAX_AXIS_SPREAD * median):
        raise InputError(
            f"{_do_not_move(wrong)} while other keypoints do, like an object or a corner of the arena. "
            "A body axis needs two keypoints of the animal: choose others for align.centre and "
            "align.forward. If the animal is held in place, set align.head_fixed to true."
        )
    if fixed and not wrong:
        what = _by_count(
            fixed,
            "if it is an object or a corner of the arena, remove it",
            "if they are objects or corners of the arena, remove them",
        )
        return [f"{_do_not_move(fixed)} while other keypoints do: {what} from keypoints"]
    return []


def _is_egocentric(sample: np.ndarray, centre: int, forward: int) -> bool:
    """Return whether the centre never moves and the direction from it to forward never changes."""
    known = sample[np.isfinite(sample[:, [centre, forward]]).all(axis=(1, 2))]
    if len(known) < 2:
        return False
    axis = known[:, forward] - known[:, centre]
    turned = np.abs(axis[:, 0] * axis[0, 1] - axis[:, 1] * axis[0, 0])
    reach = np.square(axis).sum(axis=1).max()
    return bool((np.ptp(known[:, centre], axis=0) < 1e-9).all() and (turned < 1e-6 * reach).all())


def placeholder_warnings(
    placeholder: np.ndarray, values: list[tuple[float, float]], names: list[str]
) -> list[str]:
    """Return a warning if there are placeholders, `(n_frames, n_keypoints)` bool, of some values."""
    if not placeholder.any():
        return []
    found = listing([name for name, at in zip(names, placeholder.T, strict=True) if at.any()], "'")
    shown = ", ".join(f"({x:g}, {y:g})" for x, y in values[:3])
    n_points = int(placeholder.sum())
    points = "1 point" if n_points == 1 else f"{n_points} points"
    return [
        f"{points} of {found} at exactly {shown}, which programs write for a missing point: treated as "
        "missing"
    ]


def flip_warnings(flipped: np.ndarray, settings: Align) -> list[str]:
    """Return a warning if the ends of the body axis are swapped in many frames, `(n_frames,)` bool."""
    if flipped.mean() <= MIN_FLIPPED:
        return []
    return [
        f"'{settings.centre}' and '{settings.forward}' seem to be swapped (head for tail) in "
        f"{flipped.mean():.1%} of the frames: check the tracking"
    ]


def _do_not_move(names: list[str]) -> str:
    quoted = listing(names, "'")
    return f"{quoted} {_by_count(names, 'does', 'do')} not move"


def _by_count(things: list[int] | list[str], one: str, many: str) -> str:
    return one if len(things) == 1 else many
