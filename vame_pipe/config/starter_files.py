"""The pose files of a folder: one per recording, with the names and groups that paths tell."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from vame_pipe.core.applied_layout import is_of_workflow
from vame_pipe.core.errors import InputError, listing
from vame_pipe.core.layout import MOTIF_TABLES
from vame_pipe.poses.readers import NO_FORMAT, read_header

SUFFIXES = (".slp", ".h5", ".hdf5", ".csv", ".nwb", ".nc")
"""Of pose files; of two files with the same recording, the one whose suffix comes first is used."""
VERSIONS = re.compile(r"(\.analysis|_?filtered)+$")
"""Ends of the names of files that hold the same recording as the file without them."""
NETWORK = re.compile(r"(DLC|DeepCut_).*$")
"""What DeepLabCut appends to the name of the video."""


def find_files(paths: Sequence[Path]) -> list[Path]:
    """Return files, and those below folders that can hold poses by their suffix; no hidden ones, and
    none in a results folder of the workflow.

    Raises
    ------
    InputError
        With every path that does not exist.
    """
    missing = [
        f"{path}: no such file or folder. Check the path." for path in paths if not path.exists()
    ]
    if missing:
        raise InputError(*missing)
    found: list[Path] = []
    for path in paths:
        below = sorted(path.rglob("*")) if path.is_dir() else [path]
        for each in below:
            hidden = any(part.startswith(".") for part in each.relative_to(path).parts)
            named = path == each or each.suffix.lower() in SUFFIXES
            if each.is_file() and named and not hidden and not _is_result(each, path):
                found.append(each)
    return list(dict.fromkeys(found))


def _is_result(path: Path, root: Path) -> bool:
    """Return whether a file below a folder was made by the workflow."""
    above = [folder for folder in path.parents if folder.is_relative_to(root)]
    return any(is_of_workflow(folder) for folder in above)


def choose_files(files: Sequence[Path]) -> tuple[list[list[Path]], list[str]]:
    """Return the pose files of each recording, the best one first, and why other files are not used."""
    known: dict[tuple[Path, str], list[tuple[tuple[bool, int, int], Path]]] = {}
    skipped: list[str] = []
    tables: list[str] = []
    for path in files:
        try:
            header = read_header(path)
        except InputError as error:
            if path.suffix.lower() == ".csv" and any(NO_FORMAT in line for line in error.problems):
                tables.append(str(path))
            else:
                skipped += error.problems
            continue
        base = VERSIONS.sub("", path.stem)
        suffix = path.suffix.lower()
        order = SUFFIXES.index(suffix) if suffix in SUFFIXES else len(SUFFIXES)
        rank = (header.fps is None, len(path.stem) - len(base), order)
        known.setdefault((path.parent, base), []).append((rank, path))
    if tables:
        count = (
            "one table is no pose file"
            if len(tables) == 1
            else f"{len(tables)} tables are no pose files"
        )
        skipped.append(f"{count}: {listing(tables)}")
    return [[path for _, path in sorted(versions)] for versions in known.values()], skipped


def session_names(paths: Sequence[Path]) -> list[str]:
    """Return a short name for each recording, from the name of its file, unique among them.

    Examples
    --------
    >>> paths = [Path("a/m 1DLC_resnet50_x.h5"), Path("b/m 1DLC_resnet50_x.h5"), Path("b/quality.csv")]
    >>> session_names(paths)
    ['a_m_1', 'b_m_1', 'b_quality']
    """
    plain = [recording_name(path) for path in paths]
    counts = Counter(plain)
    names: list[str] = []
    for path, name in zip(paths, plain, strict=True):
        if counts[name] > 1 or name in MOTIF_TABLES:
            name = _clean(f"{path.parent.name}_{name}")
        unique, n = name, 2
        while unique in names or unique in MOTIF_TABLES:
            unique, n = f"{name}_{n}", n + 1
        names.append(unique)
    return names


def recording_name(path: Path) -> str:
    """Return the name of a file without what programs append to the name of the video.

    Examples
    --------
    >>> recording_name(Path("before/m 1DLC_resnet50_x_filtered.h5"))
    'm_1'
    """
    return _clean(NETWORK.sub("", VERSIONS.sub("", path.stem)) or path.stem)


def _clean(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", text).strip("._-") or "session"


def folder_columns(paths: Sequence[Path]) -> list[list[str]]:
    """Return for each file the names of its folders that group files: those with several files each.

    Examples
    --------
    >>> paths = [Path(f"data/{group}/day1/m{i}.csv") for group in ("drug", "control") for i in (1, 2)]
    >>> folder_columns(paths)
    [['drug'], ['drug'], ['control'], ['control']]
    >>> folder_columns([Path("data/m1/poses.csv"), Path("data/m2/poses.csv")])
    [[], []]
    """
    root = Path(os.path.commonpath([path.parent for path in paths]))
    folders = [path.parent.relative_to(root).parts for path in paths]
    columns: list[list[str]] = [[] for _ in paths]
    for level in range(min(map(len, folders))):
        values = [each[level] for each in folders]
        if 1 < len(set(values)) <= len(values) / 2:
            for column, value in zip(columns, values, strict=True):
                column.append(value)
    return columns
