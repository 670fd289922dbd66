"""Settings that suit a recording: body axis, confidence threshold, and keypoints to leave out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from vame_pipe.poses.keypoint_names import CENTRE, FORWARD, OBJECTS, end_of_axis, words
from vame_pipe.poses.sides import Camera, camera_side

USUAL_CONFIDENCE = 0.6
QUANTILE = 0.1
MIN_KEPT = 0.5
"""A keypoint that is known in a smaller fraction of the frames makes too many frames invalid."""
MIN_GAIN = 0.05
"""Fraction of the frames that another threshold must keep in addition, to be suggested."""
MIN_RATIO = 1 / 3
"""A low quantile of the scores that is a smaller fraction of their median is of points that were lost."""
MIN_HARMLESS = 0.75
"""Fraction of the keypoints for which that must not be so."""
MAX_USUAL_SCALE = 1.5
"""Scores of a tracker with another scale than 0 to 1 go beyond it."""
MIN_EXTENT = 0.05
"""A keypoint that moves over less than this fraction of the largest range counts as an object."""
MAX_LOSS = 0.05
"""An end of the body axis is known in at most this fraction of the frames less than the best keypoint."""
MIN_MOVEMENT = 0.25
"""It moves over at least this fraction of what such keypoints usually move."""
KNOWN = "known in"
"""First words of the reason for which a keypoint is left out, if another threshold could help."""
MAX_SPREAD = 0.8
"""Relative spread of a length, above which both ends are not on the same animal."""


@dataclass(frozen=True)
class Suggestion:
    """Settings that suit a file.

    Attributes
    ----------
    centre, forward : str or None
        None if fewer than two keypoints can be used.
    by_name : bool
        Whether both were found by their names, and not by how they move.
    min_confidence : float or None
        None: `{quantile: 0.1}`.
    valid : float
        Fraction of the frames in which all other keypoints are known.
    leave_out : dict of str to str
        Keypoints that should not be used, and why.
    camera : str or None
        `below` if left and right are swapped, as a camera below the animal sees them, else `above`; None if
        the keypoints do not tell.
    """

    centre: str | None
    forward: str | None
    by_name: bool
    min_confidence: float | None
    valid: float
    leave_out: dict[str, str] = field(default_factory=dict)
    camera: Camera | None = None


def suggest(
    position: np.ndarray, confidence: np.ndarray, names: Sequence[str]
) -> tuple[Suggestion, np.ndarray]:
    """Return settings for a recording, and the fraction of frames `(n_keypoints,)` that they keep.

    The confidence threshold is 0.6. If the scale goes beyond 1, or if a quantile keeps clearly more frames
    without keeping points that are far worse than the usual ones, it is a quantile. Keypoints that are on
    no animal or rarely known are left out. The body axis is chosen by names, else of the
    keypoints that are nearly always known and move: it is long, varies little in length and leads when the
    animal moves.

    Parameters
    ----------
    position : numpy.ndarray
        `(n_frames, n_keypoints, 2 or 3)`, NaN where missing.
    confidence : numpy.ndarray
        `(n_frames, n_keypoints)`, NaN where not scored.
    names : sequence of str
    """
    known = _known(position)
    n_tracked = max(1, int(known.any(axis=1).sum()))
    choices = {}
    for threshold in (USUAL_CONFIDENCE, None):
        above = _above(known, confidence, threshold)
        kept = above.sum(axis=0) / n_tracked
        leave_out = _leave_out(np.where(above[..., None], position, np.nan), kept, names)
        used = [k for k, name in enumerate(names) if name not in leave_out]
        valid = above[:, used].all(axis=1).sum() / n_tracked if len(used) > 1 else 0.0
        choices[threshold] = (valid, above, kept, leave_out)
    gain = choices[None][0] - choices[USUAL_CONFIDENCE][0]
    few = choices[USUAL_CONFIDENCE][0] < MIN_KEPT and gain > MIN_GAIN
    limits, medians, highest = _scores(known, confidence)
    used = [k for k, name in enumerate(names) if name not in choices[None][3]]
    harmless = bool(used) and np.mean(limits[used] >= medians[used] * MIN_RATIO) > MIN_HARMLESS
    chosen = None if highest > MAX_USUAL_SCALE or (few and harmless) else USUAL_CONFIDENCE
    _, above, kept, leave_out = choices[chosen]
    usable = [name for name in names if name not in leave_out]
    centre, forward = axis_by_name(usable) or (None, None)
    by_name = centre is not None
    if len(usable) > 1 and not by_name:
        trusted = np.where(above[..., None], position, np.nan)
        centre, forward = _axis_by_movement(trusted, names, _ends(trusted, usable, kept, names))
    if centre and forward:
        leave_out |= _spoilers(above, n_tracked, names, usable, {centre, forward})
    for name in [name for name, why in leave_out.items() if why.startswith(KNOWN)]:
        k = names.index(name)
        leave_out[name] += _threshold_for(known[:, k], confidence[:, k], kept[k], n_tracked)
    used = [k for k, name in enumerate(names) if name not in leave_out]
    valid = float(above[:, used].all(axis=1).sum() / n_tracked) if len(used) > 1 else 0.0
    camera = None
    if (
        centre and forward and by_name and position.shape[2] == 2
    ):  # else head and tail may be confused
        camera = camera_side(np.where(above[..., None], position, np.nan), names, centre, forward)
    return Suggestion(centre, forward, by_name, chosen, valid, leave_out, camera), kept


def trusted_points(
    position: np.ndarray, confidence: np.ndarray, threshold: float | None
) -> np.ndarray:
    """Return which points are known and not below a threshold, `(n_frames, n_keypoints)` bool.

    Parameters
    ----------
    position : numpy.ndarray
        `(n_frames, n_keypoints, 2 or 3)`, NaN where missing.
    confidence : numpy.ndarray
        `(n_frames, n_keypoints)`, NaN where not scored.
    threshold : float, optional
        None: the quantile of `Suggestion.min_confidence`.
    """
    return _above(_known(position), confidence, threshold)


def _known(position: np.ndarray) -> np.ndarray:
    known: np.ndarray = np.isfinite(position).all(axis=2) & ~(position == 0).all(axis=2)
    return known


def _above(known: np.ndarray, confidence: np.ndarray, threshold: float | None) -> np.ndarray:
    """Return which points are known and trusted, `(n_frames, n_keypoints)` bool."""
    scored = np.isfinite(confidence)
    if threshold is not None:
        return known & (~scored | (confidence >= threshold))
    limits, _, _ = _scores(known, confidence)
    return known & (~scored | ((confidence >= limits) & (confidence > 0)))


def _scores(known: np.ndarray, confidence: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Return a low quantile and the median of the scores of each keypoint, and the highest score of all."""
    limits, medians, highest = np.zeros(known.shape[1]), np.zeros(known.shape[1]), 0.0
    for k in range(known.shape[1]):
        scores = confidence[known[:, k] & np.isfinite(confidence[:, k]), k]
        if len(scores):
            limits[k], medians[k] = np.quantile(scores, [QUANTILE, 0.5])
            highest = max(highest, float(scores.max()))
    return limits, medians, highest


