"""Read the session sheet: a CSV or TSV file with one row per recording."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from vame_pipe.config.messages import explain
from vame_pipe.config.sections import Session
from vame_pipe.config.spreadsheet import TOO_MANY_CELLS, read_spreadsheet
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
    table = read_spreadsheet(Path(path), "sheet")
    faults = [f"column {column} is missing" for column in REQUIRED if column not in table.columns]
    faults += table.column_faults
    if faults:
        has = f"It has: {', '.join(table.columns) or 'none'}. Needed: {', '.join(REQUIRED)}."
        raise InputError(*(f"sheet {path}: {fault}. {has}" for fault in faults))
    sessions: dict[str, dict[str, Any]] = {}
    problems = []
    for where, cells in table.rows:
        if not cells:
            problems.append(f"{where}: {TOO_MANY_CELLS}")
            continue
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
