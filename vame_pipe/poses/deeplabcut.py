"""Read the files of DeepLabCut, which LightningPose writes as well: CSV and HDF5."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from vame_pipe.core.errors import InputError
from vame_pipe.poses import dlc_csv, dlc_csv_header, hdf5_process
from vame_pipe.poses.pose_table import PoseHeader, PoseTable

SUFFIXES: tuple[str, ...] = (".csv", ".h5", ".hdf5")
HDF5_SUFFIXES = (".h5", ".hdf5")
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def sniff(path: Path) -> bool:
    """Return whether the file is HDF5, or starts with the header rows of DeepLabCut's CSV.

    Whether an HDF5 file contains a table of DeepLabCut shows when it is read.
    """
    if _has_hdf5_signature(path):
        return True
    try:
        dlc_csv_header.read_layout(path)
    except InputError:
        return False
    return True


def read_header(path: Path) -> PoseHeader:
    """Return the names in a pose file; of a CSV file, only the first lines are read.

    Raises
    ------
    InputError
        If it is not a file of DeepLabCut.
    """
    return _module(path).read_header(path)


def read_table(path: Path) -> PoseTable:
    """Return the table of a pose file.

    Raises
    ------
    InputError
        If it is not a file of DeepLabCut, or damaged.
    """
    return _module(path).read_table(path)


def _module(path: Path) -> ModuleType:
    is_hdf5 = _has_hdf5_signature(path) or path.suffix.lower() in HDF5_SUFFIXES
    return hdf5_process if is_hdf5 else dlc_csv


def _has_hdf5_signature(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(HDF5_SIGNATURE)) == HDF5_SIGNATURE
