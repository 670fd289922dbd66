"""Read the pose files of JABS (HDF5, versions 2 and later): mice with twelve keypoints."""

from __future__ import annotations

import h5py
import numpy as np

from vame_pipe.core.errors import InputError, listing
from vame_pipe.poses.hdf5_access import Damaged, is_array, local_member, number_array
from vame_pipe.poses.hdf5_table import Block, Stored, animal_columns

KEYPOINTS = (
    *("nose", "left_ear", "right_ear", "base_neck", "left_front_paw", "right_front_paw"),
    *("center_spine", "left_rear_paw", "right_rear_paw", "base_tail", "mid_tail", "tip_tail"),
)
"""In the order of the file, which does not name them."""


def sniff(file: h5py.File) -> bool:
    """Return whether an open file has the poses of JABS."""
    group = local_member(file, "poseest")
    return isinstance(group, h5py.Group) and is_array(group, "points")


def open_poses(file: h5py.File, path: str) -> Stored:
    """Return the poses in an open file; identities are `id_1`, `id_2`, ...

    Raises
    ------
    InputError
        If it is not a file of JABS.
    Damaged, or nearly any other exception
        If the file is damaged.
    """
    if not sniff(file):
        raise InputError(
            f"{path}: is not a pose file of JABS: it has no poseest/points, but "
            f"{listing(file) or 'nothing'}."
        )
    group = file["poseest"]
    points, scores = number_array(group, "points"), number_array(group, "confidence")
    if points.shape[-2:] != (len(KEYPOINTS), 2) or scores.shape != points.shape[:-1]:
        raise Damaged(f"points has shape {points.shape} and confidence {scores.shape}")
    n_frames = len(points)
    if points.ndim == 3:
        individuals, places = [""], [(np.arange(n_frames), np.zeros(n_frames, np.int64))]
    elif points.ndim == 4:
        individuals, places = _identities(group, points.shape[:2])
    else:
        raise Damaged(f"points has shape {points.shape}")
    columns = animal_columns(individuals, KEYPOINTS, ("x", "y", "likelihood"))
    width = 3 * len(KEYPOINTS)
    blocks = [
        Block(_Animal(points, scores, *place).read, list(range(a * width, (a + 1) * width)))
        for a, place in enumerate(places)
    ]
    tracked = {name: len(rows) for name, (rows, _) in zip(individuals, places, strict=True)}
    return Stored(columns, n_frames, [np.arange(n_frames)], blocks, tracked=tracked)


def _identities(
    group: h5py.Group, shape: tuple[int, int]
) -> tuple[list[str], list[tuple[np.ndarray, np.ndarray]]]:
    """Return the names of the animals, and for each the frames that have it and its place there."""
    if is_array(group, "instance_embed_id"):  # version 4: identities; 0 is none
        identity = number_array(group, "instance_embed_id", 2)[:].astype(np.int64)
        there = identity > 0
    else:  # version 3: fragments of tracks
        identity = number_array(group, "instance_track_id", 2)[:].astype(np.int64)
        count = number_array(group, "instance_count", 1)[:].astype(np.int64)
        if len(count) != shape[0]:
            raise Damaged(f"instance_count has {len(count)} values")
        there = np.arange(shape[1]) < count[:, None]
    if identity.shape != shape:
        raise Damaged(f"the identities have shape {identity.shape}")
    rows, place = np.nonzero(there)
    number = identity[rows, place]
    found = np.unique(number).tolist()
    order = np.argsort(number, kind="stable")
    ends = np.searchsorted(number[order], found, side="right")
    parts = np.split(order, ends[:-1]) if found else []
    return [f"id_{n}" for n in found], [(rows[part], place[part]) for part in parts]


class _Animal:
    """One animal, which can be at another place of the arrays in each frame."""

    def __init__(
        self, points: h5py.Dataset, scores: h5py.Dataset, rows: np.ndarray, place: np.ndarray
    ):
        self._points, self._scores, self._rows, self._place = points, scores, rows, place

    def read(self, start: int, stop: int) -> np.ndarray:
        n_keypoints = len(KEYPOINTS)
        first, last = np.searchsorted(self._rows, [start, stop])
        rows, place = self._rows[first:last] - start, self._place[first:last]
        values = np.full((stop - start, n_keypoints, 3), np.nan)
        if len(rows):
            points = self._points[start:stop].reshape(stop - start, -1, n_keypoints, 2)
            score = self._scores[start:stop].reshape(stop - start, -1, n_keypoints)[rows, place]
            yx = np.where((score > 0)[..., None], points[rows, place].astype(np.float64), np.nan)
            values[rows] = np.concatenate([yx[..., ::-1], score[..., None]], axis=-1)
        return values.reshape(stop - start, -1)
