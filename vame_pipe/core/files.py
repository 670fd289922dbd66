"""Files between the stages: Parquet with one JSON of metadata, written whole or not at all."""

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
KEY = b"vame_pipe"

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def fingerprint(*parts: Any) -> str:
    """SHA-256 of JSON-able values, independent of the order of mapping keys."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def file_fingerprint(path: str | Path) -> str:
    """SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def array_fingerprint(array: np.ndarray) -> str:
    """SHA-256 of an array's values."""
    return hashlib.sha256(np.ascontiguousarray(array)).hexdigest()


def table_fingerprint(table: pa.Table) -> str:
    """SHA-256 of a table's names, types and values, NaN included; text must be a dictionary."""
    digest = hashlib.sha256(table.schema.remove_metadata().to_string().encode())
    for column in table.combine_chunks().columns:
        values = column.combine_chunks()
        if pa.types.is_dictionary(values.type):
            digest.update(json.dumps(values.dictionary.to_pylist()).encode())
            values = values.indices
        digest.update(np.ascontiguousarray(values.to_numpy(zero_copy_only=False)))
    return digest.hexdigest()


@contextmanager
def atomic(target: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`; on success fsync it and rename it to `target`.

    Raises
    ------
    InputError
        If nothing can be written there, or there is no room for it; what was there before stays.
    """
    target = Path(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise InputError(
            f"{target}: cannot be written ({error.strerror}). Choose a folder that you may write, on a "
            "disk that has room."
        ) from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp's 0600 would lock out a lab's group
        temporary.replace(target)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise InputError(
            f"{target}: cannot be written ({error.strerror}); what was there before stays. Free some "
            "room on that disk and run again."
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
    """Return the metadata of a file: the versions, then what the stage says."""
    return {"format_version": FORMAT_VERSION, "package_version": __version__, **content}


def write_tables(
    target: str | Path, tables: Iterable[pa.Table], schema: pa.Schema, meta: dict[str, Any]
) -> None:
    """Write a Parquet file atomically, at least a row group a table.

    Parameters
    ----------
    target : str or Path
    tables : iterable of pyarrow.Table
        Each written as row group(s) of its own.
    schema : pyarrow.Schema
    meta : dict
        JSON-able, stored under the key ``vame_pipe`` of the schema's metadata.
    """
    schema = schema.with_metadata({KEY: json.dumps(meta, allow_nan=False).encode()})
    floats = [f.name for f in schema if pa.types.is_floating(f.type)]
    with (
        atomic(target) as path,
        pq.ParquetWriter(
            path,
            schema,
            compression="zstd",
            # dictionaries of floats only cost: nearly every value is new
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
    """Return what `write_tables` stored under ``vame_pipe``.

    Raises
    ------
    InputError
        If the file is missing, damaged, not one of ours or of a newer format.
    """
    try:
        meta = (pq.read_schema(path).metadata or {}).get(KEY)
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: cannot be read as Parquet ({reason}). Make it again.") from None
    if meta is None:
        raise InputError(f"{path}: not a file of vame_pipe (no 'vame_pipe' metadata).")
    content = json.loads(meta)
    if content["format_version"] != FORMAT_VERSION:
        raise InputError(
            f"{path}: file format {content['format_version']}, this version of vame_pipe reads "
            f"{FORMAT_VERSION}. Run the workflow again, with the version that fits."
        )
    return content