def _leave_out(position: np.ndarray, kept: np.ndarray, names: Sequence[str]) -> dict[str, str]:
    """Return keypoints that are on no animal or rarely known, and why."""
    reasons = {}
    extent = np.array([_extent(position[:, k]) for k in range(len(names))])
    for k, name in enumerate(names):
        if kept[k] < MIN_KEPT:
            reasons[name] = f"{KNOWN} only {kept[k]:.0%} of the frames"
        elif OBJECTS & {word.rstrip("s") for word in words(name)}:
            reasons[name] = "is an object, by its name"
        elif extent[k] < MIN_EXTENT * extent.max():
            reasons[name] = "does not move, like an object or a corner of the arena"
    return reasons


def _threshold_for(known: np.ndarray, confidence: np.ndarray, kept: float, n_tracked: int) -> str:
    """Return a threshold that keeps clearly more points of a keypoint, in words; empty if none does.

    Its points with the lowest scores must not be far worse than those with the highest: such were lost.
    """
    scores = confidence[known]
    if np.isnan(scores).any() or len(scores) == 0:
        return ""
    low, high = np.quantile(scores, [QUANTILE, 1 - QUANTILE])
    limit = float(f"{low:.2g}")
    share = float((scores >= limit).sum() / n_tracked)
    if not (limit > 0 and low >= high * MIN_RATIO and share >= max(MIN_KEPT, kept + MIN_GAIN)):
        return ""
    return f"; a min_confidence of {limit:g} for it would keep {share:.0%}"


def axis_by_name(names: Sequence[str]) -> tuple[str, str] | None:
    """Return the back and the front of the body axis by their names; None if the names do not tell.

    Examples
    --------
    >>> axis_by_name(["tail_tip", "TailBase", "Snout"]), axis_by_name(["Snout", "left_ear"])
    (('TailBase', 'Snout'), None)
    """
    forward = end_of_axis(names, FORWARD)
    centre = end_of_axis(names, CENTRE, taken=forward or "")
    return None if centre is None or forward is None else (centre, forward)


