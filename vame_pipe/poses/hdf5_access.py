"""Access to the content of HDF5 files that runs nothing in them and reads no other file.

pandas stores names and row labels partly as pickles, and unpickling runs code that the pickle chooses. Here
a pickle can only create lists, tuples, dictionaries, text and numbers; anything else is refused.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

import h5py
import numpy as np

MAX_COMPRESSION = 1100
"""zlib compresses to no less than 1/1032 of the size."""
MAX_LINKS = 8
MAX_TEXTS = 1_000_000


class Damaged(Exception):
    """The parts of a file do not fit together, or are not safe to read."""


def local_member(group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset | None:
    """Return a member that is stored in this file; links can lead to any other file."""
    return group[name] if _link_type(group, name) == h5py.h5l.TYPE_HARD else None


def _link_type(group: h5py.Group, name: str) -> int | None:
    """Return the type of a link, without following it; None if it does not exist."""
    links, key = group.id.links, name.encode()
    return links.get_info(key).type if key and links.exists(key) else None


def linked_member(group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset | None:
    """Return a member that is stored in this file, also at the end of a link within the file."""
    for _ in range(MAX_LINKS):
        if _link_type(group, name) != h5py.h5l.TYPE_SOFT:
            return local_member(group, name)
        path = as_text(group.id.links.get_val(name.encode()))
        at: h5py.Group | h5py.Dataset | None = group.file if path.startswith("/") else group
        *folders, name = [part for part in path.split("/") if part] or [""]
        for folder in folders:
            at = local_member(at, folder) if isinstance(at, h5py.Group) else None
        if not isinstance(at, h5py.Group):
            return None
        group = at
    return None


def is_array(group: h5py.Group, name: str, ndim: int | None = None) -> bool:
    """Return whether there is an array of a name, with a number of dimensions if given."""
    member = local_member(group, name)
    return isinstance(member, h5py.Dataset) and ndim in (None, member.ndim)


def number_array(group: h5py.Group, name: str, ndim: int | None = None) -> h5py.Dataset:
    """Return an array of numbers that is stored in this file."""
    array = plain_array(group, name)
    if array.dtype.kind not in "iufb" or ndim not in (None, array.ndim):
        raise Damaged(f"{name} is {array.dtype.name} {array.shape}, expected numbers")
    return array


def table_array(group: h5py.Group, name: str, fields: tuple[str, ...]) -> np.ndarray:
    """Return the rows of a table with some fields of numbers that is stored in this file."""
    return require_table(group, name, fields)[:]


def require_table(group: h5py.Group, name: str, fields: tuple[str, ...]) -> h5py.Dataset:
    """Return a table with some fields of numbers that is stored in this file."""
    array = plain_array(group, name)
    found = array.dtype.fields or {}
    if array.ndim != 1 or any(f not in found or found[f][0].kind not in "iufb" for f in fields):
        raise Damaged(f"{name} is not a table with {', '.join(fields)}")
    return array


def text_array(group: h5py.Group, name: str) -> list[str]:
    """Return a list of texts that is stored in this file; empty if it is missing."""
    array = local_member(group, name)
    if not isinstance(array, h5py.Dataset) or array.shape is None or array.size == 0:
        return []
    if h5py.check_string_dtype(array.dtype) is None or array.size > MAX_TEXTS:
        raise Damaged(f"{name} is {array.dtype.name} {array.shape}, expected names")
    if array.external or array.is_virtual:
        raise Damaged(f"{name} has its data in another file")
    return [as_text(value) for value in np.ravel(array[()])]


def text_attribute(holder: h5py.File | h5py.Group | h5py.Dataset, name: str) -> str:
    """Return an attribute of text; empty if it is missing or of another type."""
    value = holder.attrs.get(name)
    return as_text(value) if isinstance(value, bytes | str) else ""


def number_attribute(holder: h5py.File | h5py.Group | h5py.Dataset, name: str) -> float | None:
    """Return an attribute that is one finite number; None if it is missing or of another type."""
    value = np.asarray(holder.attrs.get(name, ""))
    if value.size != 1 or value.dtype.kind not in "iuf" or not np.isfinite(value).all():
        return None
    return float(value.item())


def plain_array(group: h5py.Group, name: str) -> h5py.Dataset:
    """Return an array of plain numbers or text that is stored in this file."""
    array = local_member(group, name)
    if not isinstance(array, h5py.Dataset):
        raise Damaged(f"{name} is missing")
    return own_data(array, name)


def own_data(array: h5py.Dataset, name: str) -> h5py.Dataset:
    """Return an array, if it holds plain numbers or text and has its data in this file."""
    if array.dtype.kind == "O":
        raise Damaged(f"{name} contains pickled objects, which could run code and are never read")
    if array.external or array.is_virtual or array.shape is None:
        raise Damaged(f"{name} has its data in another file")
    stored = array.id.get_storage_size()
    compressed = array.id.get_create_plist().get_nfilters() > 0
    if array.nbytes > stored * (MAX_COMPRESSION if compressed else 1):
        raise Damaged(
            f"{name} should have {array.nbytes} bytes, but the file stores {stored} bytes of it"
        )
    return array


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> Any:
        raise Damaged(
            f"a pickle in it loads {module_name}.{global_name}, which could run code and is refused"
        )


def plain_attribute(holder: h5py.Group | h5py.Dataset, name: str) -> Any:
    """Return an attribute, unpickled if it is a pickle; None if it is missing or of another type."""
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
        raise Damaged(f"{name} is not a readable pickle: {type(error).__name__} {error}") from None


def as_text(value: Any) -> str:
    """Return a name as text; keypoints can be numbered."""
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
