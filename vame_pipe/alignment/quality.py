"""Tracking quality: jumps, unusable keypoints and body axes, thresholds that remove too much.

Pure functions of arrays. Positions are `(n_frames, n_keypoints, 2 or 3)` float64, in the coordinates of
`vame_pipe.poses.contract`, NaN where missing.
"""

from __future__ import annotations

import math
from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING

import numpy as np

from vame_pipe.alignment.geometry import norm
from vame_pipe.core.errors import InputError, listing

if TYPE_CHECKING:
    from vame_pipe.alignment.egocentric import Selection
    from vame_pipe.config.sections import Align

MAX_BELOW_CONFIDENCE = 0.5
"""Fraction of a keypoint's points below the confidence threshold above which there is a warning."""
KEPT = 0.9
"""Fraction of the points that the threshold which the warning suggests keeps."""
FIXED_RATIO = 0.05
"""A keypoint whose spatial range is below this fraction of the largest range counts as stationary."""
MAX_AXIS_SPREAD = 0.8
"""Relative spread of the body length: 0.3 to 0.5 in tracked mice, 1.2 and more if one end is an object."""


def count_jumps(position: np.ndarray, centre: int, length: float) -> int:
    """Return how often the centre moves by more than a body length from one frame to the next."""
    step = norm(np.diff(position[:, centre], axis=0))
    return int((step > length).sum())


def require_tracked(
    position: np.ndarray, selected: Selection, tracked: np.ndarray, thresholds: np.ndarray
) -> None:
    """Check that every keypoint is tracked, and has points above its confidence threshold.

    Parameters
    ----------
    position : numpy.ndarray
        `(n_frames, n_keypoints, 2 or 3)`, NaN where missing or not trusted.
    selected : Selection
    tracked : numpy.ndarray
        `(n_keypoints,)` bool: whether the file has any point of the keypoint.
    thresholds : numpy.ndarray
        `(n_keypoints,)`.

    Raises
    ------
    InputError
        If a keypoint has no such point.
    """
    unused = [k for k in range(position.shape[1]) if not np.isfinite(position[:, k, 0]).any()]
    never, low = ([k for k in unused if tracked[k] == known] for known in (False, True))
    problems = []
    if never:
        names = listing([selected.names[k] for k in never], "'")
        problems.append(
            f"{_by_count(never, f'keypoint {names} is', f'keypoints {names} are')} never tracked. Remove "
            f"{_by_count(never, 'it', 'them')} from keypoints."
        )
    if low:
        names = listing([selected.names[k] for k in low], "'")
        highest = np.fmax.reduce(selected.confidence[:, low], axis=None)
        problems.append(
            f"{_by_count(low, f'keypoint {names} has', f'keypoints {names} have')} no usable point: "
            f"the highest confidence is {highest:.3g}, align.min_confidence is "
            f"{thresholds[low].max():.3g}. Remove {_by_count(low, 'it', 'them')} from keypoints, "
            "or lower align.min_confidence."
        )
    if problems:
        raise InputError(*problems)


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
    extent = norm(high - low)
    axis = norm(sample[:, forward] - sample[:, centre])
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
    known = sample[np.isfinite(sample[:, [centre, forward]]).all(axis=(1, 2)), :, :2]
    if len(known) < 2:
        return False
    axis = known[:, forward] - known[:, centre]
    turned = np.abs(axis[:, 0] * axis[0, 1] - axis[:, 1] * axis[0, 0])
    reach = np.square(axis).sum(axis=1).max()
    return bool((np.ptp(known[:, centre], axis=0) < 1e-9).all() and (turned < 1e-6 * reach).all())


def placeholder_warnings(
    placeholder: np.ndarray, values: list[tuple[float, ...]], names: list[str]
) -> list[str]:
    """Return a warning if there are placeholders, `(n_frames, n_keypoints)` bool, of some values."""
    if not placeholder.any():
        return []
    found = listing([name for name, at in zip(names, placeholder.T, strict=True) if at.any()], "'")
    shown = ", ".join(f"({', '.join(f'{v:g}' for v in value)})" for value in values[:3])
    n_points = int(placeholder.sum())
    points = "1 point" if n_points == 1 else f"{n_points} points"
    return [
        f"{points} of {found} at exactly {shown}, which programs write for a missing point: treated as "
        "missing"
    ]


def confidence_warnings(
    confidence: np.ndarray, known: np.ndarray, thresholds: np.ndarray, names: list[str]
) -> list[str]:
    """Return a warning of each keypoint that loses more than half of its points to its threshold.

    Parameters
    ----------
    confidence : numpy.ndarray
        `(n_frames, n_keypoints)`, NaN where there is no score.
    known : numpy.ndarray
        `(n_frames, n_keypoints)` bool: where there is a point.
    thresholds : numpy.ndarray
        `(n_keypoints,)`.
    names : list of str
        Names of the keypoints.
    """
    warnings = []
    for k, name in enumerate(names):
        scores = confidence[known[:, k], k]
        lost = float((scores < thresholds[k]).mean()) if len(scores) else 0.0
        if lost > MAX_BELOW_CONFIDENCE:
            scores = np.where(np.isnan(scores), np.inf, scores)
            keep = rounded_down(float(np.quantile(scores, 1 - KEPT, method="lower")))
            warnings.append(
                f"align.min_confidence {thresholds[k]:.3g} removes {lost:.0%} of the points of '{name}'; "
                f"{keep:g} would keep {KEPT:.0%}"
            )
    return warnings


def rounded_down(value: float) -> float:
    """Return a positive number rounded down to two digits.

    Examples
    --------
    >>> rounded_down(0.5671), rounded_down(12.99), rounded_down(0.0)
    (0.56, 12.0, 0.0)
    """
    if value <= 0:
        return 0.0
    digits = 1 - math.floor(math.log10(value))
    return float(Decimal(repr(value)).quantize(Decimal(1).scaleb(-digits), ROUND_FLOOR))


def _do_not_move(names: list[str]) -> str:
    quoted = listing(names, "'")
    return f"{quoted} {_by_count(names, 'does', 'do')} not move"


def _by_count(things: list[int] | list[str], one: str, many: str) -> str:
    return one if len(things) == 1 else many
