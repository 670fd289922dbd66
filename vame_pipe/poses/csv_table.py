"""Read the numbers of CSV pose files, including those that a spreadsheet has saved again."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from vame_pipe.core.errors import InputError
from vame_pipe.poses.csv_layout import CsvLayout, refuse_bytes, without_empty_end
from vame_pipe.poses.pose_table import PoseTable

CHUNK = 2**22
"""Bytes that are read at a time to count characters."""
MAX_LIKELIHOOD = 255
"""Confidence on a scale of integers never exceeds that of a byte."""
ZERO_BEFORE_DIGIT = re.compile(rb'[,;\t]"?-?0[0-9]')


def read_table(path: Path, layout: CsvLayout, wanted: list[int]) -> PoseTable:
    """Return some columns of a CSV pose file.

    Parameters
    ----------
    path : Path
    layout : CsvLayout
        How the file is written.
    wanted : list of int
        Indices into `layout.columns`.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    columns = tuple(layout.columns[i] for i in wanted)
    scan = _scan(path, layout)
    decimal = "," if layout.separator != "," and scan.n_commas > 0 else "."
    try:
        table = _parse(path, layout, decimal, None)
        # pandas fills rows that are too short with NaN, without a warning
        even = scan.n_separators == len(table) * (table.shape[1] - 1)
    except pd.errors.EmptyDataError:
        return PoseTable(columns, np.empty((0, len(columns))), np.empty(0))
    except pd.errors.ParserError:
        even = False
    if not even or table.shape[1] < layout.width:
        _require_whole_rows(path, layout)
        try:
            table = _parse(path, layout, decimal, range(layout.width))
        except pd.errors.ParserError as error:  # as a quotation mark that is never closed
            reason = str(error).strip().rpartition("C error: ")[2]
            raise InputError(
                f"{path}: cannot be read ({reason}). The file is damaged. Re-export it."
            ) from None
    _require_empty(path, layout, table)
    table, labels = _without_empty_rows(table, layout)
    values, not_numbers = _numbers(table, [layout.n_labels + i for i in wanted])
    if scan.n_marks == 0:
        likelihood = [i for i, column in enumerate(columns) if column.coord == "likelihood"]
        _require_decimals(path, layout, values[:, likelihood])
    return PoseTable(columns, values, labels, not_numbers)


def _parse(path: Path, layout: CsvLayout, decimal: str, columns: range | None) -> pd.DataFrame:
    """Parse the rows below the header; `columns` restricts the cells of each row."""
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


@dataclass(frozen=True)
class _Scan:
    """Characters of a file, counted to find out how it is written.

    Attributes
    ----------
    n_separators : int
        Separators below the header, outside of quotes.
    n_commas : int
        Commas below the header; 0 if they are the separator.
    n_marks : int
        Decimal points and commas below the header.
    """

    n_separators: int
    n_commas: int
    n_marks: int


def _scan(path: Path, layout: CsvLayout) -> _Scan:
    separator, quoted = layout.separator.encode(), False
    n_separators = n_commas = n_points = 0
    for chunk in _chunks(path, layout.encoding):
        if b"\0" in chunk:
            refuse_bytes(path, layout.encoding)
        if quoted or b'"' in chunk:
            n, quoted = _count_unquoted(chunk, separator, quoted)
        else:
            n = chunk.count(separator)
        n_separators += n
        n_commas += chunk.count(b",")
        n_points += chunk.count(b".")
    cells = [cell for row in layout.head for cell in row]
    n_separators -= sum(len(row) - 1 for row in layout.head)
    n_commas -= sum(cell.count(",") for cell in cells)
    n_points -= sum(cell.count(".") for cell in cells)
    if layout.separator == ",":
        n_commas = 0
    return _Scan(n_separators, n_commas, n_points + n_commas)


def _chunks(path: Path, encoding: str) -> Iterator[bytes]:
    """Yield the text as UTF-8, some MiB at a time; refuse bytes that are not text."""
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
            refuse_bytes(path, encoding)


def _count_unquoted(chunk: bytes, separator: bytes, quoted: bool) -> tuple[int, bool]:
    """Return the number of separators outside of quotes, and whether the chunk ends within quotes."""
    cells = np.frombuffer(chunk, np.uint8)
    inside = (np.cumsum(cells == ord('"')) + quoted) % 2 == 1
    return int(np.count_nonzero((cells == ord(separator)) & ~inside)), bool(inside[-1])


