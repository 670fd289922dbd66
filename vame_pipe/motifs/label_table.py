"""The record of a label file, and what its readers share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from vame_pipe.core.errors import InputError, listing


@dataclass(frozen=True)
class Labels:
    """What a label file says, not yet compared with a recording.

    Attributes
    ----------
    path : Path
    bouts : pandas.DataFrame
        `individual` (empty where none is named), `label`, `start`, `end`, in the order of the file: the
        first frame and the frame after the last one, or seconds.
    in_seconds : bool
        Whether `start` and `end` are seconds.
    fps : float or None
        Frames per second that the file is for, if it says so.
    n_points : int
        Events without duration, which are left out.
    """

    path: Path
    bouts: pd.DataFrame
    in_seconds: bool
    fps: float | None
    n_points: int = 0


def one_rate(path: Path, rates: np.ndarray) -> float | None:
    """Return the frame rate that all rows have, None without one; InputError if they differ."""
    found = np.unique(rates)
    if len(found) > 1:
        raise InputError(
            f"labels {path}: has the frame rates {listing(f'{rate:g}' for rate in found)}. Use one."
        )
    return float(found[0]) if len(found) else None


def read_numbers(
    path: Path, table: pd.DataFrame, name: str, problems: list[str], whole: bool = False
) -> np.ndarray:
    """Return a column as numbers `(n_rows,)`; adds a line to `problems` if a cell is not one."""
    values = pd.to_numeric(table[name], errors="coerce").to_numpy(float)
    wrong = ~np.isfinite(values) | (values < 0)
    if whole:
        wrong |= values != np.rint(values)
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        kind = "a whole number, 0 or more" if whole else "a number, 0 or more"
        problems.append(
            f"labels {path}: column {name} holds {table[name].iloc[first]!r} (row {first + 1}, "
            f"{wrong.sum()} such rows); expected {kind}. Correct it."
        )
    return values
