"""Columns of the Parquet files that the stages exchange."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

_NAME = pa.dictionary(pa.int32(), pa.string())


INDEX_FIELDS = [
    pa.field("session", _NAME),
    pa.field("individual", _NAME),
    pa.field("row", pa.int64()),
    pa.field("frame", pa.int64()),
    pa.field("time_s", pa.float64()),
    pa.field("run", pa.int32()),
]
"""First columns of aligned sessions, frames and latents: they identify a row.

`row` is the step of the analysis clock, `frame` the nearest video frame, `time_s` the seconds since the
start of the video, `run` the number of the unbroken stretch of valid rows of one animal (-1 if the row is
not valid). `(individual, row)` is unique in a session; `frame` is not, if the recording was upsampled.
"""


SPLITS = ("train", "val")
"""Values of the column `split` of the window index."""


WINDOW_SCHEMA = pa.schema(
    [
        pa.field("session", _NAME),
        pa.field("individual", _NAME),
        pa.field("start", pa.int64()),
        pa.field("offset", pa.int64()),
        pa.field("split", _NAME),
    ]
)
"""Columns of the window index, one row per window.

`start` is the first `row` of the window, `offset` the position of that row in frames.parquet.
"""


def feature_fields(names: list[str]) -> list[pa.Field]:
    """Return one float32 field per name."""
    return [pa.field(name, pa.float32()) for name in names]


def latent_names(zdims: int) -> list[str]:
    """Return the column names of a latent vector.

    Examples
    --------
    >>> latent_names(3)
    ['z_00', 'z_01', 'z_02']
    """
    return [f"z_{i:02d}" for i in range(zdims)]


def latent_columns(path: str | Path) -> list[str]:
    """Return the column names of the latent vectors in a file: `z_` and digits only."""
    return [name for name in pq.read_schema(path).names if re.fullmatch(r"z_\d+", name)]


def index_columns(
    session: str,
    individual: str,
    row: np.ndarray,
    frame: np.ndarray,
    time_s: np.ndarray,
    run: np.ndarray,
) -> list[pa.Array]:
    """Return the columns of `INDEX_FIELDS` for rows of one animal.

    Parameters
    ----------
    session, individual : str
    row, frame, run : numpy.ndarray
        `(n_rows,)` int.
    time_s : numpy.ndarray
        `(n_rows,)` float, seconds.
    """
    codes = pa.array(np.zeros(len(row), np.int32))
    names = [pa.DictionaryArray.from_arrays(codes, pa.array([n])) for n in (session, individual)]
    values = zip(INDEX_FIELDS[2:], (row, frame, time_s, run), strict=True)
    return [*names, *(pa.array(column, field.type) for field, column in values)]


QUALITY_SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("session", "individual", "keypoint", "group")),
        *(pa.field(name, pa.string()) for name in ("use", "status", "reason", "flags")),
        pa.field("minutes", pa.float64()),
        *(pa.field(name, pa.int64()) for name in ("n_frames", "n_valid")),
        *(pa.field(name, pa.float64()) for name in ("valid_fraction", "flipped_fraction")),
        *(pa.field(name, pa.int64()) for name in ("n_flips", "n_flips_repaired", "n_jumps")),
        pa.field("partner_missing", pa.float64()),
        pa.field("mirrored", pa.bool_()),
        pa.field("same_recording", pa.string()),
        *(pa.field(f"body_length_{name}", pa.float64()) for name in ("px", "spread", "ratio")),
        *(pa.field(name, pa.float64()) for name in ("speed", "body_length_cm", "speed_cm_s")),
        *(pa.field(f"windows_{n}", pa.int64()) for n in ("possible", "lost_gaps", "lost_split")),
        *(pa.field(f"windows_{n}", pa.int64()) for n in ("train", "val")),
        *(pa.field(name, pa.float64()) for name in ("exact_zeros", "placeholders")),
        *(pa.field(name, pa.float64()) for name in ("below_confidence", "outliers")),
        *(pa.field(name, pa.float64()) for name in ("interpolated", "missing", "threshold")),
    ]
)
"""Columns of the tracking quality, one row per session, animal and keypoint."""


MOTIF_FIELDS = [
    *INDEX_FIELDS[:5],
    pa.field("motif", pa.int16()),
    pa.field("reason", _NAME),
    pa.field("confidence", pa.float32()),
    pa.field("bout", pa.int32()),
]
"""Columns of the motifs of a session, one row per animal and time step of the whole recording.

`motif` is null where it is unknown. `reason` then says why: `gap` for a row that is not valid, `edge` for a
valid row that is too near to the end of its run, `low confidence` for a row of a bout whose motif is too
uncertain; it is null where there is a motif. `confidence` is the posterior probability of the motif, also
where that is too low (null with the method kmeans); `bout` is the number of the bout of the animal, from 0.
"""
