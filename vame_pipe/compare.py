"""Models side by side: what varied, what they reached, how far they agree, and PCA for comparison."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from vame_pipe import store, windows
from vame_pipe.errors import InputError

MAX_WINDOWS = 20_000
"""Windows, of training and of test each, that principal components are computed from."""
FOLDS = 5
RUN, METRICS = "run.json", "metrics.jsonl"
"""What a training leaves beside its model.pt for those who compare and record it."""


def read_runs(results: Path, models: list[str]) -> dict[str, dict[str, Any]]:
    """Return run.json of each model.

    Raises
    ------
    InputError
        With every model that has none.
    """
    lacking = [m for m in models if not (results / "models" / m / RUN).exists()]
    if lacking:
        raise InputError(
            *(f"model {m}: {results}/models/{m}/{RUN} is not there. Train it." for m in lacking)
        )
    return {m: json.loads((results / "models" / m / RUN).read_text()) for m in models}


def require_current(results: Path, runs: dict[str, dict[str, Any]], data_fingerprint: str) -> None:
    """Raise InputError unless models and latents were made from what is in the results folder now.

    Parameters
    ----------
    results : Path
    runs : dict
        What `read_runs` returned.
    data_fingerprint : str
        Of the windows in the results folder.
    """
    problems = []
    current = [run for run in runs.values() if run["tags"]["data_fingerprint"] == data_fingerprint]
    sessions = {s for run in current for s in run["data"]["profile"]["sessions"]}
    aligned = {
        session: store.read_metadata(results / f"aligned/{session}.parquet").get("fingerprint")
        for session in sorted(sessions)
    }
    for name, run in runs.items():
        if run["tags"]["data_fingerprint"] != data_fingerprint:
            problems.append(
                f"model {name}: was trained on other windows than those of {results}/windows. Train it "
                "again, or name the models to compare with --models."
            )
            continue
        digest = store.file_fingerprint(results / "models" / name / "model.pt")
        for session in run["data"]["profile"]["sessions"]:
            path = results / f"latents/{name}/{session}.parquet"
            made_from = store.read_metadata(path)
            if made_from["model_fingerprint"] != digest:
                problems.append(f"{path}: was made by another model.pt. Encode the session again.")
            elif made_from["aligned_fingerprint"] != aligned[session]:
                problems.append(
                    f"{path}: was made from another aligned recording. Encode the session again."
                )
    if problems:
        raise InputError(*problems)


def varied(runs: dict[str, dict[str, Any]]) -> list[str]:
    """Return the parameters that are not the same in all runs, in their order."""
    first, *others = (run["params"] for run in runs.values())
    return [key for key, value in first.items() if any(o.get(key) != value for o in others)]


def error(run: dict[str, Any]) -> float:
    """Return the squared error per held-out window by which models of the same windows are ranked.

    Not the objective: its weights may differ between the models that are compared.
    """
    return run["summary"]["final/reconstruction"] + run["summary"]["final/prediction"]


def table(
    data: windows.WindowData, runs: dict[str, dict[str, Any]], run_ids: dict[str, str | None]
) -> pd.DataFrame:
    """Return one row per model: what varied, final figures, the same of PCA, MLflow's run.

    Parameters
    ----------
    data : WindowData
        The windows that all of them were trained on.
    runs : dict
        What `read_runs` returned.
    run_ids : dict of str to str
        None for a run that MLflow does not have.
    """
    keys, best = varied(runs), min(runs, key=lambda m: error(runs[m]))
    baseline = pca_r2(data, {r["params"]["model.zdims"] for r in runs.values()})
    rows = [
        {"model": name, "sweep": run["tags"]["sweep"], "variant": run["tags"]["variant"]}
        | {key: run["params"][key] for key in keys}
        | run["summary"]
        | {
            "pca/r2_reconstruction": baseline[run["params"]["model.zdims"]],
            "best": name == best,
            "stop": run["stop"],
            "run_id": run_ids.get(name),
        }
        for name, run in runs.items()
    ]
    frame = pd.DataFrame(rows)
    return frame.assign(run_id=frame["run_id"].astype("string"))


def pca_r2(data: windows.WindowData, components: set[int]) -> dict[int, float]:
    """Return the R2 of held-out windows rebuilt from their first principal components.

    Components of training windows, R2 as in `vame_pipe.validate`: one minus the squared error over
    the squared deviation from each feature's mean.
    """
    train, test = (_draw(data, starts) for starts in (data.train, data.test))
    mean = train.mean(axis=0)
    centred = train - mean
    _, vectors = np.linalg.eigh(centred.T @ centred)
    by_feature = test.reshape(-1, data.frames.shape[1])
    total = np.square(by_feature - by_feature.mean(axis=0)).sum()
    projected = (test - mean) @ vectors[:, ::-1]
    # the components are orthonormal: what is not in the first is the error of leaving out the rest
    left = np.square(projected).sum(axis=0)[::-1].cumsum()[::-1]
    return {k: float(1 - (left[k] if k < len(left) else 0.0) / total) for k in components}


def _draw(data: windows.WindowData, starts: np.ndarray) -> np.ndarray:
    """Return windows `(n, length * n_features)` float64, at most MAX_WINDOWS of them."""
    if len(starts) > MAX_WINDOWS:
        starts = np.random.default_rng(0).choice(starts, MAX_WINDOWS, replace=False)
    steps = np.arange(data.meta["length"])
    return data.frames[starts[:, None] + steps].reshape(len(starts), -1).astype(np.float64)


def agreement(results: Path, models: list[str]) -> pd.DataFrame:
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
    grams, sizes = _grams(results, models)
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


def _grams(results: Path, models: list[str]) -> tuple[np.ndarray, list[int]]:
    """Return Gram matrices `(n_folds, 1 + n, 1 + n)` of a one and all latents, and how many each has."""
    run = next(iter(read_runs(results, models).values()))
    sessions = [
        session
        for session in run["data"]["profile"]["sessions"]
        if pq.read_metadata(results / f"latents/{models[0]}/{session}.parquet").num_rows
    ]
    alone = len(sessions) == 1
    grams: list[Any] = [0.0] * (FOLDS if alone else min(FOLDS, len(sessions)))
    for number, session in enumerate(sessions):
        parts = [read_latents(results, model, session) for model in models]
        side_by_side = np.hstack([np.ones((len(parts[0]), 1)), *parts])
        for fold, block in enumerate(np.array_split(side_by_side, FOLDS) if alone else []):
            grams[fold] += block.T @ block
        if not alone:
            grams[number % len(grams)] += side_by_side.T @ side_by_side
    return np.array(grams), [part.shape[1] for part in parts]


def read_latents(results: Path, model: str, session: str) -> np.ndarray:
    """Return the latents `(n_windows, zdims)` of a session by a model."""
    path = results / "latents" / model / f"{session}.parquet"
    names = [name for name in pq.read_schema(path).names if name.startswith("z_")]
    return pq.read_table(path, columns=names).to_pandas().to_numpy(np.float64)


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


def write(frame: pd.DataFrame, path: Path) -> None:
    """Write a table as Parquet and, beside it, as CSV."""
    content = pa.Table.from_pandas(frame, preserve_index=False)
    store.write_tables(path, [content], content.schema, store.metadata())
    store.write_text(path.with_suffix(".csv"), frame.to_csv(index=False))
