"""How far motifs can be trusted, in numbers and in words, compared with PCA."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vame_pipe.core import motif_quality
from vame_pipe.core.layout import Layout
from vame_pipe.core.motif_quality import MotifQuality

GOOD_AGREEMENT, FAIR_AGREEMENT = 0.7, 0.5
"""Adjusted Rand index between seeds from which motifs count as reproducible, and as partly so."""
MIN_BOUNDARY = 3.0
"""Boundary score below which boundaries of motifs can be chance."""
MIN_DIFFERENCE = 0.05
"""Smallest difference of agreement that counts, even if the standard errors are smaller."""
COVARIANCES = {"shared": "shared", "state": "one per motif", None: ""}
"""How the page names covariances."""


@dataclass(frozen=True)
class QualityRow:
    """A row of the table of quality.

    Attributes
    ----------
    model : str
    numbers : MotifQuality
    """

    model: str
    numbers: MotifQuality

    @property
    def name(self) -> str:
        """What was segmented, in words."""
        latents = self.numbers.representation == "latents"
        return f"latents of {self.model}" if latents else "PCA"

    @property
    def covariance(self) -> str:
        """The covariance of the hidden Markov model, in words."""
        return COVARIANCES[self.numbers.covariance]


def read_quality(layout: Layout, model: str) -> list[QualityRow]:
    """Return the rows of quality.parquet of a model, latents first."""
    return [QualityRow(model, row) for row in motif_quality.read(layout.motifs(model).quality)]


@dataclass(frozen=True)
class Rare:
    """How many motifs are too rare to be told from chance.

    Attributes
    ----------
    n : int
        Number of motifs.
    n_once : int
        Those with a single bout or none.
    n_local : int
        Further ones that only one session uses, of several.
    """

    n: int
    n_once: int = 0
    n_local: int = 0


def doubts(latents: MotifQuality, rare: Rare, less_than_pca: bool) -> list[str]:
    """Return why motifs may not be behaviour although seeds agree, as parts of a sentence.

    Parameters
    ----------
    latents : MotifQuality
    rare : Rare
    less_than_pca : bool
        Whether the latents explain less variance than PCA with as many components.
    """
    found = []
    if latents.boundary_z is not None and latents.boundary_z < MIN_BOUNDARY:
        found.append(
            f"the pose changes no more where they end than by chance (boundary score "
            f"{latents.boundary_z:.1f}, below {MIN_BOUNDARY:g})"
        )
    if rare.n_once:
        found.append(f"{rare.n_once} of {rare.n} have a single bout or none")
    if rare.n_local:
        found.append(f"{rare.n_local} of {rare.n} occur in one session only")
    if less_than_pca:
        found.append("the model explains less than PCA")
    return found


def verdict(
    quality: Sequence[MotifQuality],
    between_models: float | None = None,
    rare: Rare | None = None,
    less_than_pca: bool = False,
) -> list[str]:
    """Return how far to trust the motifs of a model, in plain sentences, compared with PCA.

    Parameters
    ----------
    quality : sequence of MotifQuality
        Rows of one model.
    between_models : float, optional
        Agreement with the motifs of models that differ only in their seed.
    rare : Rare, optional
    less_than_pca : bool
        See `doubts`.
    """
    chosen = {row.representation: row for row in quality if row.chosen}
    latents, pca = chosen["latents"], chosen["pca"]
    more = [] if between_models is None else [_between_models(between_models)]
    against = doubts(latents, rare or Rare(latents.n), less_than_pca)
    if against:
        more.insert(0, f"Do not rely on them yet: {'; '.join(against)}.")
    if latents.adjusted_rand is None or pca.adjusted_rand is None:
        return [
            "With one seed nobody knows whether the motifs can be found again: set motifs.seeds.",
            *more,
        ]
    agreement = f"agreement {latents.adjusted_rand:.2f}; 1: the same motifs, 0: chance"
    if latents.adjusted_rand >= GOOD_AGREEMENT:
        what = "Other" if against else "They are reproducible: other"
        first = f"{what} random seeds find nearly the same ({agreement})."
    elif latents.adjusted_rand >= FAIR_AGREEMENT:
        first = (
            f"They are reproducible in part: other random seeds find similar ones ({agreement}). "
            "Base no conclusion on a single motif."
        )
    else:
        first = (
            f"They are not reproducible: other random seeds find others ({agreement}). "
            "Try a smaller motifs.n."
        )
    difference = latents.adjusted_rand - pca.adjusted_rand
    error = np.hypot(latents.adjusted_rand_se or 0.0, pca.adjusted_rand_se or 0.0)
    least = max(MIN_DIFFERENCE, float(error))
    linear = "motifs from PCA, a linear method"
    compared = f"agreement {pca.adjusted_rand:.2f}"
    if difference > least:
        second = f"They are more reproducible than {linear} ({compared})."
    elif difference >= -least:
        second = f"PCA does as well: {linear}, are as reproducible ({compared})."
    else:
        second = f"PCA does better: {linear}, are more reproducible ({compared})."
    if pca.boundary_z is not None and pca.boundary_z < MIN_BOUNDARY:
        second += (
            f" Boundaries of PCA's motifs can be chance (boundary score {pca.boundary_z:.1f})."
        )
    return [first, *more, second]


def _between_models(agreement: float) -> str:
    """Return how well the motifs of models of different seeds agree, as a sentence."""
    if agreement >= GOOD_AGREEMENT:
        found = "nearly the same motifs"
    elif agreement >= FAIR_AGREEMENT:
        found = "similar motifs"
    else:
        found = "other motifs"
    return f"Models that were trained with other seeds lead to {found} (agreement {agreement:.2f})."
