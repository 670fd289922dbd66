"""How the animal moves in each row of a recording: speeds, turning, posture, height."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vame_pipe.core.metadata import AlignedMetadata
from vame_pipe.core.scale import CM, speed

LOG_FLOOR = 0.01
"""Body lengths per second that alignment adds to a speed before its logarithm is taken."""


@dataclass(frozen=True)
class Movement:
    """The movement of the rows of a session.

    Attributes
    ----------
    posture : numpy.ndarray
        `(n_rows, n_keypoints, n_axes)`, in the animal's own frame; two or three axes.
    linear : dict of str to numpy.ndarray
        Measures `(n_rows,)` that are averaged as numbers over the rows of a motif.
    velocity : numpy.ndarray or None
        `(n_rows, 2)`, forward and to the right, units per second; None if alignment kept no speeds.
    turn_rate : numpy.ndarray or None
        `(n_rows,)`, radians per second, positive to the right.
    unit : str
        Unit of length of `linear`; posture and velocity have that of the features.
    """

    posture: np.ndarray
    linear: dict[str, np.ndarray]
    velocity: np.ndarray | None
    turn_rate: np.ndarray | None
    unit: str


def unit_of(meta: AlignedMetadata) -> str:
    """Return the unit of length of an aligned session."""
    if meta.settings["scale"]:
        return "body lengths"
    return "units of the file" if _is_3d(meta) else "px"


def _is_3d(meta: AlignedMetadata) -> bool:
    return any(f"{name}_z" in meta.features for name in meta.keypoints)


def posture(features: dict[str, np.ndarray], keypoints: list[str]) -> np.ndarray:
    """Return the posture in the animal's own frame, `(n_rows, n_keypoints, n_axes)`.

    Parameters
    ----------
    features : dict of str to numpy.ndarray
        `(n_rows,)` each. A coordinate that is not among them is always zero.
    keypoints : list of str

    Examples
    --------
    >>> posture({"nose_x": np.array([1.0, 1.1])}, ["nose", "tail"]).tolist()
    [[[1.0, 0.0], [0.0, 0.0]], [[1.1, 0.0], [0.0, 0.0]]]
    """
    n_rows = len(next(iter(features.values())))
    axes = "xyz" if any(f"{name}_z" in features for name in keypoints) else "xy"
    values = np.zeros((n_rows, len(keypoints), len(axes)))
    for k, name in enumerate(keypoints):
        for axis, letter in enumerate(axes):
            if f"{name}_{letter}" in features:
                values[:, k, axis] = features[f"{name}_{letter}"]
    return values


def movement(features: dict[str, np.ndarray], meta: AlignedMetadata) -> Movement:
    """Return the movement of the rows of a session.

    Parameters
    ----------
    features : dict of str to numpy.ndarray
        `(n_rows,)` each.
    meta : AlignedMetadata
    """
    points = posture(features, meta.keypoints)
    linear = {}
    velocity = turn_rate = None
    total = speed(features)
    if total is not None:
        velocity = np.stack([features["speed_forward"], features["speed_lateral"]], axis=1)
        turn_rate = features["turn_rate"]
        linear["speed"] = total
        linear["speed_forward"] = velocity[:, 0]
        linear["turn_rate"] = np.degrees(turn_rate)
        linear["turning"] = np.abs(linear["turn_rate"])
        sizes = [animal.body_length_px for animal in meta.individuals.values()]
        floor = LOG_FLOOR if meta.settings["scale"] else LOG_FLOOR * float(np.mean(sizes))
        linear["posture_speed"] = np.maximum(np.exp(features["log_posture_speed"]) - floor, 0)
    ends = [meta.keypoints.index(meta.settings[key]) for key in ("centre", "forward")]
    linear["elongation"] = np.linalg.norm(points[:, ends[1]] - points[:, ends[0]], axis=1)
    if points.shape[2] == 3:
        linear["height"] = points[:, :, 2].mean(axis=1)
    return Movement(points, linear, velocity, turn_rate, unit_of(meta))


def in_cm(moved: Movement, cm: np.ndarray) -> Movement:
    """Return the movement with its measures in centimetres.

    Parameters
    ----------
    moved : Movement
    cm : numpy.ndarray
        `(n_rows,)`, centimetres per unit of length of the features.
    """
    lengths = {name for name, unit in units(CM).items() if unit in (CM, f"{CM}/s")}
    linear = {
        name: values * cm if name in lengths else values for name, values in moved.linear.items()
    }
    return replace(moved, linear=linear, unit=CM)


def units(unit: str) -> dict[str, str]:
    """Return the unit of each measure, in the order in which they are shown.

    Parameters
    ----------
    unit : str
        Unit of length.
    """
    return {
        "speed": f"{unit}/s",
        "speed_forward": f"{unit}/s",
        "direction": "degrees",
        "turn_rate": "degrees/s",
        "turning": "degrees/s",
        "heading_change": "degrees",
        "posture_speed": f"{unit}/s",
        "elongation": unit,
        "height": unit,
    }
