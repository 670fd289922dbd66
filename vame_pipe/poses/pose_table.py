"""The table of a pose file as it is stored, before it becomes `Poses`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

COORDS = ("x", "y", "z", "likelihood")
"""The coordinates that are read."""


class Column(NamedTuple):
    """The names above one column of numbers."""

    individual: str
    """Name of the animal; empty if the file has none."""
    keypoint: str
    """Name of the keypoint."""
    coord: str
    """`x`, `y`, `z`, `likelihood` or another name, in lower case."""


@dataclass(frozen=True)
class PoseHeader:
    """The names in a pose file.

    Attributes
    ----------
    format : str
        Name of the format, one of `core.pose_formats`.
    columns : tuple of Column
    first_label : str
        Label of the first row: a frame number or the name of an image; empty if there are no rows.
    fps : float, optional
        Frames per second, if the file stores it.
    tracked : dict of str to int
        Frames in which each animal was found, if the file stores it cheaply; else empty.
    """

    format: str
    columns: tuple[Column, ...]
    first_label: str
    fps: float | None = None
    tracked: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class PoseTable:
    """Numbers in a pose file.

    Attributes
    ----------
    columns : tuple of Column
        The columns that were asked for.
    values : numpy.ndarray
        `(n_rows, n_columns)` float64, as in the file; NaN where a cell is empty or not a number. Each
        column is contiguous in memory.
    labels : numpy.ndarray
        `(n_rows,)`: frame numbers, float64, or names of images, str.
    not_numbers : dict of int to (int, str)
        For each column with cells that are not numbers: row and text of the first such cell.
    """

    columns: tuple[Column, ...]
    values: np.ndarray
    labels: np.ndarray
    not_numbers: Mapping[int, tuple[int, str]] = field(default_factory=dict)
