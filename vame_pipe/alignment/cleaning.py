"""Clean tracks of keypoints: outliers, gaps, frame rate, smoothing. Pure functions of arrays.

Positions are `(n_frames, n_keypoints, 2)`, pixels, NaN where missing.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import correlate1d, median_filter

MEDIAN_WINDOW_S = 0.4
"""Width of the running median that outliers are measured from; jumps up to half of it are seen."""
MIN_OUTLIER_BODY_LENGTHS = 0.25
"""A point nearer to its running median than this is never an outlier: animals do move."""


def find_outliers(position: np.ndarray, factor: float, fps: float, length: float) -> np.ndarray:
    """Find points that jump away from their own path.

    A running median follows any steady movement and ignores short jumps, so the distance to it is
    small except where a tracker jumped to another body part or object. A point is an outlier if that
    distance exceeds `factor` times its 90th percentile for the keypoint (robust to one bad frame in
    ten) and a quarter of the body length.

    Parameters
    ----------
    position : numpy.ndarray
        `(n_frames, n_keypoints, 2)`, pixels, NaN where missing.
    factor : float
    fps : float
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
        # the median runs over the known points alone, so that gaps bring no invented ones in
        path = position[known, k].T
        distance = np.hypot(*(path - [median_filter(c, width, mode="nearest") for c in path]))
        spread = np.quantile(distance, 0.9)
        outlier[known, k] = distance > max(factor * spread, MIN_OUTLIER_BODY_LENGTHS * length)
    return outlier


def fill_gaps(position: np.ndarray, max_gap: int) -> np.ndarray:
    """Interpolate gaps of up to `max_gap` frames linearly, per keypoint.

    Longer gaps, and those at the start and the end, stay missing.
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

    A sample is known only if the frames on both its sides are.

    Returns
    -------
    position : numpy.ndarray
    time_s : numpy.ndarray
        Seconds from the first frame.
    fps : float
    """
    n_frames = len(position)
    if target is None or target == fps:
        return position, np.arange(n_frames) / fps, fps
    time_s = np.arange(int((n_frames - 1) / fps * target + 1e-9) + 1) / target
    at = np.minimum(time_s * fps, n_frames - 1)
    nearest = np.rint(at)
    at = np.where(np.abs(at - nearest) < 1e-6, nearest, at)  # 60 to 30 fps takes frames as they are
    left = np.floor(at).astype(np.int64)
    weight = (at - left)[:, None, None]
    right = np.where(weight[:, 0, 0] > 0, left + 1, left)
    return position[left] * (1 - weight) + position[right] * weight, time_s, target


def runs(valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the start and the end (exclusive) of every stretch of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], valid, [False]]).astype(np.int8)))
    return edges[::2], edges[1::2]


def smooth(position: np.ndarray, window: int, order: int = 2) -> np.ndarray:
    """Savitzky-Golay smoothing within the stretches in which every keypoint is known.

    The first and last frames of a stretch take the polynomial fitted to its first and last whole
    window. Stretches shorter than the window are left as they are.

    Parameters
    ----------
    position : numpy.ndarray
        `(n_frames, n_keypoints, 2)`.
    window : int
        Frames; made odd by adding one; smaller than order + 1 does nothing.
    """
    window += 1 - window % 2
    if window <= order:
        return position
    half = window // 2
    flat = position.reshape(len(position), -1)
    starts, ends = runs(np.isfinite(flat).all(axis=1))
    long = ends - starts >= window
    starts, ends = starts[long], ends[long]
    if len(starts) == 0:
        return position
    # row j: what the polynomial fitted to a window is at its frame j, as weights of the window's frames;
    # importing scipy.signal for it would take each alignment half a second
    basis = np.linalg.qr(np.vander(np.linspace(-1, 1, window), order + 1))[0]
    weights = basis @ basis.T
    smoothed = np.empty_like(flat)
    for k in range(flat.shape[1]):
        smoothed[:, k] = correlate1d(flat[:, k], weights[half], mode="nearest")
    # what is outside a long stretch, or within half a window of its ends, is no whole window's value
    steps = np.zeros(len(flat) + 1, dtype=np.int32)
    steps[starts + half] = 1
    steps[ends - half] -= 1
    inner = np.cumsum(steps[:-1]) > 0
    smoothed[~inner] = flat[~inner]
    for j in range(half):
        for first, row, pos in (
            (starts, starts + j, j),
            (ends - window, ends - 1 - j, window - 1 - j),
        ):
            smoothed[row] = sum(w * flat[first + i] for i, w in enumerate(weights[pos]))
    return smoothed.reshape(position.shape)
