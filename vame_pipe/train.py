"""One visible training loop."""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vame_pipe import checkpoint
from vame_pipe.errors import InputError
from vame_pipe.losses import annealing, kl_divergence, spectral_norm, squared_error
from vame_pipe.model import RNN_VAE
from vame_pipe.windows import WindowData, gather, normalise

if TYPE_CHECKING:
    from vame_pipe.config import Model, Train

log = logging.getLogger(__name__)

CLIP_NORM = 5.0
"""Gradients longer than this are shortened to it; a recurrent network's explode now and then."""
EVAL_BATCH = 256
MAX_VALIDATION_WINDOWS = 20_000
"""A validation epoch stays cheap on large data; the same windows are drawn each time."""
ACTIVE_VARIANCE = 0.01
"""A latent dimension is active if its mean varies by more (Burda et al. 2016, arXiv 1509.00519)."""


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


def network_arguments(model: Model, data: WindowData) -> dict[str, Any]:
    """Return the arguments of RNN_VAE for the settings and the data."""
    size = model.hidden_size_layer_1
    return {
        "TEMPORAL_WINDOW": 2 * data.meta["length"],
        "ZDIMS": model.zdims,
        "NUM_FEATURES": len(data.meta["features"]),
        "FUTURE_DECODER": data.meta["future"] > 0,
        "FUTURE_STEPS": data.meta["future"],
        "hidden_size_layer_1": size,
        "hidden_size_layer_2": size,
        "hidden_size_rec": model.hidden_size_rec,
        "hidden_size_pred": model.hidden_size_pred,
        "dropout_encoder": model.dropout_encoder,
        "dropout_rec": model.dropout_rec,
        "dropout_pred": model.dropout_pred,
        "softplus": model.softplus,
    }


def train(
    data: WindowData,
    model: Model,
    settings: Train,
    device: str,
    metrics_path: Path,
    on_epoch: Callable[[dict[str, Any]], None] = lambda metrics: None,
) -> Outcome:
    """Train one model.

    Parameters
    ----------
    data : WindowData
    model : Model
    settings : Train
    device : str
        A torch device, see `choose_device`.
    metrics_path : Path
        metrics.jsonl, a line per epoch, written as training goes.
    on_epoch : callable
        Called with the metrics of each epoch after they are on disk.

    Raises
    ------
    InputError
        If the loss stops being a number.
    """
    seed_everything(settings.seed)
    frames = torch.from_numpy(normalise(data.frames, data.mean, data.std)).to(device)
    train_starts = torch.from_numpy(data.train).to(device)
    test_starts = validation_starts(data.test, settings.seed).to(device)
    length, future = data.meta["length"], data.meta["future"]
    arguments = network_arguments(model, data)
    network = RNN_VAE(**arguments).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)

    history: list[dict[str, Any]] = []
    best, best_epoch, best_state = float("inf"), -1, {}
    stop = "max_epochs reached"
    began = time.perf_counter()
    metrics_path.parent.mkdir(parents=True, exist_ok=True)
    with metrics_path.open("w") as stream:
        for epoch in range(settings.max_epochs):
            weight = annealing(
                epoch, settings.kl_start, settings.anneal_epochs, settings.anneal_function
            )
            epoch_began = time.perf_counter()
            try:
                terms = train_epoch(
                    network, optimizer, frames, train_starts, length, future, settings, weight
                )
            except torch.linalg.LinAlgError:  # singular values of what is no longer a number
                terms = [float("nan")] * 4
            seconds = time.perf_counter() - epoch_began
            metrics = {
                "epoch": epoch,
                "windows_seen": (epoch + 1) * len(train_starts),
                "annealing": weight,
                "windows_per_second": len(train_starts) / seconds,
                **named("train", terms, settings.beta),
                **evaluate(network, frames, test_starts, length, future, settings),
            }
            require_finite(metrics, settings)
            history.append(metrics)
            stream.write(json.dumps(metrics) + "\n")
            stream.flush()
            log.info(
                "epoch %d: train %.4g, test %.4g, R2 %.3f, %.0f windows/s",
                epoch,
                metrics["train/loss"],
                metrics["test/loss"],
                metrics["test/r2_reconstruction"],
                metrics["windows_per_second"],
            )
            on_epoch(metrics)
            if metrics["test/loss"] < best:
                best, best_epoch = metrics["test/loss"], epoch
                best_state = {k: v.detach().cpu().clone() for k, v in network.state_dict().items()}
            elif epoch - best_epoch >= settings.patience:
                stop = f"no better test loss for {settings.patience} epochs"
                break
    log.info("stopped: %s; best epoch %d", stop, best_epoch)
    summary = summarise(history, best_epoch) | {"final/seconds": time.perf_counter() - began}
    return Outcome(best_state, arguments, history, summary, stop)


def train_epoch(
    network: RNN_VAE,
    optimizer: torch.optim.Optimizer,
    frames: torch.Tensor,
    starts: torch.Tensor,
    length: int,
    future: int,
    settings: Train,
    annealing_weight: float,
) -> list[float]:
    """Pass once over the training windows; return the mean loss terms, un-annealed."""
    network.train()
    sums = torch.zeros(4, device=frames.device)
    for batch in batches(starts, settings.batch_size):
        window = gather(frames, batch, length + future)
        seen = window[:, :length]
        if settings.noise:
            seen = seen + settings.noise * torch.randn_like(seen)
        terms = loss_terms(network, seen, window, settings.spectral_weight)
        loss = objective(terms, settings.beta, annealing_weight)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP_NORM)
        optimizer.step()
        sums += torch.stack([term.detach() for term in terms]) * len(batch)
    return (sums / len(starts)).tolist()  # the one wait for the device in an epoch


