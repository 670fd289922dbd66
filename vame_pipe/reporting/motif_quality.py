"""How far motifs can be trusted, in numbers and in words, compared with PCA."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vame_pipe.core.layout import Layout

GOOD_AGREEMENT, FAIR_AGREEMENT = 0.7, 0.5
"""Adjusted Rand index between seeds from which motifs count as reproducible, and as partly so."""
MIN_DIFFERENCE = 0.05
"""Smallest difference of agreement that counts, even if the standard errors are smaller."""
NUMBERS = (
    *("adjusted_rand", "adjusted_rand_se", "variation_of_information"),
    *("log_likelihood", "median_bout_s", "boundary_z"),
)
"""Columns of quality.parquet that can be null."""


@dataclass(frozen=True)
class Quality:
    """Quality of a segmentation.

    Attributes
    ----------
    model, representation : str
        The representation is "latents" or "pca".
    n : int
        Number of motifs.
    chosen : bool
        Whether the results have this number of motifs.
    adjusted_rand, adjusted_rand_se : float or None
        Agreement between seeds, and its standard error; None with one seed.
    variation_of_information, log_likelihood, median_bout_s, boundary_z : float or None
    n_sessions_min : int
        Sessions that use the rarest motif.
    """

    model: str
    representation: str
    n: int
    chosen: bool
    adjusted_rand: float | None
    adjusted_rand_se: float | None
    variation_of_information: float | None
    log_likelihood: float | None
    median_bout_s: float | None
    boundary_z: float | None
    n_sessions_min: int

    @property
    def name(self) -> str:
        """What was segmented, in words."""
        return f"latents of {self.model}" if self.representation == "latents" else "PCA"


def read_quality(layout: Layout, model: str) -> list[Quality]:
    """Return the rows of quality.parquet of a model, latents first."""
    table = pd.read_parquet(layout.motifs(model).quality).sort_values(["representation", "n"])
    return [
        Quality(
            model=model,
            representation=row["representation"],
            n=int(row["n"]),
            chosen=bool(row["chosen"]),
            n_sessions_min=int(row["n_sessions_min"]),
            **{name: None if pd.isna(row[name]) else float(row[name]) for name in NUMBERS},
        )
        for row in table.to_dict("records")
    ]


def verdict(quality: Sequence[Quality], best: str) -> list[str]:
    """Return how far to trust the motifs of a model, in plain sentences, compared with PCA."""
    chosen = {row.representation: row for row in quality if row.model == best and row.chosen}
    latents, pca = chosen["latents"], chosen["pca"]
    if latents.adjusted_rand is None or pca.adjusted_rand is None:
        return [
            "With one seed nobody knows whether the motifs can be found again: set motifs.seeds."
        ]
    agreement = f"agreement {latents.adjusted_rand:.2f}; 1: the same motifs, 0: chance"
    if latents.adjusted_rand >= GOOD_AGREEMENT:
        first = f"They are reproducible: other random seeds find nearly the same ({agreement})."
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
    return [first, second]
