"""What a training gives: the best weights, figures, examples and the model file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vame_pipe import checkpoint
from vame_pipe.feed import Feed
from vame_pipe.model import RNN_VAE
from vame_pipe.progress import Progress
from vame_pipe.validate import reconstruct
from vame_pipe.windows import WindowData

if TYPE_CHECKING:
    from vame_pipe.settings import Model, Train


@dataclass
class Outcome:
    """What training gives.

    Attributes
    ----------
    state : dict of str to Tensor
        Weights of the best epoch, on the CPU.
    arguments : dict
        Arguments of RNN_VAE.
    history : list of dict
        One entry per epoch, as in metrics.jsonl.
    summary : dict of str to float
        Figures of the best epoch and of the run.
    stop : str
        Why training ended.
    """

    state: dict[str, torch.Tensor]
    arguments: dict[str, Any]
    history: list[dict[str, Any]]
    summary: dict[str, float]
    stop: str


def summarise(progress: Progress) -> dict[str, float]:
    """Return the figures of the best epoch and of the run, under names for MLflow."""
    best = progress.history[progress.best_epoch]
    summary = {
        name.replace("test/", "final/"): value
        for name, value in best.items()
        if name.startswith("test/")
    }
    speeds = [metrics["windows_per_second"] for metrics in progress.history]
    return summary | {
        "final/best_epoch": progress.best_epoch,
        "final/epochs": len(progress.history),
        "final/windows_seen": progress.history[-1]["windows_seen"],
        "final/windows_per_second": float(np.median(speeds)),
        "final/seconds": progress.seconds,
    }


def examples(
    outcome: Outcome, data: WindowData, device: str, n_windows: int = 4
) -> tuple[np.ndarray, np.ndarray]:
    """Return some test windows and what the model makes of them.

    Parameters
    ----------
    outcome : Outcome
    data : WindowData
    device : str
    n_windows : int
        Spread evenly over the test windows.

    Returns
    -------
    window, output : numpy.ndarray
        `(n_windows, length + future, n_features)`, in the units of the aligned features: the frames,
        and their reconstruction followed by the prediction.
    """
    network = RNN_VAE(**outcome.arguments)
    network.load_state_dict(outcome.state)
    network.to(device)
    chosen = torch.from_numpy(data.test[np.linspace(0, len(data.test) - 1, n_windows).astype(int)])
    length, future = data.meta["length"], data.meta["future"]
    feed = Feed(data.frames, device)
    (window,) = feed.batches(chosen, n_windows, length + future)
    output = reconstruct(network, window, length)
    return tuple(part.cpu().numpy() * data.std + data.mean for part in (window, output))


def to_model_file(
    outcome: Outcome, data: WindowData, model: Model, settings: Train, run_id: str | None
) -> checkpoint.ModelFile:
    """Return the model file of a finished training."""
    meta = data.meta
    return checkpoint.ModelFile(
        arguments=outcome.arguments,
        state=outcome.state,
        features=meta["features"],
        mean=data.mean.tolist(),
        std=data.std.tolist(),
        length=meta["length"],
        fps=meta["fps"],
        settings=resolved(data, model, settings),
        data_fingerprint=meta["fingerprint"],
        training=outcome.summary | {"stop": outcome.stop},
        mlflow_run_id=run_id,
    )


def resolved(data: WindowData, model: Model, settings: Train) -> dict[str, Any]:
    """Return every setting that a model depends on, by section."""
    return {
        "align": data.meta["align"],
        "windows": data.meta["settings"],
        "model": model.model_dump(),
        "train": settings.model_dump(),
    }