def require_finite(metrics: dict[str, Any], settings: Train) -> None:
    """Raise InputError if a loss is no longer a number."""
    lost = [name for name, value in metrics.items() if not np.isfinite(value)]
    if lost:
        raise InputError(
            f"training: {', '.join(lost)} is not a number after epoch {metrics['epoch']}. Lower "
            f"train.learning_rate ({settings.learning_rate:g})."
        )


def summarise(history: list[dict[str, Any]], best_epoch: int) -> dict[str, float]:
    """Return the figures of the best epoch and of the run, under names for MLflow."""
    best = history[best_epoch]
    summary = {
        name.replace("test/", "final/"): value
        for name, value in best.items()
        if name.startswith("test/")
    }
    speeds = [metrics["windows_per_second"] for metrics in history]
    return summary | {
        "final/best_epoch": best_epoch,
        "final/epochs": len(history),
        "final/windows_seen": history[-1]["windows_seen"],
        "final/windows_per_second": float(np.median(speeds)),
    }


@torch.no_grad()
def reconstruct(
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
    network.to(device).eval()
    chosen = data.test[np.linspace(0, len(data.test) - 1, n_windows).astype(int)]
    frames = torch.from_numpy(normalise(data.frames, data.mean, data.std))
    length, future = data.meta["length"], data.meta["future"]
    window = gather(frames, torch.from_numpy(chosen), length + future).to(device)
    parts = network(window[:, :length])[: 2 if future else 1]
    output = torch.cat(parts, dim=1)
    return tuple(part.cpu().numpy() * data.std + data.mean for part in (window, output))


def seed_everything(seed: int) -> None:
    """Seed python, numpy and torch, and have torch compute the same thing each time."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)


def validation_starts(test: np.ndarray, seed: int) -> torch.Tensor:
    """Return the fixed windows of validation: all test windows, or a seeded draw of many."""
    if len(test) > MAX_VALIDATION_WINDOWS:
        rng = np.random.default_rng(seed)
        test = np.sort(rng.choice(test, MAX_VALIDATION_WINDOWS, replace=False))
    return torch.from_numpy(test)


def batches(starts: torch.Tensor, size: int) -> tuple[torch.Tensor, ...]:
    """Return the windows of an epoch in random order, on their device."""
    order = torch.randperm(len(starts)).to(starts.device)
    return torch.split(starts[order], size)


def loss_terms(
    network: RNN_VAE, seen: torch.Tensor, window: torch.Tensor, spectral_weight: float
) -> tuple[torch.Tensor, ...]:
    """Return reconstruction, prediction, KL and weighted spectral term of a batch.

    Parameters
    ----------
    network : RNN_VAE
    seen : Tensor
        `(batch, length, n_features)`: what is encoded.
    window : Tensor
        `(batch, length + future, n_features)`: what is to be reconstructed and predicted.
    spectral_weight : float
    """
    prediction, *rest = network(seen)
    z, mu, logvar = rest[-3:]
    length = prediction.shape[1]
    reconstruction = squared_error(prediction, window[:, :length])
    future = (
        squared_error(rest[0], window[:, length:]) if network.FUTURE_DECODER else z.new_zeros(())
    )
    spectral = spectral_weight * spectral_norm(z) if spectral_weight else z.new_zeros(())
    return reconstruction, future, kl_divergence(mu, logvar), spectral


def objective(terms: Any, beta: float, weight: float = 1.0) -> Any:
    """Return reconstruction + prediction + weight * (beta * KL + spectral term).

    Squared errors are sums over a window's frames and features, averaged over windows.
    """
    reconstruction, future, kl, spectral = terms
    return reconstruction + future + weight * (beta * kl + spectral)


def named(split: str, terms: list[float], beta: float) -> dict[str, float]:
    """Return loss terms under the names of metrics.jsonl, with their un-annealed sum."""
    values = dict(zip(("reconstruction", "prediction", "kl", "spectral"), terms, strict=True))
    values["loss"] = objective(terms, beta)
    return {f"{split}/{name}": float(value) for name, value in values.items()}


@torch.no_grad()
def evaluate(
    network: RNN_VAE,
    frames: torch.Tensor,
    starts: torch.Tensor,
    length: int,
    future: int,
    settings: Train,
) -> dict[str, float]:
    """Return the un-annealed loss terms, R2 and active dimensions over the validation windows.

    R2 is one minus the squared error over the squared deviation from each feature's mean over the
    same windows; in evaluation z is the posterior mean.
    """
    network.eval()
    sums = torch.zeros(4, device=frames.device)
    moments = torch.zeros(2, 2, frames.shape[1], device=frames.device)  # (part, power, feature)
    latents = []
    for batch in torch.split(starts, EVAL_BATCH):
        window = gather(frames, batch, length + future)
        terms = loss_terms(network, window[:, :length], window, settings.spectral_weight)
        sums += torch.stack(terms) * len(batch)
        for part, values in enumerate((window[:, :length], window[:, length:])):
            moments[part, 0] += values.sum(dim=(0, 1))
            moments[part, 1] += values.square().sum(dim=(0, 1))
        latents.append(network.lmbda(network.encoder(window[:, :length]))[1])
    means = (sums / len(starts)).tolist()
    metrics = named("test", means, settings.beta)
    variance = torch.cat(latents).var(dim=0, correction=0)
    metrics["test/active_units"] = int((variance > ACTIVE_VARIANCE).sum())
    for part, (name, steps) in enumerate((("reconstruction", length), ("prediction", future))):
        if steps:
            count = len(starts) * steps
            total = (moments[part, 1] - moments[part, 0].square() / count).sum()
            metrics[f"test/r2_{name}"] = 1 - means[part] * len(starts) / float(total)
    return metrics


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
