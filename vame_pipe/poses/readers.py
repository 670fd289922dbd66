"""Read pose files of any supported format into validated `Poses`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import shorten
from typing import Protocol

import numpy as np

from vame_pipe.core.errors import InputError, listing
from vame_pipe.core.pose_formats import POSE_FORMATS
from vame_pipe.poses import animals, anipose_csv, dlc_csv, hdf5_process
from vame_pipe.poses.animals import AnimalColumns
from vame_pipe.poses.contract import Poses
from vame_pipe.poses.conversion import log_confidence, to_poses
from vame_pipe.poses.frame_numbers import frame_numbers
from vame_pipe.poses.pose_table import PoseHeader, PoseTable

log = logging.getLogger(__name__)

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
HDF5_SUFFIXES = (".h5", ".hdf5", ".slp", ".nwb", ".nc")
NETCDF3_SIGNATURES = (b"CDF\x01", b"CDF\x02", b"CDF\x05")
NO_FORMAT = "is not in a supported format"
NO_FPS = "the file does not store the frame rate"
FPS_TOLERANCE = 0.01
"""Fraction by which a frame rate may differ from that in the file, as 30 does from 29.97."""
MAX_REASON = 200
"""Characters of the reason why a file is not of a format: the message has one for each format."""


class CsvReader(Protocol):
    """A module that reads one format of text; those of HDF5 are in `hdf5_formats`."""

    def read_header(self, path: Path) -> PoseHeader:
        """Return the names in a file, without reading all of it; refuse a file of another format."""

    def read_table(self, path: Path, columns: list[int]) -> PoseTable:
        """Return some columns of a file."""


CSV_FORMATS: dict[str, CsvReader] = {"deeplabcut": dlc_csv, "anipose": anipose_csv}
"""The readers of text, in the order in which the content of a file is compared with them."""


def read_poses(
    path: str | Path,
    fps: float | None = None,
    format: str | None = None,
    individuals: Sequence[str] | None = None,
    partial: bool = False,
) -> dict[str, Poses]:
    """Return the poses in a pose file, by individual.

    All animals of a file have the same frames; where an animal is absent, its positions are NaN. A file
    that names no animal has the individual `id_0`. Animals that are never tracked are left out.

    Parameters
    ----------
    path : str or Path
        Pose file.
    fps : float, optional
        Frame rate of the video; required if the file does not store it, as DeepLabCut's files.
    format : str, optional
        One of `vame_pipe.core.pose_formats.POSE_FORMATS`; default: recognised by the content of the file.
    individuals : sequence of str, optional
        Names of the animals to read; default: all. Of files with more than 50 tracks, the 50 longest.
    partial : bool
        The file is one of several of a recording, so some of `individuals` may be missing from it.

    Raises
    ------
    InputError
        If the file is missing, of another format, damaged, without usable poses or of another frame rate.

    Examples
    --------
    >>> import tempfile
    >>> from vame_pipe.poses.simulate import write_recordings
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_recordings(Path(folder), n_sessions=1, n_frames=60, fps=30, seed=0)
    ...     poses = read_poses(Path(folder) / "sim-1.csv", fps=30)["id_0"]
    >>> poses.position.shape, poses.confidence.shape
    ((60, 8, 2), (60, 8))
    >>> poses.keypoints[:3]
    ('nose', 'left_ear', 'right_ear')
    """
    path = Path(path)
    header = read_header(path, format)
    choice = animals.choose(header, path, individuals, partial)
    rate = frame_rate(header, path, fps)
    wanted = animals.columns_of(header.columns, choice.individuals)
    if _is_hdf5(path):
        table = hdf5_process.read_table(path, header.format, wanted)
    else:
        table = CSV_FORMATS[header.format].read_table(path, wanted)
    for note in choice.notes:
        log.warning("%s: %s", path.name, note)
    if animals.is_image(header.first_label):
        log.warning(
            "%s: its rows are images; they are read as frames 0, 1, 2, ... in order", path.name
        )
        table = replace(table, labels=np.arange(len(table.values), dtype=np.float64))
    frame = _row_frames(table, path.name)
    found = _tracked_animals(table, path, individuals is not None and not partial)
    poses = {one.individual: to_poses(table, one, frame, rate, path.name) for one in found}
    log_confidence(found, poses, path.name)
    return poses


def read_header(path: str | Path, format: str | None = None) -> PoseHeader:
    """Return the format, the names and the frame rate in a pose file, without reading all of it.

    Parameters
    ----------
    path : str or Path
        Pose file.
    format : str, optional
        As for `read_poses`.

    Raises
    ------
    InputError
        If the file is missing, of another format or damaged.
    """
    path = Path(path)
    if format is not None and format not in POSE_FORMATS:
        raise InputError(
            f"{path}: format '{format}' is not known. Known formats: {', '.join(POSE_FORMATS)}. Leave "
            "format out to recognise it by the content of the file."
        )
    _require_content(path)
    if _is_hdf5(path):
        return hdf5_process.read_header(path, format)
    if format is not None:
        if format not in CSV_FORMATS:
            raise InputError(
                f"{path}: is not an HDF5 file, as those of format '{format}' are. Leave format out to "
                "recognise it, or export the file again."
            )
        return CSV_FORMATS[format].read_header(path)
    reasons = []
    for name, reader in CSV_FORMATS.items():
        try:
            return reader.read_header(path)
        except InputError as error:
            problems = " ".join(line.removeprefix(f"{path}: ") for line in error.problems)
            reasons.append(f"{name}: {shorten(problems, MAX_REASON, placeholder=' ...')}")
    raise InputError(f"{path}: {NO_FORMAT}, or damaged. {' '.join(dict.fromkeys(reasons))}")


def keypoint_names(
    header: PoseHeader,
    path: Path,
    individuals: Sequence[str] | None = None,
    partial: bool = False,
) -> list[str]:
    """Return the names of the keypoints that all animals of a file have.

    Parameters
    ----------
    header : PoseHeader
    path : Path
    individuals, partial
        As for `read_poses`.

    Raises
    ------
    InputError
        If the file has no such animal, or no keypoints.
    """
    return common_keypoints(animal_columns(header, path, individuals, partial))


def common_keypoints(found: Sequence[AnimalColumns]) -> list[str]:
    """Return the names of the keypoints that all animals have, in the order of the first."""
    names = found[0].columns if found else {}
    return [name for name in names if all(name in one.columns for one in found)]


def animal_columns(
    header: PoseHeader,
    path: Path,
    individuals: Sequence[str] | None = None,
    partial: bool = False,
) -> list[AnimalColumns]:
    """Return the columns of each animal that is read of a file, one or more.

    Parameters and errors are those of `keypoint_names`.
    """
    choice = animals.choose(header, path, individuals, partial)
    wanted = animals.columns_of(header.columns, choice.individuals)
    found = animals.group_columns([header.columns[i] for i in wanted])
    if not found:
        raise InputError(f"{path}: contains no coordinates of keypoints. Re-export the file.")
    return found


def frame_rate(header: PoseHeader, path: Path, fps: float | None) -> float:
    """Return the frame rate of a recording: as given, else as in the file.

    Parameters
    ----------
    header : PoseHeader
    path : Path
    fps : float, optional
        Frames per second, as given.

    Raises
    ------
    InputError
        If neither is known, or they contradict each other.
    """
    if header.fps is None and fps is None:
        raise InputError(f"{path}: {NO_FPS}. Set fps.")
    if fps is None or header.fps is None:
        return fps or header.fps or 0.0
    if abs(fps / header.fps - 1) > FPS_TOLERANCE:
        raise InputError(
            f"{path}: fps is {fps:g}, but the file says {header.fps:g}. Set fps to {header.fps:g} or "
            "leave it out; if the file is wrong, export it again."
        )
    return fps


def _is_hdf5(path: Path) -> bool:
    with path.open("rb") as file:
        has_signature = file.read(len(HDF5_SIGNATURE)) == HDF5_SIGNATURE
    return has_signature or path.suffix.lower() in HDF5_SUFFIXES


def _row_frames(table: PoseTable, source: str) -> np.ndarray:
    """Return the frame number of each row, `(n_rows,)` int64."""
    if len(table.values) == 0:
        raise InputError(f"{source}: contains a header but no frames.")
    if len(table.values) == 1:
        raise InputError(
            f"{source}: contains only one frame. Use the file of a complete video, with one row per frame."
        )
    return frame_numbers(table.labels, source)


def _tracked_animals(table: PoseTable, path: Path, all_needed: bool) -> list[AnimalColumns]:
    """Return the animals that were tracked at all; refuse a file without any, or if all are needed."""
    found = animals.group_columns(table.columns)
    never = [one.individual for one in found if _is_empty(table, one)]
    if not never or len(found) == 1:
        return found
    if len(never) == len(found) or all_needed:
        raise InputError(
            f"{path.name}: every coordinate of {listing(never, chr(39))} is missing (NaN). Track the video "
            "again, or select other individuals."
        )
    log.warning("%s: never tracked, so left out: %s", path.name, listing(never, "'"))
    return [one for one in found if one.individual not in never]


def _is_empty(table: PoseTable, one: AnimalColumns) -> bool:
    at = one.coordinates
    return all(np.isnan(table.values[:, i]).all() and i not in table.not_numbers for i in at)


def _require_content(path: Path) -> None:
    """Check that there is a file, that it can be read, and that it is not empty."""
    try:
        if not path.is_file():
            raise InputError(
                f"{path}: no such file. Check the path; it is relative to the working directory."
            )
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}). Check the path.") from None
    if not start:
        raise InputError(f"{path}: the file is empty. Re-export it.")
    if start in NETCDF3_SIGNATURES:
        raise InputError(f"{path}: is a netCDF file of version 3. Save it as netCDF 4.")
