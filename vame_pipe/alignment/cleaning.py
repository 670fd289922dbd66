"""Clean the tracked positions: unreliable points, outliers, gaps, frame rate, smoothing.

Functions of arrays. Positions are `(n_frames, n_keypoints, 2 or 3)` float64, in the coordinates of
`vame_pipe.poses.contract`, NaN where missing.
"""

from __future__ import annotations

import numpy as np

from vame_pipe.alignment.geometry import empty, norm, running_median
from vame_pipe.config.sections import DEFAULT_CONFIDENCE, Quantile

MAX_SAMPLE = 60_000
"""Points that are searched for repeated values; a rarer placeholder does no harm."""
MAX_CANDIDATES = 20
"""Repeated values that are tested for being placeholders."""
MEDIAN_WINDOW_S = 0.4
"""Width of the running median that outliers are measured from; it detects jumps of up to half of it."""
MIN_OUTLIER_BODY_LENGTHS = 0.25
"""A point closer to its running median than this is never an outlier, because animals do move."""


def find_placeholders(position: np.ndarray) -> tuple[np.ndarray, list[tuple[float, ...]]]:
    """Find points that a program wrote in place of a missing point, such as (0, 0) or (-1, -1).

    Exact zeros are placeholders. Any other value is one if points jump to it repeatedly, over more than
    the size of the animal. Keypoints that never move are left alone: objects do not move, and neither
    does the centre of poses that are already egocentric.

    Parameters
    ----------
    position : numpy.ndarray
        `(n_frames, n_keypoints, 2 or 3)`, NaN where missing.

    Returns
    -------
    placeholder : numpy.ndarray
        `(n_frames, n_keypoints)` bool.
    values : list of tuple
        The values found, the most frequent first.
    """
    axes = np.moveaxis(position, -1, 0)
    moves = np.any([_moves(values) for values in axes], axis=0)
    placeholder = np.zeros(position.shape[1::-1], dtype=bool).T
    zero = (0.0,) * len(axes)
    counts: dict[tuple[float, ...], int] = {}
    for value in [zero, *_repeated_values(position)]:
        at = moves & (axes[0] == value[0])
        for values, coordinate in zip(axes[1:], value[1:], strict=True):
            at &= values == coordinate
        if at.any() and (value == zero or _is_jumped_to(position, at)):
            placeholder |= at
            counts[value] = int(at.sum())
    return placeholder, sorted(counts, key=counts.__getitem__, reverse=True)


def _moves(values: np.ndarray) -> np.ndarray:
    """Return for each column whether its finite values differ."""
    moves: np.ndarray = np.fmax.reduce(values, axis=0) > np.fmin.reduce(values, axis=0)
    return moves


