"""The rows that states are fitted to: of long recordings, evenly spaced stretches."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow.parquet as pq

from vame_pipe.core.metadata import WindowsMetadata
from vame_pipe.motifs.inputs import Inputs, SessionFiles, read_latents, run_lengths
from vame_pipe.windows.data import normalise, number_stretches, valid_rows, window_starts

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
    frames : numpy.ndarray
        `(n_frames, n_features)` float32, the normalised frames of all windows.
    start : numpy.ndarray
        `(n_rows,)` int, the first frame of the window of each row.
    change : numpy.ndarray
        `(n_rows,)` float64, how much the features differ before and after the row.
    unit : numpy.ndarray
        `(n_dims,)`, what the values are divided by before distances are measured.
    is_complete : bool
        Whether these are all rows of the training sessions.
    """

    values: np.ndarray
    session: np.ndarray
    run: np.ndarray
    frames: np.ndarray
    start: np.ndarray
    change: np.ndarray
    unit: np.ndarray
    is_complete: bool

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
    """Return latent vectors of the training sessions; their unit is their mean posterior deviation.

    Every file is read once.
    """
    weight = [session.n_rows for session in inputs.sessions]
    stride = math.ceil(sum(weight) / MAX_ROWS)
    parts = [
        _sample_session(session, number, stride, inputs.windows)
        for number, session in enumerate(inputs.sessions)
        if session.n_rows
    ]
    names = ("values", "session", "frames", "change")
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    offsets = np.cumsum([0, *(len(part.frames) for part in parts)])
    start = np.concatenate([part.start + at for part, at in zip(parts, offsets, strict=False)])
    run = number_stretches(joined["session"], np.concatenate([part.run for part in parts]))
    posterior = [session.meta.posterior_std for session in inputs.sessions]
    unit = without_zeros(np.average(posterior, axis=0, weights=weight))
    return Sample(**joined, run=run, start=start, unit=unit, is_complete=stride == 1)


def _sample_session(
    session: SessionFiles, number: int, stride: int, windows: WindowsMetadata
) -> Sample:
    """Return the sample of one session, of all its stretches one in `stride`."""
    latents, frames = read_latents(session.latents), read_frames(windows, session)
    chosen, run = _stretches(latents.run, number, stride)
    start = window_starts(frames.run, windows.length)[chosen]
    # only the frames of the chosen windows are kept
    opens = np.bincount(start, minlength=len(frames.run) + 1)
    closes = np.bincount(start + windows.length, minlength=len(frames.run) + 1)
    kept = np.cumsum(opens - closes)[:-1] > 0
    return Sample(
        values=latents.values[chosen],
        session=np.full(len(run), number),
        run=run,
        frames=frames.values[kept],
        start=(np.cumsum(kept) - 1)[start],
        change=_change(windows, frames.values, start),
        unit=np.array(session.meta.posterior_std),
        is_complete=stride == 1,
    )


def without_zeros(unit: np.ndarray) -> np.ndarray:
    """Return units with 1 for dimensions that do not vary, because nothing can be divided by 0."""
    return np.where(unit > CONSTANT * unit.max(), unit, 1.0)


def sample_pca(sample: Sample, length: int) -> Sample:
    """Return as many principal components of the same windows; their unit is their standard deviation.

    Parameters
    ----------
    sample : Sample
        Result of `sample_latents`.
    length : int
        Rows of a window.
    """
    principal = fit_pca(sample, length)
    blocks = _blocks(sample.frames, sample.start, length)
    values = np.concatenate([(b - principal.mean) @ principal.components for b in blocks])
    return replace(sample, values=values, unit=without_zeros(values.std(axis=0)))


def fit_pca(sample: Sample, length: int) -> Principal:
    """Return the principal components of evenly spaced windows, as many as the sample has dimensions."""
    size = length * sample.frames.shape[1]
    total, product = np.zeros(size), np.zeros((size, size))
    starts = sample.start[:: math.ceil(len(sample.start) / N_WINDOWS)]
    for block in _blocks(sample.frames, starts, length):
        total += block.sum(axis=0)
        product += block.T @ block
    mean = total / len(starts)
    _, vectors = np.linalg.eigh(product / len(starts) - np.outer(mean, mean))
    return Principal(mean, vectors[:, ::-1][:, : sample.values.shape[1]])


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


@dataclass(frozen=True)
class Frames:
    """The normalised valid frames of a session `(n_frames, n_features)`, and the run of each."""

    values: np.ndarray
    run: np.ndarray


def read_frames(meta: WindowsMetadata, session: SessionFiles) -> Frames:
    """Return the normalised valid frames of a session, one animal after the other."""
    columns = ["individual", "row", "run", *meta.features]
    table = pq.read_table(session.aligned, columns=columns).unify_dictionaries()
    valid = valid_rows(table)
    values = [table[name].to_numpy()[valid.position] for name in meta.features]
    mean, std = (np.array(values, np.float32) for values in (meta.mean, meta.std))
    return Frames(normalise(np.stack(values, axis=1), mean, std), valid.run)


def _blocks(frames: np.ndarray, starts: np.ndarray, length: int) -> Iterator[np.ndarray]:
    """Yield windows `(n_windows, length * n_features)` float64."""
    steps = np.arange(length)
    for low in range(0, len(starts), BLOCK):
        part = starts[low : low + BLOCK]
        yield frames[part[:, None] + steps].reshape(len(part), -1).astype(np.float64)


def _change(meta: WindowsMetadata, frames: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return how much the average features differ after and before the centre of each window."""
    width = max(1, min(round(CHANGE_S * meta.fps), meta.length // 2))
    centre = starts + meta.length // 2
    total = np.concatenate([np.zeros((1, frames.shape[1])), np.cumsum(frames, axis=0, dtype=float)])
    before = total[centre] - total[np.maximum(centre - width, 0)]
    after = total[np.minimum(centre + width, len(frames))] - total[centre]
    return np.linalg.norm(after - before, axis=1) / width
