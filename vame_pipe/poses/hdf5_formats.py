"""The formats of HDF5 pose files, recognised by what is in the file.

The HDF5 library can crash on a damaged file: call this from a separate process, see `hdf5_process`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import h5py

from vame_pipe.core.errors import InputError, listing
from vame_pipe.poses import (
    dlc_hdf5,
    jabs,
    movement,
    nwb,
    sleap_analysis,
    sleap_anipose,
    sleap_labels,
)
from vame_pipe.poses.hdf5_table import Stored


class Hdf5Reader(Protocol):
    """A module that reads one format."""

    def sniff(self, file: h5py.File) -> bool:
        """Return whether the content of an open file is of this format."""

    def open_poses(self, file: h5py.File, path: str) -> Stored:
        """Return the poses in an open file."""


FORMATS: dict[str, Hdf5Reader] = {
    "sleap": sleap_labels,
    "sleap-analysis": sleap_analysis,
    "sleap-anipose": sleap_anipose,
    "nwb": nwb,
    "movement": movement,
    "jabs": jabs,
    "deeplabcut": dlc_hdf5,  # last: it looks into every group of the file
}
"""In the order in which a file is compared with them."""


@contextmanager
def open_poses(path: str, format: str | None) -> Iterator[tuple[str, Stored]]:
    """Open a file: the name of its format, and its poses.

    Parameters
    ----------
    path : str
    format : str, optional
        Name of the format; None: recognised.

    Raises
    ------
    InputError
        If the file is of no format, or cannot be used.
    Damaged, or nearly any other exception
        If the file is damaged.
    """
    if format is not None and format not in FORMATS:
        raise InputError(
            f"{path}: is an HDF5 file, but format is '{format}'. Leave format out, or set it to one of "
            f"{', '.join(FORMATS)}."
        )
    with h5py.File(path, "r", locking="best-effort") as file:
        found = format or next((n for n, reader in FORMATS.items() if reader.sniff(file)), None)
        if found is None:
            raise InputError(
                f"{path}: is an HDF5 file without poses of a known format: it has "
                f"{listing(file) or 'nothing'}. Known formats: {', '.join(FORMATS)}."
            )
        yield found, FORMATS[found].open_poses(file, path)
