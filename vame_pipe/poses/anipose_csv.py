"""Read the 3D poses that Anipose writes as CSV, with one header row: `nose_x, nose_y, nose_z, ...`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from vame_pipe.core.errors import InputError, listing
from vame_pipe.poses import csv_table
from vame_pipe.poses.csv_layout import CsvLayout, first_rows, without_empty_end
from vame_pipe.poses.pose_table import Column, PoseHeader, PoseTable

SUFFIXES = {"_x": "x", "_y": "y", "_z": "z", "_score": "likelihood"}
FRAME = "fnum"
"""The column of frame numbers."""


def read_header(path: Path) -> PoseHeader:
    """Return the names in a CSV pose file, from its first lines.

    Raises
    ------
    InputError
        If it is not a CSV file of Anipose.
    """
    layout = _layout(path)
    at = _frame_column(layout)
    label = layout.first_row[at] if at is not None and at < len(layout.first_row) else "0"
    return PoseHeader("anipose", layout.columns, label.strip() if layout.first_row else "")


def read_table(path: Path, columns: list[int]) -> PoseTable:
    """Return some columns of a CSV pose file.

    Raises
    ------
    InputError
        If it is not a CSV file of Anipose, or damaged.
    """
    layout = _layout(path)
    at = _frame_column(layout)
    table = csv_table.read_table(path, layout, columns if at is None else [*columns, at])
    if at is None:
        return table
    last = len(columns)
    if last in table.not_numbers:
        _, text = table.not_numbers[last]
        raise InputError(f"{path}: its column {FRAME} has {text!r}, which is not a frame number.")
    labels = np.ascontiguousarray(table.values[:, last])
    return replace(
        table, columns=table.columns[:last], values=table.values[:, :last], labels=labels
    )


def _frame_column(layout: CsvLayout) -> int | None:
    found = [i for i, column in enumerate(layout.columns) if column == Column("", FRAME, "")]
    return found[0] if found else None


def _layout(path: Path) -> CsvLayout:
    start = first_rows(path)
    names = without_empty_end(start.rows[0]) if start.rows else []
    points = {name[:-2] for name in names if name.endswith("_z")}
    points &= {name[:-2] for name in names if name.endswith("_x")}
    points &= {name[:-2] for name in names if name.endswith("_y")}
    points.discard("")
    if not points:
        raise InputError(
            f"{path}: is not an Anipose CSV file: its first row names no keypoint with columns _x, _y and "
            f"_z, but {listing(names, limit=4) or 'nothing'}. Use the file from Anipose's folder pose-3d."
        )
    first_row = next(filter(any, start.rows[1:]), [])
    columns = tuple(_column(name, points) for name in names)
    return CsvLayout(start.encoding, start.separator, start.rows[:1], 0, columns, first_row)


def _column(name: str, points: set[str]) -> Column:
    """Return the column of a name; what belongs to no keypoint has no coordinate."""
    for suffix, coord in SUFFIXES.items():
        point = name.removesuffix(suffix)
        if point != name and point in points:
            return Column("", point, coord)
    return Column("", name, "")
