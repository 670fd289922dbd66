"""Read the session sheet: a CSV or TSV file with one row per recording."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from vame_pipe.config.messages import explain
from vame_pipe.config.sections import Session
from vame_pipe.core.errors import InputError

REQUIRED = ["session", *(key for key, field in Session.model_fields.items() if field.is_required())]
COLUMNS = ["session", *(key for key in Session.model_fields if key != "metadata")]
"""Columns with a meaning; all others become metadata."""
LISTS = {"poses", "video", "starts_s", "individuals"}
"""Columns whose cells may hold several values: part1.csv; part2.csv"""


def read_sheet(path: str | Path) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Read a session sheet (CSV, or TSV by its ending) into what config.yaml holds under `sessions`.

    An empty cell means that nothing is given.

    Returns
    -------
    sessions : dict of str to dict
        The rows without problems, by session name.
    problems : list of str
        One line each.

    Raises
    ------
    InputError
        If the file cannot be read, or a column is missing or occurs twice.
    """
    path = Path(path)
    sessions: dict[str, dict[str, Any]] = {}
    problems = []
    for number, row in _read_rows(path):
        where = f"sheet {path}, line {number}"
        if None in row:
            problems.append(f"{where}: too many cells. Quote values that contain commas.")
            continue
        cells = {key: value.strip() for key, value in row.items() if value and value.strip()}
        if not cells:
            continue  # spreadsheets write such rows at the end
        name = cells.pop("session", "")
        if not name or name in sessions:
            fault = (
                f"session '{name}' occurs twice. Rename one."
                if name
                else "session is empty. Name it."
            )
            problems.append(f"{where}: {fault}")
            continue
        content: dict[str, Any] = {key: cells.pop(key) for key in COLUMNS if key in cells}
        for key in LISTS & content.keys():
            values = [part.strip() for part in content[key].split(";")]
            is_file = key in ("poses", "video")
            content[key] = values[0] if is_file and len(values) == 1 else values
        content["metadata"] = cells
        try:
            Session.model_validate(content)
        except ValidationError as error:
            problems += explain(error, f"{where}: session '{name}'", Session)
        else:
            sessions[name] = content
    return sessions, problems


def _read_rows(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """Return the rows of a sheet with their line numbers, after a look at its columns."""
    delimiter = "\t" if path.suffix.lower() in {".tsv", ".tab"} else ","
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, delimiter=delimiter)
            columns = list(reader.fieldnames or [])
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"sheet {path}: cannot be read ({error}). Check the path.") from None
    problems = [f"column {column} is missing" for column in REQUIRED if column not in columns]
    problems += [
        f"column {column} occurs twice"
        for column in dict.fromkeys(columns)
        if column and columns.count(column) > 1
    ]
    if problems:
        has = f"It has: {', '.join(columns) or 'none'}. Needed: {', '.join(REQUIRED)}."
        raise InputError(*(f"sheet {path}: {problem}. {has}" for problem in problems))
    return rows
