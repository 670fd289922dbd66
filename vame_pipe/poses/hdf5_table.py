"""The poses in an open HDF5 file, whatever the format, read some rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from vame_pipe.poses.hdf5_access import as_text
from vame_pipe.poses.pose_table import Column

SLAB_VALUES = 2**20
"""Numbers that are read at a time: 8 MiB."""
MIN_SLAB_ROWS = 512


class Sliced(Protocol):
    """An array, or an array in a file."""

    def __getitem__(self, rows: slice, /) -> np.ndarray: ...


@dataclass(frozen=True)
class Block:
    """Columns that are read together.

    Attributes
    ----------
    read : callable
        Returns the numbers of rows `start` to `stop`, `(stop - start, n_columns)`.
    columns : list of int
        The columns of the file that these are.
    """

    read: Callable[[int, int], np.ndarray]
    columns: list[int]


@dataclass(frozen=True)
class Stored:
    """The poses in an open file.

    Attributes
    ----------
    columns : list of Column
    n_rows : int
    index : list
        Labels of the rows, read by slices; several arrays if a label has several parts.
    blocks : list of Block
    not_numbers : dict of int to (int, str)
        For each column of text: row and text of a cell.
    fps : float, optional
        Frames per second, if the file stores it.
    tracked : dict of str to int
        Frames in which each animal was found, if that is cheap to know.
    """

    columns: list[Column]
    n_rows: int
    index: Sequence[Sliced]
    blocks: list[Block]
    not_numbers: Mapping[int, tuple[int, str]] = field(default_factory=dict)
    fps: float | None = None
    tracked: Mapping[str, int] = field(default_factory=dict)

    def slabs(
        self, n_rows: int, wanted: list[int]
    ) -> Iterator[tuple[np.ndarray | list[str], np.ndarray]]:
        """Yield the first rows of some columns, some rows at a time.

        Yields
        ------
        labels : numpy.ndarray or list of str
            `(n,)` float64, or names.
        values : numpy.ndarray
            `(n, n_wanted)` float64.
        """
        place = {column: i for i, column in enumerate(wanted)}
        reads: list[tuple[Block, list[int], list[int]]] = []
        for block in self.blocks:
            found = [(k, place[c]) for k, c in enumerate(block.columns) if c in place]
            if found:
                reads.append((block, [k for k, _ in found], [to for _, to in found]))
        step = max(MIN_SLAB_ROWS, SLAB_VALUES // max(1, len(wanted)))
        for start in range(0, n_rows, step):
            stop = min(start + step, n_rows)
            values = np.full((stop - start, len(wanted)), np.nan)
            for block, source, target in reads:
                values[:, target] = block.read(start, stop)[:, source]
            yield self._labels(start, stop), values

    def _labels(self, start: int, stop: int) -> np.ndarray | list[str]:
        parts: list[Any] = [part[start:stop] for part in self.index]
        if len(parts) == 1 and parts[0].dtype.kind in "iuf":
            return parts[0].astype(np.float64)
        return ["/".join(as_text(p) for p in row) for row in zip(*parts, strict=True)]


def rows_of(
    array: Any, axes: Sequence[str], order: Sequence[str], at: Mapping[str, int] | None = None
) -> Callable[[int, int], np.ndarray]:
    """Return a function that reads rows of an array in a file: what `Block.read` is.

    Parameters
    ----------
    array : h5py.Dataset or numpy.ndarray
    axes : sequence of str
        Names of its axes.
    order : sequence of str
        The axis of rows, then the axes of the columns, the one that changes slowest first.
    at : mapping of str to int, optional
        The places on the axes that are not in `order`.

    >>> rows_of(np.array([[0, 1, 2], [3, 4, 5]]), ("xy", "frame"), ("frame", "xy"))(1, 3).tolist()
    [[1, 4], [2, 5]]
    """
    places = at or {}
    kept = [axis for axis in axes if axis not in places]

    def read(start: int, stop: int) -> np.ndarray:
        part = {**places, order[0]: slice(start, stop)}
        values = array[tuple(part.get(axis, slice(None)) for axis in axes)]
        rows: np.ndarray = values.transpose([kept.index(axis) for axis in order])
        return rows.reshape(stop - start, -1)

    return read


def animal_columns(
    individuals: Sequence[str], keypoints: Sequence[str], coords: Sequence[str]
) -> list[Column]:
    """Return a column for each animal, keypoint and coordinate, in this order.

    >>> [tuple(column) for column in animal_columns(["a", "b"], ["nose"], "xy")]
    [('a', 'nose', 'x'), ('a', 'nose', 'y'), ('b', 'nose', 'x'), ('b', 'nose', 'y')]
    """
    return [Column(i, k, c) for i in individuals for k in keypoints for c in coords]


def unique_names(names: Sequence[str], count: int) -> list[str]:
    """Return a different name for each of `count` animals; those without a name are `id_0`, `id_1`, ...

    >>> unique_names(["a", "", "a"], 4)
    ['a', 'id_1', 'a_2', 'id_3']
    """
    found: list[str] = []
    for i in range(count):
        first = name = (names[i].strip() if i < len(names) else "") or f"id_{i}"
        number = 1
        while name in found:
            number += 1
            name = f"{first}_{number}"
        found.append(name)
    return found
