"""Clean the tracked positions: unreliable points, outliers, gaps, frame rate, smoothing.

Pure functions of arrays. Positions are `(n_frames, n_keypoints, 2)` float64, pixels, in the image
coordinates of `vame_pipe.poses.contract`, NaN where missing.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import median_filter

from vame_pipe.config.sections import Quantile

MAX_SAMPLE = 60_000
"""Points that are searched for repeated values; a rarer placeholder does no harm."""
MAX_CANDIDATES = 20
"""Repeated values that are tested for being placeholders."""
MEDIAN_WINDOW_S = 0.4
"""Width of the running median that outliers are measured from; it detects jumps of up to half of it."""
MIN_OUTLIER_BODY_LENGTHS = 0.25
"""A point closer to its running median than this is never an outlier, because animals do move."""


def find_placeholders(position: np.ndarray) -> tuple[np.ndarray, list[tuple[float, float]]]:
    """Find points that a program wrote in place of a missing point, such as (0, 0) or (-1, -1).

    Exact zeros are placeholders. Any other value is one if points jump to it repeatedly, over more than
    the size of the animal. Keypoints that never move are left alone: objects do not move, and neither
    does the centre of poses that are already egocentric.

    Parameters
    ----------
    position : numpy.ndarray
        `(n_frames, n_keypoints, 2)`, pixels, NaN where missing.

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
    for value in [(0.0, 0.0), *_repeated_values(position)]:
        at = (x == value[0]) & (y == value[1]) & moves
        if at.any() and (value == (0.0, 0.0) or _is_jumped_to(position, at)):
            placeholder |= at
            counts[value] = int(at.sum())
    return placeholder, sorted(counts, key=counts.__getitem__, reverse=True)


def _moves(values: np.ndarray) -> np.ndarray:
    """Return for each column whether its finite values differ."""
    known = np.isfinite(values)
    highest = np.where(known, values, -np.inf).max(axis=0)
    return highest > np.where(known, values, np.inf).min(axis=0)


