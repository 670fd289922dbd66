"""What a model is worth on held-out windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from vame_pipe.training.batches import Feed
from vame_pipe.training.losses import loss_terms, objective
from vame_pipe.training.network import RNN_VAE
from vame_pipe.windows.data import WindowData

if TYPE_CHECKING:
    from vame_pipe.config.sections import Train

BATCH = 256
MAX_WINDOWS = 20_000
"""Validation stays cheap on large data; the same windows are drawn each time."""
ACTIVE_VARIANCE = 0.01
"""A latent dimension is active if its mean varies by more (Burda et al. 2016, arXiv 1509.00519)."""


def validation_starts(data: WindowData) -> torch.Tensor:
    """Return the windows of validation: all of them, or a draw of many.

    The draw depends on the windows alone, so that models of any seed are validated on the same ones.
    """
    val = data.val
    if len(val) > MAX_WINDOWS:
        rng = np.random.default_rng(data.meta.settings["seed"])
        val = np.sort(rng.choice(val, MAX_WINDOWS, replace=False))
    return torch.from_numpy(val)


@torch.no_grad()
def evaluate(
    network: RNN_VAE,
    feed: Feed,
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
    n_features = feed.frames.shape[1]
    sums = torch.zeros(4, device=feed.device)
    moments = torch.zeros(2, 2, n_features, device=feed.device)  # (part, power, feature)
    means = []
    for window in feed.batches(starts, BATCH, length + future):
        parts = (window[:, :length], window[:, length:])
        terms, mu = loss_terms(network, parts[0], window)
        sums += terms * len(window)
        means.append(mu)
        for part, values in enumerate(parts):
            moments[part, 0] += values.sum(dim=(0, 1))
            moments[part, 1] += values.square().sum(dim=(0, 1))
    terms = (sums / len(starts)).tolist()
    metrics = named("val", terms, settings)
    variance = torch.cat(means).var(dim=0, correction=0)
    metrics["val/active_units"] = int((variance > ACTIVE_VARIANCE).sum())
    for part, (name, steps) in enumerate((("reconstruction", length), ("prediction", future))):
        if steps:
            count = len(starts) * steps
            total = (moments[part, 1] - moments[part, 0].square() / count).sum()
            metrics[f"val/r2_{name}"] = 1 - terms[part] * len(starts) / float(total)
    return metrics


def named(split: str, terms: list[float], settings: Train) -> dict[str, float]:
    """Return loss terms under the names of metrics.jsonl, with the un-annealed objective."""
    values = dict(zip(("reconstruction", "prediction", "kl", "spectral"), terms, strict=True))
    values["loss"] = objective(terms, settings)
    return {f"{split}/{name}": float(value) for name, value in values.items()}


@torch.no_grad()
def reconstruct(network: RNN_VAE, window: torch.Tensor, length: int) -> torch.Tensor:
    """Return reconstruction and prediction `(batch, length + future, n_features)` of windows."""
    network.eval()
    prediction, *rest = network(window[:, :length])
    return torch.cat([prediction, rest[0]], dim=1) if network.FUTURE_DECODER else prediction
