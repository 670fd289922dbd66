"""Where an animal points: the direction of its body in the horizontal plane.

Pure functions of arrays. Positions are `(n_frames, n_keypoints, 2 or 3)`; only x and y count.
"""

from __future__ import annotations

import numpy as np

MAX_SAMPLE = 20_000
"""Frames from which the median posture is taken."""


def line_heading(position: np.ndarray, points: list[int]) -> np.ndarray:
    """Return the direction of the line through points of the body, from back to front.

    The line has the least sum of squared distances to the points; with two points it runs through both. Of
    its two directions it is the one in which the points follow one another.

    Parameters
    ----------
    position : numpy.ndarray
        `(n_frames, n_keypoints, 2 or 3)`, NaN where missing.
    points : list of int
        Indices of the points, from back to front.

    Returns
    -------
    numpy.ndarray
        `(n_frames, 2)` unit vectors; NaN where a point is missing or the direction is undefined.

    Examples
    --------
    >>> line_heading(np.array([[[0.0, 1.0], [3.0, 5.0]]]), [0, 1]).tolist()
    [[0.6, 0.8]]
    """
    if len(points) == 2:
        return _unit(position[:, points[1], :2] - position[:, points[0], :2])
    # points of the plane as complex numbers: a square has twice the angle, so opposite ones agree
    plane = [position[:, k, 0] + 1j * position[:, k, 1] for k in points]
    mean = sum(plane) / len(points)
    double = sum((point - mean) ** 2 for point in plane)
    line = np.sqrt(double)
    order = np.arange(len(points)) - (len(points) - 1) / 2
    along = sum(place * point for place, point in zip(order, plane, strict=True))
    line *= np.sign((along * line.conj()).real)
    return _unit(np.stack([line.real, line.imag]).T)


def rigid_heading(position: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Return the rotation that fits each frame best to the median posture (Procrustes in the plane).

    Parameters
    ----------
    position : numpy.ndarray
        `(n_frames, n_keypoints, 2 or 3)`, NaN where missing.
    first : numpy.ndarray
        `(n_frames, 2)`: a first guess of the headings, from which the median posture is taken; its x axis
        is the heading of the result.

    Returns
    -------
    numpy.ndarray
        `(n_frames, 2)` unit vectors; NaN where a keypoint is missing or the rotation is undefined.
    """
    # points of the plane as complex numbers: a rotation is a product
    sample = slice(None, None, max(1, len(position) // MAX_SAMPLE))
    known = position[sample]
    shape = known[..., 0] + 1j * known[..., 1]
    shape -= shape.mean(axis=1, keepdims=True)
    shape *= (first[sample, 0] - 1j * first[sample, 1])[:, None]
    complete = np.isfinite(shape).all(axis=1)
    if not complete.any():
        return np.full((len(position), 2), np.nan)
    median = np.median(shape[complete].real, axis=0) + 1j * np.median(shape[complete].imag, axis=0)
    median -= median.mean()
    axis = np.zeros((2, len(position)))
    for k, point in enumerate(median):  # its mean is 0, so it does not matter where 0 is in a frame
        x, y = (position[:, k, :2] - position[:, 0, :2]).T
        axis[0] += point.real * x + point.imag * y
        axis[1] += point.real * y - point.imag * x
    return _unit(axis.T)


def _unit(axis: np.ndarray) -> np.ndarray:
    """Return vectors `(n_frames, 2)` divided by their lengths, in place; NaN for a vector of length 0."""
    length = np.hypot(axis[:, 0], axis[:, 1])
    length[length == 0] = np.nan
    axis /= length[:, None]
    return axis
