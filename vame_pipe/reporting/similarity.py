"""How similar the latents of two models are, whatever their rotation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from vame_pipe.core.layout import Layout
from vame_pipe.core.schemas import latent_columns

FOLDS = 5


def similarity(layout: Layout, models: list[str], sessions: list[str]) -> pd.DataFrame:
    """Return how far each model's latents say the same as each other's, whatever their rotation.

    Returns
    -------
    pandas.DataFrame
        A row for every ordered pair. `cka`: linear centred kernel alignment (Kornblith et al. 2019,
        arXiv 1905.00414), 1 for latents that are the same up to rotation, scale and shift. `r2`:
        share of the variance of `other` that a linear map of `model` predicts in sessions (if one has
        windows: in fifths of it) that the map was not fitted on; 1 means that nothing in `other`
        is missing in `model`. NaN if there is but one latent, or all are the same.
    """
    grams, sizes = _grams(layout, models, sessions)
    ends = 1 + np.cumsum(sizes)
    columns = {m: slice(e - s, e) for m, e, s in zip(models, ends, sizes, strict=True)}
    rows = [
        {
            "model": one,
            "other": other,
            "cka": _cka(grams.sum(axis=0), columns[one], columns[other]),
            "r2": _predicted(grams, columns[one], columns[other]),
        }
        for one in models
        for other in models
        if one != other
    ]
    return pd.DataFrame(rows, columns=["model", "other", "cka", "r2"])


def _grams(layout: Layout, models: list[str], sessions: list[str]) -> tuple[np.ndarray, list[int]]:
    """Return Gram matrices `(n_folds, 1 + n, 1 + n)` of a one and all latents, and how many each has."""
    sessions = [
        session
        for session in sessions
        if pq.read_metadata(layout.latents(models[0], session)).num_rows
    ]
    alone = len(sessions) == 1
    grams: list[Any] = [0.0] * (FOLDS if alone else min(FOLDS, len(sessions)))
    for number, session in enumerate(sessions):
        parts = [read_latents(layout.latents(model, session)) for model in models]
        side_by_side = np.hstack([np.ones((len(parts[0]), 1)), *parts])
        for fold, block in enumerate(np.array_split(side_by_side, FOLDS) if alone else []):
            grams[fold] += block.T @ block
        if not alone:
            grams[number % len(grams)] += side_by_side.T @ side_by_side
    return np.array(grams), [part.shape[1] for part in parts]


def read_latents(path: Path) -> np.ndarray:
    """Return the latent vectors `(n_windows, zdims)` float64 of a file."""
    return pq.read_table(path, columns=latent_columns(path)).to_pandas().to_numpy(np.float64)


def _cka(gram: np.ndarray, one: slice, other: slice) -> float:
    centred = gram - np.outer(gram[0], gram[0]) / gram[0, 0]

    def alignment(a: slice, b: slice) -> float:
        return np.square(centred[a, b]).sum()

    size = np.sqrt(alignment(one, one) * alignment(other, other))
    return float(alignment(one, other) / size) if size else float("nan")


def _predicted(grams: np.ndarray, one: slice, other: slice) -> float:
    known = [0, *range(one.start, one.stop)]
    left = total = 0.0
    for test in grams:
        train = grams.sum(axis=0) - test
        if not test[0, 0] or not train[0, 0]:
            continue
        weights = np.linalg.lstsq(train[np.ix_(known, known)], train[known, other], rcond=1e-10)[0]
        mean = train[:1, other] / train[0, 0]
        left += _squares(test, known, other, weights)
        total += _squares(test, [0], other, mean)
    return float(1 - left / total) if total else float("nan")


def _squares(gram: np.ndarray, known: list[int], other: slice, weights: np.ndarray) -> float:
    """Return the sum of squares of what is left of `other` less `known` times `weights`."""
    predicted = weights.T @ gram[np.ix_(known, known)] @ weights
    return np.trace(gram[other, other] - 2 * weights.T @ gram[known, other] + predicted)
