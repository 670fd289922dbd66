"""Similarity of the latents of two models, invariant to rotation, scale and shift."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from vame_pipe.core.layout import Layout
from vame_pipe.core.schemas import latent_columns

FOLDS = 5


def similarity(layout: Layout, models: list[str], sessions: list[str]) -> pd.DataFrame:
    """Return the similarity of the latents of each pair of models.

    Parameters
    ----------
    layout : Layout
    models, sessions : list of str

    Returns
    -------
    pandas.DataFrame
        One row per ordered pair. `cka`: linear centred kernel alignment (Kornblith et al. 2019,
        arXiv 1905.00414), 1 if the latents are the same up to rotation, scale and shift. `r2`: fraction
        of the variance of `other` that a linear map of `model` predicts in sessions that the map was
        not fitted on; 1 if `other` is fully predictable from `model`. If only one session has latents,
        the map is fitted on four fifths of it. NaN if there is only one latent vector, or if all are
        the same.
    """
    products, sizes = _cross_products(layout, models, sessions)
    ends = 1 + np.cumsum(sizes)
    columns = {m: slice(e - s, e) for m, e, s in zip(models, ends, sizes, strict=True)}
    rows = [
        {
            "model": one,
            "other": other,
            "cka": _cka(products.sum(axis=0), columns[one], columns[other]),
            "r2": _predicted_r2(products, columns[one], columns[other]),
        }
        for one in models
        for other in models
        if one != other
    ]
    return pd.DataFrame(rows, columns=["model", "other", "cka", "r2"])


def read_latents(path: Path) -> np.ndarray:
    """Return the latent vectors `(n_windows, zdims)` float64 of a file."""
    return pq.read_table(path, columns=latent_columns(path)).to_pandas().to_numpy(np.float64)


def _cross_products(
    layout: Layout, models: list[str], sessions: list[str]
) -> tuple[np.ndarray, list[int]]:
    """Return the cross products of all latents, and the number of latents of each model.

    A column of ones and the latents of all models, next to each other, make a matrix per fold; its
    cross product `(1 + n_latents, 1 + n_latents)` is returned for each fold. One session is read at a
    time, to limit memory.
    """
    sessions = [
        session
        for session in sessions
        if pq.read_metadata(layout.latents(models[0], session)).num_rows
    ]
    single_session = len(sessions) == 1
    n_folds = FOLDS if single_session else min(FOLDS, len(sessions))
    products: list[np.ndarray] = [np.zeros(())] * n_folds
    sizes: list[int] = []
    for i, session in enumerate(sessions):
        parts = [read_latents(layout.latents(model, session)) for model in models]
        sizes = [part.shape[1] for part in parts]
        rows = np.hstack([np.ones((len(parts[0]), 1)), *parts])
        if single_session:
            products = [block.T @ block for block in np.array_split(rows, FOLDS)]
        else:
            products[i % n_folds] = products[i % n_folds] + rows.T @ rows
    return np.array(products), sizes


def _cka(product: np.ndarray, one: slice, other: slice) -> float:
    """Return the linear centred kernel alignment of two models."""
    centred = product - np.outer(product[0], product[0]) / product[0, 0]

    def alignment(a: slice, b: slice) -> float:
        return float(np.square(centred[a, b]).sum())

    size = np.sqrt(alignment(one, one) * alignment(other, other))
    return float(alignment(one, other) / size) if size else float("nan")


def _predicted_r2(products: np.ndarray, one: slice, other: slice) -> float:
    """Return R2 of the latents of `other` predicted from those of `one`, over all folds."""
    predictors = [0, *range(one.start, one.stop)]
    residual = total = 0.0
    for left_out in products:
        fitted = products.sum(axis=0) - left_out
        if not left_out[0, 0] or not fitted[0, 0]:
            continue
        weights = np.linalg.lstsq(
            fitted[np.ix_(predictors, predictors)], fitted[predictors, other], rcond=1e-10
        )[0]
        mean = fitted[:1, other] / fitted[0, 0]
        residual += _squared_error(left_out, predictors, other, weights)
        total += _squared_error(left_out, [0], other, mean)
    return float(1 - residual / total) if total else float("nan")


def _squared_error(
    product: np.ndarray, predictors: list[int], other: slice, weights: np.ndarray
) -> float:
    """Return the sum of squares of `other` minus `predictors` times `weights`."""
    predicted = weights.T @ product[np.ix_(predictors, predictors)] @ weights
    difference = product[other, other] - 2 * weights.T @ product[predictors, other] + predicted
    return float(np.trace(difference))
