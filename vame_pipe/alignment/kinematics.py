"""The movement that egocentric alignment removes: speeds and turn rate.

Pure functions of arrays, in the image coordinates of `vame_pipe.poses.contract`.
"""

from __future__ import annotations

import numpy as np

NAMES = ("speed_forward", "speed_lateral", "turn_rate", "log_speed", "log_posture_speed")
"""Columns that `kinematics` returns."""


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
    step = np.full((len(values) + 1, *values.shape[1:]), np.nan)
    step[1:-1] = np.diff(values, axis=0)
    before, after = step[:-1], step[1:]
    rate = (before + after) / 2
    rate = np.where(np.isnan(before), after, rate)
    return np.where(np.isnan(after), before, rate) * fps


def turning(heading: np.ndarray, fps: float) -> np.ndarray:
    """Return the turn rate `(n_frames,)`, radians per second, positive for a turn to the right.

    Parameters
    ----------
    heading : numpy.ndarray
        `(n_frames, 2)`, unit vectors in the image, NaN where undefined.
    fps : float
        Frames per second.
    """
    previous, following = heading[:-1], heading[1:]
    cross = previous[:, 0] * following[:, 1] - previous[:, 1] * following[:, 0]
    angle = np.arctan2(cross, (previous * following).sum(axis=1))
    # angles between neighbouring frames never wrap, so their sum can be differenced like any value
    known = np.isfinite(angle)
    path = np.concatenate([[0.0], np.cumsum(np.where(known, angle, 0.0))])
    path[np.isnan(heading[:, 0])] = np.nan
    return difference(path, fps)


def kinematics(
    position: np.ndarray,
    ego: np.ndarray,
    heading: np.ndarray,
    centre: int,
    fps: float,
    unit: float,
    floor: float,
) -> np.ndarray:
    """Return the speeds and the turn rate of the animal, `(n_frames, 5)` in the order of `NAMES`.

    Forward and lateral speed of the centre, units per second; turn rate, radians per second; natural
    logarithms of the centre's speed and of the mean speed of the other keypoints in the animal's frame.

    Parameters
    ----------
    position, ego : numpy.ndarray
        `(n_frames, n_keypoints, 2)`, pixels, in the image and in the animal's frame.
    heading : numpy.ndarray
        `(n_frames, 2)`, unit vectors in the image.
    centre : int
        Index of the keypoint whose movement is measured.
    fps : float
        Frames per second.
    unit : float
        Pixels per unit of length.
    floor : float
        Units per second, added to a speed before its logarithm is taken.
    """
    velocity = difference(position[:, centre], fps) / unit
    forward = (velocity * heading).sum(axis=1)
    lateral = velocity[:, 1] * heading[:, 0] - velocity[:, 0] * heading[:, 1]
    posture = np.zeros(len(ego))
    others = [k for k in range(ego.shape[1]) if k != centre]
    for k in others:
        posture += np.hypot(*(difference(ego[:, k], fps) / unit).T) / len(others)
    values = [
        forward,
        lateral,
        turning(heading, fps),
        np.log(np.hypot(*velocity.T) + floor),
        np.log(posture + floor),
    ]
    return np.stack(values).T
