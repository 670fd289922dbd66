"""Read the netCDF files of movement, which are HDF5: positions and confidence with named dimensions."""

from __future__ import annotations

import h5py
import numpy as np

from vame_pipe.core.errors import InputError, listing
from vame_pipe.poses.hdf5_access import (
    Damaged,
    is_array,
    number_array,
    number_attribute,
    text_array,
    text_attribute,
)
from vame_pipe.poses.hdf5_table import Block, Stored, rows_of
from vame_pipe.poses.pose_table import Column

DIMENSIONS = {
    **dict.fromkeys(("time",), "time"),
    **dict.fromkeys(("space",), "space"),
    **dict.fromkeys(("keypoint", "keypoints"), "keypoint"),
    **dict.fromkeys(("individual", "individuals"), "individual"),
}
"""Names of dimensions in all versions of movement."""


def sniff(file: h5py.File) -> bool:
    """Return whether an open file has positions with a dimension of keypoints."""
    names = {"keypoint", "keypoints"}
    return is_array(file, "position") and any(is_array(file, name, 1) for name in names)


def open_poses(file: h5py.File, path: str) -> Stored:
    """Return the poses in an open file.

    Raises
    ------
    InputError
        If it is not a file of movement.
    Damaged, or nearly any other exception
        If the file is damaged.
    """
    if not sniff(file):
        raise InputError(
            f"{path}: is not a file of poses of movement: it has no position and keypoint, but "
            f"{listing(file) or 'nothing'}. Save a dataset of poses."
        )
    position = number_array(file, "position")
    axes = _axes(position)
    size = dict(zip(axes, position.shape, strict=True))
    names = {axis: _names(file, axis, size) for axis in ("space", "keypoint", "individual")}
    if names["space"] not in (["x", "y"], ["x", "y", "z"]):
        raise InputError(
            f"{path}: its positions have the coordinates {listing(names['space'])}; expected x and y, or "
            "x, y and z. Save Cartesian coordinates."
        )
    order = ["time", "individual", "space", "keypoint"]
    columns = [
        Column(i, k, c)
        for i in names["individual"]
        for c in names["space"]
        for k in names["keypoint"]
    ]
    blocks = [Block(rows_of(position, axes, order), list(range(len(columns))))]
    if is_array(file, "confidence"):
        confidence = number_array(file, "confidence")
        of_confidence = _axes(confidence)
        if confidence.shape != tuple(size.get(axis, -1) for axis in of_confidence):
            raise Damaged(f"confidence has shape {confidence.shape}")
        scores = [
            Column(i, k, "likelihood") for i in names["individual"] for k in names["keypoint"]
        ]
        place = list(range(len(columns), len(columns) + len(scores)))
        read = rows_of(confidence, of_confidence, ["time", "individual", "keypoint"])
        blocks.append(Block(read, place))
        columns += scores
    fps = number_attribute(file, "fps")
    fps = fps if fps is not None and fps > 0 else None
    index = _frames(file, size["time"], fps)
    return Stored(columns, size["time"], [index], blocks, fps=fps)


def _axes(array: h5py.Dataset) -> list[str]:
    """Return the names of the dimensions of an array."""
    axes = []
    for dimension in array.dims:
        scales = [scale.name.split("/")[-1] for scale in dimension.values()]
        axes.append(DIMENSIONS.get(scales[0] if scales else "", ""))
    if len(set(axes)) < len(axes) or not {"time", "keypoint", "individual"} <= set(axes):
        raise Damaged(f"the dimensions of its arrays are {listing(axes)}")
    return axes


def _names(file: h5py.File, axis: str, size: dict[str, int]) -> list[str]:
    """Return the names along a dimension."""
    found = [name for name in (axis, f"{axis}s") if is_array(file, name, 1)]
    names = text_array(file, found[0]) if found else []
    if len(names) != size.get(axis) or len(set(names)) < len(names):
        raise Damaged(f"dimension {axis} has the names {listing(names)}")
    return names


def _frames(file: h5py.File, n_frames: int, fps: float | None) -> np.ndarray:
    """Return the frame number of each row."""
    time = number_array(file, "time", 1)[:].astype(np.float64)
    if len(time) != n_frames:
        raise Damaged(f"time has {len(time)} values for {n_frames} frames")
    in_seconds = text_attribute(file, "time_unit") != "frames" and fps is not None
    return np.rint(time * fps) if in_seconds and fps is not None else time
