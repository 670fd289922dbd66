"""Read labels that a person gave to a recording: a CSV of frames or bouts, or events of BORIS."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from vame_pipe.core.errors import InputError, listing
from vame_pipe.motifs.boris_events import is_boris, read_events
from vame_pipe.motifs.label_table import Labels, one_rate, read_numbers

LAYOUTS = {
    "frames": ("frame",),
    "bouts in frames": ("start_frame", "end_frame"),
    "bouts in seconds": ("start_s", "stop_s"),
}
"""Columns of time in each layout; `label` comes in addition, `individual` and `fps` may."""
OPTIONAL = ("individual", "fps")
TOLERANCE = 0.01
"""Relative difference of frame rates that does not count: BORIS rounds them."""


def read_labels(path: Path, session: str) -> Labels:
    """Return the labels in a file.

    Parameters
    ----------
    path : Path
        CSV, or TSV by its ending or its first line.
    session : str
        Name of the recording: it chooses between several observations of BORIS in a file.

    Raises
    ------
    InputError
        If the file cannot be read, its columns are unknown, a value is wrong, a bout ends before it begins,
        or bouts of an animal overlap; all of them.
    """
    table = _read_table(path)
    found = read_events(path, table, session) if is_boris(table) else _own(path, table)
    problems = _bout_problems(found)
    if problems:
        raise InputError(*problems)
    return found


def _read_table(path: Path) -> pd.DataFrame:
    """Return the table as text; lines of BORIS before the one with the columns are skipped."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"labels {path}: cannot be read ({error}). Check the path, which is relative to the working "
            "directory; the file must be text in UTF-8."
        ) from None
    first = next((i for i, line in enumerate(lines) if "Behavior" in line and "Time" in line), 0)
    delimiter = "\t" if lines and "\t" in lines[first] else ","
    try:
        return pd.read_csv(
            io.StringIO("\n".join(lines[first:])),
            sep=delimiter,
            dtype=str,
            keep_default_na=False,
            skipinitialspace=True,
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise InputError(
            f"labels {path}: is not a table ({str(error).splitlines()[0]}). {_allowed()}"
        ) from None


def _allowed() -> str:
    layouts = "; ".join(f"{', '.join(columns)}, label" for columns in LAYOUTS.values())
    return (
        f"Use the columns {layouts} (and {' or '.join(OPTIONAL)} in addition), or tabular or aggregated "
        "events of BORIS."
    )


def _own(path: Path, table: pd.DataFrame) -> Labels:
    """Return the labels of a table of frames or bouts."""
    columns = set(table.columns)
    layouts = [times for times in LAYOUTS.values() if set(times) <= columns]
    if len(layouts) != 1 or "label" not in columns:
        has = listing(table.columns) or "none"
        raise InputError(f"labels {path}: has the columns {has}. {_allowed()}")
    times = layouts[0]
    unknown = [name for name in table.columns if name not in (*times, "label", *OPTIONAL)]
    if unknown:
        raise InputError(
            f"labels {path}: {'column' if len(unknown) == 1 else 'columns'} {listing(unknown)} unknown. "
            f"{_allowed()}"
        )
    table = table[table["label"].str.strip() != ""]
    problems: list[str] = []
    values = [read_numbers(path, table, name, problems, whole="_s" not in name) for name in times]
    rates = read_numbers(path, table, "fps", problems) if "fps" in table else np.empty(0)
    if problems:
        raise InputError(*problems)
    start, end = values[0], values[-1]
    bouts = pd.DataFrame(
        {
            "individual": table.get("individual", ""),
            "label": table["label"].str.strip(),
            "start": start,
            "end": end if times[-1] == "stop_s" else end + 1,
        }
    )
    return Labels(path, bouts, times[-1] == "stop_s", one_rate(path, rates))


def _bout_problems(labels: Labels) -> list[str]:
    """Return what is wrong with the order of bouts, one line per animal."""
    unit, problems = (" s" if labels.in_seconds else ""), []
    reversed_ = labels.bouts[labels.bouts["end"] <= labels.bouts["start"]]
    if len(reversed_):
        row = reversed_.iloc[0]
        return [
            f"labels {labels.path}: a bout of {row['label']} begins at {row['start']:g}{unit} and has no "
            f"duration ({len(reversed_)} such bouts). Correct its end."
        ]
    for individual, bouts in labels.bouts.groupby("individual", sort=False):
        ordered = bouts.sort_values(["start", "end"], kind="stable")
        reach = ordered["end"].cummax().shift(fill_value=-1.0)
        overlaps = np.flatnonzero((ordered["start"] < reach - 1e-9).to_numpy())
        if len(overlaps):
            one, other = ordered.iloc[overlaps[0] - 1], ordered.iloc[overlaps[0]]
            of = f" of {individual}" if individual else ""
            problems.append(
                f"labels {labels.path}: bouts{of} overlap: {one['label']} and {other['label']} at "
                f"{other['start']:g}{unit} ({len(overlaps)} such bouts). One label per "
                "frame: remove or shorten one."
            )
    return problems


def frame_labels(
    labels: Labels,
    individuals: Sequence[str],
    fps: float,
    first_frame: int,
    n_frames: int,
) -> dict[str, np.ndarray]:
    """Return the label of every video frame of each animal that has labels.

    Parameters
    ----------
    labels : Labels
    individuals : sequence of str
        Animals of the recording.
    fps : float
        Frames per second of the recording.
    first_frame, n_frames : int
        Frames of the recording.

    Returns
    -------
    dict of str to numpy.ndarray
        By animal `(n_frames,)` object, from frame 0 of the video; None where there is no label.

    Raises
    ------
    InputError
        If the file is for another frame rate, reaches beyond the recording or names other animals; all of
        them.
    """
    end_frame, where, bouts = first_frame + n_frames, f"labels {labels.path}", labels.bouts
    problems = []
    if labels.fps is not None and abs(labels.fps - fps) > TOLERANCE * fps:
        problems.append(
            f"{where}: is for {labels.fps:g} frames per second, the recording has {fps:g}. Give labels of "
            "this video, or correct the frame rate."
        )
    start, end = bouts["start"].to_numpy(float), bouts["end"].to_numpy(float)
    if labels.in_seconds:
        start = np.rint(start * fps)
        end = np.maximum(start + 1, np.rint(end * fps))
    beyond = end > end_frame + labels.in_seconds  # the last bout may be rounded up
    if beyond.any():
        problems.append(
            f"{where}: reaches frame {int(end.max()) - 1}, the recording ends with frame {end_frame - 1} "
            f"({beyond.sum()} such {'frames' if (end - start == 1).all() else 'bouts'}). Give labels of "
            "this recording."
        )
    named = list(dict.fromkeys(bouts["individual"]))
    of = {"": individuals[0]} if named == [""] and len(individuals) == 1 else {}
    unknown = [name or "(none)" for name in named if name not in (*individuals, *of)]
    if unknown:
        problems.append(
            f"{where}: is about {listing(unknown)}; the animals of the recording are "
            f"{listing(individuals)}. Give these names in the column individual, or as subjects of BORIS"
            + ("; of one animal, no name is needed." if len(individuals) == 1 else ".")
        )
    if problems:
        raise InputError(*problems)
    found: dict[str, np.ndarray] = {}
    for name, label, begin, after in zip(
        bouts["individual"], bouts["label"], start.astype(int), end.astype(int), strict=True
    ):
        values = found.setdefault(of.get(name, name), np.full(end_frame, None, object))
        values[begin:after] = label
    return found
