"""Read DeepLabCut's CSV files, also as a spreadsheet saves them again."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import pandas as pd

from vame_pipe.core.errors import InputError, shortened
from vame_pipe.poses.pose_table import Column, PoseHeader, PoseTable

CHUNK = 2**22
FIRST_LINES = 8
SEPARATORS = ",;\t"
ROWS_TO_READ = "three header rows: scorer, bodyparts, coords"
MAX_LIKELIHOOD = 255
"""No tracker's scale of whole numbers goes beyond that of a byte."""
ZERO_BEFORE_DIGIT = re.compile(rb'[,;\t]"?-?0[0-9]')


@dataclass(frozen=True)
class _Layout:
    """How a CSV file is written.

    Attributes
    ----------
    encoding : str
    separator : str
    head : list of list of str
        The header rows, as in the file.
    n_labels : int
        Columns before those of keypoints.
    columns : tuple of Column
    first_row : list of str
        The first row of data; empty if there is none.
    """

    encoding: str
    separator: str
    head: list[list[str]]
    n_labels: int
    columns: tuple[Column, ...]
    first_row: list[str]

    @property
    def width(self) -> int:
        """Cells of a row, not counting empty ones at its end."""
        return self.n_labels + len(self.columns)

    @property
    def header(self) -> PoseHeader:
        return PoseHeader(
            self.columns, "/".join(c.strip() for c in self.first_row[: self.n_labels])
        )


def read_header(path: Path) -> PoseHeader:
    """Read the names in a CSV pose file, from its first lines.

    Raises
    ------
    InputError
        If it is not such a file.
    """
    return _layout(path).header


def read_table(path: Path) -> PoseTable:
    """Read a CSV pose file.

    Raises
    ------
    InputError
        If it is not such a file, or damaged.
    """
    layout = _layout(path)
    scan = _scan(path, layout)
    decimal = "," if layout.separator != "," and scan.n_commas > 0 else "."
    try:
        table = _parse(path, layout, decimal, None)
        # pandas fills up rows that are too short, without a word
        even = scan.n_separators == len(table) * (table.shape[1] - 1)
    except pd.errors.EmptyDataError:
        return PoseTable(layout.header, np.empty((0, len(layout.columns))), np.empty(0))
    except pd.errors.ParserError:
        even = False
    if not even or table.shape[1] < layout.width:
        _require_whole_rows(path, layout)
        table = _parse(path, layout, decimal, range(layout.width))
    _require_empty(path, layout, table)
    table, labels = _without_empty_rows(table, layout)
    values, not_numbers = _numbers(table, layout)
    if scan.n_marks == 0:
        _require_decimals(path, layout, values)
    return PoseTable(layout.header, values, labels, not_numbers)


def _parse(path: Path, layout: _Layout, decimal: str, columns: range | None) -> pd.DataFrame:
    """Parse the rows below the header."""
    with path.open(encoding=layout.encoding, newline="") as file:
        rows = csv.reader(iter(file.readline, ""), delimiter=layout.separator)
        for _ in layout.head:
            next(rows)
        return pd.read_csv(
            file,
            header=None,
            sep=layout.separator,
            decimal=decimal,
            usecols=columns,
            low_memory=False,
        )


def _layout(path: Path) -> _Layout:
    encoding = _encoding(path)
    try:
        with path.open(encoding=encoding, newline="") as file:
            lines = [
                line for _, line in zip(range(FIRST_LINES), iter(file.readline, ""), strict=False)
            ]
    except UnicodeError:
        _refuse_bytes(path, encoding)
    start = "".join(lines)
    if "\0" in start:
        _refuse_bytes(path, encoding)
    if start.lstrip().lower().startswith(("<!doctype", "<html", "<?xml", "<head")):
        raise InputError(
            f"{path}: is a web page (HTML), not a CSV. Download the file itself, not its page."
        )
    found = re.search(f"[{SEPARATORS}]", start)
    separator = found[0] if found else ","
    try:
        rows = list(csv.reader(io.StringIO(start, newline=""), delimiter=separator))
    except csv.Error as error:
        raise InputError(
            f"{path}: its header cannot be read ({error}). The file is damaged. Export it again."
        ) from None
    names = [row[0].strip().lower() if row else "" for row in rows]
    n_head = 4 if "individuals" in names[:3] else 3
    expected = [["scorer", ""], ["individuals"], ["bodyparts"], ["coords"]]
    expected = expected if n_head == 4 else [expected[0], *expected[2:]]
    if len(rows) < n_head or any(n not in e for n, e in zip(names, expected, strict=False)):
        raise InputError(
            f"{path}: is not a DeepLabCut CSV: expected {ROWS_TO_READ}; the first cells "
            f"found are {', '.join(repr(shortened(n, 30)) for n in names[:3])}. Export it from "
            "DeepLabCut with its header."
        )
    head, first_row = rows[:n_head], next(filter(any, rows[n_head:]), [])
    n_labels, columns = _columns(path, head)
    return _Layout(encoding, separator, head, n_labels, columns, first_row)


