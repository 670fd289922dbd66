"""The rows that states are fitted to: of long recordings, evenly spaced stretches."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow.parquet as pq

from vame_pipe.core.metadata import WindowsMetadata
from vame_pipe.motifs.inputs import (
    Inputs,
    SessionFiles,
    number_runs,
    read_latents,
    run_lengths,
)
from vame_pipe.windows.data import (
    normalise,
    number_stretches,
    read_valid_rows,
    window_starts,
)

MAX_ROWS = 200_000
"""Most rows that states are fitted to."""
STRETCH = 300
"""Rows of a stretch."""
CHANGE_S = 0.25
"""Seconds before and after a row whose average features are compared."""
N_WINDOWS = 20_000
"""Windows that the principal components are fitted to, at most."""
BLOCK = 2_000
"""Windows that are in memory at the same time."""
CONSTANT = 1e-6
"""A dimension whose unit is smaller than this, compared with the largest one, does not vary."""


@dataclass(frozen=True)
class Sample:
    """Rows of the training sessions.

    Attributes
    ----------
    values : numpy.ndarray
        `(n_rows, n_dims)` float64, not scaled.
    session : numpy.ndarray
        `(n_rows,)` int, index of the session.
    run : numpy.ndarray
        `(n_rows,)` int, number of the stretch.
    change : numpy.ndarray
        `(n_rows,)` float64, how much the features differ before and after the row.
    unit : numpy.ndarray
        `(n_dims,)`, what the values are divided by before distances are measured.
    """

    values: np.ndarray
    session: np.ndarray
    run: np.ndarray
    change: np.ndarray
    unit: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """Rows of each stretch."""
        return run_lengths(self.run)


@dataclass(frozen=True)
class Principal:
    """Principal components of the windows.

    Attributes
    ----------
    mean : numpy.ndarray
        `(length * n_features,)`.
    components : numpy.ndarray
        `(length * n_features, n_components)`.
    """

    mean: np.ndarray
    components: np.ndarray


def sample_latents(inputs: Inputs) -> Sample:
    """Return latent vectors of the training sessions; their unit is their mean posterior deviation."""
    parts = []
    for number, session in enumerate(inputs.sessions):
        if not session.n_rows:
            continue
        latents = read_latents(session.latents)
        chosen, run = _stretches(latents.run, number, _stride(inputs))
        values = latents.values[chosen]
        change = _change(inputs.windows, session)[chosen]
        parts.append((values, np.full(len(run), number), run, change))
    values, sessions, run, change = (np.concatenate(column) for column in zip(*parts, strict=True))
    weight = [session.n_rows for session in inputs.sessions]
    posterior = [session.meta.posterior_std for session in inputs.sessions]
    unit = without_zeros(np.average(posterior, axis=0, weights=weight))
    return Sample(values, sessions, number_stretches(sessions, run), change, unit)


def without_zeros(unit: np.ndarray) -> np.ndarray:
    """Return units with 1 for dimensions that do not vary, because nothing can be divided by 0."""
    return np.where(unit > CONSTANT * unit.max(), unit, 1.0)


def sample_pca(inputs: Inputs, like: Sample) -> Sample:
    """Return as many principal components of the same windows; their unit is their standard deviation.

    Parameters
    ----------
    inputs : Inputs
    like : Sample
        Result of `sample_latents`.
    """
    principal = fit_pca(inputs, like.values.shape[1])
    parts = []
    for number, session in enumerate(inputs.sessions):
        if not session.n_rows:
            continue
        frames, starts, run = _windows(inputs.windows, session)
        chosen, _ = _stretches(run, number, _stride(inputs))
        parts.append(_project(principal, frames, starts[chosen], inputs.windows.length))
    values = np.concatenate(parts)
    return replace(like, values=values, unit=without_zeros(values.std(axis=0)))


def fit_pca(inputs: Inputs, n_dims: int) -> Principal:
    """Return the principal components of evenly spaced windows of all training sessions."""
    length = inputs.windows.length
    size = length * len(inputs.windows.features)
    total, product, count = np.zeros(size), np.zeros((size, size)), 0
    stride = max(1, math.ceil(sum(session.n_rows for session in inputs.sessions) / N_WINDOWS))
    for session in inputs.sessions:
        if not session.n_rows:
            continue
        frames, starts, _ = _windows(inputs.windows, session)
        for block in _blocks(frames, starts[::stride], length):
            total += block.sum(axis=0)
            product += block.T @ block
            count += len(block)
    mean = total / count
    _, vectors = np.linalg.eigh(product / count - np.outer(mean, mean))
    return Principal(mean, vectors[:, ::-1][:, :n_dims])


def _stride(inputs: Inputs) -> int:
    """Return one in how many stretches is used."""
    return math.ceil(sum(session.n_rows for session in inputs.sessions) / MAX_ROWS)


def _stretches(run: np.ndarray, number: int, stride: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which rows of a session are used, and the stretch that each of them is in.

    Sessions start with different stretches, so that the beginning of recordings has no more weight than the
    rest.

    Examples
    --------
    >>> [each.tolist() for each in _stretches(np.array([0, 0, 3]), 0, stride=1)]
    [[0, 1, 2], [0, 0, 3]]
    """
    if stride == 1:
        return np.arange(len(run)), run
    lengths = run_lengths(run)
    starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
    within = (np.arange(len(run)) - starts) // STRETCH
    stretch = number_stretches(run, within)
    chosen = np.flatnonzero((stretch + number) % stride == 0)
    return chosen, stretch[chosen]


def _windows(
    meta: WindowsMetadata, session: SessionFiles
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the normalised valid frames of a session, the start of each window, and its run."""
    valid = read_valid_rows(session.aligned)
    table = pq.read_table(session.aligned, columns=meta.features)
    columns = [table[name].to_numpy()[valid.position] for name in meta.features]
    mean, std = (np.array(values, np.float32) for values in (meta.mean, meta.std))
    frames = normalise(np.stack(columns, axis=1), mean, std)
    starts = window_starts(valid.run, meta.length)
    return frames, starts, number_runs(valid.run[starts], starts)


def _blocks(frames: np.ndarray, starts: np.ndarray, length: int) -> Iterator[np.ndarray]:
    """Yield windows `(n_windows, length * n_features)` float64."""
    steps = np.arange(length)
    for low in range(0, len(starts), BLOCK):
        part = starts[low : low + BLOCK]
        yield frames[part[:, None] + steps].reshape(len(part), -1).astype(np.float64)


def _project(
    principal: Principal, frames: np.ndarray, starts: np.ndarray, length: int
) -> np.ndarray:
    blocks = _blocks(frames, starts, length)
    return np.concatenate([(block - principal.mean) @ principal.components for block in blocks])


def _change(meta: WindowsMetadata, session: SessionFiles) -> np.ndarray:
    """Return how much the average features differ after and before the centre of each window."""
    frames, starts, _ = _windows(meta, session)
    width = max(1, min(round(CHANGE_S * meta.fps), meta.length // 2))
    centre = starts + meta.length // 2
    total = np.concatenate([np.zeros((1, frames.shape[1])), np.cumsum(frames, axis=0, dtype=float)])
    before = total[centre] - total[np.maximum(centre - width, 0)]
    after = total[np.minimum(centre + width, len(frames))] - total[centre]
    return np.linalg.norm(after - before, axis=1) / width
