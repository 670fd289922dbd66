"""Compare models: settings that differ, final metrics, similarity of latents, and a PCA baseline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from vame_pipe.core import files
from vame_pipe.core.agreement import ModelAgreement, model_agreement
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout
from vame_pipe.core.metadata import ComparisonMetadata, to_metadata
from vame_pipe.core.run_record import RunRecord, best_model, differing_params, read_runs
from vame_pipe.core.source import COMPARE
from vame_pipe.reporting.current import other_windows, require_current
from vame_pipe.reporting.similarity import similarity
from vame_pipe.windows import data as window_data
from vame_pipe.windows.data import WindowData

MAX_WINDOWS = 20_000
"""Training windows, and validation windows, that the PCA baseline uses at most."""


def compare(layout: Layout, models: list[str], run_ids: dict[str, str | None]) -> None:
    """Write the comparison of models and the similarity of their latents, as Parquet and CSV.

    Parameters
    ----------
    layout : Layout
    models : list of str
    run_ids : dict of str to str
        MLflow run of each model.

    Raises
    ------
    InputError
        If a model or its latents are missing, or were made from other data.
    """
    runs = read_runs(layout, models)
    data = window_data.load(layout.windows_folder.root)
    others = [name for name, run in runs.items() if run.data.fingerprint != data.fingerprint]
    if others:
        raise InputError(*(other_windows(layout, name) for name in others))
    digests = require_current(layout, runs, data.meta.sessions)
    meta = to_metadata(ComparisonMetadata(digests, data.meta.aligned, COMPARE))
    motifs = model_agreement(layout, runs)
    write(comparison_table(data, runs, run_ids, motifs), layout.comparison, meta)
    write(similarity(layout, models, data.meta.sessions), layout.similarity, meta)


def comparison_table(
    data: WindowData,
    runs: dict[str, RunRecord],
    run_ids: dict[str, str | None],
    motifs: dict[str, ModelAgreement],
) -> pd.DataFrame:
    """Return one row per model: differing settings, metrics, PCA baseline, agreement of motifs, MLflow run.

    Parameters
    ----------
    data : WindowData
        The windows that all models were trained on.
    runs : dict of str to RunRecord
        By model.
    run_ids : dict of str to str
        None for a run that is not in MLflow.
    motifs : dict of str to ModelAgreement
        Of models that were trained with several seeds; without one there are no such columns.
    """
    keys, best = differing_params(runs), best_model(runs)
    baseline = pca_r2(data, {run.params["model.zdims"] for run in runs.values()})
    rows = [
        {"model": name, "sweep": run.sweep, "variant": run.variant}
        | {key: run.params[key] for key in keys}
        | run.summary
        | {
            "pca/r2_reconstruction": baseline[run.params["model.zdims"]],
        }
        | (motifs[name].metrics if name in motifs else {})
        | {
            "best": name == best,
            "stop": run.stop,
            "run_id": run_ids.get(name),
        }
        for name, run in runs.items()
    ]
    table = pd.DataFrame(rows)
    return table.assign(run_id=table["run_id"].astype("string"))


def pca_r2(data: WindowData, components: set[int]) -> dict[int, float]:
    """Return R2 of validation windows rebuilt from their first principal components.

    The components are those of training windows. R2 is one minus the squared error over the squared
    deviation from the mean of each feature, as in `vame_pipe.training.validation`.

    Parameters
    ----------
    data : WindowData
    components : set of int
        Numbers of components to keep.
    """
    train, val = (_draw_windows(data, starts) for starts in (data.train, data.val))
    n_components = min(max(components), *train.shape)
    mean = train.mean(axis=0)
    train, centred = train - mean, val - mean
    _, vectors = np.linalg.eigh(train.T @ train)
    principal = vectors[:, ::-1][:, :n_components]
    by_feature = val.reshape(-1, data.frames.shape[1])
    total = np.square(by_feature - by_feature.mean(axis=0)).sum()
    # the components are orthonormal: rebuilding a window recovers the sum of squares along them
    recovered = np.square(centred @ principal).sum(axis=0).cumsum()
    residual = np.square(centred).sum() - recovered
    return {k: float(1 - residual[min(k, n_components) - 1] / total) for k in components}


def write(table: pd.DataFrame, path: Path, meta: dict[str, Any]) -> None:
    """Write a table as Parquet with metadata, and as CSV next to it."""
    content = pa.Table.from_pandas(table, preserve_index=False)
    files.write_tables(path, [content], content.schema, meta)
    files.write_text(path.with_suffix(".csv"), table.to_csv(index=False))


def _draw_windows(data: WindowData, starts: np.ndarray) -> np.ndarray:
    """Return windows `(n, length * n_features)` float64, at most MAX_WINDOWS of them."""
    if len(starts) > MAX_WINDOWS:
        starts = np.random.default_rng(0).choice(starts, MAX_WINDOWS, replace=False)
    steps = np.arange(data.meta.length)
    windows = data.frames[starts[:, None] + steps].reshape(len(starts), -1)
    return windows.astype(np.float64)
