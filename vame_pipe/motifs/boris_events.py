"""Read the labels in events that BORIS exported, tabular or aggregated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from vame_pipe.core.errors import InputError, listing
from vame_pipe.motifs.label_table import Labels, one_rate, read_numbers

AGGREGATED = ("Start (s)", "Stop (s)")
"""Columns of time of aggregated events."""
RATES = ("FPS", "FPS (frame/s)")
NO_SUBJECT = ("", "No focal subject")


def is_boris(table: pd.DataFrame) -> bool:
    """Return whether a table has the columns of BORIS."""
    columns = set(table.columns)
    return "Behavior" in columns and ("Time" in columns or columns.issuperset(AGGREGATED))


def read_events(path: Path, table: pd.DataFrame, session: str) -> Labels:
    """Return the labels of a table of events.

    Parameters
    ----------
    path : Path
        For messages.
    table : pandas.DataFrame
        Text.
    session : str
        Chooses between several observations in the table.

    Raises
    ------
    InputError
        If a time is not a number, or if START and STOP are not in pairs; all of them.
    """
    chosen = _observation(path, table, session)
    return _tabular(path, chosen) if "Time" in table else _aggregated(path, chosen)


def _aggregated(path: Path, table: pd.DataFrame) -> Labels:
    """Return the labels of aggregated events of BORIS: a row per bout, points left out."""
    problems: list[str] = []
    is_point = np.array([kind.upper() == "POINT" for kind in table.get("Behavior type", [])], bool)
    states = table[~is_point] if is_point.any() else table
    start, stop = (read_numbers(path, states, name, problems) for name in AGGREGATED)
    if problems:
        raise InputError(*problems)
    bouts = pd.DataFrame(
        {
            "individual": _subjects(states),
            "label": states["Behavior"].str.strip(),
            "start": start,
            "end": stop,
        }
    )
    return Labels(path, bouts, True, _boris_rate(path, table), int(is_point.sum()))


def _tabular(path: Path, table: pd.DataFrame) -> Labels:
    """Return the labels of tabular events of BORIS: bouts from START to STOP, points left out."""
    kind = next((name for name in ("Behavior type", "Status") if name in table), None)
    if kind is None:
        raise InputError(
            f"labels {path}: tabular events of BORIS need the column Behavior type or Status. "
            "Export them again."
        )
    problems: list[str] = []
    time_s = read_numbers(path, table, "Time", problems)
    if problems:
        raise InputError(*problems)
    rows: list[tuple[str, str, float, float]] = []
    started: dict[tuple[str, str], float] = {}
    kinds = table[kind].str.strip().str.upper()
    for subject, label, event, at in zip(
        _subjects(table), table["Behavior"].str.strip(), kinds, time_s.tolist(), strict=True
    ):
        key = subject, label
        if event == "START" and key not in started:
            started[key] = at
        elif event == "STOP" and key in started:
            rows.append((subject, label, started.pop(key), at))
        elif event != "POINT":
            problems.append(
                f"labels {path}: {event or 'an event'} of {label} at {at:g} s has no counterpart. Pair "
                "START and STOP in BORIS and export again."
            )
    problems += [
        f"labels {path}: START of {label} at {at:g} s has no STOP. Pair them in BORIS and export again."
        for (_, label), at in started.items()
    ]
    if problems:
        raise InputError(*problems)
    bouts = pd.DataFrame(rows, columns=["individual", "label", "start", "end"])
    return Labels(path, bouts, True, _boris_rate(path, table), int((kinds == "POINT").sum()))


def _observation(path: Path, table: pd.DataFrame, session: str) -> pd.DataFrame:
    """Return the rows of one observation: the only one, or the one with the name of the session."""
    if "Observation id" not in table or table["Observation id"].nunique() <= 1:
        return table
    names = list(dict.fromkeys(table["Observation id"]))
    if session not in names:
        raise InputError(
            f"labels {path}: holds the observations {listing(names)}, none of which is called {session}. "
            "Export the observation of this recording alone, or give it the name of the session."
        )
    return table[table["Observation id"] == session]


def _subjects(table: pd.DataFrame) -> list[str]:
    if "Subject" not in table:
        return [""] * len(table)
    return ["" if name.strip() in NO_SUBJECT else name.strip() for name in table["Subject"]]


def _boris_rate(path: Path, table: pd.DataFrame) -> float | None:
    """Return the frame rate, if BORIS knows it: it writes NA or several rates for other recordings."""
    column = next((name for name in RATES if name in table), None)
    if column is None:
        return None
    rates = pd.to_numeric(table[column], errors="coerce").dropna()
    return one_rate(path, rates.to_numpy(float))
