"""Segment one representation with several seeds, for each number of motifs that is tried."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np
import torch

from vame_pipe.config.sections import Motifs
from vame_pipe.core.metadata import WindowsMetadata
from vame_pipe.core.motif_quality import MotifQuality, Representation
from vame_pipe.motifs import hmm
from vame_pipe.motifs.fitting import Covariance, fit
from vame_pipe.motifs.kmeans import kmeans, nearest
from vame_pipe.motifs.quality import agreement, fewest_sessions
from vame_pipe.motifs.sample import Sample, without_zeros
from vame_pipe.motifs.timing import MIN_SHIFT_S, find_lag
from vame_pipe.windows.data import number_stretches

log = logging.getLogger(__name__)

HELD_OUT = 5
"""One in so many sessions is held out to measure the log likelihood."""
N_STARTS = 20
"""Starts of k-means."""
COVARIANCES: dict[Representation, tuple[Covariance, ...]] = {
    "latents": ("shared",),
    "pca": ("shared", "state"),
}
"""Covariances of the states of the hidden Markov model. Of several, the one with the higher log likelihood
of held-out rows is used. One covariance per state helps PCA and harms latents, see benchmarks/README.md."""


@dataclass(frozen=True)
class Scaled:
    """A sample, centred and scaled.

    Attributes
    ----------
    sample : Sample
    rows : numpy.ndarray
        `(n_rows, n_dims)` float64.
    offset : numpy.ndarray
        `(n_dims,)`.
    """

    sample: Sample
    rows: np.ndarray
    offset: np.ndarray


@dataclass(frozen=True)
class Trial:
    """The segmentation of one representation into one number of motifs.

    Attributes
    ----------
    arrays : dict of str to numpy.ndarray
        See `segmentation.Segmentation`, without `offset` and `scale`.
    lag : int
        Rows after the centre of a window at which its motif is placed.
    quality : MotifQuality
    """

    arrays: dict[str, np.ndarray]
    lag: int
    quality: MotifQuality


def scaled(sample: Sample) -> Scaled:
    """Return a sample with every dimension centred and divided by its unit."""
    offset = sample.values.mean(axis=0)
    return Scaled(sample, (sample.values - offset) / sample.unit, offset)


def try_number(
    data: Scaled,
    representation: Representation,
    n: int,
    settings: Motifs,
    windows: WindowsMetadata,
) -> Trial:
    """Return the segmentation into `n` motifs by the most central seed, and its quality.

    Parameters
    ----------
    data : Scaled
    representation : {'latents', 'pca'}
    n : int
    settings : Motifs
    windows : WindowsMetadata
    """
    fps, length = windows.fps, windows.length
    sample, bout = data.sample, None if settings.bout_s is None else settings.bout_s * fps
    lengths = sample.lengths
    covariance, likelihood = _best_covariance(data, representation, n, settings.method, length)
    found = [_fit(data, n, seed, covariance, bout, length) for seed in range(settings.seeds)]
    agreed = agreement([state for _, state in found])
    arrays, state = _ordered(*found[agreed.central], data.rows, lengths)
    min_shift = max(length, round(MIN_SHIFT_S * fps))
    timing = find_lag(state, sample.run, sample.change, length, min_shift)
    quality = MotifQuality(
        representation=representation,
        n=n,
        covariance=covariance,
        adjusted_rand=agreed.rand,
        adjusted_rand_se=agreed.rand_se,
        variation_of_information=agreed.information,
        log_likelihood=likelihood,
        median_bout_s=float(np.median(hmm.bout_lengths(state, lengths))) / fps,
        boundary_z=timing.z,
        n_sessions_min=fewest_sessions(state, sample.session) if sample.is_complete else None,
    )
    return Trial(arrays, timing.lag, quality)


def _best_covariance(
    data: Scaled, representation: Representation, n: int, method: str, window: int
) -> tuple[Covariance | None, float | None]:
    """Return the covariance of the states, None for k-means, and the held-out log likelihood."""
    if method == "kmeans":
        return None, None
    kinds = COVARIANCES[representation]
    likelihood = {kind: _held_out(data, n, kind, window) for kind in kinds}
    best = max(kinds, key=lambda kind: -np.inf if (v := likelihood[kind]) is None else v)
    return best, likelihood[best]


def _fit(
    data: Scaled,
    n: int,
    seed: int,
    covariance: Covariance | None,
    bout: float | None,
    window: int,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the arrays of a segmentation, and the state of each row; k-means without a covariance."""
    rows, lengths = torch.from_numpy(data.rows), data.sample.lengths
    if covariance is None:
        centres = kmeans(rows, n, seed, N_STARTS)
        return {"mean": centres.numpy()}, nearest(rows, centres).numpy()
    model = fit(
        *(data.rows, lengths, n),
        seed=seed,
        covariance=covariance,
        bout=bout,
        window=window,
        n_starts=N_STARTS,
    )
    return hmm.to_arrays(model), hmm.viterbi(model, rows, lengths)


