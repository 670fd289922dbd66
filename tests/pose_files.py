"""Small files of every format, written by the tests from arrays."""

import json
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from vame_pipe.poses.readers import keypoint_names, read_header


def read_keypoints(path, format=None, individuals=None):
    """Return the names of the keypoints that all animals in a pose file have, from its header."""
    return keypoint_names(read_header(path, format), Path(path), individuals)


@dataclass(frozen=True)
class Recording:
    """What the file of a recording holds.

    `position` is `(n_frames, n_animals, n_keypoints, 2 or 3)`, NaN where missing; `confidence`, 0 there,
    is `(n_frames, n_animals, n_keypoints)`.
    """

    position: np.ndarray
    confidence: np.ndarray
    individuals: tuple[str, ...] = ("a", "b")
    keypoints: tuple[str, ...] = ("nose", "left ear", "tail")


def recording(n_frames=60, n_animals=2, n_dimensions=2, seed=0):
    """Return animals that walk; the last one appears late, and points are missing here and there."""
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(0, 2, (n_frames, n_animals, 1, n_dimensions)), axis=0)
    offset = 30 * np.eye(3, n_dimensions) + 300
    position = walk + offset + rng.normal(0, 0.1, (n_frames, n_animals, 3, n_dimensions))
    position[rng.random(position.shape[:3]) < 0.05] = np.nan
    position[:7, -1] = np.nan
    confidence = rng.uniform(0.7, 1, position.shape[:3])
    confidence[np.isnan(position[..., 0])] = 0
    individuals = ("a", "b", "c", "d")[:n_animals]
    return Recording(np.round(position, 5), np.round(confidence, 5), individuals)


def dlc_table(made, words=("scorer", "individuals", "bodyparts", "coords")):
    """Return the table of DeepLabCut, multi-animal."""
    coords = [*"xyz"[: made.position.shape[3]], "likelihood"]
    columns = pd.MultiIndex.from_product(
        [["net"], made.individuals, made.keypoints, coords], names=words
    )
    values = np.concatenate([made.position, made.confidence[..., None]], axis=3)
    return pd.DataFrame(values.reshape(len(values), -1), columns=columns)


def write_dlc_csv(path, made, words=("scorer", "individuals", "bodyparts", "coords")):
    dlc_table(made, words).to_csv(path)


def write_dlc_hdf5(path, made, words=("scorer", "individuals", "bodyparts", "coords")):
    dlc_table(made, words).to_hdf(path, key="df_with_missing", format="table")


def write_anipose(path, made):
    columns = {}
    for k, name in enumerate(made.keypoints):
        for axis, letter in enumerate("xyz"):
            columns[f"{name}_{letter}"] = made.position[:, 0, k, axis]
        columns[f"{name}_error"] = 1.5
        columns[f"{name}_ncams"] = 2
        columns[f"{name}_score"] = made.confidence[:, 0, k]
    columns |= {"M_00": 1.0, "M_01": 0.0, "center_0": 0.0}
    columns["fnum"] = np.arange(len(made.position))
    pd.DataFrame(columns).to_csv(path, index=False)


def write_sleap_analysis(path, made, tracks=True, scores=True, dims=None):
    with h5py.File(path, "w") as file:
        order = ("track", "xy", "node", "frame") if dims is None else dims
        at = {"frame": 0, "track": 1, "node": 2, "xy": 3}
        file["tracks"] = made.position.transpose([at[axis] for axis in order])
        file["track_occupancy"] = (~np.isnan(made.position[..., 0]).all(axis=2)).astype(np.uint8)
        if scores:
            kept = [axis for axis in order if axis != "xy"]
            file["point_scores"] = made.confidence.transpose([at[axis] for axis in kept])
        if dims is not None:
            file["tracks"].attrs["dims"] = json.dumps(dims)
        file["node_names"] = [name.encode() for name in made.keypoints]
        file["track_names"] = (
            [name.encode() for name in made.individuals] if tracks else np.empty(0)
        )


FRAME = [(name, "u8") for name in ("frame_id", "video", "frame_idx")]
FRAME += [("instance_id_start", "u8"), ("instance_id_end", "u8")]
INSTANCE = [("instance_id", "i8"), ("instance_type", "u1"), ("frame_id", "u8"), ("skeleton", "u4")]
INSTANCE += [("track", "i4"), ("from_predicted", "i8"), ("score", "f4")]
INSTANCE += [("point_id_start", "u8"), ("point_id_end", "u8")]
POINT = [("x", "f8"), ("y", "f8"), ("visible", "?"), ("complete", "?")]


