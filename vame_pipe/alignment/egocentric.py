"""From positions in the image to features in the animal's frame of reference.

The method follows VAME (Luxem et al. 2022, Communications Biology 5:1267). Unlike VAME, frames in gaps
that are too long to interpolate are invalid. Positions are in the image coordinates of
`vame_pipe.poses.contract`. In the animal's frame, x points ahead and y to the animal's right. In three
dimensions the coordinates of the file are turned about the vertical only: with right-handed coordinates,
y points to the animal's left, and z up from the floor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vame_pipe.alignment import kinematics
from vame_pipe.alignment.cleaning import known_rows
from vame_pipe.alignment.geometry import contiguous, empty, norm
from vame_pipe.core.errors import InputError
from vame_pipe.poses.keypoint_names import missing_keypoints

if TYPE_CHECKING:
    from vame_pipe.alignment.track import Track
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
        `(n_frames, n_keypoints, 2 or 3)`, NaN where missing; a copy, which may be changed in place, in the
        layout of `geometry.empty`.
    confidence : numpy.ndarray
        `(n_frames, n_keypoints)`.
    names : list of str
        Names of the keypoints in the configuration.
    centre, forward : int
        Indices of the keypoints at both ends of the body axis.
    axis : list of int
        Indices of the keypoints that define the heading, from back to front.
    """

    position: np.ndarray
    confidence: np.ndarray
    names: list[str]
    centre: int
    forward: int
    axis: list[int]


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
    names = list(aliases)
    points = (
        settings.axis if isinstance(settings.axis, list) else [settings.centre, settings.forward]
    )
    return Selection(
        contiguous(poses.position, columns),
        contiguous(poses.confidence, columns),
        names,
        names.index(settings.centre),
        names.index(settings.forward),
        [names.index(name) for name in points],
    )


def body_lengths(position: np.ndarray, centre: int, forward: int) -> np.ndarray:
    """Return the distance between two keypoints in the frames in which both are known.

    Parameters
    ----------
    position : numpy.ndarray
        `(n_frames, n_keypoints, 2 or 3)`, NaN where missing.
    centre, forward : int
        Indices of the two keypoints.
    """
    distance = norm(position[:, forward] - position[:, centre])
    known: np.ndarray = distance[np.isfinite(distance)]
    return known


def egocentric(points: np.ndarray, centre: np.ndarray, heading: np.ndarray) -> np.ndarray:
    """Return points in the frame of the animal: seen from its centre, turned so that x points ahead.

    The turn is one in the horizontal plane. Heights stay as they are.

    Parameters
    ----------
    points, centre : numpy.ndarray
        `(n_frames, 2 or 3)`, in the image, NaN where missing.
    heading : numpy.ndarray
        `(n_frames, 2)`: unit vectors, in the image, NaN where undefined.

    Returns
    -------
    numpy.ndarray
        `(n_frames, 2 or 3)`; NaN where anything is missing.

    Examples
    --------
    An animal that looks down in the image, with a point on its left:

    >>> point, centre, heading = ([[7.0, 5.0]], [[4.0, 5.0]], [[0.0, 1.0]])
    >>> egocentric(*map(np.array, (point, centre, heading))).tolist()
    [[0.0, -3.0]]
    """
    cos, sin = heading.T
    x, y = points[:, 0] - centre[:, 0], points[:, 1] - centre[:, 1]
    ego = empty(*points.shape)
    ego[:, 0] = cos * x + sin * y
    ego[:, 1] = cos * y - sin * x
    if points.shape[1] == 3:
        ego[:, 2] = np.where(np.isnan(ego[:, 0]), np.nan, points[:, 2])
    return ego


def coordinates(selected: Selection, keypoint: int, settings: Align, dimensions: int) -> list[int]:
    """Return which coordinates of a keypoint are features: those that are not always zero."""
    if keypoint == selected.centre:
        return list(range(2, dimensions))
    points = range(len(selected.names)) if settings.axis == "rigid" else selected.axis
    if set(points) == {selected.centre, keypoint}:
        return [0, *range(2, dimensions)]
    return list(range(dimensions))


def features(track: Track, settings: Align) -> tuple[np.ndarray, list[str]]:
    """Return the egocentric features of every frame and their names.

    Parameters
    ----------
    track : Track
        The cleaned movement of the animal.
    settings : Align

    Returns
    -------
    values : numpy.ndarray
        `(n_frames, n_features)` float32, NaN where a keypoint is missing: coordinates in body lengths
        (in the unit of the file without `scale`), then the columns of `kinematics.names`.
    names : list of str
    """
    selected, position, fps = track.selected, track.position, track.fps
    unit = track.body_length if settings.scale else 1.0
    # leave incomplete frames out entirely, so that no speed is computed across them
    complete = known_rows(position)[:, None]
    heading = np.where(complete, track.heading, np.nan)
    centre = np.where(complete, position[:, selected.centre], np.nan)
    kept = [
        coordinates(selected, k, settings, position.shape[2]) for k in range(len(selected.names))
    ]
    named = zip(selected.names, kept, strict=True)
    names = [f"{name}_{'xyz'[axis]}" for name, axes in named for axis in axes]
    if settings.kinematics:
        names += kinematics.names(position.shape[2])
    columns = np.empty((len(names), len(position)), np.float32)
    row = 0
    posture_speed = np.zeros(len(position))
    for k, axes in enumerate(kept):
        ego = egocentric(position[:, k], centre, heading)
        ego /= unit
        columns[row : row + len(axes)] = ego[:, axes].T
        row += len(axes)
        if settings.kinematics and k != selected.centre:
            posture_speed += norm(kinematics.difference(ego, fps))
    if settings.kinematics:
        posture_speed /= len(selected.names) - 1
        min_speed = MIN_SPEED * track.body_length / unit
        speeds = kinematics.kinematics(centre / unit, heading, posture_speed, fps, min_speed)
        columns[row:] = speeds
    return columns.T, names
