"""What the readers of pose files return: the table as it is in the file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np


class Column(NamedTuple):
    """Where the numbers of a column belong."""

    individual: str
    """Name of the animal; empty if the file names none."""
    keypoint: str
    coord: str
    """`x`, `y`, `likelihood` or something else, in lower case."""


@dataclass(frozen=True)
class PoseHeader:
    """The names in a pose file.

    Attributes
    ----------
    columns : tuple of Column
    first_label : str
        What the first row is called: the number of a frame or the name of an image; empty if there
        is no row.
    """

    columns: tuple[Column, ...]
    first_label: str


@dataclass(frozen=True)
class PoseTable:
    """The names and numbers in a pose file.

    Attributes
    ----------
    header : PoseHeader
    values : numpy.ndarray
        `(n_rows, n_columns)` float64, as in the file; NaN where a cell is empty or not a number.
        Columns are contiguous in memory.
    labels : numpy.ndarray
        `(n_rows,)`: numbers of frames, float64, or names of images, str.
    not_numbers : dict of int to (int, str)
        Of columns with cells that are not numbers: row and text of the first such cell.
    """

    header: PoseHeader
    values: np.ndarray
    labels: np.ndarray
    not_numbers: dict[int, tuple[int, str]] = field(default_factory=dict)