def _ordered(
    arrays: dict[str, np.ndarray], state: np.ndarray, rows: np.ndarray, lengths: np.ndarray
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return a segmentation without the states that no row is in, the most used state first.

    Without a state, some rows can change theirs, so they are decoded again until the order holds.
    """
    while True:
        count = np.bincount(state, minlength=len(arrays["mean"]))
        order = np.argsort(-count, kind="stable")
        order = order[count[order] > 0]
        if np.array_equal(order, np.arange(len(count))):
            return arrays, state
        arrays = select(arrays, order)
        if len(order) == len(count):
            inverse = np.argsort(order)
            return arrays, inverse[state]
        if "start" in arrays:
            state = hmm.viterbi(hmm.from_arrays(arrays), torch.from_numpy(rows), lengths)
        else:
            state = nearest(torch.from_numpy(rows), torch.from_numpy(arrays["mean"])).numpy()


def select(arrays: dict[str, np.ndarray], order: np.ndarray) -> dict[str, np.ndarray]:
    """Return the arrays of some states of a segmentation, in an order.

    Parameters
    ----------
    arrays : dict of str to numpy.ndarray
    order : numpy.ndarray
        `(n_chosen,)` int, the present number of each state.
    """
    chosen = arrays | {"mean": arrays["mean"][order]}
    if "start" in arrays:
        start, transition = arrays["start"][order], arrays["transition"][np.ix_(order, order)]
        chosen["start"] = start / start.sum()
        chosen["transition"] = transition / transition.sum(axis=1, keepdims=True)
        if len(arrays["covariance"]) > 1:  # one per state
            chosen["covariance"] = arrays["covariance"][order]
    return chosen


def _held_out(data: Scaled, n: int, covariance: Covariance, window: int) -> float | None:
    """Return the log density per row of rows that a model was not fitted to, without the exponent.

    Every fifth session is held out, or the last one; of a single session the last fifth.
    """
    sample, sessions = data.sample, np.unique(data.sample.session)
    if len(sessions) == 1:
        held = np.arange(len(data.rows)) >= len(data.rows) * (HELD_OUT - 1) // HELD_OUT
    else:
        chosen = sessions[HELD_OUT - 1 :: HELD_OUT] if len(sessions) >= HELD_OUT else sessions[-1:]
        held = np.isin(sample.session, chosen)
    if held.all() or not held.any():
        return None
    lengths = [
        np.unique(number_stretches(sample.session[mask], sample.run[mask]), return_counts=True)[1]
        for mask in (~held, held)
    ]
    rows = data.rows[~held]
    model = fit(rows, lengths[0], n, covariance=covariance, window=window, n_starts=N_STARTS)
    total = hmm.log_likelihood(replace(model, temper=1.0), data.rows[held], lengths[1])
    # the density of rows in units of their own spread: it does not depend on the unit of a dimension
    spread = without_zeros(data.rows.std(axis=0))
    return total / int(held.sum()) + float(np.log(spread).sum())
