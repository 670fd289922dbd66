"""Read the analysis files of SLEAP (HDF5): the tracks of all animals as arrays."""

from __future__ import annotations

import json

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
from vame_pipe.poses.hdf5_table import Block, Stored, animal_columns, rows_of, unique_names

AXES = ("track", "xy", "node", "frame")
"""Order of the axes in files of SLEAP itself, as Matlab would have it."""
OTHER_AXES = ("frame", "node", "xy", "track")
"""Order of the axes in files that SLEAP wrote without transposing."""


def sniff(file: h5py.File) -> bool:
    """Return whether an open file has the arrays of an analysis file."""
    return is_array(file, "tracks", 4) and is_array(file, "node_names")


def open_poses(file: h5py.File, path: str) -> Stored:
    """Return the poses in an open file.

    Raises
    ------
    InputError
        If it is not an analysis file.
    Damaged, or nearly any other exception
        If the file is damaged.
    """
    if not sniff(file):
        raise InputError(
            f"{path}: is not an analysis file of SLEAP: it has no tracks and node_names, but "
            f"{listing(file) or 'nothing'}. Export it from SLEAP as analysis HDF5."
        )
    nodes = text_array(file, "node_names")
    tracks = number_array(file, "tracks", 4)
    axes = _axes(tracks, file, len(nodes))
    size = dict(zip(axes, tracks.shape, strict=True))
    if size["xy"] != 2 or size["node"] != len(nodes):
        raise Damaged(f"tracks has shape {tracks.shape} for {len(nodes)} nodes")
    axes_of_scores = [axis for axis in axes if axis != "xy"]
    scores = _scores(file, size, axes_of_scores)
    names = unique_names(text_array(file, "track_names"), size["track"])
    coords = ["x", "y", *(["likelihood"] if scores is not None else [])]
    # for each animal: x of all nodes, y of all nodes, scores of all nodes
    columns = [
        column._replace(keypoint=node, coord=coord)
        for column in animal_columns(names, [""], [""])
        for coord in coords
        for node in nodes
    ]
    per_track = len(coords) * len(nodes)
    blocks = []
    for t in range(size["track"]):
        first = t * per_track
        read = rows_of(tracks, axes, ("frame", "xy", "node"), {"track": t})
        blocks.append(Block(read, list(range(first, first + 2 * len(nodes)))))
        if scores is not None:
            read = rows_of(scores, axes_of_scores, ("frame", "node"), {"track": t})
            blocks.append(Block(read, list(range(first + 2 * len(nodes), first + per_track))))
    index = [np.arange(size["frame"])]
    return Stored(columns, size["frame"], index, blocks, tracked=_tracked(file, names, size))


def _axes(tracks: h5py.Dataset, file: h5py.File, n_nodes: int) -> list[str]:
    """Return the names of the axes of `tracks`; files of sleap-io say them."""
    try:
        stated = json.loads(text_attribute(tracks, "dims") or "null")
    except ValueError:
        raise Damaged("the names of the axes of tracks are damaged") from None
    if stated is not None:
        if not isinstance(stated, list) or sorted(map(str, stated)) != sorted(AXES):
            raise Damaged(f"the axes of tracks are {stated!r}")
        return stated
    if number_attribute(file, "transpose") == 0 and tracks.shape[1:3] == (n_nodes, 2):
        return list(OTHER_AXES)
    return list(AXES)


def _scores(file: h5py.File, size: dict[str, int], axes: list[str]) -> h5py.Dataset | None:
    """Return the scores of the points; files of older versions have none."""
    if not is_array(file, "point_scores"):
        return None
    scores = number_array(file, "point_scores", 3)
    if scores.shape != tuple(size[axis] for axis in axes):
        raise Damaged(f"point_scores has shape {scores.shape}")
    return scores


def _tracked(file: h5py.File, names: list[str], size: dict[str, int]) -> dict[str, int]:
    """Return in how many frames each animal was found."""
    if not is_array(file, "track_occupancy", 2):
        return {}
    occupancy = number_array(file, "track_occupancy", 2)
    shapes = {(size["frame"], size["track"]): 0, (size["track"], size["frame"]): 1}
    if occupancy.shape not in shapes:
        raise Damaged(f"track_occupancy has shape {occupancy.shape}")
    counts = np.count_nonzero(occupancy[:], axis=shapes[occupancy.shape])
    return dict(zip(names, counts.tolist(), strict=True))
