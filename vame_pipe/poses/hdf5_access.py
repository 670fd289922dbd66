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


class Damaged(Exception):
    """The parts of a file do not fit together, or are not safe to read."""


def local_member(group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset | None:
    """Return a member that is stored in this file; links can lead to any other file."""
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        return None
    return group[name]


def plain_array(group: h5py.Group, name: str) -> h5py.Dataset:
    """Return an array of plain numbers or text that is stored in this file."""
    array = local_member(group, name)
    if not isinstance(array, h5py.Dataset):
        raise Damaged(f"{name} is missing")
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
