"""What a training gives: the best weights, figures, examples and the model file."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vame_pipe.core.run_record import RunRecord, TrainingData
from vame_pipe.encoding import model_file
from vame_pipe.training.batches import Feed
from vame_pipe.training.network import RNN_VAE
from vame_pipe.training.schedule import Progress
from vame_pipe.training.validation import BATCH, reconstruct, validation_starts
from vame_pipe.windows.data import WindowData

if TYPE_CHECKING:
    from vame_pipe.config.sections import Model, Train


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

    def network(self, device: str) -> RNN_VAE:
        """Return the network with the best weights, in evaluation mode."""
        network = RNN_VAE(**self.arguments)
        network.load_state_dict(self.state)
        return network.to(device).eval()


def summarise(progress: Progress) -> dict[str, float]:
    """Return the figures of the best epoch and of the run, under names for MLflow."""
    best = progress.history[progress.best_epoch]
    summary = {
        name.replace("val/", "final/"): value
        for name, value in best.items()
        if name.startswith("val/")
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
    """Return some validation windows and what the model makes of them.

    Parameters
    ----------
    outcome : Outcome
    data : WindowData
    device : str
    n_windows : int
        Spread evenly over the validation windows.

    Returns
    -------
    window, output : numpy.ndarray
        `(n_windows, length + future, n_features)`, in the units of the aligned features: the frames,
        and their reconstruction followed by the prediction.
    """
    network = outcome.network(device)
    chosen = torch.from_numpy(data.val[np.linspace(0, len(data.val) - 1, n_windows).astype(int)])
    length, future = data.meta.length, data.meta.future
    feed = Feed(data.frames, device)
    (window,) = feed.batches(chosen, n_windows, length + future)
    output = reconstruct(network, window, length)
    return tuple(part.cpu().numpy() * data.std + data.mean for part in (window, output))


@torch.no_grad()
def latent_spectrum(outcome: Outcome, data: WindowData, device: str) -> np.ndarray:
    """Return the variances of the latent's principal components over the validation windows.

    Returns
    -------
    numpy.ndarray
        `(zdims,)`, the largest first.
    """
    network = outcome.network(device)
    feed = Feed(data.frames, device)
    starts = validation_starts(data)
    means = [
        network.lmbda(network.encoder(window))[1]
        for window in feed.batches(starts, BATCH, data.meta.length)
    ]
    covariance = np.atleast_2d(np.cov(torch.cat(means).cpu().numpy().T, bias=True))
    return np.linalg.eigvalsh(covariance)[::-1].clip(min=0)


def to_model_file(
    outcome: Outcome, data: WindowData, model: Model, settings: Train, run_id: str | None
) -> model_file.ModelFile:
    """Return the model file of a finished training."""
    meta = data.meta
    return model_file.ModelFile(
        arguments=outcome.arguments,
        state=outcome.state,
        features=meta.features,
        mean=data.mean.tolist(),
        std=data.std.tolist(),
        length=meta.length,
        fps=meta.fps,
        settings=resolved(data, model, settings),
        data_fingerprint=data.fingerprint,
        training=outcome.summary | {"stop": outcome.stop},
        mlflow_run_id=run_id,
    )


def run_record(
    name: str, sweep: str, data: WindowData, model: Model, settings: Train, folder: Path
) -> RunRecord:
    """Return the record of a training run that is about to start.

    Parameters
    ----------
    name, sweep : str
        Of the model; of the entry of `models` that it was expanded from.
    data : WindowData
    model : Model
    settings : Train
    folder : Path
        Where the windows are.
    """
    meta, sections = data.meta, resolved(data, model, settings)
    return RunRecord(
        name=name,
        sweep=sweep,
        variant=name.removesuffix(f"-s{settings.seed}"),
        training_id=uuid.uuid4().hex,
        started=int(time.time() * 1000),
        params={f"{s}.{key}": v for s, part in sections.items() for key, v in part.items()},
        data=TrainingData(
            path=str(folder),
            fingerprint=data.fingerprint,
            features=meta.features,
            sessions=meta.sessions,
            length=meta.length,
            fps=meta.fps,
            n_frames=len(data.frames),
            n_train=len(data.train),
            n_val=len(data.val),
        ),
    )


def resolved(data: WindowData, model: Model, settings: Train) -> dict[str, Any]:
    """Return every setting that a model depends on, by section."""
    return {
        "align": data.meta.align,
        "windows": data.meta.settings,
        "model": model.model_dump(),
        "train": settings.model_dump(),
    }
