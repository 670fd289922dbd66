"""The header of DeepLabCut's CSV files, and how the file is written: encoding, separator, columns."""

from __future__ import annotations

import codecs
import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from vame_pipe.core.errors import InputError, shortened
from vame_pipe.poses.pose_table import Column, PoseHeader

FIRST_LINES = 8
"""Lines that are read to recognise a file: the header and the first row."""
SEPARATORS = ",;\t"
HEADER_ROWS = "three header rows: scorer, bodyparts, coords"


@dataclass(frozen=True)
class CsvLayout:
    """How a CSV file is written.

    Attributes
    ----------
    encoding : str
    separator : str
    head : list of list of str
        Cells of the header rows, as in the file.
    n_labels : int
        Columns before those of keypoints.
    columns : tuple of Column
        Columns of keypoints.
    first_row : list of str
        First row below the header; empty if there is none.
    """

    encoding: str
    separator: str
    head: list[list[str]]
    n_labels: int
    columns: tuple[Column, ...]
    first_row: list[str]

    @property
    def width(self) -> int:
        """Cells per row, not counting empty cells at its end."""
        return self.n_labels + len(self.columns)

    @property
    def header(self) -> PoseHeader:
        """The names in the file."""
        label = "/".join(c.strip() for c in self.first_row[: self.n_labels])
        return PoseHeader(self.columns, label)


def read_layout(path: Path) -> CsvLayout:
    """Return how a CSV file is written, from its first lines.

    Raises
    ------
    InputError
        If it is not a CSV file of DeepLabCut.
    """
    encoding = _encoding(path)
    separator, rows = _first_rows(path, encoding)
    names = [row[0].strip().lower() if row else "" for row in rows]
    n_head = 4 if "individuals" in names[:3] else 3
    expected = [["scorer", ""], ["individuals"], ["bodyparts"], ["coords"]]
    expected = expected if n_head == 4 else [expected[0], *expected[2:]]
    if len(rows) < n_head or any(n not in e for n, e in zip(names, expected, strict=False)):
        found = ", ".join(repr(shortened(n, 30)) for n in names[:3])
        raise InputError(
            f"{path}: is not a DeepLabCut CSV file: expected {HEADER_ROWS}; the first cells of its rows "
            f"are {found}. Export it from DeepLabCut with its header."
        )
    head, first_row = rows[:n_head], next(filter(any, rows[n_head:]), [])
    n_labels, columns = _columns(path, head)
    return CsvLayout(encoding, separator, head, n_labels, columns, first_row)


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(4)
    if start.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    return "utf-8"


def _first_rows(path: Path, encoding: str) -> tuple[str, list[list[str]]]:
    """Return the separator, and the cells of the first rows."""
    try:
        with path.open(encoding=encoding, newline="") as file:
            lines = [
                line for _, line in zip(range(FIRST_LINES), iter(file.readline, ""), strict=False)
            ]
    except UnicodeError:
        refuse_bytes(path, encoding)
    start = "".join(lines)
    if "\0" in start:
        refuse_bytes(path, encoding)
    if start.lstrip().lower().startswith(("<!doctype", "<html", "<?xml", "<head")):
        raise InputError(
            f"{path}: is a web page (HTML), not a CSV file. Download the file itself instead of its page."
        )
    found = re.search(f"[{SEPARATORS}]", start)
    separator = found[0] if found else ","
    try:
        return separator, list(csv.reader(io.StringIO(start, newline=""), delimiter=separator))
    except csv.Error as error:
        raise InputError(
            f"{path}: its header cannot be read ({error}). The file is damaged. Re-export it."
        ) from None


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
    individuals = _filled(cells[1], len(coords)) if len(head) == 4 else [""] * len(coords)
    bodyparts = _filled(bodyparts, len(coords))
    for i in range(n_labels, len(coords)):
        if not bodyparts[i] or not coords[i]:
            row = "bodyparts" if not bodyparts[i] else "coords"
            raise InputError(
                f"{path}: cell {i + 1} of its {row} row is empty. Fill it in or re-export the file."
            )
    names = zip(individuals, bodyparts, (c.lower() for c in coords), strict=True)
    columns = [Column(*name) for name in names][n_labels:]
    if not columns:
        raise InputError(f"{path}: its header names no keypoints. Re-export the file.")
    return n_labels, tuple(columns)


def without_empty_end(row: list[str]) -> list[str]:
    """Return the cells of a row without surrounding spaces and without empty cells at its end."""
    cells = [cell.strip() for cell in row]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _at(cells: list[str], i: int) -> str:
    return cells[i] if i < len(cells) else ""


def _filled(cells: list[str], length: int) -> list[str]:
    """Repeat names that are only above the first of their columns, like merged cells."""
    filled = cells[:1]
    for i in range(1, length):
        filled.append(_at(cells, i) or (filled[-1] if i > 1 else ""))
    return filled


def refuse_bytes(path: Path, encoding: str) -> NoReturn:
    """Refuse a file that contains bytes that are not text, and name the first of them."""
    raw = path.read_bytes()
    place, what = raw.find(b"\0"), "a NUL byte"
    try:
        text = raw.decode(encoding)
        place = text.find("\0")
        before = text[:place]
    except UnicodeError as error:
        start = getattr(error, "start", 0)
        if place < 0 or start < place or encoding == "utf-16":
            place, what = start, f"byte 0x{raw[start] if start < len(raw) else 0:02x}"
        before = raw[:place].decode(encoding, "replace")
    lines = before.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    shown = {"utf-16": "UTF-16", "utf-8-sig": "UTF-8"}.get(encoding, "UTF-8")
    raise InputError(
        f"{path}: line {len(lines)} has {what} at character {len(lines[-1]) + 1}, which is not {shown} "
        "text. The file is damaged or saved in another encoding. Save it as UTF-8 or re-export it."
    )
