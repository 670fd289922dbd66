"""The movement that egocentric alignment removes: speeds and turn rate.

Pure functions of arrays, in the image coordinates of `vame_pipe.poses.contract`.
"""

from __future__ import annotations

import numpy as np

from vame_pipe.alignment.geometry import norm


def names(dimensions: int) -> list[str]:
    """Return the columns that `kinematics` returns, of recordings in 2 or 3 dimensions.

    Examples
    --------
    >>> names(2)
    ['speed_forward', 'speed_lateral', 'turn_rate', 'log_speed', 'log_posture_speed']
    """
    vertical = ["speed_vertical"] if dimensions == 3 else []
    return [
        "speed_forward",
        "speed_lateral",
        *vertical,
        "turn_rate",
        "log_speed",
        "log_posture_speed",
    ]


def difference(values: np.ndarray, fps: float) -> np.ndarray:
    """Return the rate of change per second along the first axis.

    Central differences inside a run of known values, one-sided differences at its ends, NaN for an
    isolated value.

    Parameters
    ----------
    values : numpy.ndarray
        `(n_frames, ...)`, NaN where missing.
    fps : float
        Frames per second.
    """
    rate = np.full_like(values, np.nan)
    np.subtract(values[2:], values[:-2], out=rate[1:-1])
    rate /= 2
    # at the ends of runs
    at = np.nonzero(np.isnan(rate) | np.isnan(values))
    frame, rest = at[0], at[1:]
    before = values[(np.maximum(frame - 1, 0), *rest)]
    after = values[(np.minimum(frame + 1, len(values) - 1), *rest)]
    before = np.where(frame > 0, values[at] - before, np.nan)
    after = np.where(frame < len(values) - 1, after - values[at], np.nan)
    rate[at] = np.where(np.isnan(before), after, before)
    rate *= fps
    return rate


def turning(heading: np.ndarray, fps: float) -> np.ndarray:
    """Return the turn rate `(n_frames,)`, radians per second, positive for a turn to the right.

    Parameters
    ----------
    heading : numpy.ndarray
        `(n_frames, 2)`, unit vectors in the image, NaN where undefined.
    fps : float
        Frames per second.
    """
    cos, sin = heading.T
    cross = cos[:-1] * sin[1:] - sin[:-1] * cos[1:]
    angle = np.arctan2(cross, cos[:-1] * cos[1:] + sin[:-1] * sin[1:])
    # angles between neighbouring frames never wrap, so their sum can be differenced like any value
    path = np.zeros(len(heading))
    np.cumsum(np.where(np.isnan(angle), 0.0, angle), out=path[1:])
    path[np.isnan(cos)] = np.nan
    return difference(path, fps)


def kinematics(
    centre: np.ndarray, heading: np.ndarray, posture_speed: np.ndarray, fps: float, min_speed: float
) -> list[np.ndarray]:
    """Return the speeds and the turn rate of the animal, each `(n_frames,)`, in the order of `names`.

    Speed of the centre to the front, to the right and, in three dimensions, up; turn rate, radians per
    second; natural logarithms of the centre's speed and of the speed of the posture.

    Parameters
    ----------
    centre : numpy.ndarray
        `(n_frames, 2 or 3)`, the keypoint whose movement is measured, in units of length.
    heading : numpy.ndarray
        `(n_frames, 2)`, unit vectors in the image.
    posture_speed : numpy.ndarray
        `(n_frames,)`, mean speed of the other keypoints in the animal's frame, units per second.
    fps : float
        Frames per second.
    min_speed : float
        Units per second, added to a speed before its logarithm is taken.
    """
    velocity = difference(centre, fps)
    cos, sin = heading.T
    return [
        velocity[:, 0] * cos + velocity[:, 1] * sin,
        velocity[:, 1] * cos - velocity[:, 0] * sin,
        *velocity[:, 2:].T,
        turning(heading, fps),
        np.log(norm(velocity) + min_speed),
        np.log(posture_speed + min_speed),
    ]
