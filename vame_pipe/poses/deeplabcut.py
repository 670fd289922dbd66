"""Read the files of DeepLabCut, which LightningPose writes as well: CSV and HDF5."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np

from vame_pipe.core.errors import InputError, listing
from vame_pipe.poses import dlc_csv, dlc_csv_header, hdf5_process
from vame_pipe.poses.contract import Poses
from vame_pipe.poses.conversion import AnimalColumns, to_poses
from vame_pipe.poses.pose_table import PoseHeader, PoseTable

log = logging.getLogger(__name__)

HDF5_SUFFIXES = (".h5", ".hdf5")
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
IMAGES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp")
UNIQUE = "single"
"""DeepLabCut's name for the individual of unique bodyparts, which exist once for any number of animals."""


def sniff(path: Path) -> bool:
    """Return whether the file has the header rows of DeepLabCut's CSV, or is HDF5 with its table."""
    try:
        if _has_hdf5_signature(path):
            hdf5_process.read_header(path)
        else:
            dlc_csv_header.read_layout(path)
    except InputError:
        return False
    return True


def read_keypoints(path: Path) -> list[str]:
    """Return the names of the keypoints in a pose file; of a CSV file, only the first lines are read.

    Raises
    ------
    InputError
        If it is not a file of DeepLabCut, or not of one animal.
    """
    animal, _ = _select_animal(_module(path).read_header(path), path)
    return list(animal.columns)


def read(path: Path, fps: float | None) -> dict[str, Poses]:
    """Return the poses in a pose file, by individual.

    Parameters
    ----------
    path : Path
    fps : float or None
        Frames per second; required, because the files do not store it.

    Raises
    ------
    InputError
        If it is not a file of DeepLabCut, not of one animal, or damaged.
    """
    table: PoseTable = _module(path).read_table(path)
    animal, unique = _select_animal(table.header, path)
    if fps is None:
        raise InputError(f"{path}: this format does not store the frame rate. Set fps.")
    if unique:
        log.warning(
            "%s: unique bodyparts are read as keypoints of the animal: %s. Remove objects from keypoints",
            *(path.name, listing(unique, "'")),
        )
    if _is_image(table.header.first_label):
        log.warning(
            "%s: its rows are images; they are read as frames 0, 1, 2, ... in order", path.name
        )
        table = replace(table, labels=np.arange(len(table.values), dtype=np.float64))
    poses = to_poses(table, animal, fps, path.name)
    return {poses.individual: poses}


def _select_animal(header: PoseHeader, path: Path) -> tuple[AnimalColumns, list[str]]:
    """Return the columns of the only animal in a file, and which of its keypoints are unique bodyparts.

    DeepLabCut tracks unique bodyparts separately from the animal; here they are its keypoints too.

    Raises
    ------
    InputError
        If the file contains several animals, 3D poses or labelled training frames.
    """
    coords = {column.coord for column in header.columns}
    if _is_image(header.first_label) and "likelihood" not in coords:
        raise InputError(
            f"{path}: contains human-labelled training frames, not a recording: its rows are images and "
            "it has no likelihood. Use the output of DeepLabCut's analyze_videos."
        )
    if "z" in coords:
        raise InputError(
            f"{path}: contains 3D poses (coordinate z), which are not supported yet. Use the 2D file."
        )
    individuals = list(dict.fromkeys(column.individual for column in header.columns))
    animals = [name for name in individuals if name != UNIQUE] or individuals
    if len(animals) > 1:
        raise InputError(
            f"{path}: contains several animals ({listing(animals)}). Multi-animal files are not "
            "supported yet: export one file per animal."
        )
    columns: dict[str, dict[str, list[int]]] = {}
    for i, column in enumerate(header.columns):
        columns.setdefault(column.keypoint, {}).setdefault(column.coord, []).append(i)
    unique = [c.keypoint for c in header.columns if c.individual != animals[0]]
    return AnimalColumns(animals[0], columns), list(dict.fromkeys(unique))


def _is_image(label: str) -> bool:
    return label.strip().lower().endswith(IMAGES) or label.strip().startswith("labeled-data")


def _module(path: Path) -> ModuleType:
    is_hdf5 = _has_hdf5_signature(path) or path.suffix.lower() in HDF5_SUFFIXES
    return hdf5_process if is_hdf5 else dlc_csv


def _has_hdf5_signature(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(HDF5_SIGNATURE)) == HDF5_SIGNATURE