def _repeated_values(position: np.ndarray) -> list[tuple[float, float]]:
    """Return the most frequent values in a sample of the points, without (0, 0)."""
    n_frames, n_keypoints, _ = position.shape
    sample = position[:: max(1, n_frames * n_keypoints // MAX_SAMPLE)].reshape(-1, 2)
    sample = sample[np.isfinite(sample).all(axis=1) & (sample != 0).any(axis=1)]
    values, counts = np.unique(sample[:, 0] + 1j * sample[:, 1], return_counts=True)
    frequent = np.argsort(-counts, kind="stable")[:MAX_CANDIDATES]
    return [(float(values[i].real), float(values[i].imag)) for i in frequent if counts[i] >= 3]


def _is_jumped_to(position: np.ndarray, at: np.ndarray) -> bool:
    """Return whether points jump to a value from far away, at least twice over all keypoints."""
    others = np.where(at[..., None], np.nan, position)
    distances: list[float] = []
    for k in np.flatnonzero(at.any(axis=0)):
        known = np.flatnonzero(np.isfinite(others[:, k, 0]))
        first = np.flatnonzero(np.diff(at[:, k], prepend=False) & at[:, k])
        before = known[np.clip(np.searchsorted(known, first) - 1, 0, None)]
        distances += list(np.hypot(*(others[before, k] - position[first, k]).T))
    return len(distances) >= 2 and float(np.median(distances)) > _extent(others)


def _extent(position: np.ndarray) -> float:
    """Return the median diagonal of the bounding box of a frame's keypoints, pixels."""
    sample = position[:: max(1, len(position) // 5000)]
    sample = sample[np.isfinite(sample[..., 0]).sum(axis=1) >= 2]
    if not len(sample):
        return np.inf
    return float(np.median(np.hypot(*(np.nanmax(sample, axis=1) - np.nanmin(sample, axis=1)).T)))


def confidence_thresholds(confidence: np.ndarray, min_confidence: float | Quantile) -> np.ndarray:
    """Return the confidence `(n_keypoints,)` below which a point of each keypoint counts as missing.

    Parameters
    ----------
    confidence : numpy.ndarray
        `(n_frames, n_keypoints)`, on the scale of the tracker.
    min_confidence : float or Quantile
        One threshold for all keypoints, or the fraction of each keypoint's points below its threshold.
    """
    if isinstance(min_confidence, Quantile):
        return np.quantile(confidence, min_confidence.quantile, axis=0)
    return np.full(confidence.shape[1], min_confidence)


def find_outliers(position: np.ndarray, factor: float, fps: float, length: float) -> np.ndarray:
    """Find points that jump away from the path of their keypoint.

    A running median follows steady movement and ignores short jumps, so the distance to it is small
    except where the tracker jumped to another body part or to an object. A point is an outlier if that
    distance is more than `factor` times its 90th percentile over the keypoint (which tolerates one bad
    frame in ten), and more than a quarter of the body length.

    Parameters
    ----------
    position : numpy.ndarray
        `(n_frames, n_keypoints, 2)`, pixels, NaN where missing.
    factor : float
        Threshold in 90th percentiles of the distance.
    fps : float
        Frames per second.
    length : float
        Body length, pixels.

    Returns
    -------
    numpy.ndarray
        `(n_frames, n_keypoints)` bool.
    """
    width = 2 * round(MEDIAN_WINDOW_S * fps / 2) + 1
    outlier = np.zeros(position.shape[:2], dtype=bool)
    for k in range(position.shape[1]):
        known = np.flatnonzero(np.isfinite(position[:, k, 0]))
        if len(known) == 0:
            continue
        # the median uses known points only, so that gaps contribute no interpolated values
        path = position[known, k].T
        distance = np.hypot(*(path - [median_filter(c, width, mode="nearest") for c in path]))
        spread = np.quantile(distance, 0.9)
        outlier[known, k] = distance > max(factor * spread, MIN_OUTLIER_BODY_LENGTHS * length)
    return outlier


def fill_gaps(position: np.ndarray, max_gap: int) -> np.ndarray:
    """Return positions with gaps of up to `max_gap` frames interpolated linearly, per keypoint.

    Longer gaps stay missing, and so do missing frames at the start and at the end.

    Parameters
    ----------
    position : numpy.ndarray
        `(n_frames, n_keypoints, 2)`, pixels, NaN where missing.
    max_gap : int
        Frames; 0 fills nothing.
    """
    filled = position.copy(order="K")
    frames = np.arange(len(position))
    for k in range(position.shape[1]):
        known = np.isfinite(position[:, k, 0])
        if known.all() or not known.any() or max_gap == 0:
            continue
        before = np.maximum.accumulate(np.where(known, frames, -1))
        after = np.minimum.accumulate(np.where(known, frames, len(frames))[::-1])[::-1]
        fill = ~known & (before >= 0) & (after < len(frames)) & (after - before - 1 <= max_gap)
        for axis in range(2):
            filled[fill, k, axis] = np.interp(frames[fill], frames[known], position[known, k, axis])
    return filled


def resample(
    position: np.ndarray, fps: float, target: float | None
) -> tuple[np.ndarray, np.ndarray, float]:
    """Interpolate positions linearly at `target` frames per second.

    A sample is known only if the frames on both its sides are known.

    Parameters
    ----------
    position : numpy.ndarray
        `(n_frames, n_keypoints, 2)`, pixels, NaN where missing.
    fps : float
        Frames per second of `position`.
    target : float or None
        Samples per second; None keeps the frames as they are.

    Returns
    -------
    position : numpy.ndarray
        `(n_samples, n_keypoints, 2)`, pixels.
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
    weight = (at - left)[:, None, None]
    right = np.where(weight[:, 0, 0] > 0, left + 1, left)
    return position[left] * (1 - weight) + position[right] * weight, time_s, target


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
    """Return positions smoothed by a Savitzky-Golay filter, in each run of known frames by itself.

    A run is an unbroken stretch of frames in which every keypoint is known. Its first and last frames
    take the polynomial that is fitted to its first and last complete window. Runs shorter than the
    window stay as they are.

    Parameters
    ----------
    position : numpy.ndarray
        `(n_frames, n_keypoints, 2)`, pixels, NaN where missing.
    window : int
        Frames; an even number is raised by one. A window that is not longer than `order` has no effect.
    order : int
        Order of the polynomial.
    """
    from scipy.signal import savgol_filter  # its import takes longer than most alignments

    window += 1 - window % 2
    if window <= order:
        return position
    smoothed = position.copy(order="K")
    for start, end in zip(*runs(np.isfinite(position).all(axis=(1, 2))), strict=True):
        if end - start >= window:
            run = position[start:end]
            smoothed[start:end] = savgol_filter(run, window, order, axis=0, mode="interp")
    return smoothed
