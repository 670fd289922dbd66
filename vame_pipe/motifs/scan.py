"""Segment one representation with several seeds, for each number of motifs that is tried."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch

from vame_pipe.config.sections import Motifs
from vame_pipe.core.metadata import WindowsMetadata
from vame_pipe.core.motif_quality import MotifQuality, Representation
from vame_pipe.motifs import hmm
from vame_pipe.motifs.fitting import Covariance, fit
from vame_pipe.motifs.kmeans import kmeans, nearest
from vame_pipe.motifs.quality import Agreement, agreement, fewest_sessions
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
"""Covariances of the states of the hidden Markov model; of several, see `_best`. One covariance per state
can help PCA and harms latents, see benchmarks/README.md."""


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
    attempts = [
        _attempt(data, n, settings, covariance, bout, length)
        for covariance in ((None,) if settings.method == "kmeans" else COVARIANCES[representation])
    ]
    covariance, likelihood, found, agreed = _best(attempts)
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


class _Attempt(NamedTuple):
    """The segmentations of all seeds with one kind of covariance; None with k-means."""

    covariance: Covariance | None
    log_likelihood: float | None
    found: list[tuple[dict[str, np.ndarray], np.ndarray]]
    agreed: Agreement


def _attempt(
    data: Scaled,
    n: int,
    settings: Motifs,
    covariance: Covariance | None,
    bout: float | None,
    window: int,
) -> _Attempt:
    found = [_fit(data, n, seed, covariance, bout, window) for seed in range(settings.seeds)]
    likelihood = None if covariance is None else _held_out(data, n, covariance, window)
    return _Attempt(covariance, likelihood, found, agreement([state for _, state in found]))


def _best(attempts: list[_Attempt]) -> _Attempt:
    """Return the most likely one of those whose seeds agree nearly as well as at the best.

    A likelihood alone can prefer one covariance per state although every seed then finds other motifs.
    """
    best = max(attempts, key=lambda each: each.agreed.rand or 0.0).agreed
    least = (best.rand or 0.0) - (best.rand_se or 0.0)
    stable = [each for each in attempts if (each.agreed.rand or 0.0) >= least]
    return max(stable, key=lambda each: -np.inf if (v := each.log_likelihood) is None else v)


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
