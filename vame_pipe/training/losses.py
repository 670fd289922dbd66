"""The terms of VAME's objective, and how two of them are phased in.

Luxem et al. 2022, Communications Biology 5:1267; values as in VAME 0.14.2.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from vame_pipe.training.network import RNN_VAE

if TYPE_CHECKING:
    from vame_pipe.config.sections import Train


def squared_error(output: Tensor, target: Tensor) -> Tensor:
    """Squared error per window, summed over frames and features, averaged over the batch.

    Parameters
    ----------
    output, target : Tensor
        `(batch, time, features)`.
    """
    # first per window: torch splits a sum to one number between threads, and rounds as they are many
    return (output - target).square().sum(dim=(1, 2)).sum() / len(target)


def kl_divergence(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL divergence of the posterior from the standard normal, in nats, averaged over dimensions.

    Parameters
    ----------
    mu, logvar : Tensor
        `(batch, zdims)`.
    """
    return -0.5 * torch.mean(1 + logvar - mu.square() - logvar.exp())


def spectral_norm(z: Tensor, n_values: int | None = None) -> Tensor:
    """Sum of the largest singular values of the latent batch over the root of its size.

    VAME takes the square roots of the singular values of the `(batch, batch)` Gram matrix; these are
    the same values at a fraction of the cost.

    Parameters
    ----------
    z : Tensor
        `(batch, zdims)`.
    n_values : int, optional
        How many of them; default: all.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # LAPACK rounds as threads share the work, and there is little of it
    try:
        return torch.linalg.svdvals(z / math.sqrt(len(z)))[:n_values].sum()
    finally:
        torch.set_num_threads(threads)


def annealing(epoch: float, start: int, length: int, function: str) -> float:
    """Weight of the KL and spectral terms at an epoch; VAME's at whole ones.

    Parameters
    ----------
    epoch : float
        With the part of it that is done.
    start : int
        Up to here the weight is 0.
    length : int
        Epochs from there to full weight (linear), or epoch at which it is one half (sigmoid).
    function : {'linear', 'sigmoid'}
    """
    if epoch <= start:
        return 0.0
    if function == "linear":
        return min(1.0, (epoch - start) / length)
    return 1 / (1 + math.exp(-0.9 * (epoch - length)))


def loss_terms(network: RNN_VAE, seen: Tensor, window: Tensor) -> tuple[Tensor, Tensor]:
    """Return the terms of a batch, averaged over its windows, and the posterior means.

    Parameters
    ----------
    network : RNN_VAE
    seen : Tensor
        `(batch, length, n_features)`: what is encoded.
    window : Tensor
        `(batch, length + future, n_features)`: what is to be reconstructed and predicted.

    Returns
    -------
    terms : Tensor
        `(4,)`: squared errors of reconstruction and prediction, summed over a window; KL divergence of
        a window's posterior, nats; sum of the latent's singular values.
    mu : Tensor
        `(batch, zdims)`.
    """
    # of a network that computes with bfloat16, the terms are still float32
    prediction, *rest = (output.float() for output in network(seen))
    z, mu, logvar = rest[-3:]
    length = prediction.shape[1]
    reconstruction = squared_error(prediction, window[:, :length])
    zero = reconstruction.new_zeros(())
    future = squared_error(rest[0], window[:, length:]) if network.FUTURE_DECODER else zero
    kl = kl_divergence(mu, logvar) * mu.shape[1]
    return torch.stack([reconstruction, future, kl, spectral_norm(z)]), mu


def objective(terms: Any, settings: Train, annealed: float = 1.0) -> Any:
    """Return what is minimised, per window.

    reconstruction + prediction_weight * prediction + annealed * (beta * KL + spectral_weight * spectral).
    """
    reconstruction, future, kl, spectral = terms
    regular = settings.beta * kl + settings.spectral_weight * spectral
    return reconstruction + settings.prediction_weight * future + annealed * regular
