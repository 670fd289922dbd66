"""Read the HDF5 files that pandas writes for DeepLabCut, without running anything they hold.

pandas keeps names and row labels partly as pickles, and unpickling runs code of the pickle's choice.
Here a pickle may only make lists, tuples, dictionaries, texts and numbers; anything else is refused.
HDF5 itself can crash on a damaged file: run this in a process of its own, see `hdf5_process`.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import h5py
import numpy as np

from vame_pipe.core.errors import InputError, listing
from vame_pipe.poses.pose_table import Column

DLC_KEY = "df_with_missing"
LEVELS = (
    ["scorer", "bodyparts", "coords"],
    ["scorer", "individuals", "bodyparts", "coords"],
)
"""Levels of the columns of DeepLabCut's files, of one animal and of several."""
SLAB_VALUES = 2**20
"""Numbers read at a time: 8 MiB."""
MAX_COMPRESSION = 1100
"""zlib makes nothing smaller than 1/1032 of its size."""
MAX_DEPTH = 8


class Damaged(Exception):
    """What is in the file does not fit together."""


class _Sliced(Protocol):
    def __getitem__(self, rows: slice, /) -> np.ndarray: ...


@dataclass(frozen=True)
class Stored:
    """The table of poses of an open file.

    Attributes
    ----------
    columns : list of Column
    n_rows : int
    not_numbers : dict of int to (int, str)
        Of columns of text: row and text of a cell.
    index : list
        The labels of the rows, to be sliced; several if a label has several parts.
    blocks : list of (callable, list of int)
        What reads rows `start` to `stop` of some columns, and which columns.
    """

    columns: list[Column]
    n_rows: int
    not_numbers: dict[int, tuple[int, str]]
    index: list[_Sliced]
    blocks: list[tuple[Callable[[int, int], np.ndarray], list[int]]]

    def slabs(self, n_rows: int) -> Iterator[tuple[np.ndarray | list[str], np.ndarray]]:
        """Read the first rows, some at a time.

        Yields
        ------
        labels : numpy.ndarray or list of str
            `(n,)` float64, or names.
        values : numpy.ndarray
            `(n, n_columns)` float64.
        """
        step = max(1, SLAB_VALUES // max(1, len(self.columns)))
        for start in range(0, n_rows, step):
            stop = min(start + step, n_rows)
            values = np.full((stop - start, len(self.columns)), np.nan)
            for read, columns in self.blocks:
                values[:, columns] = read(start, stop)
            yield self._labels(start, stop), values

    def _labels(self, start: int, stop: int) -> np.ndarray | list[str]:
        parts = [part[start:stop] for part in self.index]
        if len(parts) == 1 and parts[0].dtype.kind in "iuf":
            return parts[0].astype(np.float64)
        return ["/".join(_text(p) for p in row) for row in zip(*parts, strict=True)]


@contextmanager
def open_poses(path: str) -> Iterator[Stored]:
    """Open the table of poses of a file.

    Raises
    ------
    InputError
        If there is none, or more than one that could be meant.
    Damaged, or nearly anything
        If the file is damaged.
    """
    with h5py.File(path, "r", locking="best-effort") as file:
        groups = dict(_frames(file))
        if DLC_KEY in groups:
            groups = {DLC_KEY: groups[DLC_KEY]}
        if not groups:
            raise InputError(
                f"{path}: is not a DeepLabCut HDF5 file: it has no table written by pandas, but "
                f"{listing(file) or 'nothing'}. Give the file that DeepLabCut wrote for the video."
            )
        levels = {key: _level_names(group) for key, group in groups.items()}
        right = [key for key in groups if levels[key] in LEVELS]
        if not right:
            found = [
                f"{key}: {listing(map(str, levels[key])) or 'none'}" for key in list(groups)[:3]
            ]
            raise InputError(
                f"{path}: is not a DeepLabCut HDF5 file: expected column levels scorer, bodyparts, "
                f"coords, found in {'; '.join(found)}."
            )
        if len(right) > 1:
            raise InputError(
                f"{path}: has several tables of poses: {listing(right)}. Keep one of them, or call "
                f"it {DLC_KEY}."
            )
        group = groups[right[0]]
        is_fixed = _attribute(group, "pandas_type") == "frame"
        yield (_open_fixed if is_fixed else _open_table)(group, levels[right[0]])


def _frames(
    group: h5py.Group, prefix: str = "", depth: int = 0
) -> Iterator[tuple[str, h5py.Group]]:
    """Find the tables that pandas wrote, by the name of their key."""
    for name in group:
        member = _member(group, name)
        if not isinstance(member, h5py.Group):
            continue
        if _attribute(member, "pandas_type") in ("frame", "frame_table"):
            yield prefix + name, member
        elif depth < MAX_DEPTH:
            yield from _frames(member, f"{prefix}{name}/", depth + 1)


def _member(group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset | None:
    """Return a member that lies in this very file: links may lead to any other."""
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        return None
    return group[name]


def _array(group: h5py.Group, name: str) -> h5py.Dataset:
    """Return an array of plain numbers or texts that lies in this file."""
    array = _member(group, name)
    if not isinstance(array, h5py.Dataset):
        raise Damaged(f"{name} is missing")
    if array.dtype.kind == "O":
        raise Damaged(f"{name} holds pickled objects, which could run code and are never read")
    if array.external or array.is_virtual or array.shape is None:
        raise Damaged(f"{name} has its data elsewhere")
    stored = array.id.get_storage_size()
    compressed = array.id.get_create_plist().get_nfilters() > 0
    if array.nbytes > stored * (MAX_COMPRESSION if compressed else 1):
        raise Damaged(f"{name} should have {array.nbytes} bytes, the file has {stored} for it")
    return array


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> Any:
        raise Damaged(
            f"a pickle in it asks for {module_name}.{global_name}, which could run code and is refused"
        )


def _attribute(holder: h5py.Group | h5py.Dataset, name: str) -> Any:
    """Return an attribute, unpickled if it is a pickle; None if there is none."""
    value = holder.attrs.get(name)
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "iuf" and value.size == 1:
        return value.item()
    if isinstance(value, h5py.Empty):
        return ""
    if not isinstance(value, bytes | str):
        return None
    raw = value.encode("utf-8") if isinstance(value, str) else bytes(value)
    if not raw.endswith(b"."):  # every pickle does
        return raw.decode("utf-8")
    try:
        return _PlainUnpickler(io.BytesIO(raw), encoding="utf-8").load()
    except Damaged:
        raise
    except Exception as error:  # a damaged pickle can raise anything
        raise Damaged(f"{name} is no readable pickle: {type(error).__name__} {error}") from None


def _level_names(group: h5py.Group) -> list[Any]:
    """Return the names of the levels of the columns; empty if there is one level only."""
    if _attribute(group, "pandas_type") == "frame":
        n_levels = _attribute(group, "axis0_nlevels")
        if not isinstance(n_levels, int):
            return []
        levels = [_array(group, f"axis0_level{i}") for i in range(min(n_levels, MAX_DEPTH))]
        return [_attribute(level, "name") for level in levels]
    try:
        names = _attribute(group, "info")[1]["names"]
    except (KeyError, TypeError):
        return []
    return names if isinstance(names, list) else []


def _open_fixed(group: h5py.Group, level_names: list[str]) -> Stored:
    """Open what `to_hdf(format="fixed")` wrote."""
    names = _multi_index(group, "axis0")
    index = _row_index(group)
    n_rows = len(index[0])
    blocks, placed = [], _Placer(names)
    n_blocks = _attribute(group, "nblocks")
    if not isinstance(n_blocks, int) or not 0 <= n_blocks <= len(names):
        raise Damaged(f"it should have {n_blocks!r} blocks for {len(names)} columns")
    for i in range(n_blocks if n_rows else 0):
        array = _array(group, f"block{i}_values")
        columns = placed.take(_multi_index(group, f"block{i}_items"))
        transposed = bool(_attribute(array, "transposed"))
        expected = (n_rows, len(columns)) if transposed else (len(columns), n_rows)
        if array.shape != expected or array.dtype.kind not in "iufb":
            raise Damaged(
                f"block{i}_values is {array.dtype.name} {array.shape}, expected numbers {expected}"
            )
        blocks.append((_reader(array, transposed), columns))
    placed.require_all(bool(n_rows))
    return Stored(_columns(names, level_names), n_rows, {}, index, blocks)


def _reader(array: h5py.Dataset, transposed: bool) -> Callable[[int, int], np.ndarray]:
    if transposed:
        return lambda start, stop: array[start:stop]
    return lambda start, stop: array[:, start:stop].T


def _row_index(group: h5py.Group) -> list[Any]:
    """Return the labels of the rows, several arrays if a row has a name of several parts."""
    if _attribute(group, "axis1_variety") == "multi":
        parts = _multi_index(group, "axis1")
        return [np.array([str(p[i]) for p in parts], object) for i in range(len(parts[0]))]
    index = _array(group, "axis1")
    if "shape" in index.attrs and "value_type" in index.attrs:
        return [np.empty(0)]  # pandas' way to write an array without elements
    kind = _attribute(index, "kind")
    if index.ndim != 1 or kind not in ("integer", "float", "string"):
        raise Damaged(f"its rows are named by {kind!r}, expected numbers of frames")
    return [index]


def _multi_index(group: h5py.Group, name: str) -> list[tuple[Any, ...]]:
    """Return the tuples of an index of several levels."""
    n_levels = _attribute(group, f"{name}_nlevels")
    if not isinstance(n_levels, int) or not 1 <= n_levels <= MAX_DEPTH:
        raise Damaged(f"{name} has {n_levels!r} levels")
    parts = []
    for i in range(n_levels):
        level = [_text(v) for v in _array(group, f"{name}_level{i}")[:]]
        codes = _array(group, f"{name}_label{i}")[:]
        if codes.ndim != 1 or codes.dtype.kind not in "iu":
            raise Damaged(f"{name}_label{i} is not a list of whole numbers")
        if len(codes) and not -1 <= codes.min() <= codes.max() < len(level):
            raise Damaged(f"{name}_label{i} points at names that are not there")
        parts.append([level[c] if c >= 0 else "" for c in codes.tolist()])
    try:
        return list(zip(*parts, strict=True))
    except ValueError:
        raise Damaged(f"levels of {name} differ in length") from None


def _open_table(group: h5py.Group, level_names: list[str]) -> Stored:
    """Open what `to_hdf(format="table")` wrote."""
    axes = _attribute(group, "non_index_axes")
    try:
        ((_, names),) = axes
    except (TypeError, ValueError):
        raise Damaged("non_index_axes names no columns") from None
    names = _tuples(names, level_names)
    table = _array(group, "table")
    fields = table.dtype.fields
    if table.ndim != 1 or not fields or "index" not in fields:
        raise Damaged("its rows have names of several parts")
    kind = _attribute(table, "index_kind")
    if kind not in ("integer", "float", "string"):
        raise Damaged(f"its rows are named by {kind!r}, expected numbers of frames")
    n_rows = len(table)
    blocks, not_numbers, placed = [], {}, _Placer(names)
    for field in fields:
        if field == "index":
            continue
        columns = placed.take(_tuples(_attribute(table, f"{field}_kind"), level_names))
        base, shape = table.dtype[field].base, table.dtype[field].shape
        if shape != (len(columns),):
            raise Damaged(f"{field} has shape {shape} for {len(columns)} columns")
        if base.kind in "iufb":
            blocks.append((_field_reader(table, field), columns))
        elif n_rows:
            first = table[:1][field][0]
            not_numbers |= {c: (0, _text(v)) for c, v in zip(columns, first, strict=True)}
    placed.require_all(True)
    index = _Field(table, "index")
    return Stored(_columns(names, level_names), n_rows, not_numbers, [index], blocks)


def _field_reader(table: h5py.Dataset, field: str) -> Callable[[int, int], np.ndarray]:
    return lambda start, stop: table[start:stop][field]


class _Field:
    """One field of a table, read by slices."""

    def __init__(self, table: h5py.Dataset, field: str):
        self._table, self._field = table, field

    def __getitem__(self, rows: slice) -> np.ndarray:
        return self._table[rows][self._field]


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
                raise Damaged(f"a block has a column {name!r} that the table lacks")
            columns.append(self._free[name].pop(0))
        return columns

    def require_all(self, required: bool) -> None:
        left = [name for name, free in self._free.items() if free]
        if required and left:
            raise Damaged(f"column {left[0]!r} is in no block")


def _tuples(names: Any, level_names: list[str]) -> list[tuple[str, ...]]:
    if not isinstance(names, list) or not all(
        isinstance(name, tuple) and len(name) == len(level_names) for name in names
    ):
        raise Damaged(f"its columns do not have {len(level_names)} names each")
    return [tuple(_text(part) for part in name) for name in names]


def _text(value: Any) -> str:
    """Return a name as text; keypoints may be numbered."""
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            raise Damaged(f"name {value[:40]!r} is not UTF-8") from None
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    if not isinstance(value, str | int | float):
        raise Damaged(f"a name is a {type(value).__name__}")
    return str(value)


def _columns(names: list[tuple[str, ...]], level_names: list[str]) -> list[Column]:
    individual = level_names.index("individuals") if "individuals" in level_names else None
    return [
        Column(
            name[individual].strip() if individual is not None else "",
            name[-2].strip(),
            name[-1].strip().lower(),
        )
        for name in names
    ]
