"""The run record: identity and description of a training run, in run.json and in MLflow."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vame_pipe import __version__
from vame_pipe.core import files
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout


@dataclass(frozen=True)
class TrainingData:
    """The windows that a model was trained on.

    Attributes
    ----------
    path : str
        Folder with the windows.
    fingerprint : str
        SHA-256 of frames, windows and normaliser.
    features : list of str
    aligned : dict of str to str
        For each session the fingerprint of its aligned file.
    length : int
        Number of frames of a window that are encoded.
    fps : float
        Frames per second.
    n_frames, n_train, n_val : int
        Number of valid frames, of training windows and of validation windows.
    """

    path: str
    fingerprint: str
    features: list[str]
    aligned: dict[str, str]
    length: int
    fps: float
    n_frames: int
    n_train: int
    n_val: int

    @property
    def sessions(self) -> list[str]:
        """Names of the sessions that the model was trained on."""
        return list(self.aligned)


@dataclass(frozen=True)
class RunRecord:
    """A training run.

    Attributes
    ----------
    name : str
        Name of the model.
    sweep : str
        Entry of `models` in the configuration that the model was expanded from.
    variant : str
        Name without the seed: the same for models that differ only in the seed.
    training_id : str
        Links the training run to its MLflow run, whichever process opened that.
    started : int
        Milliseconds since 1970.
    params : dict
        Every setting, flat, as `section.key`.
    data : TrainingData
    stage_version : int
        See `core.source`.
    source : dict of str to str
        MLflow tags: user, git commit, device.
    run_id : str or None
        Id of the MLflow run; None if there is none (yet).
    ended : int or None
        Milliseconds since 1970; None until training has finished.
    summary : dict of str to float
        Metrics of the best epoch, `final/...`; empty until training has finished.
    stop : str
        Why training stopped; empty until it has.
    """

    name: str
    sweep: str
    variant: str
    training_id: str
    started: int
    params: dict[str, Any]
    data: TrainingData
    stage_version: int
    source: dict[str, str] = field(default_factory=dict)
    run_id: str | None = None
    ended: int | None = None
    summary: dict[str, float] = field(default_factory=dict)
    stop: str = ""

    @property
    def tags(self) -> dict[str, str]:
        """The tags of the MLflow run."""
        return self.source | {
            "model": self.name,
            "sweep": self.sweep,
            "variant": self.variant,
            "data_fingerprint": self.data.fingerprint,
            "training_id": self.training_id,
        }

    @property
    def error(self) -> float:
        """Squared error per validation window, by which models of the same windows are ranked.

        The objective cannot be used for that: its weights may differ between the models.
        """
        return self.summary["final/reconstruction"] + self.summary["final/prediction"]


def write(record: RunRecord, path: Path) -> None:
    """Write run.json atomically."""
    files.write_json(path, dataclasses.asdict(record))


def read(path: Path) -> RunRecord:
    """Return the run record in run.json.

    Raises
    ------
    InputError
        If the file is damaged or was written by another version of vame_pipe.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return RunRecord(**content | {"data": TrainingData(**content["data"])})
    except (TypeError, KeyError, ValueError):
        raise InputError(
            f"{path}: not a run record of vame_pipe {__version__}; it is damaged or of another version. "
            "Train the model again."
        ) from None


def read_runs(layout: Layout, models: list[str]) -> dict[str, RunRecord]:
    """Return the run record of each model.

    Raises
    ------
    InputError
        With one line per model that has none.
    """
    paths = {model: layout.model(model).run for model in models}
    missing = {model: path for model, path in paths.items() if not path.exists()}
    if missing:
        raise InputError(
            *(f"model {m}: {path} not found. Train the model first." for m, path in missing.items())
        )
    return {model: read(path) for model, path in paths.items()}


def differing_params(runs: dict[str, RunRecord]) -> list[str]:
    """Return the settings that differ between runs, in the order of the first run."""
    first, *others = (run.params for run in runs.values())
    return [key for key, value in first.items() if any(other.get(key) != value for other in others)]


def best_model(runs: dict[str, RunRecord]) -> str:
    """Return the name of the model with the lowest squared error on the validation windows."""
    return min(runs, key=lambda name: runs[name].error)


def read_history(metrics: Path) -> list[dict[str, Any]]:
    """Return metrics.jsonl, one entry per epoch."""
    return [json.loads(line) for line in metrics.read_text(encoding="utf-8").splitlines()]


def require_models(layout: Layout) -> list[str]:
    """Return the names of all trained models.

    Raises
    ------
    InputError
        If there is none.
    """
    models = layout.trained_models()
    if not models:
        raise InputError(
            f"{layout.root}: contains no trained model (expected models/*/run.json). Run snakemake."
        )
    return models
