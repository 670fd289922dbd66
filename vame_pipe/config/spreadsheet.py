"""Read tables that people write in spreadsheets: CSV, or TSV by the ending of the file."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from vame_pipe.core.errors import InputError

TOO_MANY_CELLS = "too many cells. Quote values that contain commas."
"""What is wrong with a row without cells."""


@dataclass(frozen=True)
class Spreadsheet:
    """A table of text.

    Attributes
    ----------
    columns : list of str
    rows : list of (str, dict of str to str)
        For each row that is not empty: where it is, for messages, and its cells that are not empty; no
        cells if the row has too many.
    """

    columns: list[str]
    rows: list[tuple[str, dict[str, str]]]

    @property
    def column_faults(self) -> list[str]:
        """Return which columns occur twice, one line each."""
        return [
            f"column {column} occurs twice"
            for column in dict.fromkeys(self.columns)
            if column and self.columns.count(column) > 1
        ]


def read_spreadsheet(path: Path, what: str) -> Spreadsheet:
    """Read a table.

    Parameters
    ----------
    path : Path
    what : str
        What the table is, for messages.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    delimiter = "\t" if path.suffix.lower() in {".tsv", ".tab"} else ","
    rows: list[tuple[str, dict[str, str]]] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, delimiter=delimiter)
            columns = list(reader.fieldnames or [])
            for row in reader:
                where = f"{what} {path}, line {reader.line_num}"
                if None in row:
                    rows.append((where, {}))
                    continue
                cells = {
                    key: value.strip() for key, value in row.items() if value and value.strip()
                }
                if cells:  # spreadsheets write empty rows at the end
                    rows.append((where, cells))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{what} {path}: cannot be read ({error}). Check the path, which is relative to the working "
            "directory, or save it as CSV UTF-8."
        ) from None
    return Spreadsheet(columns, rows)
