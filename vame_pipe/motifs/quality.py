"""How far motifs can be trusted, and how many of them the data support."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from vame_pipe.core.agreement import adjusted_rand, contingency, variation_of_information
from vame_pipe.core.motif_quality import MotifQuality

FLOOR = 0.5
"""Agreement between seeds below which no number of motifs is chosen if another reaches it."""
TOLERANCE = 0.01
"""Least standard error of the agreement that is believed: that of a few seeds is often 0."""


@dataclass(frozen=True)
class Agreement:
    """Agreement between the segmentations of several seeds.

    Attributes
    ----------
    rand, rand_se, information : float or None
        See `MotifQuality`.
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


def fewest_sessions(state: np.ndarray, session: np.ndarray) -> int:
    """Return the number of sessions that use the motif that the fewest sessions use."""
    return int((contingency(state, session) > 0).sum(axis=1).min())


def choose_n(scan: list[MotifQuality]) -> tuple[int, str]:
    """Return the number of motifs that the data support, and why, as one sentence.

    It is the largest number whose agreement between seeds is within one standard error of the best, among
    those whose agreement is above a floor.

    Parameters
    ----------
    scan : list of MotifQuality
        One per number of motifs, of one representation.
    """
    if len(scan) == 1:
        return scan[0].n, f"{scan[0].n} is the number that motifs.n sets."
    known = {each.n: each for each in scan if each.adjusted_rand is not None}
    if not known:
        n = min(each.n for each in scan)
        return (
            n,
            f"{n} is the smallest number tried: with one seed (motifs.seeds) none can be compared.",
        )
    rand = {n: float(each.adjusted_rand or 0.0) for n, each in known.items()}
    best = max(rand, key=lambda n: (rand[n], n))
    error = max(TOLERANCE, float(known[best].adjusted_rand_se or 0.0))
    if rand[best] < FLOOR:
        return best, (
            f"{best} is the number at which seeds agree best, but only to {rand[best]:.2f} (adjusted "
            f"Rand), below {FLOOR:g}: the data support none of the numbers tried."
        )
    n = max(each for each in rand if rand[each] >= max(FLOOR, rand[best] - error))
    return n, (
        f"{n} is the largest number at which seeds agree ({rand[n]:.2f} adjusted Rand) within one standard "
        f"error of the best ({rand[best]:.2f} at {best} motifs, standard error {error:.2f})."
    )
