"""The sheet of sessions: a CSV or TSV with a row a recording."""

from __future__ import annotations

import csv
from pathlib import Path

from vame_pipe.core.errors import InputError


def read_sheet(path: str | Path) -> dict[str, dict]:
    """Read a sheet of sessions (CSV, or TSV by its ending) into the mapping of config.yaml.

    Raises
    ------
    InputError
        If it cannot be read, lacks a column, repeats a session or has a bad number.
    """
    path = Path(path)
    delimiter = "\t" if path.suffix.lower() in {".tsv", ".tab"} else ","
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, delimiter=delimiter)
            columns = reader.fieldnames or []
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"sheet {path}: cannot be read ({error})") from None
    missing = [c for c in ("session", "poses", "fps") if c not in columns]
    if missing:
        raise InputError(
            f"sheet {path}: column(s) {', '.join(missing)} missing, found: "
            f"{', '.join(columns) or 'none'}. Needed: session, poses, fps; group is optional."
        )
    sessions: dict[str, dict] = {}
    problems = []
    for number, row in enumerate(rows, start=2):
        name = (row["session"] or "").strip()
        if None in row:
            problems.append(f"sheet {path}, line {number}: more cells than columns. Quote commas.")
            continue
        if name in sessions:
            problems.append(
                f"sheet {path}, line {number}: session '{name}' occurs twice. Rename one."
            )
            continue
        try:
            fps = float(row["fps"] or "")
        except ValueError:
            problems.append(
                f"sheet {path}, line {number}: fps of '{name}' is {row['fps']!r}, not a number."
            )
            continue
        extra = {
            k: v for k, v in row.items() if k not in {"session", "poses", "fps", "group"} and v
        }
        sessions[name] = {
            "poses": (row["poses"] or "").strip(),
            "fps": fps,
            "group": row.get("group") or None,
            "metadata": extra,
        }
    if problems:
        raise InputError(*problems)
    return sessions
