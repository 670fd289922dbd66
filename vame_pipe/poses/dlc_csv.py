"""Read DeepLabCut's CSV files, which LightningPose writes as well."""

from __future__ import annotations

from pathlib import Path

from vame_pipe.core.errors import InputError, shortened
from vame_pipe.poses import csv_table, dlc_header
from vame_pipe.poses.csv_layout import CsvLayout, first_rows, without_empty_end
from vame_pipe.poses.pose_table import Column, PoseHeader, PoseTable

HEADER_ROWS = "three header rows: scorer, bodyparts, coords"


def read_header(path: Path) -> PoseHeader:
    """Return the names in a CSV pose file, from its first lines.

    Raises
    ------
    InputError
        If it is not a CSV file of DeepLabCut.
    """
    layout = read_layout(path)
    return PoseHeader("deeplabcut", layout.columns, layout.first_label)


def read_table(path: Path, columns: list[int]) -> PoseTable:
    """Return some columns of a CSV pose file.

    Raises
    ------
    InputError
        If it is not a CSV file of DeepLabCut, or damaged.
    """
    return csv_table.read_table(path, read_layout(path), columns)


def read_layout(path: Path) -> CsvLayout:
    """Return how a CSV file is written, from its first lines.

    Raises
    ------
    InputError
        If it is not a CSV file of DeepLabCut.
    """
    start = first_rows(path)
    rows = start.rows
    first_cells = [row[0].strip().lower() if row else "" for row in rows]
    names = dlc_header.row_names(first_cells)
    n_head = 4 if "individuals" in names[:3] else 3
    expected = dlc_header.SEVERAL_ANIMALS if n_head == 4 else dlc_header.ONE_ANIMAL
    if names[:n_head] != expected:
        found = ", ".join(repr(shortened(n, 30)) for n in first_cells[:3])
        raise InputError(
            f"{path}: is not a DeepLabCut CSV file: expected {HEADER_ROWS}; the first cells of its rows "
            f"are {found}. Export it from DeepLabCut with its header."
        )
    head, first_row = rows[:n_head], next(filter(any, rows[n_head:]), [])
    n_labels, columns = _columns(path, head)
    return CsvLayout(start.encoding, start.separator, head, n_labels, columns, first_row)


def _columns(path: Path, head: list[list[str]]) -> tuple[int, tuple[Column, ...]]:
    """Return the number of columns before those of keypoints, and the columns of keypoints."""
    cells = [without_empty_end(row) for row in head]
    bodyparts, coords = cells[-2], cells[-1]
    if len(bodyparts) > len(coords):
        raise InputError(
            f"{path}: its bodyparts row has {len(bodyparts)} cells and its coords row {len(coords)}; "
            "expected the same number. Re-export the file."
        )
    n_labels = 1  # if rows are images, the folders of the image have columns of their own
    while n_labels < len(coords) and not coords[n_labels] and not _at(bodyparts, n_labels):
        n_labels += 1
    filled = [_filled(row, len(coords)) for row in cells[:-1]] + [coords]
    for i in range(n_labels, len(coords)):
        if not filled[-2][i] or not coords[i]:
            row = "bodyparts" if not filled[-2][i] else "coords"
            raise InputError(
                f"{path}: cell {i + 1} of its {row} row is empty. Fill it in or re-export the file."
            )
    columns = dlc_header.named_columns(list(zip(*filled, strict=True))[n_labels:])
    if not columns:
        raise InputError(f"{path}: its header names no keypoints. Re-export the file.")
    return n_labels, tuple(columns)


def _at(cells: list[str], i: int) -> str:
    return cells[i] if i < len(cells) else ""


def _filled(cells: list[str], length: int) -> list[str]:
    """Repeat names that are only above the first of their columns, like merged cells."""
    filled = cells[:1] or [""]
    for i in range(1, length):
        filled.append(_at(cells, i) or (filled[-1] if i > 1 else ""))
    return filled