def _ends(
    position: np.ndarray, usable: Sequence[str], kept: np.ndarray, names: Sequence[str]
) -> list[str]:
    """Return the keypoints that can end a body axis: nearly always known, and moving as most of them."""
    shares = {name: kept[names.index(name)] for name in usable}
    known = [name for name in usable if shares[name] >= max(shares.values()) - MAX_LOSS]
    extent = {name: _extent(position[:, names.index(name)]) for name in known}
    usual = float(np.median(list(extent.values())))
    moving = [name for name in known if extent[name] >= MIN_MOVEMENT * usual]
    return moving if len(moving) > 1 else list(usable)


def _extent(points: np.ndarray) -> float:
    """Return over which distance a keypoint moves, without the outermost frames."""
    at = points[np.isfinite(points).all(axis=1)]
    return (
        float(np.linalg.norm(np.subtract(*np.quantile(at, [0.95, 0.05], axis=0))))
        if len(at)
        else 0.0
    )


def _spoilers(
    above: np.ndarray, n_tracked: int, names: Sequence[str], usable: Sequence[str], axis: set[str]
) -> dict[str, str]:
    """Return keypoints without which half of the frames would have all keypoints, the worst first."""
    reasons: dict[str, str] = {}
    columns = {name: names.index(name) for name in usable}
    while above[:, list(columns.values())].all(axis=1).sum() / n_tracked < MIN_KEPT:
        others = [name for name in columns if name not in axis]
        if not others:
            break
        worst = min(others, key=lambda name: above[:, columns[name]].sum())
        share = above[:, columns.pop(worst)].sum() / n_tracked
        reasons[worst] = f"{KNOWN} {share:.0%} of the frames; a frame needs all keypoints"
    return reasons


def _axis_by_movement(
    position: np.ndarray, names: Sequence[str], usable: Sequence[str]
) -> tuple[str, str]:
    """Return back and front of the longest axis whose length is steady; the front leads when it moves."""
    best, ends = -1.0, (names[0], names[-1])
    columns = [names.index(name) for name in usable]
    for n, i in enumerate(columns):
        for j in columns[n + 1 :]:
            length = np.linalg.norm(position[:, i] - position[:, j], axis=1)
            length = length[np.isfinite(length)]
            if not len(length):
                continue
            short, median, long = np.quantile(length, [0.05, 0.5, 0.95])
            score = median * max(0.0, 1 - (long - short) / (MAX_SPREAD * median + 1e-9))
            if score > best:
                best, ends = score, (names[i], names[j])
    back, front = (position[:, names.index(name)] for name in ends)
    step = max(1, min(5, len(position) - 1))
    moved = np.diff((back + front)[::step], axis=0) / 2
    axis = (front - back)[::step][:-1]
    # a longer step is a jump of the tracker, or to another stretch of the sample
    size = np.linalg.norm(axis, axis=1)
    steps = np.where(np.linalg.norm(moved, axis=1) < size, (moved * axis).sum(axis=1), 0.0)
    ahead = np.nansum(steps)
    return ends if ahead >= 0 else (ends[1], ends[0])


def describe_suggestion(suggestion: Suggestion, is_scored: bool) -> list[str]:
    """Return a suggestion as lines of text.

    Parameters
    ----------
    suggestion : Suggestion
    is_scored : bool
        Whether the file has scores; without any, the threshold has no effect.
    """
    lines = [f"  leave out   {name}: {why}" for name, why in suggestion.leave_out.items()]
    if suggestion.centre is None or suggestion.forward is None:
        return [*lines, "  suggested   nothing: a body axis needs two keypoints of the animal"]
    confidence = f"min_confidence: {threshold(suggestion)}; then"
    if not is_scored:
        confidence = "not scored, so every tracked point is trusted:"
    swapped = (
        "              camera: below; left and right are swapped, as seen from below or in a mirror"
    )
    return [
        *lines,
        f"  suggested   centre: {suggestion.centre}, forward: {suggestion.forward}"
        f"{'' if suggestion.by_name else ' (by how they move: check them)'}",
        f"              {confidence} {suggestion.valid:.0%} of the frames have all keypoints, without "
        "interpolation",
        *([swapped] if suggestion.camera == "below" else []),
    ]


def threshold(suggestion: Suggestion) -> str:
    """Return the suggested `align.min_confidence` as in config.yaml."""
    value = suggestion.min_confidence
    return f"{{quantile: {QUANTILE}}}" if value is None else f"{value:g}"
