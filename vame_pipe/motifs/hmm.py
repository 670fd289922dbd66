"""A hidden Markov model with Gaussian emissions: its densities, and the states of runs of rows.

Runs of neighbouring rows are kept apart. A long run is cut into pieces that are computed side by side;
each piece reads some rows of its run before and after its own, so that what comes out for these does not
depend on the cut. All numbers are float64.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

PIECE, MIN_PIECE, N_PIECES = 1000, 200, 64
"""Rows of a piece: fewer if that makes no more than so many pieces, because a step costs the same for few
pieces as for many."""
CONTEXT = 100
"""Rows of its run that a piece reads before and after its own."""
BLOCK = 2**22
"""Rows times states that are held in memory at the same time, several arrays of them."""


@dataclass(frozen=True)
class HMM:
    """A hidden Markov model.

    Attributes
    ----------
    start : Tensor
        `(n_states,)`, the probability of each state at the beginning of a run.
    transition : Tensor
        `(n_states, n_states)`, from the state of the row to that of the column.
    mean : Tensor
        `(n_states, n_dims)`.
    covariance : Tensor
        `(1, n_dims, n_dims)` shared by all states, or `(n_states, n_dims, n_dims)`.
    temper : float
        Exponent on the emission densities.
    """

    start: Tensor
    transition: Tensor
    mean: Tensor
    covariance: Tensor
    temper: float = 1.0

    def log_density(self, values: Tensor) -> Tensor:
        """Return the log density `(n_rows, n_states)` of rows `(n_rows, n_dims)`, without the exponent."""
        factor = torch.linalg.cholesky(self.covariance)
        log_norm = factor.diagonal(dim1=1, dim2=2).log().sum(dim=1)
        log_norm = log_norm + 0.5 * values.shape[1] * math.log(2 * math.pi)
        if len(factor) == 1:
            rows = torch.linalg.solve_triangular(factor[0], values.T, upper=False).T
            means = torch.linalg.solve_triangular(factor[0], self.mean.T, upper=False).T
            square = rows.square().sum(dim=1, keepdim=True) + means.square().sum(dim=1)
            return rows @ means.T - 0.5 * square - log_norm
        density = torch.empty(len(values), len(self.mean), dtype=values.dtype)
        for k in range(len(self.mean)):
            scaled = torch.linalg.solve_triangular(
                factor[k], (values - self.mean[k]).T, upper=False
            )
            density[:, k] = -0.5 * scaled.square().sum(dim=0) - log_norm[k]
        return density


def to_arrays(model: HMM) -> dict[str, np.ndarray]:
    """Return a model as arrays, by the names of its attributes."""
    names = ("start", "transition", "mean", "covariance")
    arrays = {name: getattr(model, name).numpy() for name in names}
    return arrays | {"temper": np.array(model.temper)}


def from_arrays(arrays: dict[str, np.ndarray]) -> HMM:
    """Return the model of arrays; those of other names are ignored."""
    names = ("start", "transition", "mean", "covariance")
    start, transition, mean, covariance = (
        torch.from_numpy(np.ascontiguousarray(arrays[name])) for name in names
    )
    return HMM(start, transition, mean, covariance, float(arrays["temper"]))


@dataclass(frozen=True)
class Block:
    """Pieces that are computed side by side, the longest first.

    Attributes
    ----------
    first, length : Tensor
        `(n_pieces,)`, the first row read and the number of rows read.
    lead, own : Tensor
        `(n_pieces,)`, the rows read before the piece's own, and the number of those.
    begins : Tensor
        `(n_pieces,)` bool: the first row read is the first of its run.
    """

    first: Tensor
    length: Tensor
    lead: Tensor
    own: Tensor
    begins: Tensor

    @property
    def active(self) -> list[int]:
        """The number of pieces that reach each step."""
        steps = torch.arange(int(self.length[0]))
        return (self.length[None] > steps[:, None]).sum(dim=1).tolist()

    @property
    def rows(self) -> Tensor:
        """`(n_steps, n_pieces)`, the row read at each step; the last one again after the end."""
        steps = torch.arange(int(self.length[0]))[:, None]
        return self.first + torch.minimum(steps, self.length - 1)

    @property
    def is_own(self) -> Tensor:
        """`(n_steps, n_pieces)` bool: the piece's own rows."""
        steps = torch.arange(int(self.length[0]))[:, None]
        return (steps >= self.lead) & (steps < self.lead + self.own)


