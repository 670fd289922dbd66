"""Read the HDF5 files that pandas writes for DeepLabCut.

The HDF5 library can crash on a damaged file: call this from a separate process, see `hdf5_process`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from vame_pipe.core.errors import InputError, listing
from vame_pipe.poses import dlc_header
from vame_pipe.poses.hdf5_access import Damaged, as_text, local_member, plain_array, plain_attribute
from vame_pipe.poses.hdf5_table import Block, Stored, rows_of
from vame_pipe.poses.pose_table import Column

DLC_KEY = "df_with_missing"
MAX_DEPTH = 8


def sniff(file: h5py.File) -> bool:
    """Return whether an open file has a table that pandas wrote."""
    return next(_frames(file), None) is not None


def open_poses(file: h5py.File, path: str) -> Stored:
    """Return the table of poses in an open file.

    Raises
    ------
    InputError
        If there is no such table, or more than one candidate.
    Damaged, or nearly any other exception
        If the file is damaged.
    """
    groups = dict(_frames(file))
    if DLC_KEY in groups:
        groups = {DLC_KEY: groups[DLC_KEY]}
    if not groups:
        raise InputError(
            f"{path}: is not a DeepLabCut HDF5 file: it has no table written by pandas, but "
            f"{listing(file) or 'nothing'}. Use the file that DeepLabCut wrote for the video."
        )
    words = {key: _level_names(group) for key, group in groups.items()}
    levels = {key: dlc_header.row_names(names) for key, names in words.items()}
    known = (dlc_header.ONE_ANIMAL, dlc_header.SEVERAL_ANIMALS)
    right = [key for key in groups if levels[key] in known]
    if not right:
        found = [f"{key}: {listing(map(str, words[key])) or 'none'}" for key in list(groups)[:3]]
        raise InputError(
            f"{path}: is not a DeepLabCut HDF5 file: expected column levels scorer, bodyparts, "
            f"coords, found in {'; '.join(found)}."
        )
    if len(right) > 1:
        raise InputError(
            f"{path}: contains several tables of poses: {listing(right)}. Keep one of them, or "
            f"rename it to {DLC_KEY}."
        )
    group = groups[right[0]]
    is_fixed = plain_attribute(group, "pandas_type") == "frame"
    return (_open_fixed if is_fixed else _open_table)(group, len(levels[right[0]]))


def _frames(
    group: h5py.Group, prefix: str = "", depth: int = 0
) -> Iterator[tuple[str, h5py.Group]]:
    """Yield the tables that pandas wrote, and their keys."""
    for name in group:
        member = local_member(group, name)
        if not isinstance(member, h5py.Group):
            continue
        if plain_attribute(member, "pandas_type") in ("frame", "frame_table"):
            yield prefix + name, member
        elif depth < MAX_DEPTH:
            yield from _frames(member, f"{prefix}{name}/", depth + 1)


def _level_names(group: h5py.Group) -> list[Any]:
    """Return the names of the levels of the columns; empty if there is only one level."""
    if plain_attribute(group, "pandas_type") == "frame":
        n_levels = plain_attribute(group, "axis0_nlevels")
        if not isinstance(n_levels, int):
            return []
        levels = [plain_array(group, f"axis0_level{i}") for i in range(min(n_levels, MAX_DEPTH))]
        return [plain_attribute(level, "name") for level in levels]
    try:
        names = plain_attribute(group, "info")[1]["names"]
    except (KeyError, TypeError):
        return []
    return names if isinstance(names, list) else []


def _open_fixed(group: h5py.Group, n_levels: int) -> Stored:
    """Open what `to_hdf(format="fixed")` wrote."""
    names = _multi_index(group, "axis0")
    index = _row_index(group)
    n_rows = len(index[0])
    blocks, placed = [], _Placer(names)
    n_blocks = plain_attribute(group, "nblocks")
    if not isinstance(n_blocks, int) or not 0 <= n_blocks <= len(names):
        raise Damaged(f"it should have {n_blocks!r} blocks for {len(names)} columns")
    for i in range(n_blocks if n_rows else 0):
        array = plain_array(group, f"block{i}_values")
        columns = placed.take(_multi_index(group, f"block{i}_items"))
        transposed = bool(plain_attribute(array, "transposed"))
        expected = (n_rows, len(columns)) if transposed else (len(columns), n_rows)
        if array.shape != expected or array.dtype.kind not in "iufb":
            raise Damaged(
                f"block{i}_values is {array.dtype.name} {array.shape}, expected numbers {expected}"
            )
        axes = ("row", "column") if transposed else ("column", "row")
        blocks.append(Block(rows_of(array, axes, ("row", "column")), columns))
    placed.require_all(bool(n_rows))
    return Stored(_columns(names, n_levels), n_rows, index, blocks)


def _row_index(group: h5py.Group) -> list[Any]:
    """Return the labels of the rows, several arrays if a label has several parts."""
    if plain_attribute(group, "axis1_variety") == "multi":
        parts = _multi_index(group, "axis1")
        return [np.array([str(p[i]) for p in parts], object) for i in range(len(parts[0]))]
    index = plain_array(group, "axis1")
    if "shape" in index.attrs and "value_type" in index.attrs:
        return [np.empty(0)]  # this is how pandas writes an array without elements
    kind = plain_attribute(index, "kind")
    if index.ndim != 1 or kind not in ("integer", "float", "string"):
        raise Damaged(f"its rows are labelled by {kind!r}, expected frame numbers")
    return [index]


def _multi_index(group: h5py.Group, name: str) -> list[tuple[Any, ...]]:
    """Return the tuples of an index of several levels."""
    n_levels = plain_attribute(group, f"{name}_nlevels")
    if not isinstance(n_levels, int) or not 1 <= n_levels <= MAX_DEPTH:
        raise Damaged(f"{name} has {n_levels!r} levels")
    parts = []
    for i in range(n_levels):
        level = [as_text(v) for v in plain_array(group, f"{name}_level{i}")[:]]
        codes = plain_array(group, f"{name}_label{i}")[:]
        if codes.ndim != 1 or codes.dtype.kind not in "iu":
            raise Damaged(f"{name}_label{i} is not a list of whole numbers")
        if len(codes) and not -1 <= codes.min() <= codes.max() < len(level):
            raise Damaged(f"{name}_label{i} refers to names that do not exist")
        parts.append([level[c] if c >= 0 else "" for c in codes.tolist()])
    try:
        return list(zip(*parts, strict=True))
    except ValueError:
        raise Damaged(f"the levels of {name} have different lengths") from None


def _open_table(group: h5py.Group, n_levels: int) -> Stored:
    """Open what `to_hdf(format="table")` wrote."""
    axes = plain_attribute(group, "non_index_axes")
    try:
        ((_, names),) = axes
    except (TypeError, ValueError):
        raise Damaged("non_index_axes does not name the columns") from None
    names = _tuples(names, n_levels)
    table = plain_array(group, "table")
    fields = table.dtype.fields
    if table.ndim != 1 or not fields or "index" not in fields:
        raise Damaged("the labels of its rows have several parts")
    kind = plain_attribute(table, "index_kind")
    if kind not in ("integer", "float", "string"):
        raise Damaged(f"its rows are labelled by {kind!r}, expected frame numbers")
    n_rows = len(table)
    blocks: list[Block] = []
    placed = _Placer(names)
    not_numbers: dict[int, tuple[int, str]] = {}
    for field in fields:
        if field == "index":
            continue
        columns = placed.take(_tuples(plain_attribute(table, f"{field}_kind"), n_levels))
        base, shape = table.dtype[field].base, table.dtype[field].shape
        if shape != (len(columns),):
            raise Damaged(f"{field} has shape {shape} for {len(columns)} columns")
        if base.kind in "iufb":
            blocks.append(Block(_Field(table, field).read, columns))
        elif n_rows:
            first = table[:1][field][0]
            not_numbers |= {c: (0, as_text(v)) for c, v in zip(columns, first, strict=True)}
    placed.require_all(True)
    index = _Field(table, "index")
    return Stored(_columns(names, n_levels), n_rows, [index], blocks, not_numbers)


class _Field:
    """One field of a table, read by slices."""

    def __init__(self, table: h5py.Dataset, field: str):
        self._table, self._field = table, field

    def __getitem__(self, rows: slice) -> np.ndarray:
        return self._table[rows][self._field]

    def read(self, start: int, stop: int) -> np.ndarray:
        return self[start:stop]


class _Placer:
    """Finds the columns of the file that a block of it holds."""

    def __init__(self, names: list[tuple[Any, ...]]):
        self._free: dict[tuple[Any, ...], list[int]] = {}
        for i, name in enumerate(names):
            self._free.setdefault(name, []).append(i)

    def take(self, names: list[tuple[Any, ...]]) -> list[int]:
        columns = []
        for name in names:
            if not self._free.get(name):
                raise Damaged(f"a block has a column {name!r} that is missing from the table")
            columns.append(self._free[name].pop(0))
        return columns

    def require_all(self, required: bool) -> None:
        left = [name for name, free in self._free.items() if free]
        if required and left:
            raise Damaged(f"column {left[0]!r} is in no block")


def _tuples(names: Any, n_levels: int) -> list[tuple[str, ...]]:
    if not isinstance(names, list) or not all(
        isinstance(name, tuple) and len(name) == n_levels for name in names
    ):
        raise Damaged(f"its columns do not have {n_levels} names each")
    return [tuple(as_text(part) for part in name) for name in names]


def _columns(names: list[tuple[str, ...]], n_levels: int) -> list[Column]:
    if any(len(name) != n_levels for name in names):
        raise Damaged(f"its columns do not have {n_levels} names each")
    return dlc_header.named_columns(names)
