"""Terms of VAME's objective, and the annealing of two of them.

The objective of a batch of windows x with latent vectors z, posterior means mu and log variances logvar:

    L = |x_past - reconstruction|^2 + w_prediction * |x_future - prediction|^2
        + a * (beta * KL + w_spectral * S)

- `|...|^2` is summed over the frames and features of a window and averaged over the windows;
- `KL = -1/2 * sum over dimensions of (1 + logvar - mu^2 - exp(logvar))`, in nats, averaged over windows;
- `S` is the sum of the singular values of `Z / sqrt(batch)`, with one row of `Z` per window;
- `a` grows from 0 to 1 in the first epochs (annealing).

Luxem et al. 2022, Communications Biology 5:1267. The terms are those of VAME 0.14.2, apart from their
weights: VAME averages the KL divergence over the latent dimensions and sums squared errors over the batch.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

from vame_pipe.training.network import RNN_VAE

if TYPE_CHECKING:
    from vame_pipe.config.sections import Train

Value = TypeVar("Value", float, Tensor)


class LossTerms(NamedTuple, Generic[Value]):
    """The four terms of the objective, per window, as numbers or as scalar tensors.

    Attributes
    ----------
    reconstruction, prediction : float or Tensor
        Squared error, summed over the frames and features of a window.
    kl : float or Tensor
        KL divergence of the posterior of a window from the standard normal, in nats.
    spectral : float or Tensor
        Sum of the singular values of the latent vectors of a batch, see `spectral_norm`.
    """

    reconstruction: Value
    prediction: Value
    kl: Value
    spectral: Value


def squared_error(output: Tensor, target: Tensor) -> Tensor:
    """Return the squared error per window, summed over frames and features, averaged over the batch.

    Parameters
    ----------
    output, target : Tensor
        `(batch, time, features)`.

    Examples
    --------
    >>> squared_error(torch.zeros(2, 3, 4), torch.ones(2, 3, 4)).item()
    12.0
    """
    # one sum per window first: torch divides the sum of a whole tensor between threads, so that its
    # rounding would depend on their number
    return (output - target).square().sum(dim=(1, 2)).sum() / len(target)


def kl_divergence(mu: Tensor, logvar: Tensor) -> Tensor:
    """Return the KL divergence of the posterior from the standard normal, averaged over dimensions.

    `-1/2 * mean(1 + logvar - mu^2 - exp(logvar))`, in nats (Kingma & Welling 2014, arXiv 1312.6114).

    Parameters
    ----------
    mu, logvar : Tensor
        `(batch, zdims)`.

    Examples
    --------
    >>> kl_divergence(torch.ones(3, 2), torch.zeros(3, 2)).item()
    0.5
    """
    return -0.5 * torch.mean(1 + logvar - mu.square() - logvar.exp())


def spectral_norm(z: Tensor) -> Tensor:
    """Return the sum of the singular values of `z / sqrt(batch)`.

    VAME takes the square roots of the singular values of the `(batch, batch)` Gram matrix `z z^T / batch`.
    Those are the same values, at twenty times the cost.

    Parameters
    ----------
    z : Tensor
        `(batch, zdims)`.

    Examples
    --------
    >>> round(spectral_norm(torch.tensor([[2.0, 0.0], [0.0, 4.0]])).item(), 4)  # (2 + 4) / sqrt(2)
    4.2426
    """
    threads = torch.get_num_threads()
    # the rounding of LAPACK depends on the number of threads, and there is little work to share
    torch.set_num_threads(1)
    try:
        return torch.linalg.svdvals(z / math.sqrt(len(z))).sum()
    finally:
        torch.set_num_threads(threads)


def annealing(epoch: float, start: int, length: int, function: str) -> float:
    """Return the weight of the KL and spectral terms; at whole epochs it is VAME's.

    linear: `(epoch - start) / length`, at most 1; sigmoid: `1 / (1 + exp(-0.9 * (epoch - length)))`.

    Parameters
    ----------
    epoch : float
        Fractional epoch.
    start : int
        The weight is 0 up to this epoch.
    length : int
        Epochs from there to full weight (linear), or epoch at which the weight is one half (sigmoid).
    function : {'linear', 'sigmoid'}

    Examples
    --------
    >>> [annealing(epoch, 1, 4, "linear") for epoch in (1, 2, 5, 9)]
    [0.0, 0.25, 1.0, 1.0]
    """
    if epoch <= start:
        return 0.0
    if function == "linear":
        return min(1.0, (epoch - start) / length)
    return 1 / (1 + math.exp(-0.9 * (epoch - length)))


def loss_terms(
    network: RNN_VAE, encoder_input: Tensor, window: Tensor
) -> tuple[LossTerms[Tensor], Tensor]:
    """Return the loss terms of a batch, averaged over its windows, and the posterior means.

    Parameters
    ----------
    network : RNN_VAE
    encoder_input : Tensor
        `(batch, length, n_features)`: what is encoded.
    window : Tensor
        `(batch, length + future, n_features)`: what is reconstructed and predicted.

    Returns
    -------
    terms : LossTerms
        Of scalar tensors.
    mu : Tensor
        `(batch, zdims)`.
    """
    # under bfloat16 autocast too, the loss is computed in float32
    reconstructed, *rest = (output.float() for output in network(encoder_input))
    z, mu, logvar = rest[-3:]
    length = reconstructed.shape[1]
    reconstruction = squared_error(reconstructed, window[:, :length])
    prediction = (
        squared_error(rest[0], window[:, length:])
        if network.FUTURE_DECODER
        else reconstruction.new_zeros(())
    )
    kl = kl_divergence(mu, logvar) * mu.shape[1]
    return LossTerms(reconstruction, prediction, kl, spectral_norm(z)), mu


def objective(terms: LossTerms[Value], settings: Train, annealing_weight: float = 1.0) -> Value:
    """Return the objective, per window.

    reconstruction + prediction_weight * prediction + annealing_weight * (beta * kl + spectral_weight *
    spectral).

    Examples
    --------
    >>> from vame_pipe.config.sections import Train
    >>> objective(LossTerms(8.0, 4.0, 2.0, 1.0), Train(beta=1.5, spectral_weight=0.5))
    15.5
    """
    regularisation = settings.beta * terms.kl + settings.spectral_weight * terms.spectral
    return (
        terms.reconstruction
        + settings.prediction_weight * terms.prediction
        + annealing_weight * regularisation
    )
