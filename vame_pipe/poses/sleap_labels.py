"""Read the project and prediction files of SLEAP (.slp, HDF5): tables of frames, instances and points."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from vame_pipe.core.errors import InputError, listing
from vame_pipe.poses.hdf5_access import (
    Damaged,
    is_array,
    local_member,
    number_attribute,
    require_table,
    table_array,
    text_array,
    text_attribute,
)
from vame_pipe.poses.hdf5_table import Block, Stored, animal_columns, unique_names

PREDICTED = 1
"""Type of an instance that SLEAP found; others were made or corrected by a person."""
PIXEL_CENTRES = 1.1
"""Before this version of the format, the centre of the first pixel was at 0.5 instead of 0."""
TOO_NEW = 3.0
"""Version of the format that has other tables."""
FRAMES = ("video", "frame_idx", "instance_id_start", "instance_id_end")
INSTANCES = (
    "instance_type",
    "skeleton",
    "track",
    "from_predicted",
    "point_id_start",
    "point_id_end",
)


def sniff(file: h5py.File) -> bool:
    """Return whether an open file has the tables of SLEAP."""
    return all(is_array(file, name) for name in ("frames", "instances")) and isinstance(
        local_member(file, "metadata"), h5py.Group
    )


@dataclass(frozen=True)
class _Instances:
    """One row per instance that is read; a person's instances are last.

    Attributes
    ----------
    row, animal, first_point : numpy.ndarray
        `(n,)` int64: row of the table, animal, and first of its points.
    is_predicted : numpy.ndarray
        `(n,)` bool.
    """

    row: np.ndarray
    animal: np.ndarray
    first_point: np.ndarray
    is_predicted: np.ndarray


def open_poses(file: h5py.File, path: str) -> Stored:
    """Return the poses in an open file.

    Raises
    ------
    InputError
        If it is not a file of SLEAP, of several videos or skeletons, or of a version that is not known.
    Damaged, or nearly any other exception
        If the file is damaged.
    """
    if not sniff(file):
        raise InputError(
            f"{path}: is not a .slp file of SLEAP: it has {listing(file) or 'nothing'}. Use the file of "
            "predictions that SLEAP wrote."
        )
    meta = local_member(file, "metadata")
    version = number_attribute(meta, "format_id") or 1.0
    if version >= TOO_NEW:
        raise InputError(
            f"{path}: has version {version:g} of SLEAP's format, which is not known. Export it as analysis "
            "HDF5."
        )
    frames, instances = (
        table_array(file, "frames", FRAMES),
        table_array(file, "instances", INSTANCES),
    )
    nodes = _nodes(text_attribute(meta, "json"), instances["skeleton"], path)
    fps = _fps(file, frames["video"], path)
    names = [_track_name(text) for text in text_array(file, "tracks_json")]
    tracks = unique_names(names, len(names))
    frame, found = _instances(frames, instances, len(tracks), len(nodes))
    del frames, instances  # both can be large, as the points are
    n_animals = int(found.animal.max(initial=-1)) + 1
    used = np.bincount(found.animal, minlength=max(n_animals, 1))
    individuals = unique_names(tracks, max(n_animals, 1))
    points = _points(file, found, len(nodes), 0.5 if version < PIXEL_CENTRES else 0.0)
    blocks = []
    for a in range(len(individuals)):
        first = a * 3 * len(nodes)
        of_animal = np.flatnonzero(found.animal == a)
        of_animal = of_animal[np.argsort(found.row[of_animal], kind="stable")]
        animal = _Animal(found.row[of_animal], points, of_animal, 3 * len(nodes))
        blocks.append(Block(animal.read, list(range(first, first + 3 * len(nodes)))))
    columns = animal_columns(individuals, nodes, ("x", "y", "likelihood"))
    tracked = dict(zip(individuals, used.tolist(), strict=True))
    return Stored(columns, len(frame), [frame], blocks, fps=fps, tracked=tracked)


@dataclass(frozen=True)
class _Animal:
    """The instances of one animal, in the order of rows."""

    rows: np.ndarray
    points: np.ndarray
    instances: np.ndarray
    n_columns: int

    def read(self, start: int, stop: int) -> np.ndarray:
        values = np.full((stop - start, self.n_columns), np.nan)
        first, last = np.searchsorted(self.rows, [start, stop])
        values[self.rows[first:last] - start] = self.points[self.instances[first:last]]
        return values


def _nodes(text: str, skeletons: np.ndarray, path: str) -> list[str]:
    """Return the names of the keypoints of the skeleton that is used."""
    used = np.unique(skeletons).tolist() or [0]
    if len(used) > 1:
        raise InputError(
            f"{path}: has instances of {len(used)} skeletons. Export one skeleton per file."
        )
    try:
        meta: Any = json.loads(text)
        nodes = meta["skeletons"][used[0]]["nodes"]
        names = [str(meta["nodes"][node["id"]]["name"]) for node in nodes]
    except (IndexError, KeyError, TypeError, ValueError):
        raise Damaged("its metadata does not name the nodes of the skeleton") from None
    if not names or len(set(names)) < len(names):
        raise Damaged("the nodes of its skeleton do not have different names")
    return names


def _fps(file: h5py.File, videos: np.ndarray, path: str) -> float | None:
    """Return the frame rate of the only video, if the file stores it."""
    used = np.unique(videos).tolist()
    if len(used) > 1:
        raise InputError(
            f"{path}: has poses of {len(used)} videos. Export one file per video from SLEAP."
        )
    texts = text_array(file, "videos_json")
    if not used or used[0] >= len(texts):
        return None
    try:
        rate = json.loads(texts[used[0]])["backend"]["fps"]
    except (KeyError, TypeError, ValueError):
        return None
    return float(rate) if isinstance(rate, int | float) and 0 < rate < np.inf else None


def _track_name(text: str) -> str:
    try:
        return str(json.loads(text)[1])
    except (IndexError, KeyError, TypeError, ValueError):
        raise Damaged(f"track {text[:40]!r} has no name") from None


def _instances(
    frames: np.ndarray, instances: np.ndarray, n_tracks: int, n_nodes: int
) -> tuple[np.ndarray, _Instances]:
    """Return the frame number of each row, and the instances that are read.

    Instances without a track have their place among those of the same frame for a name.
    """
    start = frames["instance_id_start"].astype(np.int64)
    count = frames["instance_id_end"].astype(np.int64) - start
    if len(frames) and (
        count.min() < 0 or start.min() < 0 or int((start + count).max()) > len(instances)
    ):
        raise Damaged("its frames refer to instances that do not exist")
    if count.sum() > len(instances):
        raise Damaged("its frames share instances")
    frame, row_of_frame = np.unique(frames["frame_idx"].astype(np.float64), return_inverse=True)
    row = np.repeat(row_of_frame, count)
    at = np.repeat(start - np.cumsum(count) + count, count) + np.arange(count.sum())
    predicted = (instances["instance_type"] == PREDICTED)[at]
    origin = instances["from_predicted"].astype(np.int64)[at[~predicted]]
    kept = ~(predicted & np.isin(at, origin[origin >= 0]))  # a person has corrected them
    order = np.flatnonzero(kept)
    order = order[np.argsort(row[order], kind="stable")]
    row, at, predicted = row[order], at[order], predicted[order]
    first_point = instances["point_id_start"].astype(np.int64)[at]
    if (instances["point_id_end"].astype(np.int64)[at] - first_point != n_nodes).any():
        raise Damaged(f"an instance does not have {n_nodes} points")
    animal = instances["track"].astype(np.int64)[at]
    if len(animal) and animal.max() >= n_tracks:
        raise Damaged("its instances refer to tracks that do not exist")
    nameless = np.flatnonzero(animal < 0)
    first = np.searchsorted(row[nameless], row[nameless])
    animal[nameless] = n_tracks + np.arange(len(nameless)) - first
    last = np.argsort(
        ~predicted, kind="stable"
    )  # where a track is there twice, the person's counts
    return frame, _Instances(row[last], animal[last], first_point[last], predicted[last])


def _points(file: h5py.File, found: _Instances, n_nodes: int, offset: float) -> np.ndarray:
    """Return x, y and score of the points of each instance, `(n_instances, 3 * n_nodes)`."""
    values = np.full((len(found.row), n_nodes, 3), np.nan)
    for name, fields, chosen in (
        ("pred_points", ("x", "y", "visible", "score"), found.is_predicted),
        ("points", ("x", "y", "visible"), ~found.is_predicted),
    ):
        if not chosen.any():
            continue
        table = require_table(file, name, fields)
        first = found.first_point[chosen]
        if first.min() < 0 or first.max() + n_nodes > len(table):
            raise Damaged("its instances refer to points that do not exist")
        at = first[:, None] + np.arange(n_nodes)
        hidden = ~table.fields("visible")[:].astype(bool)[at]
        for i, field in enumerate(("x", "y", "score")):  # one by one: the table can be large
            if field in fields:
                numbers = table.fields(field)[:].astype(np.float64)[at]
                if field != "score":
                    numbers -= offset
                    numbers[hidden] = np.nan
                values[chosen, :, i] = numbers
    return values.reshape(len(values), -1)
