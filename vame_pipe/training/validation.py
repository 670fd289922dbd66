"""Evaluate a model on validation windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from vame_pipe.training.batches import WindowBatches
from vame_pipe.training.losses import LossTerms, loss_terms, objective
from vame_pipe.training.network import RNN_VAE

if TYPE_CHECKING:
    from vame_pipe.config.sections import Train
    from vame_pipe.core.metadata import WindowsMetadata
    from vame_pipe.windows.data import WindowData

VAL_BATCH_SIZE = 256
"""Validation windows per batch; the spectral term depends on it."""
MAX_VAL_WINDOWS = 20_000
"""Most validation windows that are used; the same ones in every epoch."""
ACTIVE_VARIANCE = 0.01
"""A latent dimension is active if the variance of its posterior mean over the windows is above this
(Burda et al. 2016, arXiv 1509.00519)."""
METRICS = (*LossTerms._fields, "loss", "active_units", "r2_reconstruction", "r2_prediction")
"""What `evaluate` measures; without a prediction there is no `r2_prediction`."""


def validation_starts(data: WindowData) -> Tensor:
    """Return the first frame of each validation window that is used, `(n_windows,)`.

    If there are more than `MAX_VAL_WINDOWS`, these are a random choice that depends on the windows alone.
    So all models are validated on the same windows, whatever their seed.
    """
    val = data.val
    if len(val) > MAX_VAL_WINDOWS:
        rng = np.random.default_rng(data.meta.settings["seed"])
        val = np.sort(rng.choice(val, MAX_VAL_WINDOWS, replace=False))
    return torch.from_numpy(val)


@torch.no_grad()
def evaluate(
    network: RNN_VAE,
    batches: WindowBatches,
    starts: Tensor,
    meta: WindowsMetadata,
    settings: Train,
) -> dict[str, float]:
    """Return `METRICS` as `val/*`: loss terms without annealing, R2 and active latent dimensions.

    `R2 = 1 - squared error / squared deviation from the mean of each feature`, both summed over the same
    windows. In evaluation the latent vector is the posterior mean. A dimension is active if the variance of
    its posterior mean is above `ACTIVE_VARIANCE`.

    Parameters
    ----------
    network : RNN_VAE
    batches : WindowBatches
    starts : Tensor
        `(n_windows,)`, what `validation_starts` returned.
    meta : WindowsMetadata
    settings : Train
        Weights of the loss terms.
    """
    network.eval()
    length, future = meta.length, meta.future
    sums = torch.zeros(len(LossTerms._fields), device=batches.device)
    moments = torch.zeros(2, 2, len(meta.features), device=batches.device)  # (part, power, feature)
    means = []
    for window in batches.gather(starts, VAL_BATCH_SIZE, length + future):
        parts = (window[:, :length], window[:, length:])
        terms, mu = loss_terms(network, parts[0], window)
        sums += torch.stack(terms) * len(window)
        means.append(mu)
        for part, values in enumerate(parts):
            moments[part, 0] += values.sum(dim=(0, 1))
            moments[part, 1] += values.square().sum(dim=(0, 1))
    averages: LossTerms[float] = LossTerms(*(sums / len(starts)).tolist())
    metrics = with_prefix("val", averages, settings)
    variance = torch.cat(means).var(dim=0, correction=0)
    metrics["val/active_units"] = int((variance > ACTIVE_VARIANCE).sum())
    errors = {"reconstruction": averages.reconstruction, "prediction": averages.prediction}
    for part, (name, steps) in enumerate(zip(errors, (length, future), strict=True)):
        if steps:
            count = len(starts) * steps
            total = (moments[part, 1] - moments[part, 0].square() / count).sum()
            metrics[f"val/r2_{name}"] = 1 - errors[name] * len(starts) / float(total)
    return metrics


def with_prefix(split: str, terms: LossTerms[float], settings: Train) -> dict[str, float]:
    """Return loss terms, and the objective without annealing, under their names in metrics.jsonl.

    Parameters
    ----------
    split : {'train', 'val'}
    terms : LossTerms
    settings : Train
        Weights of the loss terms.
    """
    values = terms._asdict() | {"loss": objective(terms, settings)}
    return {f"{split}/{name}": float(value) for name, value in values.items()}


@torch.no_grad()
def reconstruct(network: RNN_VAE, window: Tensor) -> Tensor:
    """Return reconstruction and prediction of windows, one after the other in time.

    Parameters
    ----------
    network : RNN_VAE
    window : Tensor
        `(batch, length + future, n_features)`, of which the first `length` frames are encoded.

    Returns
    -------
    Tensor
        Of the same shape.
    """
    network.eval()
    reconstruction, *rest = network(window[:, : network.seq_len])
    if not network.FUTURE_DECODER:
        return reconstruction
    return torch.cat([reconstruction, rest[0]], dim=1)
