"""Read poses from NWB files (HDF5) with the extension ndx-pose: one series per keypoint."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import h5py
import numpy as np

from vame_pipe.core.errors import InputError, listing
from vame_pipe.poses.hdf5_access import (
    Damaged,
    is_array,
    linked_member,
    local_member,
    number_array,
    number_attribute,
    own_data,
    text_array,
    text_attribute,
)
from vame_pipe.poses.hdf5_table import Block, Stored, rows_of
from vame_pipe.poses.pose_table import Column

TYPE = "neurodata_type"
AXES = ("frame", "xyz")
"""Of the data of a series; confidences have the first one only."""
MAX_DEPTH = 6
BY_INDIVIDUAL = re.compile(r"Keypoint (?P<keypoint>.+) from individual (?P<individual>.+?)\.?")
"""How DLC2NWB describes a series of one of several animals."""
SIGNIFICANT = 4
"""Digits of a frame rate that is computed from time stamps."""


@dataclass(frozen=True)
class _Series:
    """One keypoint of one animal."""

    individual: str
    keypoint: str
    group: h5py.Group


def sniff(file: h5py.File) -> bool:
    """Return whether an open file is an NWB file."""
    return text_attribute(file, TYPE) == "NWBFile"


def open_poses(file: h5py.File, path: str) -> Stored:
    """Return the poses in an open file.

    Raises
    ------
    InputError
        If it has no poses of ndx-pose, or its series do not belong to the same frames.
    Damaged, or nearly any other exception
        If the file is damaged.
    """
    containers = list(_containers(file, "PoseEstimation"))
    series = [
        one
        for name, group in containers
        for one in _series(group, name if len(containers) > 1 else "")
    ]
    if not series:
        raise InputError(
            f"{path}: is an NWB file without poses: expected PoseEstimation of the extension ndx-pose."
        )
    data = [number_array(one.group, "data", 2) for one in series]
    shapes = {array.shape for array in data}
    if len(shapes) > 1 or data[0].shape[1] not in (2, 3):
        found = listing(sorted(f"{n} x {d}" for n, d in shapes))
        raise InputError(
            f"{path}: its series of poses have the sizes {found}; expected the same number of frames with "
            "2 or 3 coordinates. Use a file of one recording."
        )
    n_rows, n_dimensions = data[0].shape
    columns: list[Column] = []
    blocks = []
    for one, array in zip(series, data, strict=True):
        places = list(range(len(columns), len(columns) + n_dimensions))
        blocks.append(Block(rows_of(array, AXES, AXES), places))
        columns += [Column(one.individual, one.keypoint, c) for c in "xyz"[:n_dimensions]]
        if is_array(one.group, "confidence", 1):
            scores = number_array(one.group, "confidence", 1)
            if len(scores) != n_rows:
                raise Damaged(f"confidence of {one.keypoint} has {len(scores)} values")
            blocks.append(Block(rows_of(scores, AXES[:1], AXES[:1]), [len(columns)]))
            columns.append(Column(one.individual, one.keypoint, "likelihood"))
    frame, fps = _clock(series[0].group, n_rows, path)
    return Stored(columns, n_rows, [frame], blocks, fps=fps)


def _containers(
    group: h5py.Group, type_name: str, depth: int = 0
) -> Iterator[tuple[str, h5py.Group]]:
    """Yield the groups of a type, and their names."""
    for name in group:
        member = local_member(group, name)
        if not isinstance(member, h5py.Group) or name == "specifications":
            continue
        if text_attribute(member, TYPE) == type_name:
            yield name, member
        elif depth < MAX_DEPTH:
            yield from _containers(member, type_name, depth + 1)


def _series(group: h5py.Group, container: str) -> list[_Series]:
    """Return the series of a container, in the order of its nodes."""
    found = dict(_containers(group, "PoseEstimationSeries", MAX_DEPTH))
    nodes = text_array(group, "nodes")
    for name in () if nodes else group:  # the link to the skeleton has the name of the skeleton
        skeleton = linked_member(group, name)
        if isinstance(skeleton, h5py.Group) and text_attribute(skeleton, TYPE) == "Skeleton":
            nodes = text_array(skeleton, "nodes")
    order = {name: i for i, name in enumerate(nodes)}
    series = []
    for name in sorted(found, key=lambda name: order.get(name, len(order))):
        described = BY_INDIVIDUAL.fullmatch(text_attribute(found[name], "description"))
        if described and name == f"{described['individual']}_{described['keypoint']}":
            series.append(_Series(described["individual"], described["keypoint"], found[name]))
        else:
            series.append(_Series(container, name, found[name]))
    return series


def _clock(group: h5py.Group, n_rows: int, path: str) -> tuple[np.ndarray, float | None]:
    """Return the frame number of each row, counted from 0, and the frame rate.

    A step of exactly one second is what programs write that do not know the frame rate.
    """
    stamps = linked_member(group, "timestamps")
    if not isinstance(stamps, h5py.Dataset):
        start = local_member(group, "starting_time")
        rate = number_attribute(start, "rate") if isinstance(start, h5py.Dataset) else None
        return np.arange(n_rows), rate if rate is not None and rate > 0 else None
    time = own_data(stamps, "timestamps")[:].astype(np.float64)
    if time.shape != (n_rows,):
        raise Damaged(f"timestamps has shape {time.shape} for {n_rows} frames")
    if n_rows < 2:
        return np.arange(n_rows), None
    step = np.diff(time)
    if not (step > 0).all():
        raise InputError(f"{path}: its time stamps do not increase. Correct them in the NWB file.")
    frame = np.concatenate([[0.0], np.cumsum(np.maximum(np.rint(step / np.median(step)), 1))])
    fps = frame[-1] / (time[-1] - time[0])
    return frame, None if np.median(step) == 1 else float(f"{fps:.{SIGNIFICANT}g}")