def _require_whole_rows(path: Path, layout: CsvLayout) -> None:
    """Check that every row has as many cells as the header; additional empty cells are allowed."""
    with path.open(encoding=layout.encoding, newline="") as file:
        rows = csv.reader(file, delimiter=layout.separator)
        try:
            end = 0
            for n, row in enumerate(rows):
                line, end = end + 1, rows.line_num  # an open quotation mark spans lines
                if n < len(layout.head) or not any(row):
                    continue
                cells = without_empty_end(row) if len(row) > layout.width else row
                if len(row) < layout.width or len(cells) > layout.width:
                    is_last = line == end and not any(map(any, rows))
                    place = "its last line" if is_last else f"line {line}"
                    raise InputError(
                        f"{path}: {place} has {len(cells)} cells, its header {layout.width}: the file "
                        "is truncated or damaged, or contains commas in its numbers. Re-export it."
                    )
        except csv.Error as error:
            raise InputError(
                f"{path}: line {rows.line_num + 1} cannot be read ({error}). The file is damaged. "
                "Re-export it."
            ) from None


def _require_empty(path: Path, layout: CsvLayout, table: pd.DataFrame) -> None:
    """Check that columns without a name in the header are empty."""
    beyond = table.iloc[:, layout.width :]
    filled = [i for i in beyond.columns if not _is_empty(beyond[i]).all()]
    if filled:
        raise InputError(
            f"{path}: column {filled[0] + 1} has values, but the header names no keypoint there. "
            "Re-export the file."
        )


def _is_empty(column: pd.Series) -> pd.Series:
    if pd.api.types.is_numeric_dtype(column):
        return column.isna()
    return column.isna() | (column.astype(str).str.strip() == "")


def _without_empty_rows(table: pd.DataFrame, layout: CsvLayout) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the rows that have a label or a value, and the label of each."""
    parts = [table[i] for i in range(layout.n_labels)]
    empty = np.all([_is_empty(part) for part in parts or [table[0]]], axis=0)
    if empty.any():
        at = np.flatnonzero(empty)
        blank = np.all(
            [_is_empty(table[i].iloc[at]) for i in table.columns[: layout.width]], axis=0
        )
        table = table.drop(index=table.index[at[blank]])
        parts = [table[i] for i in range(layout.n_labels)]
    if not parts:
        return table, np.arange(len(table), dtype=np.float64)
    if len(parts) > 1:
        labels = parts[0].astype(str).str.cat([p.astype(str) for p in parts[1:]], sep="/")
        return table, labels.to_numpy(object)
    if pd.api.types.is_numeric_dtype(parts[0]):
        return table, parts[0].to_numpy(np.float64)
    numbers = pd.to_numeric(parts[0], errors="coerce")
    if (numbers.isna() & ~_is_empty(parts[0])).any():
        return table, parts[0].fillna("").astype(str).to_numpy(object)
    return table, numbers.to_numpy(np.float64)


def _numbers(
    table: pd.DataFrame, cells: list[int]
) -> tuple[np.ndarray, dict[int, tuple[int, str]]]:
    """Return values `(n_rows, n_columns)`, and for each column the first cell that is not a number."""
    values = np.empty((len(cells), len(table)))
    not_numbers = {}
    for i, cell in enumerate(cells):
        column = table[cell]
        if not pd.api.types.is_numeric_dtype(column):
            numbers = pd.to_numeric(column, errors="coerce")
            bad = np.flatnonzero(numbers.isna() & ~_is_empty(column))
            if len(bad):
                not_numbers[i] = (int(bad[0]), str(column.iloc[bad[0]]))
            column = numbers
        values[i] = column.to_numpy(np.float64, na_value=np.nan)
    return values.T, not_numbers


def _require_decimals(path: Path, layout: CsvLayout, likelihood: np.ndarray) -> None:
    """Check that decimal points are not lost, as in 317703 for 317.703 and 0997 for 0.997."""
    highest = np.fmax.reduce(likelihood, axis=None, initial=0.0)
    names = sum(bool(re.match("0[0-9]", cell)) for row in layout.head for cell in row[1:])
    chunks = _chunks(path, layout.encoding)
    n_zeros = sum(sum(1 for _ in ZERO_BEFORE_DIGIT.finditer(chunk)) for chunk in chunks)
    if likelihood.size and (n_zeros > names or highest > MAX_LIKELIHOOD):
        raise InputError(
            f"{path}: contains only integers, also for likelihood (up to {highest:g}): its decimal "
            "points are lost. A spreadsheet interprets them as thousands separators. Re-export the file "
            "from DeepLabCut."
        )
