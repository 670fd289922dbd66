"""The table of a pose file as it is stored, before it becomes `Poses`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np


class Column(NamedTuple):
    """The names above one column of numbers."""

    individual: str
    """Name of the animal; empty if the file has none."""
    keypoint: str
    """Name of the keypoint."""
    coord: str
    """`x`, `y`, `likelihood` or another name, in lower case."""


@dataclass(frozen=True)
class PoseHeader:
    """The names in a pose file.

    Attributes
    ----------
    columns : tuple of Column
    first_label : str
        Label of the first row: a frame number or the name of an image; empty if there are no rows.
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
        `(n_rows, n_columns)` float64, as in the file; NaN where a cell is empty or not a number. Each
        column is contiguous in memory.
    labels : numpy.ndarray
        `(n_rows,)`: frame numbers, float64, or names of images, str.
    not_numbers : dict of int to (int, str)
        For each column with cells that are not numbers: row and text of the first such cell.
    """

    header: PoseHeader
    values: np.ndarray
    labels: np.ndarray
    not_numbers: dict[int, tuple[int, str]] = field(default_factory=dict)