def _columns(path: Path, head: list[list[str]]) -> tuple[int, tuple[Column, ...]]:
    """Return the number of columns before those of keypoints, and the latter."""
    cells = [_without_empty_end(row) for row in head]
    bodyparts, coords = cells[-2], cells[-1]
    if len(bodyparts) > len(coords):
        raise InputError(
            f"{path}: its bodyparts row has {len(bodyparts)} cells and its coords row {len(coords)}; "
            "expected the same number. Export it again."
        )
    n_labels = 1  # rows that are images have the folders of the image in columns of their own
    while n_labels < len(coords) and not coords[n_labels] and not _at(bodyparts, n_labels):
        n_labels += 1
    individuals = _filled(cells[1], len(coords)) if len(head) == 4 else [""] * len(coords)
    bodyparts = _filled(bodyparts, len(coords))
    for i in range(n_labels, len(coords)):
        if not bodyparts[i] or not coords[i]:
            row = "bodyparts" if not bodyparts[i] else "coords"
            raise InputError(
                f"{path}: cell {i + 1} of its {row} row is empty. Fill it in or export the file again."
            )
    names = zip(individuals, bodyparts, (c.lower() for c in coords), strict=True)
    columns = [Column(*name) for name in names][n_labels:]
    if not columns:
        raise InputError(f"{path}: its header names no keypoints. Export it again.")
    return n_labels, tuple(columns)


def _without_empty_end(row: list[str]) -> list[str]:
    cells = [cell.strip() for cell in row]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _at(cells: list[str], i: int) -> str:
    return cells[i] if i < len(cells) else ""


def _filled(cells: list[str], length: int) -> list[str]:
    """Repeat names that stand only above the first of their columns, as merged cells do."""
    filled = cells[:1]
    for i in range(1, length):
        filled.append(_at(cells, i) or (filled[-1] if i > 1 else ""))
    return filled


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(4)
    if start.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    return "utf-8"


@dataclass
class _Scan:
    """What is counted in the bytes of a file, of its header only what is said.

    Attributes
    ----------
    n_separators : int
        Below the header, outside of quotes.
    n_commas : int
        Below the header.
    n_marks : int
        Decimal marks below the header.
    """

    n_separators: int = 0
    n_commas: int = 0
    n_marks: int = 0


def _scan(path: Path, layout: _Layout) -> _Scan:
    scan, separator, quoted, n_points = _Scan(), layout.separator.encode(), False, 0
    for chunk in _chunks(path, layout.encoding):
        if b"\0" in chunk:
            _refuse_bytes(path, layout.encoding)
        if quoted or b'"' in chunk:
            n, quoted = _count_unquoted(chunk, separator, quoted)
        else:
            n = chunk.count(separator)
        scan.n_separators += n
        if layout.separator != ",":
            scan.n_commas += chunk.count(b",")
        n_points += chunk.count(b".")
    cells = [cell for row in layout.head for cell in row]
    scan.n_separators -= sum(len(row) - 1 for row in layout.head)
    if layout.separator != ",":
        scan.n_commas -= sum(cell.count(",") for cell in cells)
    scan.n_marks = n_points - sum(cell.count(".") for cell in cells) + scan.n_commas
    return scan


def _chunks(path: Path, encoding: str) -> Iterator[bytes]:
    """Yield the text as UTF-8, checked, some MiB at a time."""
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as file:
        try:
            while chunk := file.read(CHUNK):
                if encoding == "utf-8" and chunk.isascii() and not decoder.getstate()[0]:
                    yield chunk
                else:
                    yield decoder.decode(chunk).encode()
            decoder.decode(b"", final=True)
        except UnicodeError:
            _refuse_bytes(path, encoding)


def _count_unquoted(chunk: bytes, separator: bytes, quoted: bool) -> tuple[int, bool]:
    """Count separators outside of quotes; and whether the chunk ends within quotes."""
    cells = np.frombuffer(chunk, np.uint8)
    inside = (np.cumsum(cells == ord('"')) + quoted) % 2 == 1
    return int(np.count_nonzero((cells == ord(separator)) & ~inside)), bool(inside[-1])


def _refuse_bytes(path: Path, encoding: str) -> NoReturn:
    """Refuse a file for bytes that are no text, and say where the first are."""
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
    known = {"utf-16": "UTF-16", "utf-8-sig": "UTF-8"}.get(encoding, "UTF-8")
    raise InputError(
        f"{path}: line {len(lines)} has {what} at character {len(lines[-1]) + 1}, which is not {known} "
        "text. The file is damaged or saved in another encoding. Save it as UTF-8 or export it again."
    )


