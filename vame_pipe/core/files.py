"""Read and write the files between the stages: Parquet with JSON metadata, written atomically."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vame_pipe import __version__
from vame_pipe.core.errors import InputError

FORMAT_VERSION = 2
"""Version of the metadata and columns of all Parquet files."""
METADATA_KEY = b"vame_pipe"
DISK_FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def fingerprint(*parts: Any) -> str:
    """Return the SHA-256 of values that JSON can hold; the order of the keys of a mapping has no effect."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def file_fingerprint(path: str | Path) -> str:
    """Return the SHA-256 of the bytes of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def array_fingerprint(array: np.ndarray) -> str:
    """Return the SHA-256 of the values of an array."""
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()


def table_fingerprint(table: pa.Table) -> str:
    """Return the SHA-256 of the names, types and values (including NaN) of a table.

    Text columns must be dictionary-encoded.
    """
    digest = hashlib.sha256(table.schema.remove_metadata().to_string().encode())
    for column in table.combine_chunks().columns:
        values = column.combine_chunks()
        if pa.types.is_dictionary(values.type):
            digest.update(json.dumps(values.dictionary.to_pylist()).encode())
            values = values.indices
        digest.update(np.ascontiguousarray(values.to_numpy(zero_copy_only=False)).data)
    return digest.hexdigest()


@contextmanager
def atomic(target: str | Path) -> Iterator[Path]:
    """Yield a temporary path next to `target`; on success fsync it and rename it to `target`.

    Raises
    ------
    InputError
        If the folder is not writable or the disk is full; an existing file is left unchanged.
    """
    target = Path(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise InputError(
            f"{target}: cannot be written ({error.strerror}). Choose a folder with write permission, on a "
            "disk with free space."
        ) from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp's 0600 would lock out the rest of the lab
        temporary.replace(target)
    except OSError as error:
        if error.errno not in DISK_FULL_ERRNOS:
            raise
        raise InputError(
            f"{target}: cannot be written ({error.strerror}); an existing file is unchanged. Free disk "
            "space and run again."
        ) from None
    finally:
        temporary.unlink(missing_ok=True)


def write_text(target: str | Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic(target) as path:
        path.write_text(text, encoding="utf-8")


def write_json(target: str | Path, content: Any) -> None:
    """Write JSON atomically; NaN is refused."""
    write_text(target, json.dumps(content, indent=2, allow_nan=False) + "\n")


def metadata(**content: Any) -> dict[str, Any]:
    """Return the metadata of a file: the versions of format and package, then the given items."""
    return {"format_version": FORMAT_VERSION, "package_version": __version__, **content}


def write_tables(
    target: str | Path, tables: Iterable[pa.Table], schema: pa.Schema, meta: dict[str, Any]
) -> None:
    """Write a Parquet file atomically.

    Parameters
    ----------
    target : str or Path
    tables : iterable of pyarrow.Table
        Each becomes one or more row groups.
    schema : pyarrow.Schema
    meta : dict
        Stored as JSON under the key ``vame_pipe`` of the schema's metadata.
    """
    schema = schema.with_metadata({METADATA_KEY: json.dumps(meta, allow_nan=False).encode()})
    floats = [f.name for f in schema if pa.types.is_floating(f.type)]
    with (
        atomic(target) as path,
        pq.ParquetWriter(
            path,
            schema,
            compression="zstd",
            # dictionaries do not pay for floats: nearly all values are distinct
            use_dictionary=[f.name for f in schema if pa.types.is_dictionary(f.type)],
            use_byte_stream_split=floats,
            column_encoding={
                f.name: "DELTA_BINARY_PACKED" for f in schema if pa.types.is_int64(f.type)
            },
            write_statistics=["session", "individual", "row"],
        ) as writer,
    ):
        for table in tables:
            writer.write_table(table.cast(schema))


def read_metadata(path: str | Path) -> dict[str, Any]:
    """Return the metadata that `write_tables` stored.

    Raises
    ------
    InputError
        If the file is missing, damaged, not written by vame_pipe, or of another format version.
    """
    try:
        meta = (pq.read_schema(path).metadata or {}).get(METADATA_KEY)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file. Run the workflow first.") from None
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{path}: cannot be read as Parquet ({reason}). Delete it and run the workflow again."
        ) from None
    if meta is None:
        raise InputError(
            f"{path}: not a file of vame_pipe (its schema has no 'vame_pipe' metadata). Give a file that "
            "the workflow has written."
        )
    content: dict[str, Any] = json.loads(meta)
    if content["format_version"] != FORMAT_VERSION:
        raise InputError(
            f"{path}: has file format {content['format_version']}, but this version of vame_pipe reads "
            f"format {FORMAT_VERSION}. Run the workflow again, or use vame_pipe "
            f"{content['package_version']}, which wrote it."
        )
    return content
