"""How far motifs can be trusted, and how many of them the data support."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

AUTO = (4, 5, 6, 8, 10, 12, 15, 20, 25, 30)
"""Numbers of motifs that `n: auto` tries."""
FLOOR = 0.5
"""Agreement between seeds below which no number of motifs is chosen if another reaches it."""
TOLERANCE = 0.01
"""Least standard error of the agreement that is believed: that of a few seeds is often 0."""

QUALITY_SCHEMA = pa.schema(
    [
        pa.field("representation", pa.dictionary(pa.int32(), pa.string())),
        pa.field("n", pa.int64()),
        pa.field("chosen", pa.bool_()),
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
"""Columns of quality.parquet, one row per representation (latents, pca) and number of motifs."""


@dataclass(frozen=True)
class Quality:
    """Quality of the segmentation of one representation into `n` motifs.

    Attributes
    ----------
    representation : str
        latents or pca.
    n : int
        Number of motifs that was asked for.
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
    n_sessions_min : int
        Number of sessions that use the motif that the fewest sessions use.
    """

    representation: str
    n: int
    adjusted_rand: float | None
    adjusted_rand_se: float | None
    variation_of_information: float | None
    log_likelihood: float | None
    median_bout_s: float
    boundary_z: float | None
    n_sessions_min: int

    def describe(self) -> str:
        """Return the values as one line, for the log."""
        skipped = ("representation", "n")
        return ", ".join(
            f"{name} {'-' if value is None else format(value, '.4g')}"
            for name, value in vars(self).items()
            if name not in skipped
        )


@dataclass(frozen=True)
class Agreement:
    """Agreement between the segmentations of several seeds.

    Attributes
    ----------
    rand, rand_se, information : float or None
        See `Quality`.
    central : int
        The seed whose segmentation agrees best with those of the others.
    """

    rand: float | None
    rand_se: float | None
    information: float | None
    central: int


def agreement(states: list[np.ndarray]) -> Agreement:
    """Return how well segmentations agree.

    Parameters
    ----------
    states : list of numpy.ndarray
        For each seed `(n_rows,)` int.
    """
    n_seeds = len(states)
    if n_seeds == 1:
        return Agreement(None, None, None, 0)
    rand, information = np.zeros((n_seeds, n_seeds)), []
    for i, j in itertools.combinations(range(n_seeds), 2):
        table = contingency(states[i], states[j])
        rand[i, j] = rand[j, i] = adjusted_rand(table)
        information.append(variation_of_information(table))
    own = rand.sum(axis=1) / (n_seeds - 1)
    error = float(own.std(ddof=1) / np.sqrt(n_seeds))
    return Agreement(float(own.mean()), error, float(np.mean(information)), int(own.argmax()))


def contingency(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return in how many rows each pair of states occurs, `(n_one, n_other)` int64."""
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


def fewest_sessions(state: np.ndarray, session: np.ndarray) -> int:
    """Return the number of sessions that use the motif that the fewest sessions use."""
    return int((contingency(state, session) > 0).sum(axis=1).min())


def choose_n(scan: list[Quality]) -> tuple[int, str]:
    """Return the number of motifs that the data support, and why.

    It is the largest number whose agreement between seeds is within one standard error of the best, among
    those whose agreement is above a floor.

    Parameters
    ----------
    scan : list of Quality
        One per number of motifs, of one representation.
    """
    known = {each.n: each for each in scan if each.adjusted_rand is not None}
    if len(scan) == 1 or not known:
        n = scan[-1].n if len(scan) == 1 else min(each.n for each in scan)
        reason = (
            "set by motifs.n"
            if len(scan) == 1
            else "the smallest: motifs.seeds is 1, so nothing can be compared"
        )
        return n, reason
    rand = {n: float(each.adjusted_rand or 0.0) for n, each in known.items()}
    best = max(rand, key=lambda n: (rand[n], n))
    error = max(TOLERANCE, float(known[best].adjusted_rand_se or 0.0))
    if rand[best] < FLOOR:
        return best, (
            f"seeds agree best at {best} motifs, but only to {rand[best]:.2f} (adjusted Rand), below "
            f"{FLOOR:g}: the data support no number of those tried"
        )
    n = max(each for each in rand if rand[each] >= max(FLOOR, rand[best] - error))
    return n, (
        f"seeds agree best at {best} motifs ({rand[best]:.2f} adjusted Rand, standard error {error:.2f}); "
        f"{n} is the largest number within one standard error ({rand[n]:.2f})"
    )


def quality_table(scan: list[Quality], chosen: int) -> pa.Table:
    """Return the table of quality.parquet."""
    rows = [vars(each) | {"chosen": each.n == chosen} for each in scan]
    return pa.Table.from_pylist(rows).select(QUALITY_SCHEMA.names).cast(QUALITY_SCHEMA)