def _require_whole_rows(path: Path, layout: _Layout) -> None:
    """Refuse a file if a row has too few or too many cells; extra empty cells are allowed."""
    with path.open(encoding=layout.encoding, newline="") as file:
        rows = csv.reader(file, delimiter=layout.separator)
        try:
            end = 0
            for n, row in enumerate(rows):
                line, end = end + 1, rows.line_num  # an open quotation mark spans lines
                if n < len(layout.head) or not any(row):
                    continue
                cells = _without_empty_end(row) if len(row) > layout.width else row
                if len(row) < layout.width or len(cells) > layout.width:
                    is_last = line == end and not any(map(any, rows))
                    place = "its last line" if is_last else f"line {line}"
                    raise InputError(
                        f"{path}: {place} has {len(cells)} cells, its header {layout.width}: the file "
                        "is truncated or damaged, or has commas in its numbers. Export it again."
                    )
        except csv.Error as error:
            raise InputError(
                f"{path}: line {rows.line_num + 1} cannot be read ({error}). The file is damaged. "
                "Export it again."
            ) from None


def _require_empty(path: Path, layout: _Layout, table: pd.DataFrame) -> None:
    """Refuse values in columns that the header does not name."""
    beyond = table.iloc[:, layout.width :]
    filled = [i for i in beyond.columns if not _is_empty(beyond[i]).all()]
    if filled:
        raise InputError(
            f"{path}: column {filled[0] + 1} has values, but its header names no keypoint there. "
            "Export it again."
        )


def _is_empty(column: pd.Series) -> pd.Series:
    if pd.api.types.is_numeric_dtype(column):
        return column.isna()
    return column.isna() | (column.astype(str).str.strip() == "")


def _without_empty_rows(table: pd.DataFrame, layout: _Layout) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the rows that have a label or a value, and their labels."""
    parts = [table[i] for i in range(layout.n_labels)]
    empty = np.all([_is_empty(part) for part in parts], axis=0)
    if empty.any():
        at = np.flatnonzero(empty)
        blank = np.all(
            [_is_empty(table[i].iloc[at]) for i in table.columns[: layout.width]], axis=0
        )
        table = table.drop(index=table.index[at[blank]])
        parts = [table[i] for i in range(layout.n_labels)]
    if len(parts) > 1:
        labels = parts[0].astype(str).str.cat([p.astype(str) for p in parts[1:]], sep="/")
        return table, labels.to_numpy(object)
    if pd.api.types.is_numeric_dtype(parts[0]):
        return table, parts[0].to_numpy(np.float64)
    numbers = pd.to_numeric(parts[0], errors="coerce")
    if (numbers.isna() & ~_is_empty(parts[0])).any():
        return table, parts[0].fillna("").astype(str).to_numpy(object)
    return table, numbers.to_numpy(np.float64)


def _numbers(table: pd.DataFrame, layout: _Layout) -> tuple[np.ndarray, dict[int, tuple[int, str]]]:
    """Return the values `(n_rows, n_columns)`, and the first cell of each column that is no number."""
    values = np.empty((len(layout.columns), len(table)))
    not_numbers = {}
    for i in range(len(values)):
        column = table[layout.n_labels + i]
        if not pd.api.types.is_numeric_dtype(column):
            numbers = pd.to_numeric(column, errors="coerce")
            bad = np.flatnonzero(numbers.isna() & ~_is_empty(column))
            if len(bad):
                not_numbers[i] = (int(bad[0]), str(column.iloc[bad[0]]))
            column = numbers
        values[i] = column.to_numpy(np.float64, na_value=np.nan)
    return values.T, not_numbers


def _require_decimals(path: Path, layout: _Layout, values: np.ndarray) -> None:
    """Refuse a file that has lost its decimal points: 317.703 is then 317703, and 0.997 is 0997."""
    likelihood = [i for i, column in enumerate(layout.columns) if column.coord == "likelihood"]
    highest = np.fmax.reduce(values[:, likelihood], axis=None, initial=0.0)
    names = sum(bool(re.match("0[0-9]", cell)) for row in layout.head for cell in row[1:])
    chunks = _chunks(path, layout.encoding)
    n_zeros = sum(sum(1 for _ in ZERO_BEFORE_DIGIT.finditer(chunk)) for chunk in chunks)
    if likelihood and (n_zeros > names or highest > MAX_LIKELIHOOD):
        raise InputError(
            f"{path}: has whole numbers only, also for likelihood (up to {highest:g}): its decimal "
            "points are lost. A spreadsheet takes them for thousands separators. Export the file from "
            "DeepLabCut again."
        )