def write_sleap(path, made, tracks=True, version=1.2, fps=None, videos=1):
    """Write a .slp file; the nodes of the skeleton are in another order than the names of all nodes."""
    n_nodes = len(made.keypoints)
    frames, instances, points = [], [], []
    for frame in range(len(made.position)):
        start = len(instances)
        for animal in range(len(made.individuals)):
            xy = made.position[frame, animal]
            if np.isnan(xy).all():
                continue
            first = len(points)
            track = animal if tracks else -1
            instances.append((start, 1, frame, 0, track, -1, 1.0, first, first + n_nodes))
            for point, score in zip(xy, made.confidence[frame, animal], strict=True):
                points.append((*point, not np.isnan(point[0]), False, score))
        if len(instances) > start:
            video = frame % videos
            frames.append((len(frames), video, frame, start, len(instances)))
    names = [{"name": name, "weight": 1.0} for name in reversed(made.keypoints)]
    skeleton = {"nodes": [{"id": i} for i in reversed(range(n_nodes))]}
    backend = {"filename": "video.mp4"} | ({} if fps is None else {"fps": fps})
    with h5py.File(path, "w") as file:
        file["frames"] = np.array(frames, FRAME)
        file["instances"] = np.array(instances, INSTANCE)
        file["pred_points"] = np.array(points, [*POINT, ("score", "f8")])
        file["points"] = np.empty(0, POINT)
        file["tracks_json"] = [json.dumps([0, name]) for name in made.individuals if tracks]
        file["videos_json"] = [json.dumps({"backend": backend})] * videos
        meta = file.create_group("metadata")
        meta.attrs["format_id"] = version
        meta.attrs["json"] = json.dumps({"skeletons": [skeleton], "nodes": names})


def write_sleap_anipose(path, made):
    with h5py.File(path, "w") as file:
        file["tracks"] = made.position


def write_nwb(path, made, fps=25.0, described=False):
    """Write series of all keypoints: a container per animal, or as DLC2NWB does one for all."""
    with h5py.File(path, "w") as file:
        file.attrs["neurodata_type"] = "NWBFile"
        behaviour = file.create_group("processing/behavior")
        skeleton = behaviour.create_group("Skeletons/mouse")
        skeleton.attrs["neurodata_type"] = "Skeleton"
        skeleton["nodes"] = list(made.keypoints)
        for a, individual in enumerate(made.individuals):
            container = behaviour.require_group("PoseEstimation" if described else individual)
            container.attrs["neurodata_type"] = "PoseEstimation"
            if not described:
                container["mouse"] = h5py.SoftLink(skeleton.name)
            for k, keypoint in enumerate(made.keypoints):
                name = f"{individual}_{keypoint}" if described else keypoint
                text = f"Keypoint {keypoint} from individual {individual}." if described else "A"
                series = container.create_group(name)
                series.attrs.update({"neurodata_type": "PoseEstimationSeries", "description": text})
                series["data"] = made.position[:, a, k]
                series["confidence"] = made.confidence[:, a, k]
                times = f"{behaviour.name}/times"
                if times not in file:
                    file[times] = 100 + np.arange(len(made.position)) / fps
                series["timestamps"] = h5py.SoftLink(times)


def write_movement(path, made, fps=25.0, plural=False, time_unit="seconds"):
    n_frames, n_animals, n_keypoints, n_dimensions = made.position.shape
    keypoint, individual = ("keypoints", "individuals") if plural else ("keypoint", "individual")
    sizes = {"time": n_frames, "space": n_dimensions, keypoint: n_keypoints, individual: n_animals}
    with h5py.File(path, "w") as file:
        file["position"] = made.position.transpose(0, 3, 2, 1)
        file["confidence"] = made.confidence.transpose(0, 2, 1)
        file["time"] = np.arange(n_frames) / (fps if time_unit == "seconds" else 1)
        file["space"] = list("xyz"[:n_dimensions])
        file[keypoint], file[individual] = list(made.keypoints), list(made.individuals)
        for name in sizes:
            file[name].make_scale(name)
        for i, name in enumerate(sizes):
            file["position"].dims[i].attach_scale(file[name])
        for i, name in enumerate(("time", keypoint, individual)):
            file["confidence"].dims[i].attach_scale(file[name])
        file.attrs["time_unit"] = time_unit
        if fps is not None and time_unit == "seconds":
            file.attrs["fps"] = fps


def write_jabs(path, position, confidence, identities=None, counts=None):
    """Write poses `(n_frames, [n_places,] 12, 2)`; identities of version 4, with counts of version 3."""
    with h5py.File(path, "w") as file:
        group = file.create_group("poseest")
        group["points"] = np.nan_to_num(position)[..., ::-1].astype(np.uint16)
        group["confidence"] = confidence.astype(np.float32)
        if counts is not None:
            group["instance_track_id"] = identities.astype(np.uint32)
            group["instance_count"] = counts.astype(np.uint8)
        elif identities is not None:
            group["instance_embed_id"] = identities.astype(np.uint32)


WRITERS = {
    "deeplabcut.csv": write_dlc_csv,
    "deeplabcut.h5": write_dlc_hdf5,
    "sleap-analysis.h5": write_sleap_analysis,
    "sleap.slp": write_sleap,
    "nwb.nwb": write_nwb,
    "movement.nc": write_movement,
}
"""Formats of several animals in 2D, under the name of a file."""
WRITERS_3D = {
    "deeplabcut.csv": write_dlc_csv,
    "deeplabcut.h5": write_dlc_hdf5,
    "anipose.csv": write_anipose,
    "nwb.nwb": write_nwb,
    "movement.nc": write_movement,
}