def _repeated_values(position: np.ndarray) -> list[tuple[float, ...]]:
    """Return the most frequent values in a sample of the points, without zero."""
    n_frames, n_keypoints, dimensions = position.shape
    sample = position[:: max(1, n_frames * n_keypoints // MAX_SAMPLE)].reshape(-1, dimensions)
    sample = sample[np.isfinite(sample).all(axis=1) & (sample != 0).any(axis=1)]
    values, counts = np.unique(sample, axis=0, return_counts=True)
    frequent = np.argsort(-counts, kind="stable")[:MAX_CANDIDATES]
    return [tuple(values[i].tolist()) for i in frequent if counts[i] >= 3]


def _is_jumped_to(position: np.ndarray, at: np.ndarray) -> bool:
    """Return whether points jump to a value from far away, at least twice over all keypoints."""
    others = np.where(at[..., None], np.nan, position)
    distances: list[float] = []
    for k in np.flatnonzero(at.any(axis=0)):
        known = np.flatnonzero(np.isfinite(others[:, k, 0]))
        first = np.flatnonzero(np.diff(at[:, k], prepend=False) & at[:, k])
        before = known[np.clip(np.searchsorted(known, first) - 1, 0, None)]
        distances += list(norm(others[before, k] - position[first, k]))
    return len(distances) >= 2 and float(np.median(distances)) > _extent(others)


def _extent(position: np.ndarray) -> float:
    """Return the median diagonal of the bounding box of a frame's keypoints."""
    sample = position[:: max(1, len(position) // 5000)]
    sample = sample[np.isfinite(sample[..., 0]).sum(axis=1) >= 2]
    if not len(sample):
        return np.inf
    return float(np.median(norm(np.nanmax(sample, axis=1) - np.nanmin(sample, axis=1))))


def confidence_thresholds(
    confidence: np.ndarray,
    known: np.ndarray,
    min_confidence: float | Quantile | dict[str, float | Quantile],
    names: list[str],
) -> np.ndarray:
    """Return the confidence `(n_keypoints,)` below which a point of each keypoint counts as missing.

    Parameters
    ----------
    confidence : numpy.ndarray
        `(n_frames, n_keypoints)`, on the scale of the tracker; NaN where there is no score.
    known : numpy.ndarray
        `(n_frames, n_keypoints)` bool: where there is a point. Elsewhere the confidence says nothing.
    min_confidence : float, Quantile or dict
        One threshold for all keypoints, the fraction of each keypoint's points below its threshold, or one
        of both by the name of the keypoint; `default` is for the others.
    names : list of str
        Names of the keypoints.
    """
    rules = min_confidence if isinstance(min_confidence, dict) else {"default": min_confidence}
    default = rules.get("default", DEFAULT_CONFIDENCE)
    thresholds = np.zeros(len(names))
    for k, name in enumerate(names):
        rule = rules.get(name, default)
        if isinstance(rule, Quantile):
            scores = confidence[known[:, k], k]
            scores = scores[~np.isnan(scores)]
            thresholds[k] = np.quantile(scores, rule.quantile) if len(scores) else 0.0
        else:
            thresholds[k] = rule
    return thresholds


def find_outliers(position: np.ndarray, factor: float, fps: float, length: float) -> np.ndarray:
    """Find points that jump away from the path of their keypoint.

    A running median follows steady movement and ignores short jumps, so the distance to it is small
    except where the tracker jumped to another body part or to an object. A point is an outlier if that
    distance is more than `factor` times its 90th percentile over the keypoint (which tolerates one bad
    frame in ten), and more than a quarter of the body length.

    Parameters
    ----------
    position : numpy.ndarray
        `(n_frames, n_keypoints, 2 or 3)`, NaN where missing.
    factor : float
        Threshold in 90th percentiles of the distance.
    fps : float
        Frames per second.
    length : float
        Body length, in the unit of the positions.

    Returns
    -------
    numpy.ndarray
        `(n_frames, n_keypoints)` bool.
    """
    width = 2 * round(MEDIAN_WINDOW_S * fps / 2) + 1
    outlier = np.zeros(position.shape[1::-1], dtype=bool).T
    for k in range(position.shape[1]):
        known = np.flatnonzero(np.isfinite(position[:, k, 0]))
        if len(known) == 0:
            continue
        # the median uses known points only, so that gaps contribute no interpolated values
        path = empty(len(known), position.shape[2])
        for axis in range(position.shape[2]):
            path[:, axis] = values = position[known, k, axis]
            path[:, axis] -= running_median(values, width)
        distance = norm(path)
        spread = np.quantile(distance, 0.9)
        outlier[known, k] = distance > max(factor * spread, MIN_OUTLIER_BODY_LENGTHS * length)
    return outlier


def fill_gaps(position: np.ndarray, max_gap: int) -> np.ndarray:
    """Interpolate gaps of up to `max_gap` frames linearly, per keypoint, in place; return the positions.

    Longer gaps stay missing, and so do missing frames at the start and at the end.

    Parameters
    ----------
    position : numpy.ndarray
        `(n_frames, n_keypoints, 2 or 3)`, NaN where missing.
    max_gap : int
        Frames; 0 fills nothing.
    """
    for k in range(position.shape[1]):
        starts, ends = runs(np.isnan(position[:, k, 0]))
        short = (starts > 0) & (ends < len(position)) & (ends - starts <= max_gap)
        starts, lengths = starts[short], (ends - starts)[short]
        before = np.repeat(starts - 1, lengths)
        after = np.repeat(ends[short], lengths)
        frame = np.arange(lengths.sum()) + np.repeat(starts - np.cumsum(lengths) + lengths, lengths)
        for axis in range(position.shape[2]):
            values = position[:, k, axis]
            slope = (values[after] - values[before]) / (after - before)
            values[frame] = slope * (frame - before) + values[before]
    return position


def resample(
    position: np.ndarray, fps: float, target: float | None
) -> tuple[np.ndarray, np.ndarray, float]:
    """Interpolate positions linearly at `target` frames per second.

    A sample is known only if the frames on both its sides are known.

    Parameters
    ----------
    position : numpy.ndarray
        `(n_frames, n_keypoints, 2 or 3)`, NaN where missing.
    fps : float
        Frames per second of `position`.
    target : float or None
        Samples per second; None keeps the frames as they are.

    Returns
    -------
    position : numpy.ndarray
        `(n_samples, n_keypoints, 2 or 3)`.
    time_s : numpy.ndarray
        `(n_samples,)`, seconds from the first frame.
    fps : float
        Samples per second.
    """
    n_frames = len(position)
    if target is None or target == fps:
        return position, np.arange(n_frames) / fps, fps
    time_s = np.arange(int((n_frames - 1) / fps * target + 1e-9) + 1) / target
    at = np.minimum(time_s * fps, n_frames - 1)
    nearest = np.rint(at)
    at = np.where(np.abs(at - nearest) < 1e-6, nearest, at)  # 60 to 30 fps keeps exact frames
    left = np.floor(at).astype(np.int64)
    weight = at - left
    right = np.where(weight > 0, left + 1, left)
    sampled = empty(len(time_s), *position.shape[1:])
    for k, axis in np.ndindex(position.shape[1:]):
        values = position[:, k, axis]
        sampled[:, k, axis] = values[left] * (1 - weight) + values[right] * weight
    return sampled, time_s, target


def runs(valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where every unbroken stretch of true values starts and ends.

    Parameters
    ----------
    valid : numpy.ndarray
        `(n,)` bool.

    Returns
    -------
    starts, ends : numpy.ndarray
        `(n_runs,)` int64; `ends` are exclusive.
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], valid, [False]]).astype(np.int8)))
    return edges[::2], edges[1::2]


