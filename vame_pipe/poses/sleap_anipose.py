"""Read the 3D points that sleap-anipose writes (HDF5): one array, without names."""

from __future__ import annotations

import h5py
import numpy as np

from vame_pipe.core.errors import InputError, listing
from vame_pipe.poses.hdf5_access import is_array, local_member, number_array
from vame_pipe.poses.hdf5_table import Block, Stored, animal_columns, rows_of, unique_names

ARRAYS = ("tracks", "points3d")


def sniff(file: h5py.File) -> bool:
    """Return whether an open file has an array of frames, tracks, nodes and three coordinates."""
    return _name(file) is not None and not is_array(file, "node_names")


def open_poses(file: h5py.File, path: str) -> Stored:
    """Return the poses in an open file; keypoints are `node_0`, `node_1`, ...

    Raises
    ------
    InputError
        If it is not a file of sleap-anipose.
    Damaged, or nearly any other exception
        If the file is damaged.
    """
    name = _name(file)
    if name is None:
        raise InputError(
            f"{path}: is not a file of sleap-anipose: it has no array tracks of frames, tracks, nodes and "
            f"3 coordinates, but {listing(file) or 'nothing'}."
        )
    points = number_array(file, name, 4)
    n_frames, n_tracks, n_nodes, _ = points.shape
    individuals = unique_names([], n_tracks)
    columns = animal_columns(individuals, [f"node_{i}" for i in range(n_nodes)], "xyz")
    axes = ("frame", "track", "node", "xyz")
    block = Block(rows_of(points, axes, axes), list(range(len(columns))))
    return Stored(columns, n_frames, [np.arange(n_frames)], [block])


def _name(file: h5py.File) -> str | None:
    for name in ARRAYS:
        member = local_member(file, name)
        if isinstance(member, h5py.Dataset) and member.ndim == 4 and member.shape[3] == 3:
            return name
    return None
