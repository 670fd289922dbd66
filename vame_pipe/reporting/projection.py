"""Latents on their first two principal components."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vame_pipe.core.layout import Layout
from vame_pipe.core.metadata import AlignedMetadata, read_record
from vame_pipe.reporting.similarity import read_latents

MAX_POINTS = 2000
"""Points of all sessions together; more would overlap."""
ROW = ["individual", "row"]
"""Columns that tell the rows of a session apart."""


@dataclass(frozen=True)
class Projection:
    """Latents of all sessions on their first two principal components.

    Attributes
    ----------
    points : pandas.DataFrame
        Every n-th latent vector of each session: `x`, `y`, `session`, `minutes`, `speed` (NaN if
        alignment kept no kinematics).
    variances : numpy.ndarray
        `(zdims,)`, of all components over all latents, largest first.
    speed_unit : str
    """

    points: pd.DataFrame
    variances: np.ndarray
    speed_unit: str

    @property
    def fractions(self) -> np.ndarray:
        """Fractions `(zdims,)` of the variance that the components explain."""
        return self.variances / self.variances.sum()


def project_latents(layout: Layout, model: str, sessions: list[str]) -> Projection:
    """Project the latents of all sessions on their first two principal components."""
    paths = {session: layout.latents(model, session) for session in sessions}
    n_latents = sum(pq.read_metadata(path).num_rows for path in paths.values())
    step = max(1, n_latents // MAX_POINTS)
    kept: dict[str, np.ndarray] = {}
    total, product = np.zeros(()), np.zeros(())
    for session, path in paths.items():  # one session at a time, to limit memory
        latents = read_latents(path)
        kept[session] = latents[::step].copy()
        total, product = total + latents.sum(axis=0), product + latents.T @ latents
    mean = total / n_latents
    variances, vectors = np.linalg.eigh(product / n_latents - np.outer(mean, mean))
    axes = _with_fixed_sign(vectors[:, ::-1][:, :2])
    parts = []
    for session, path in paths.items():
        table = pq.read_table(path, columns=[*ROW, "time_s"])
        part = table.take(np.arange(0, len(table), step)).to_pandas()
        position = (kept[session] - mean) @ axes
        part["x"], part["y"] = position[:, 0], position[:, -1]
        part["session"], part["minutes"] = session, part["time_s"] / 60
        parts.append(part.assign(speed=_read_speed(layout.aligned(session), part)))
    scaled = read_record(AlignedMetadata, layout.aligned(sessions[0])).settings["scale"]
    return Projection(
        points=pd.concat(parts, ignore_index=True),
        variances=variances[::-1].clip(min=0),
        speed_unit="body lengths/s" if scaled else "px/s",
    )


def _with_fixed_sign(axes: np.ndarray) -> np.ndarray:
    """Return axes `(zdims, n_axes)` turned so that the largest element of each is positive."""
    largest = axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])]
    return axes * np.sign(largest)


def _read_speed(aligned: Path, part: pd.DataFrame) -> np.ndarray:
    """Return the speed of the animal at the rows of latents; NaN if alignment kept no kinematics."""
    if "log_speed" not in pq.read_schema(aligned).names:
        return np.full(len(part), np.nan)
    return np.exp(values_at(aligned, "log_speed", part))


def values_at(path: Path, column: str, rows: pd.DataFrame) -> np.ndarray:
    """Return a column of a file with one row per animal and time step, at some of them.

    Parameters
    ----------
    path : Path
    column : str
    rows : pandas.DataFrame
        `individual, row`, few of those of the file.

    Returns
    -------
    numpy.ndarray
        `(n_rows,)`, NaN where the file has no such row, or no value.
    """
    table = pq.read_table(path, columns=[*ROW, column])
    table = table.filter(pc.is_in(table["row"], pa.array(rows["row"].unique())))
    values = table.to_pandas().astype({"individual": str}).set_index(ROW)[column]
    wanted = pd.MultiIndex.from_frame(rows[ROW].astype({"individual": str}))
    return np.asarray(values.reindex(wanted))
