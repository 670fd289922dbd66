"""Digests of pose files, kept in a cache so that large files are not read at every start."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from vame_pipe.core.files import file_fingerprint, fingerprint, write_json

DIGEST_CACHE = Path(".snakemake/vame_pipe/pose_digests.json")
"""The cache of the workflow, in its working directory."""
N_READERS = 8
Entry = tuple[list[int], str]


def pose_digests(paths: Iterable[str | Path], cache: Path, save: bool = True) -> dict[str, str]:
    """Return the SHA-256 of files by path, reading only those that changed since the last call.

    A file counts as unchanged if its size, its time of modification (mtime) and its time of status change
    (ctime) are the same. Copying a file with its old mtime changes its ctime.

    Parameters
    ----------
    paths : iterable of str or Path
    cache : Path
        JSON file; a damaged one is replaced.
    save : bool
        Write the cache if it has changed.
    """
    cached = _read(cache)
    stamps = {str(path): _stamp(path) for path in paths}
    stale = [
        path for path, stamp in stamps.items() if path not in cached or cached[path][0] != stamp
    ]
    with ThreadPoolExecutor(N_READERS) as pool:  # hashing releases the lock of the interpreter
        digests = dict(zip(stale, pool.map(file_fingerprint, stale), strict=True))
    entries = {
        path: (stamp, digests.get(path) or cached[path][1]) for path, stamp in stamps.items()
    }
    if save and any(cached.get(path) != entry for path, entry in entries.items()):
        write_json(cache, cached | entries)
    return {path: digest for path, (_, digest) in entries.items()}


def combined(digests: Sequence[str]) -> str:
    """Return the digest of the pose files of one session: of a single file, its own.

    Examples
    --------
    >>> combined(["a1"]), combined(["a1", "b2"]) == combined(["b2", "a1"])
    ('a1', False)
    """
    return digests[0] if len(digests) == 1 else fingerprint(*digests)


def _stamp(path: str | Path) -> list[int]:
    """Return size, mtime and ctime."""
    status = os.stat(path)
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _read(cache: Path) -> dict[str, Entry]:
    """Return stamp and digest by path; empty if the cache is missing or damaged."""
    try:
        content = json.loads(cache.read_text(encoding="utf-8"))
        return {path: (stamp, digest) for path, (stamp, digest) in content.items()}
    except (FileNotFoundError, ValueError, AttributeError, TypeError):
        return {}
