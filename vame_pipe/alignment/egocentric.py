"""From positions in the image to features in the animal's frame of reference.

The method follows VAME (Luxem et al. 2022, Communications Biology 5:1267). Unlike VAME, frames in gaps
that are too long to interpolate are invalid. Positions are in the image coordinates of
`vame_pipe.poses.contract`. In the animal's frame, x points ahead and y to the animal's right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vame_pipe.alignment import kinematics
from vame_pipe.core.errors import InputError
from vame_pipe.poses.readers import missing_keypoints

if TYPE_CHECKING:
    from vame_pipe.config.sections import Align
    from vame_pipe.poses.contract import Poses

MIN_SPEED = 0.01
"""Body lengths per second, added to a speed before its logarithm; well below tracking noise."""


@dataclass(frozen=True)
class Selection:
    """The keypoints to use of one animal.

    Attributes
    ----------
    position : numpy.ndarray
        `(n_frames, n_keypoints, 2)`, pixels, NaN where missing; a copy, which may be changed in place.
        Each coordinate of a keypoint is contiguous along time, which makes everything that follows
        three times as fast.
    confidence : numpy.ndarray
        `(n_frames, n_keypoints)`.
    names : list of str
        Names of the keypoints in the configuration.
    centre, forward : int
        Indices of the keypoints at both ends of the body axis.
    """

    position: np.ndarray
    confidence: np.ndarray
    names: list[str]
    centre: int
    forward: int


def select_keypoints(
    poses: Poses, settings: Align, aliases: dict[str, list[str]] | None
) -> Selection:
    """Return the keypoints to use, under the names of the configuration.

    Parameters
    ----------
    poses : Poses
    settings : Align
        Names the keypoints of the body axis.
    aliases : dict of str to list of str, optional
        Keypoints to use, each with the names that it can have in the file; None: all of the file.

    Raises
    ------
    InputError
        If a keypoint is missing, ambiguous or unusable, or if there is only one.
    """
    if poses.dimensions != 2:
        raise InputError(f"{poses.source}: contains 3D poses, which cannot be aligned yet.")
    problems = missing_keypoints(list(poses.keypoints), settings, aliases)
    if aliases is not None:
        problems += settings.axis_problems(aliases)
    aliases = aliases or {name: [name] for name in poses.keypoints}
    if problems:
        raise InputError(*problems)
    columns = [
        next(poses.keypoints.index(name) for name in names if name in poses.keypoints)
        for names in aliases.values()
    ]
    used = [poses.keypoints[c] for c in columns]
    faults = [poses.faults[name] for name in used if name in poses.faults]
    if faults:
        raise InputError(*faults)
    if len(columns) < 2:
        raise InputError(
            f"{poses.source} contains only one keypoint ('{poses.keypoints[0]}'). A body axis needs two "
            "keypoints of the animal."
        )
    planes = np.ascontiguousarray(poses.position.transpose(1, 2, 0)[columns])
    selected = list(aliases)
    return Selection(
        planes.transpose(2, 0, 1),
        poses.confidence[:, columns],
        selected,
        selected.index(settings.centre),
        selected.index(settings.forward),
    )


def body_length(position: np.ndarray, centre: int, forward: int) -> float:
    """Return the median distance between two keypoints, pixels; NaN if never known together.

    Parameters
    ----------
    position : numpy.ndarray
        `(n_frames, n_keypoints, 2)`, pixels, NaN where missing.
    centre, forward : int
        Indices of the two keypoints.
    """
    distance = np.hypot(*(position[:, forward] - position[:, centre]).T)
    distance = distance[np.isfinite(distance)]
    return float(np.median(distance)) if len(distance) else float("nan")


def egocentric(position: np.ndarray, centre: int, forward: int) -> tuple[np.ndarray, np.ndarray]:
    """Move `centre` to the origin and rotate `forward` onto the positive x axis, frame by frame.

    Parameters
    ----------
    position : numpy.ndarray
        `(n_frames, n_keypoints, 2)`, pixels, in the image, NaN where missing.
    centre, forward : int
        Indices of the keypoints at both ends of the body axis.

    Returns
    -------
    ego : numpy.ndarray
        `(n_frames, n_keypoints, 2)`, pixels, in the animal's frame.
    heading : numpy.ndarray
        `(n_frames, 2)`: unit vector from centre to forward, in the image; NaN where undefined.
    """
    axis = (position[:, forward] - position[:, centre]).T
    length = np.hypot(*axis)
    length[length == 0] = np.nan  # the direction is undefined if both points coincide
    cos, sin = axis / length
    ego = np.empty_like(position)
    x0, y0 = position[:, centre].T
    for k in range(position.shape[1]):  # one contiguous coordinate at a time, see Selection
        x, y = position[:, k, 0] - x0, position[:, k, 1] - y0
        ego[:, k, 0] = cos * x + sin * y
        ego[:, k, 1] = cos * y - sin * x
    heading = np.stack([cos, sin], axis=1)
    return ego, heading


def features(
    position: np.ndarray, selected: Selection, settings: Align, fps: float, length: float
) -> tuple[np.ndarray, list[str]]:
    """Return the egocentric features of every frame and their names.

    Parameters
    ----------
    position : numpy.ndarray
        `(n_frames, n_keypoints, 2)`, pixels, cleaned, NaN where missing.
    selected : Selection
        Names of the keypoints and the body axis.
    settings : Align
    fps : float
        Frames per second of `position`.
    length : float
        Body length, pixels.

    Returns
    -------
    values : numpy.ndarray
        `(n_frames, n_features)` float32, NaN where a keypoint is missing: coordinates in body lengths
        (pixels without `scale`), then the columns of `kinematics.NAMES`.
    names : list of str
    """
    centre, forward = selected.centre, selected.forward
    unit = length if settings.scale else 1.0
    # drop incomplete frames entirely, so that no speed is computed across them
    position = position.copy(order="K")
    position[np.isnan(position).any(axis=(1, 2))] = np.nan
    ego, heading = egocentric(position, centre, forward)
    columns, names = [], []
    for k, name in enumerate(selected.names):
        for axis, letter in enumerate("xy"):
            if k == centre or (k == forward and letter == "y"):
                continue  # always zero
            columns.append((ego[:, k, axis] / unit).astype(np.float32))
            names.append(f"{name}_{letter}")
    if settings.kinematics:
        floor = MIN_SPEED * length / unit
        values = kinematics.kinematics(position, ego, heading, centre, fps, unit, floor)
        columns += list(values.astype(np.float32).T)
        names += kinematics.NAMES
    return np.stack(columns).T, names
