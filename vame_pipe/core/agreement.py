"""Agreement between segmentations: of seeds of the clustering, and of models that differ in their seed."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout
from vame_pipe.core.run_record import RunRecord


def contingency(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return in how many rows each pair of states occurs, `(n_one, n_other)` int64.

    Parameters
    ----------
    one, other : numpy.ndarray
        `(n_rows,)` int, not negative; at least one row.
    """
    n_one, n_other = int(one.max()) + 1, int(other.max()) + 1
    pairs = np.bincount(one * n_other + other, minlength=n_one * n_other)
    return pairs.reshape(n_one, n_other)


def adjusted_rand(table: np.ndarray) -> float:
    """Return the adjusted Rand index of two segmentations.

    Parameters
    ----------
    table : numpy.ndarray
        Result of `contingency`.

    Examples
    --------
    >>> adjusted_rand(np.array([[0, 5], [3, 0]]))
    1.0
    """

    def pairs(counts: np.ndarray) -> float:
        counts = counts.astype(float)
        return float((counts * (counts - 1)).sum() / 2)

    rows, columns, total = pairs(table.sum(axis=1)), pairs(table.sum(axis=0)), pairs(table.sum())
    expected = rows * columns / total if total else 0.0
    most = (rows + columns) / 2
    return (pairs(table) - expected) / (most - expected) if most != expected else 1.0


def variation_of_information(table: np.ndarray) -> float:
    """Return the variation of information of two segmentations, nats; 0 if they are the same.

    Parameters
    ----------
    table : numpy.ndarray
        Result of `contingency`.
    """

    def entropy(counts: np.ndarray) -> float:
        p = counts[counts > 0] / counts.sum()
        return float(-(p * np.log(p)).sum())

    shared = 2 * entropy(table.ravel())
    return max(0.0, shared - entropy(table.sum(axis=0)) - entropy(table.sum(axis=1)))


@dataclass(frozen=True)
class ModelAgreement:
    """How well the motifs of a model agree with those of models that differ only in their seed.

    Attributes
    ----------
    adjusted_rand : float
        Mean over the other models.
    variation_of_information : float
        Mean over the other models, nats.
    """

    adjusted_rand: float
    variation_of_information: float

    @property
    def metrics(self) -> dict[str, float]:
        """The numbers by their names in the comparison and in MLflow."""
        return {f"motifs/model_seeds_{name}": value for name, value in vars(self).items()}


def model_agreement(layout: Layout, runs: Mapping[str, RunRecord]) -> dict[str, ModelAgreement]:
    """Return the agreement of motifs between models of the same data that differ only in their seed.

    Rows of the training sessions that have a motif in both models count. Models without motifs, and those
    that are alone in their group, are left out.

    Parameters
    ----------
    layout : Layout
    runs : mapping of str to RunRecord
        By model.

    Raises
    ------
    InputError
        If motif files of one session have different numbers of rows.
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    for name, run in runs.items():
        sessions = run.data.sessions
        if all(layout.motifs(name).session(session).exists() for session in sessions):
            groups.setdefault((run.variant, *sessions), []).append(name)
    found = {}
    for (_, *sessions), models in groups.items():
        tables = _tables(layout, models, sessions)
        for model in models if len(models) > 1 else []:
            own = [table for pair, table in tables.items() if model in pair]
            found[model] = ModelAgreement(
                float(np.mean([adjusted_rand(table) for table in own])),
                float(np.mean([variation_of_information(table) for table in own])),
            )
    return found


def _tables(
    layout: Layout, models: Sequence[str], sessions: Sequence[str]
) -> dict[tuple[str, str], np.ndarray]:
    """Return the contingency of the motifs of each pair of models; reads one session at a time."""
    pairs = list(itertools.combinations(models, 2))
    counts: dict[tuple[str, str], np.ndarray] = {pair: np.zeros((0, 0), np.int64) for pair in pairs}
    for session in sessions if pairs else []:
        motifs = {model: read_motif(layout.motifs(model).session(session)) for model in models}
        if len({len(motif) for motif in motifs.values()}) > 1:
            raise InputError(
                f"session {session}: its motifs by models {', '.join(models)} have different numbers of "
                "rows, so they were made from different recordings. Run snakemake."
            )
        for one, other in pairs:
            both = (motifs[one] >= 0) & (motifs[other] >= 0)
            if both.any():
                table = contingency(motifs[one][both], motifs[other][both])
                counts[one, other] = _sum(counts[one, other], table)
    return counts


def read_motif(path: Path) -> np.ndarray:
    """Return the motif of each row of a session, `(n_rows,)` int64, -1 without one."""
    motif = pq.read_table(path, columns=["motif"])["motif"]
    return np.asarray(pc.fill_null(motif, -1).to_numpy(), np.int64)


def _sum(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the sum of two tables, the smaller one filled up with 0."""
    total = np.zeros(np.maximum(one.shape, other.shape), np.int64)
    for table in (one, other):
        total[: table.shape[0], : table.shape[1]] += table
    return total