def smooth(position: np.ndarray, window: int, order: int = 2) -> np.ndarray:
    """Smooth with a Savitzky-Golay filter, in each run of known frames by itself, in place.

    A run is an unbroken stretch of frames in which every keypoint is known. Its first and last frames
    take the polynomial that is fitted to its first and last complete window. Runs shorter than the
    window stay as they are.

    Parameters
    ----------
    position : numpy.ndarray
        `(n_frames, n_keypoints, 2 or 3)`, NaN where missing.
    window : int
        Frames; an even number is raised by one. A window that is not longer than `order` has no effect.
    order : int
        Order of the polynomial.

    Returns
    -------
    numpy.ndarray
        The smoothed positions.
    """
    window += 1 - window % 2
    if window <= order:
        return position
    starts, ends = runs(known_rows(position))
    long = ends - starts >= window
    if not long.any():
        return position
    starts, ends = starts[long], ends[long]
    half = window // 2
    edge, frame = np.arange(half), np.arange(window)
    # row i: the weights of the frames of a window in the polynomial's value at its frame i
    powers = np.vander(np.linspace(-1, 1, window), order + 1)
    weights = powers @ np.linalg.pinv(powers)
    inner = np.zeros(len(position), dtype=bool)
    for start, end in zip(starts, ends, strict=True):
        inner[start + half : end - half] = True
    centred = inner[half : len(inner) - half]
    for k, axis in np.ndindex(position.shape[1:]):
        values = position[:, k, axis]
        first = values[starts[:, None] + frame] @ weights[:half].T
        last = values[ends[:, None] - window + frame] @ weights[-half:].T
        filtered = np.correlate(values, weights[half], "valid")
        np.copyto(values[half : len(values) - half], filtered, where=centred)
        values[starts[:, None] + edge] = first
        values[ends[:, None] - half + edge] = last
    return position


def known_rows(position: np.ndarray) -> np.ndarray:
    """Return in which frames every keypoint is known, `(n_frames,)` bool."""
    known = np.ones(len(position), dtype=bool)
    for k, axis in np.ndindex(position.shape[1:]):
        known &= np.isfinite(position[:, k, axis])
    return known


def floor_height(position: np.ndarray) -> float:
    """Return the height of the floor: the median of the lowest hundredth of all heights.

    Parameters
    ----------
    position : numpy.ndarray
        `(n_frames, n_keypoints, 3)`, z up, NaN where missing.
    """
    heights = position[..., 2].ravel(order="K")
    heights = heights[np.isfinite(heights)]
    lowest = max(1, len(heights) // 100)
    return float(np.median(np.partition(heights, lowest - 1)[:lowest]))
