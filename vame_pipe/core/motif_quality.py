"""Quality of a segmentation into motifs: the record, and quality.parquet."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from vame_pipe.core import files
from vame_pipe.core.errors import InputError

Representation = Literal["latents", "pca"]
_NAME = pa.dictionary(pa.int32(), pa.string())

QUALITY_SCHEMA = pa.schema(
    [
        pa.field("representation", _NAME),
        pa.field("n", pa.int64()),
        pa.field("chosen", pa.bool_()),
        pa.field("covariance", _NAME),
        *(
            pa.field(name, pa.float64())
            for name in (
                *("adjusted_rand", "adjusted_rand_se", "variation_of_information"),
                *("log_likelihood", "median_bout_s", "boundary_z"),
            )
        ),
        pa.field("n_sessions_min", pa.int64()),
    ]
)
"""Columns of quality.parquet, one row per representation and number of motifs."""


@dataclass(frozen=True)
class MotifQuality:
    """Quality of the segmentation of one representation into `n` motifs.

    Attributes
    ----------
    representation : {'latents', 'pca'}
    n : int
        Number of motifs that was asked for.
    covariance : str or None
        `shared` by all states, or one per `state`; None for k-means.
    adjusted_rand, adjusted_rand_se : float or None
        Mean agreement between the segmentations of two seeds (adjusted Rand index, Hubert and Arabie
        1985), and its standard error over seeds; None with a single seed.
    variation_of_information : float or None
        Mean over pairs of seeds, nats (Meila 2007).
    log_likelihood : float or None
        Log density per row of recordings that the model was not fitted to, nats, with every dimension in
        units of its own spread; None for k-means.
    median_bout_s : float
        Seconds.
    boundary_z : float or None
        Change of the features at boundaries of motifs, compared with the same boundaries shifted in time:
        standard deviations above the mean of the shifts.
    n_sessions_min : int or None
        Number of sessions that use the motif that the fewest sessions use. Not known of segmentations that
        were only tried, if they were tried on a part of the rows.
    chosen : bool
        Whether the results have this number of motifs.
    """

    representation: Representation
    n: int
    covariance: str | None
    adjusted_rand: float | None
    adjusted_rand_se: float | None
    variation_of_information: float | None
    log_likelihood: float | None
    median_bout_s: float
    boundary_z: float | None
    n_sessions_min: int | None
    chosen: bool = False

    @property
    def numbers(self) -> dict[str, float]:
        """The numbers that are known, by name."""
        skipped = ("representation", "covariance", "chosen")
        values = {name: value for name, value in vars(self).items() if name not in skipped}
        return {name: float(value) for name, value in values.items() if value is not None}

    def describe(self) -> str:
        """Return the values as one line, for the log."""
        skipped = ("representation", "n", "chosen")
        return ", ".join(
            f"{name} {_shown(value)}" for name, value in vars(self).items() if name not in skipped
        )


def _shown(value: float | str | None) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else f"{value:.4g}"


def write(scan: Sequence[MotifQuality], path: Path) -> None:
    """Write quality.parquet, atomically."""
    table = pa.Table.from_pylist([vars(each) for each in scan])
    content = table.select(QUALITY_SCHEMA.names).cast(QUALITY_SCHEMA)
    files.write_tables(path, [content], QUALITY_SCHEMA, files.metadata())


def read(path: Path) -> list[MotifQuality]:
    """Return the rows of quality.parquet, latents first, in ascending numbers of motifs.

    Raises
    ------
    InputError
        If the file is damaged or of another version.
    """
    names = [field.name for field in dataclasses.fields(MotifQuality)]
    try:
        rows = pq.read_table(path, columns=names).to_pylist()
        found = [MotifQuality(**row) for row in rows]
    except (OSError, ValueError, TypeError):
        raise InputError(
            f"{path}: cannot be read; it is damaged or of another version of vame_pipe. Delete it and run "
            "the workflow again."
        ) from None
    return sorted(found, key=lambda row: (row.representation, row.n))
