"""Digests of pose files, kept in a cache so that large files are not read at every start."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from vame_pipe.core.files import file_fingerprint, write_json

N_READERS = 8


def pose_digests(paths: Iterable[str | Path], cache: Path, save: bool = True) -> dict[str, str]:
    """Return the SHA-256 of files by path, reading only those that changed since the last call.

    A file counts as unchanged while its size, its time stamp and the time of its last change of any kind
    are the same. The last one cannot be set by copying an old time stamp with a file.

    Parameters
    ----------
    paths : iterable of str or Path
    cache : Path
        JSON file; a damaged one is made again.
    save : bool
        Write the cache, if it has changed.
    """
    known = _read(cache)
    stamps = {str(path): _stamp(path) for path in paths}
    stale = [path for path, stamp in stamps.items() if known.get(path, (None,))[0] != stamp]
    with ThreadPoolExecutor(N_READERS) as pool:  # hashing releases the lock of the interpreter
        digests = dict(zip(stale, pool.map(file_fingerprint, stale), strict=True))
    entries = {path: [stamp, digests.get(path) or known[path][1]] for path, stamp in stamps.items()}
    if save and any(known.get(path) != entry for path, entry in entries.items()):
        write_json(cache, known | entries)
    return {path: digest for path, (_, digest) in entries.items()}


def _stamp(path: str | Path) -> list[int]:
    status = os.stat(path)
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _read(cache: Path) -> dict[str, list]:
    try:
        content = json.loads(cache.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
