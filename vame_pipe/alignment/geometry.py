"""Vectors and arrays of coordinates."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

CHUNK = 4096
"""Frames that are rearranged at a time: few enough for the cache of a processor."""


def norm(vectors: np.ndarray) -> np.ndarray:
    """Return the length of vectors `(..., dimensions)`.

    Examples
    --------
    >>> norm(np.array([[3.0, 4.0], [0.0, 2.0]])).tolist()
    [5.0, 2.0]
    """
    total = np.square(vectors[..., 0])
    for axis in range(1, vectors.shape[-1]):
        total += np.square(vectors[..., axis])
    root: np.ndarray = np.sqrt(total, out=total)
    return root


def empty(n_frames: int, *shape: int) -> np.ndarray:
    """Return an array `(n_frames, *shape)` in which each coordinate is contiguous along time.

    Nearly everything in the alignment goes along time, and is several times as fast in this layout.
    """
    return np.moveaxis(np.empty((*shape, n_frames)), -1, 0)


def running_median(values: np.ndarray, width: int) -> np.ndarray:
    """Return the median of the `width` values around each of `(n_values,)`; `width` is odd.

    Beyond the ends, the first and the last value are repeated. SciPy has this filter, too, but importing it
    takes longer than filtering a usual recording.

    Examples
    --------
    >>> running_median(np.array([1.0, 5.0, 2.0, 3.0]), 3).tolist()
    [1.0, 2.0, 3.0, 3.0]
    """
    half = width // 2
    windows = sliding_window_view(np.pad(values, half, mode="edge"), width)
    found = np.empty(len(values))
    for start in range(0, len(values), CHUNK):
        chunk = slice(start, start + CHUNK)
        found[chunk] = np.partition(windows[chunk], half, axis=1)[:, half]
    return found


def contiguous(values: np.ndarray, columns: list[int]) -> np.ndarray:
    """Return a copy of columns of `(n_frames, n_columns, ...)`, in the layout of `empty`."""
    copied = empty(len(values), len(columns), *values.shape[2:])
    for start in range(0, len(values), CHUNK):
        copied[start : start + CHUNK] = values[start : start + CHUNK][:, columns]
    return copied
