"""The motifs of each animal over time, as the report draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vame_pipe.core.layout import Layout
from vame_pipe.core.metadata import AlignedMetadata, read_record

MAX_CELLS, MAX_COLUMNS = 600_000, 20_000
"""Cells of all ethograms together (each takes 5 bytes of the page), and columns of one."""


@dataclass(frozen=True)
class Line:
    """The motifs of one animal of a session.

    Attributes
    ----------
    session, label : str
        The label has the individual too, if the session has several animals.
    begins : numpy.ndarray
        `(n_stretches + 1,)`, seconds: start of each stretch of rows of one motif or of none, then the end.
    motif : numpy.ndarray
        `(n_stretches,)` int, -1 without a motif.
    counts : numpy.ndarray
        `(n_used,)` int: rows of each motif, up to the highest that the animal uses.
    n_rows : int
    reasons : dict of str to int
        Rows without a motif, by reason.
    """

    session: str
    label: str
    begins: np.ndarray
    motif: np.ndarray
    counts: np.ndarray
    n_rows: int
    reasons: dict[str, int]


def read_lines(
    layout: Layout, model: str, session: str, counts_as: Sequence[int] | None = None
) -> list[Line]:
    """Return the motifs of each animal of a session, in the order of the file.

    Parameters
    ----------
    layout : Layout
    model, session : str
    counts_as : sequence of int, optional
        The number of the motif that each motif counts as; default: itself.
    """
    path = layout.motifs(model).session(session)
    table = pq.read_table(path, columns=["individual", "time_s", "motif", "reason"])
    meta = read_record(AlignedMetadata, layout.aligned(session))
    lines = []
    for individual in pc.unique(table["individual"]).to_pylist():
        rows = table.filter(pc.equal(table["individual"], individual))
        motif = pc.fill_null(rows["motif"], -1).to_numpy().astype(np.int64)
        if counts_as is not None:
            motif = np.append(counts_as, -1)[motif]
        time_s = rows["time_s"].to_numpy()
        starts = np.flatnonzero(np.diff(motif, prepend=-2))
        reasons = pc.value_counts(rows["reason"].drop_null()).to_pylist()
        several = len(meta.individuals) > 1
        line = Line(
            session=session,
            label=f"{session}, {individual}" if several else session,
            begins=np.append(time_s[starts], time_s[-1] + 1 / meta.fps),
            motif=motif[starts],
            counts=np.bincount(motif[motif >= 0], minlength=1),
            n_rows=len(motif),
            reasons={row["values"]: row["counts"] for row in reasons},
        )
        lines.append(line)
    return lines


def raster(lines: Sequence[Line]) -> tuple[np.ndarray, float]:
    """Return the motifs of several animals on common columns of time.

    Returns
    -------
    values : numpy.ndarray
        `(n_lines, n_columns)`, the motif in the middle of each column; NaN without one.
    step_s : float
        Width of a column, seconds; at least the time between two rows.
    """
    end = max(line.begins[-1] for line in lines)
    row_s = min((line.begins[-1] - line.begins[0]) / line.n_rows for line in lines)
    step_s = max(row_s, end / min(MAX_COLUMNS, MAX_CELLS // len(lines)))
    middle = (np.arange(int(np.ceil(end / step_s - 1e-6))) + 0.5) * step_s
    values = np.full((len(lines), len(middle)), np.nan)
    for row, line in zip(values, lines, strict=True):
        stretch = np.searchsorted(line.begins, middle, side="right") - 1
        inside = (stretch >= 0) & (stretch < len(line.motif))
        motif = line.motif[stretch[inside]]
        row[inside] = np.where(motif < 0, np.nan, motif)
    return values, float(step_s)