def blocks(lengths: np.ndarray, n_states: int) -> Iterator[Block]:
    """Yield the pieces of runs that lie end to end, in blocks of bounded memory."""
    ends = np.cumsum(lengths)
    piece = min(PIECE, max(MIN_PIECE, int(np.sum(lengths)) // N_PIECES))
    parts = [
        (low, min(low + piece, end), end - length, end)
        for length, end in zip(lengths, ends, strict=True)
        for low in range(end - length, end, piece)
    ]
    if not parts:
        return
    low, high, start, end = np.array(parts, dtype=np.int64).T
    first, last = np.maximum(low - CONTEXT, start), np.minimum(high + CONTEXT, end)
    order = np.argsort(first - last, kind="stable")
    columns = first, last - first, low - first, high - low, first == start
    sizes = (last - first)[order]
    at = 0
    while at < len(order):
        chosen = order[at : at + max(1, BLOCK // (n_states * sizes[at]))]
        yield Block(*(torch.from_numpy(column[chosen]) for column in columns))
        at += len(chosen)


def forward_backward(
    model: HMM, values: Tensor, block: Block
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Run the forward and the backward pass over a block.

    Returns
    -------
    posterior : Tensor
        `(n_steps, n_pieces, n_states)`; 0 after the end of a piece.
    forward, backward : Tensor
        The same shape; their outer product over a step, times the transitions, is the posterior of the
        two states. `backward[t]` includes the emission of step t.
    log_scale : Tensor
        `(n_steps, n_pieces)`, the log density of each row given those before it in the piece.
    """
    rows, active = block.rows, block.active
    n_steps, n_pieces = rows.shape
    density = model.temper * model.log_density(values[rows.ravel()]).view(n_steps, n_pieces, -1)
    peak = density.amax(dim=2, keepdim=True)
    emission = density.sub_(peak).exp_()
    forward, scale = (
        torch.zeros_like(emission),
        torch.ones(n_steps, n_pieces, 1, dtype=values.dtype),
    )
    backward = torch.zeros_like(emission)
    stationary = torch.full_like(model.start, 1 / len(model.start))
    now = torch.where(block.begins[:, None], model.start, stationary)
    for t, n in enumerate(active):
        if t:
            now = now[:n] @ model.transition
        torch.mul(now, emission[t, :n], out=forward[t, :n])
        torch.sum(forward[t, :n], dim=1, keepdim=True, out=scale[t, :n])
        now = forward[t, :n].div_(scale[t, :n])
    emission /= scale
    posterior = torch.zeros_like(emission)
    for t in range(n_steps - 1, -1, -1):
        n = active[t]
        after = torch.ones(n, len(model.start), dtype=values.dtype)
        if t + 1 < n_steps:
            m = active[t + 1]
            torch.mm(backward[t + 1, :m], model.transition.T, out=after[:m])
        torch.mul(forward[t, :n], after, out=posterior[t, :n])
        torch.mul(emission[t, :n], after, out=backward[t, :n])
    return posterior, forward, backward, scale.log()[..., 0] + peak[..., 0]


def best_path(model: HMM, values: Tensor, block: Block) -> Tensor:
    """Return the most probable states `(n_steps, n_pieces)` of a block."""
    rows, active = block.rows, block.active
    n_steps, n_pieces = rows.shape
    density = model.temper * model.log_density(values[rows.ravel()]).view(n_steps, n_pieces, -1)
    into = model.transition.log().T.contiguous()  # (to, from)
    best_from = torch.zeros(density.shape, dtype=torch.int16)
    score = torch.where(block.begins[:, None], model.start.log(), 0.0) + density[0]
    last = torch.empty_like(density[0])
    for t, n in enumerate(active):
        if t:
            last[n : len(score)] = score[n:]
            score, chosen = (score[:n, None] + into).max(dim=2)
            best_from[t, :n] = chosen
            score += density[t, :n]
    last[: len(score)] = score
    state = last.argmax(dim=1)
    path = torch.empty(n_steps, n_pieces, dtype=torch.int64)
    for t in range(n_steps - 1, -1, -1):
        path[t] = state
        if t:
            n = active[t]
            state = state.clone()
            state[:n] = best_from[t, :n].gather(1, state[:n, None])[:, 0].long()
    return path


def viterbi(model: HMM, rows: Tensor, lengths: np.ndarray) -> np.ndarray:
    """Return the most probable sequence of states `(n_rows,)` int64."""
    state = np.empty(len(rows), np.int64)
    for block in blocks(lengths, len(model.start)):
        own = block.is_own
        state[block.rows[own].numpy()] = best_path(model, rows, block)[own].numpy()
    return state


def decode(
    model: HMM, values: np.ndarray | Tensor, lengths: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the most probable sequence of states, and the posterior of each of its states.

    Parameters
    ----------
    model : HMM
    values : numpy.ndarray
        `(n_rows, n_dims)`, runs end to end.
    lengths : numpy.ndarray
        `(n_runs,)` int.

    Returns
    -------
    state : numpy.ndarray
        `(n_rows,)` int64.
    confidence : numpy.ndarray
        `(n_rows,)` float32.
    """
    rows = torch.as_tensor(values, dtype=torch.float64)
    state = np.empty(len(rows), np.int64)
    confidence = np.empty(len(rows), np.float32)
    for block in blocks(lengths, len(model.start)):
        own, path = block.is_own, best_path(model, rows, block)
        posterior = forward_backward(model, rows, block)[0].gather(2, path[..., None])[..., 0]
        at = block.rows[own].numpy()
        state[at], confidence[at] = path[own].numpy(), posterior[own].numpy()
    return state, confidence


def posterior(model: HMM, values: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return the posterior probability of every state, `(n_rows, n_states)`."""
    rows = torch.as_tensor(values, dtype=torch.float64)
    out = np.empty((len(rows), len(model.start)))
    for block in blocks(lengths, len(model.start)):
        own = block.is_own
        out[block.rows[own].numpy()] = forward_backward(model, rows, block)[0][own].numpy()
    return out


def log_likelihood(model: HMM, values: np.ndarray | Tensor, lengths: np.ndarray) -> float:
    """Return the log likelihood of runs, summed over their rows, with the exponent on the densities."""
    rows = torch.as_tensor(values, dtype=torch.float64)
    total = 0.0
    for block in blocks(lengths, len(model.start)):
        total += float(forward_backward(model, rows, block)[3][block.is_own].sum())
    return total


def bout_lengths(state: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return the rows of each bout, the unbroken stretches of one state within a run."""
    begins = np.diff(state, prepend=-1) != 0
    ends = np.cumsum(lengths)
    begins[(ends - lengths)[lengths > 0]] = True
    return np.diff(np.append(np.flatnonzero(begins), len(state)))


def median_bout(state: np.ndarray, lengths: np.ndarray) -> float:
    """Return the median length of bouts in rows, interpolated within the middle length.

    Interpolated as for grouped data, so that it changes smoothly with the segmentation.
    """
    sizes = bout_lengths(state, lengths)
    if not len(sizes):
        return 0.0
    middle = np.median(sizes)
    below, same = (sizes < middle).sum(), (sizes == middle).sum()
    return float(middle - 0.5 + (len(sizes) / 2 - below) / max(1, same))
