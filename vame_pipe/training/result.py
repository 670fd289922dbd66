"""Results of a training run: best weights, metrics, example reconstructions, model file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from vame_pipe.encoding import model_file
from vame_pipe.encoding.model_file import Reference
from vame_pipe.training.batches import WindowBatches
from vame_pipe.training.network import RNN_VAE, trained_network
from vame_pipe.training.schedule import Progress
from vame_pipe.training.validation import (
    METRICS,
    VAL_BATCH_SIZE,
    reconstruct,
    validation_starts,
)
from vame_pipe.windows.data import WindowData

if TYPE_CHECKING:
    from vame_pipe.config.sections import Model, Train


@dataclass(frozen=True)
class TrainingResult:
    """Result of a training run.

    Attributes
    ----------
    state : dict of str to Tensor
        Weights of the best epoch, on the CPU.
    arguments : dict
        Arguments of RNN_VAE.
    history : list of dict
        One entry per epoch, as in metrics.jsonl.
    summary : dict of str to float
        Metrics of the best epoch and of the training run, `final/...`.
    stop : str
        Why training stopped.
    """

    state: dict[str, Tensor]
    arguments: dict[str, Any]
    history: list[dict[str, Any]]
    summary: dict[str, float]
    stop: str

    def network(self, device: str) -> RNN_VAE:
        """Return the network with the best weights, in evaluation mode."""
        return trained_network(self.arguments, self.state, device)


def summarise(progress: Progress) -> dict[str, float]:
    """Return the metrics of the best epoch and of the training run, `final/...`."""
    best = progress.history[progress.best_epoch]
    summary = {f"final/{name}": best[f"val/{name}"] for name in METRICS if f"val/{name}" in best}
    speeds = [metrics["windows_per_second"] for metrics in progress.history]
    return summary | {
        "final/best_epoch": progress.best_epoch,
        "final/epochs": len(progress.history),
        "final/windows_seen": progress.history[-1]["windows_seen"],
        "final/windows_per_second": float(np.median(speeds)),
        "final/seconds": progress.seconds,
    }


def examples(
    result: TrainingResult, data: WindowData, device: str, n_windows: int = 4
) -> tuple[np.ndarray, np.ndarray]:
    """Return example validation windows and their reconstructions.

    Parameters
    ----------
    result : TrainingResult
    data : WindowData
    device : str
        A torch device.
    n_windows : int
        Windows to return, spread evenly over the validation windows.

    Returns
    -------
    window, output : numpy.ndarray
        `(n_windows, length + future, n_features)`, in the units of the aligned features: the frames, and
        their reconstruction followed by the prediction.
    """
    chosen = np.linspace(0, len(data.val) - 1, n_windows).astype(int)
    starts = torch.from_numpy(data.val[chosen])
    n_frames = data.meta.length + data.meta.future
    (window,) = WindowBatches(data.frames, device).gather(starts, n_windows, n_frames)
    output = reconstruct(result.network(device), window)
    in_units = [part.cpu().numpy() * data.std + data.mean for part in (window, output)]
    return in_units[0], in_units[1]


@torch.no_grad()
def latent_spectrum(result: TrainingResult, data: WindowData, device: str) -> np.ndarray:
    """Return the variances of the principal components of the latent space over the validation windows.

    They are the eigenvalues of the covariance of the posterior means.

    Returns
    -------
    numpy.ndarray
        `(zdims,)`, the largest first.
    """
    network = result.network(device)
    batches = WindowBatches(data.frames, device)
    means = [
        network.lmbda(network.encoder(window))[1]
        for window in batches.gather(validation_starts(data), VAL_BATCH_SIZE, data.meta.length)
    ]
    covariance = np.atleast_2d(np.cov(torch.cat(means).cpu().numpy().T, bias=True))
    return np.linalg.eigvalsh(covariance)[::-1].clip(min=0)


@torch.no_grad()
def find_reference(result: TrainingResult, data: WindowData, device: str) -> Reference:
    """Return what the training sessions look like, to name recordings that do not resemble them."""
    network, length = result.network(device), data.meta.length
    batches = WindowBatches(data.frames, device)
    errors = [
        (reconstruct(network, window)[:, :length] - window).square().mean(dim=(1, 2)).cpu()
        for window in batches.gather(validation_starts(data), VAL_BATCH_SIZE, length)
    ]
    return Reference(
        error_p99=float(np.quantile(torch.cat(errors).numpy(), 0.99)),
        body_lengths=data.meta.body_lengths,
        source_rates=data.meta.source_rates,
    )


def to_model_file(
    result: TrainingResult,
    data: WindowData,
    model: Model,
    settings: Train,
    run_id: str | None,
    reference: Reference | None = None,
) -> model_file.ModelFile:
    """Return the model file of a finished training run.

    Parameters
    ----------
    result : TrainingResult
    data : WindowData
    model : Model
    settings : Train
    run_id : str or None
        Id of the MLflow run.
    reference : Reference, optional
        Result of `find_reference`.
    """
    return model_file.ModelFile(
        arguments=result.arguments,
        state=result.state,
        features=data.meta.features,
        mean=data.mean.tolist(),
        std=data.std.tolist(),
        length=data.meta.length,
        fps=data.meta.fps,
        settings=resolved(data, model, settings),
        data_fingerprint=data.fingerprint,
        training=result.summary | {"stop": result.stop},
        mlflow_run_id=run_id,
        reference=reference,
    )


def resolved(data: WindowData, model: Model, settings: Train) -> dict[str, dict[str, Any]]:
    """Return every setting that a model depends on, by section of the configuration."""
    return {
        "align": data.meta.align,
        "windows": data.meta.settings,
        "model": model.model_dump(),
        "train": settings.model_dump(),
    }
