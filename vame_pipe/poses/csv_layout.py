"""How a CSV file is written: its encoding, its separator and its columns."""

from __future__ import annotations

import codecs
import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from vame_pipe.core.errors import InputError
from vame_pipe.poses.pose_table import Column

FIRST_LINES = 8
"""Lines that are read to recognise a file: the header and the first row."""
SEPARATORS = ",;\t"


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
        Columns before those of keypoints, which label the rows; 0: rows are numbered in order.
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
    def first_label(self) -> str:
        """Label of the first row."""
        return "/".join(c.strip() for c in self.first_row[: self.n_labels])


@dataclass(frozen=True)
class FirstRows:
    """The first rows of a CSV file.

    Attributes
    ----------
    encoding : str
    separator : str
    rows : list of list of str
    """

    encoding: str
    separator: str
    rows: list[list[str]]


def first_rows(path: Path) -> FirstRows:
    """Return the cells of the first rows of a file.

    Raises
    ------
    InputError
        If it is not text, or a web page.
    """
    encoding = _encoding(path)
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
        rows = list(csv.reader(io.StringIO(start, newline=""), delimiter=separator))
    except csv.Error as error:
        raise InputError(
            f"{path}: its header cannot be read ({error}). The file is damaged. Re-export it."
        ) from None
    return FirstRows(encoding, separator, rows)


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(4)
    if start.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    return "utf-8"


def without_empty_end(row: list[str]) -> list[str]:
    """Return the cells of a row without surrounding spaces and without empty cells at its end."""
    cells = [cell.strip() for cell in row]
    while cells and not cells[-1]:
        cells.pop()
    return cells


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
