"""Fit a hidden Markov model with Gaussian emissions to latents, and decode them.

Rows come from overlapping windows, so neighbours repeat one another and their likelihoods must not be
multiplied as if they were independent: movements that repeat, as strokes or strides, would get a state for
each phase. An exponent below 1 on the emission densities, `temper`, corrects for it. It is the greatest one
with which bouts reach a wanted median length.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from vame_pipe.motifs.hmm import (
    HMM,
    PIECE,
    Block,
    blocks,
    forward_backward,
    log_likelihood,
    median_bout,
    viterbi,
)
from vame_pipe.motifs.kmeans import kmeans, nearest

Covariance = Literal["shared", "state", "diagonal"]
PSEUDO_COUNT = 0.1
"""Transitions of each kind, and starts in each state, that are assumed before any is seen."""
MIN_TEMPER, BISECTIONS = 1e-3, 10
"""Least exponent, and the decodings that the search for one takes."""
TEMPER_ROUNDS, ROUND_ITERATIONS = 2, 8
"""Times that states are fitted with an exponent, and iterations of each."""
START_ITERATIONS = 5
"""Iterations of each start, after which the likelihoods are compared."""
MAX_SAMPLE_ROWS, FINAL_ITERATIONS = 50_000, 10
"""Of more rows, evenly spaced pieces are fitted first and decoded to set the exponent; all rows take part
in the last iterations."""
MIN_VARIANCE = 1e-4
"""Least variance of a state, as a fraction of the mean variance of the data."""


@dataclass
class Statistics:
    """Sums over rows, weighted by the posterior of each state; `scatter` per state, or None if shared."""

    start: Tensor
    transition: Tensor
    weight: Tensor
    total: Tensor
    scatter: Tensor | None
    log_likelihood: float = 0.0

    @classmethod
    def empty(cls, n_states: int, n_dims: int, per_state: bool) -> Statistics:
        def zeros(*shape: int) -> Tensor:
            return torch.zeros(*shape, dtype=torch.float64)

        scatter = zeros(n_states, n_dims, n_dims) if per_state else None
        sums = zeros(n_states), zeros(n_states, n_states), zeros(n_states)
        return cls(*sums, zeros(n_states, n_dims), scatter)

    def add(self, model: HMM, values: Tensor, block: Block) -> None:
        """Add the rows of a block."""
        posterior, forward, backward, log_scale = forward_backward(model, values, block)
        own, n_states = block.is_own, len(model.start)
        self.log_likelihood += float(log_scale[own].sum())
        self.start += posterior[0, block.begins & (block.lead == 0)].sum(dim=0)
        backward *= own[..., None]
        pairs = forward[:-1].reshape(-1, n_states).T @ backward[1:].reshape(-1, n_states)
        self.transition += pairs * model.transition
        weight, rows = posterior[own], values[block.rows[own]]
        self.weight += weight.sum(dim=0)
        self.total += weight.T @ rows
        if self.scatter is not None:
            for k in range(n_states):
                self.scatter[k] += (weight[:, k, None] * rows).T @ rows


def fit(
    values: np.ndarray,
    lengths: np.ndarray,
    n_states: int,
    *,
    seed: int = 0,
    covariance: Covariance = "shared",
    bout: float | None = None,
    window: int | None = None,
    n_starts: int = 50,
    max_iter: int = 30,
    tolerance: float = 1e-3,
) -> HMM:
    """Fit a hidden Markov model, started from k-means.

    With `window` there are two starts, and the one that soon has the higher likelihood is used: k-means of
    the rows, and k-means of their averages over a window, in which a movement that repeats has no phases.

    Parameters
    ----------
    values : numpy.ndarray
        `(n_rows, n_dims)`, finite, scaled as k-means shall measure distances; runs end to end.
    lengths : numpy.ndarray
        `(n_runs,)` int, the rows of each run.
    n_states : int
    seed : int
    covariance : {'shared', 'state', 'diagonal'}
        One full covariance for all states, a full one per state, or a diagonal one per state.
    bout : float, optional
        Median length in rows that decoded bouts should reach; sets the exponent `temper`. None: no
        exponent.
    window : int, optional
        Rows of the windows that `values` stand for.
    n_starts : int
        Starts of k-means.
    max_iter : int
        Iterations of expectation maximisation.
    tolerance : float
        Gain of log likelihood per row below which they stop.
    """
    rows = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float64))
    offset = rows.mean(dim=0)
    rows = rows - offset
    starts = [rows] if window is None else [rows, _averaged(rows, lengths, window)]
    sample, models = _sample(rows, lengths), []
    for start in starts:
        state = nearest(start, kmeans(start, n_states, seed, n_starts))
        model = _from_labels(rows, lengths, state, n_states, covariance)
        models.append(improve(model, *sample, covariance, START_ITERATIONS, tolerance))
    model = max(models, key=lambda each: log_likelihood(each, *sample))
    model = improve(model, *sample, covariance, max_iter, tolerance)
    if len(rows) > MAX_SAMPLE_ROWS:
        iterations = min(max_iter, FINAL_ITERATIONS)
        model = improve(model, rows, lengths, covariance, iterations, tolerance)
    if bout is not None:
        model = _lengthen_bouts(model, rows, lengths, covariance, bout, tolerance)
    return replace(model, mean=model.mean + offset)


def _averaged(rows: Tensor, lengths: np.ndarray, window: int) -> Tensor:
    """Return the average of the rows around each one, as many as a window has and within its run."""
    ends, half, at = np.cumsum(lengths), window // 2, np.arange(len(rows))
    low = torch.from_numpy(np.maximum(at - half, np.repeat(ends - lengths, lengths)))
    high = torch.from_numpy(np.minimum(at + half + 1, np.repeat(ends, lengths)))
    total = torch.cat([torch.zeros_like(rows[:1]), rows.cumsum(dim=0)])
    return (total[high] - total[low]) / (high - low)[:, None]


def _lengthen_bouts(
    model: HMM,
    rows: Tensor,
    lengths: np.ndarray,
    covariance: Covariance,
    bout: float,
    tolerance: float,
) -> HMM:
    """Return the model with the exponent that bouts need, and with states that suit it.

    States and exponent depend on each other: phases of a cycle that become one state need less of an
    exponent than they did before. A step that costs a state is not taken.
    """
    model = temper_to_bout(model, rows, lengths, bout)
    for _ in range(TEMPER_ROUNDS):
        if model.temper == 1.0:
            break
        tried = improve(model, rows, lengths, covariance, ROUND_ITERATIONS, tolerance)
        tried = temper_to_bout(tried, rows, lengths, bout)
        if _decoded(tried, rows, lengths)[0] < _decoded(model, rows, lengths)[0]:
            break
        model = tried
    return model


def improve(
    model: HMM,
    rows: Tensor,
    lengths: np.ndarray,
    covariance: Covariance,
    max_iter: int,
    tolerance: float,
) -> HMM:
    """Return the model after expectation maximisation; the mean of `rows` should be near 0."""
    scatter, before = rows.T @ rows, -math.inf
    for _ in range(max_iter):
        sums = Statistics.empty(len(model.mean), model.mean.shape[1], len(model.covariance) > 1)
        for block in blocks(lengths, len(model.start)):
            sums.add(model, rows, block)
        model = _maximise(model, sums, scatter, covariance)
        gain = (sums.log_likelihood - before) / len(rows)
        before = sums.log_likelihood
        if gain < tolerance:
            break
    return model


def _maximise(model: HMM, sums: Statistics, scatter: Tensor, covariance: Covariance) -> HMM:
    """Return the model that the posteriors make most probable."""
    start = sums.start + PSEUDO_COUNT
    transition = sums.transition + PSEUDO_COUNT
    weight = sums.weight[:, None]
    # a state that has lost its rows stays where it was
    mean = torch.where(weight > 1e-3, sums.total / weight.clamp(min=1e-3), model.mean)
    n_rows, n_dims = sums.weight.sum(), mean.shape[1]
    unit = torch.eye(n_dims, dtype=mean.dtype)
    variance = scatter.trace() / (n_rows * n_dims)
    floor = MIN_VARIANCE * variance if variance > 0 else torch.tensor(1.0)
    if sums.scatter is None:
        shared = (scatter - mean.T @ (weight * mean)) / n_rows
        within = shared[None]
    else:
        # one more observation than there are dimensions, of the variance of all
        prior = unit * scatter.diagonal() / n_rows
        outer = weight[..., None] * mean[:, :, None] * mean[:, None]
        within = (sums.scatter - outer + prior) / (weight[..., None] + 1)
        if covariance == "diagonal":
            within = within * unit
    return replace(
        model,
        start=start / start.sum(),
        transition=transition / transition.sum(dim=1, keepdim=True),
        mean=mean,
        covariance=within + floor * unit,
    )


def _from_labels(
    rows: Tensor, lengths: np.ndarray, state: Tensor, n_states: int, covariance: Covariance
) -> HMM:
    """Return the model of rows whose states are known."""
    per_state = covariance in ("state", "diagonal")
    sums = Statistics.empty(n_states, rows.shape[1], per_state)
    ends = np.cumsum(lengths)
    sums.start += torch.bincount(state[ends - lengths], minlength=n_states)
    follows = np.ones(len(rows), dtype=bool)
    follows[ends - lengths] = False
    to = torch.from_numpy(np.flatnonzero(follows))
    pair = state[to - 1] * n_states + state[to]
    sums.transition += torch.bincount(pair, minlength=n_states**2).view(n_states, n_states)
    sums.weight += torch.bincount(state, minlength=n_states)
    sums.total.index_add_(0, state, rows)
    if sums.scatter is not None:
        for k in range(n_states):
            sums.scatter[k] = rows[state == k].T @ rows[state == k]
    uniform = torch.full((n_states,), 1 / n_states, dtype=rows.dtype)
    model = HMM(uniform, uniform.expand(n_states, -1), torch.zeros_like(sums.total), uniform)
    return _maximise(model, sums, rows.T @ rows, covariance)


def temper_to_bout(model: HMM, rows: Tensor, lengths: np.ndarray, bout: float) -> HMM:
    """Return the model with the greatest exponent, 1 at most, at which bouts reach a median length.

    Smaller exponents make bouts longer; the search is a bisection of the logarithm. An exponent at which
    states are lost is never taken, so that bouts may stay shorter than wanted.
    """
    model = replace(model, temper=1.0)
    n_used, reached = _decoded(model, rows, lengths)
    low, high = math.log(MIN_TEMPER), 0.0
    for _ in range(BISECTIONS if reached < bout else 0):
        middle = (low + high) / 2
        tried = replace(model, temper=math.exp(middle))
        used, reached = _decoded(tried, rows, lengths)
        if used == n_used:
            model = tried
        if used == n_used and reached < bout:
            high = middle
        else:
            low = middle
    return model


def _decoded(model: HMM, rows: Tensor, lengths: np.ndarray) -> tuple[int, float]:
    """Return the number of states that decoded rows are in, and their median bout."""
    rows, lengths = _sample(rows, lengths)
    state = viterbi(model, rows, lengths)
    return len(np.unique(state)), median_bout(state, lengths)


def _sample(rows: Tensor, lengths: np.ndarray) -> tuple[Tensor, np.ndarray]:
    """Return evenly spaced pieces of the runs, as runs of their own, if there are many rows."""
    if len(rows) <= MAX_SAMPLE_ROWS:
        return rows, lengths
    ends = np.cumsum(lengths)
    parts = [
        (low, min(low + PIECE, end))
        for length, end in zip(lengths, ends, strict=True)
        for low in range(end - length, end, PIECE)
    ][:: math.ceil(len(rows) / MAX_SAMPLE_ROWS)]
    sampled = torch.cat([rows[low:high] for low, high in parts])
    return sampled, np.array([high - low for low, high in parts])
