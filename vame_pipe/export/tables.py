"""Export to text tables: one wide CSV, and the tabular events of BORIS."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from vame_pipe.core import files
from vame_pipe.export.results import SessionResults, behaviour

BORIS_COLUMNS = (
    *("Observation id", "Observation date", "Description", "Observation duration"),
    *("Observation type", "Source", "Time offset (s)", "Media duration (s)", "FPS"),
    *("Subject", "Behavior", "Behavioral category", "Behavior type", "Time"),
    *("Media file name", "Image index", "Image file path", "Comment"),
)
"""Columns of BORIS's tabular events (version 8) without independent variables and modifiers."""
NOT_AVAILABLE = "NA"


def write_csv(results: SessionResults, out: Path) -> None:
    """Write one row per animal and time step: motif, features and latents.

    Parameters
    ----------
    results : SessionResults
    out : Path
        CSV file.
    """
    table = pd.concat([animal.rows for animal in results.animals])
    with files.atomic(out) as path:
        table.to_csv(path, index=False, lineterminator="\n")


def write_boris(results: SessionResults, out: Path) -> None:
    """Write the bouts as BORIS writes events: a row where each begins, and one where it ends.

    Parameters
    ----------
    results : SessionResults
    out : Path
        TSV file.
    """
    with files.atomic(out) as path:
        boris_events(results).to_csv(path, sep="\t", index=False, lineterminator="\n")


def boris_events(results: SessionResults) -> pd.DataFrame:
    """Return the tabular events of a session, columns `BORIS_COLUMNS`, in the order of time.

    Where one bout follows another of the same animal, the end comes before the start.
    """
    video = ";".join(results.source.videos)
    started = results.start
    shared = {
        "Observation id": results.name,
        "Observation date": started.strftime("%Y-%m-%d %H:%M:%S") if started else "",
        "Description": f"motifs of model {results.model}, vame_pipe",
        "Observation duration": f"{results.duration_s:.3f}",
        "Observation type": "Media file(s)" if video else "Live observation",
        "Source": f"player #1:{video}" if video else NOT_AVAILABLE,
        "Time offset (s)": "0",
        "Media duration (s)": NOT_AVAILABLE,
        "FPS": f"{results.meta.source_fps:.3f}",
        "Behavioral category": "",
        "Media file name": video or NOT_AVAILABLE,
        "Image file path": NOT_AVAILABLE,
        "Comment": "",
    }
    rows = []
    for order, animal in enumerate(results.animals):
        for bout in animal.bouts:
            event = {"Subject": animal.name, "Behavior": behaviour(bout.motif)}
            for is_start, kind, time_s, frame in (
                (0, "STOP", bout.stop_s, bout.stop_frame),
                (1, "START", bout.start_s, bout.start_frame),
            ):
                event |= {"Behavior type": kind, "Time": f"{time_s:.3f}", "Image index": str(frame)}
                rows.append(((round(time_s, 6), order, is_start), shared | event))
    events = [row for _, row in sorted(rows, key=lambda item: item[0])]
    return pd.DataFrame(events, columns=BORIS_COLUMNS)
