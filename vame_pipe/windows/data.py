"""The training windows: load them, and the pieces that training and encoding share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vame_pipe.core import files
from vame_pipe.core.layout import WindowsFolder
from vame_pipe.core.metadata import WindowsMetadata, read_record
from vame_pipe.core.schemas import SPLITS

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class WindowData:
    """Frames and windows in memory, ready for training.

    Attributes
    ----------
    frames : numpy.ndarray
        `(n_frames, n_features)` float32, normalised: every valid frame of every training session.
    train, val : numpy.ndarray
        `(n_windows,)` int32, the row of `frames` at which each training or validation window starts.
    mean, std : numpy.ndarray
        `(n_features,)` float32, the normaliser: the mean of each feature in the frames of training windows,
        and its standard deviation divided by the root of its `feature_weights`.
    meta : WindowsMetadata
    fingerprint : str
        SHA-256 of the content of all of these, whatever files it was made from.
    """

    frames: np.ndarray
    train: np.ndarray
    val: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    meta: WindowsMetadata
    fingerprint: str


def load(folder: Path) -> WindowData:
    """Return the windows that `windows.build.build` wrote to a folder.

    Raises
    ------
    InputError
        If a file is missing or corrupt.
    """
    windows = WindowsFolder(folder)
    meta = read_record(WindowsMetadata, windows.frames)
    mean, std = (np.array(values, np.float32) for values in (meta.mean, meta.std))
    frames = _read_frames(windows.frames, meta.features, mean, std)
    train, val = _read_offsets(windows.index)
    fingerprint = _fingerprint(meta, frames, train, val, mean, std)
    return WindowData(frames, train, val, mean, std, meta, fingerprint)


def _read_frames(path: Path, features: list[str], mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Return the normalised frames; reads one row group at a time, to hold no second copy of them."""
    with pq.ParquetFile(path) as file:
        frames = np.empty((file.metadata.num_rows, len(features)), np.float32)
        offset = 0
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=features)
            part = frames[offset : offset + len(table)]
            for i, name in enumerate(features):
                part[:, i] = normalise(table[name].to_numpy(), mean[i], std[i])
            offset += len(table)
    return frames


def _read_offsets(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the first frame of every training window and of every validation window."""
    offsets: dict[str, list[np.ndarray]] = {name: [np.empty(0, np.int32)] for name in SPLITS}
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=["offset", "split"])
            rows = table["offset"].to_numpy().astype(np.int32)
            for name in SPLITS:
                offsets[name].append(rows[pc.equal(table["split"], name).to_numpy()])
    train, val = (np.concatenate(offsets[name]) for name in SPLITS)
    return train, val


def _fingerprint(meta: WindowsMetadata, *arrays: np.ndarray) -> str:
    described = {
        name: getattr(meta, name) for name in ("features", "length", "future", "fps", "align")
    }
    return files.fingerprint(described, *(files.array_fingerprint(array) for array in arrays))


@dataclass(frozen=True)
class ValidRows:
    """The valid rows of an aligned session, one animal after the other.

    Attributes
    ----------
    position : numpy.ndarray
        `(n_rows,)` int, index of each valid row in the file.
    row : numpy.ndarray
        `(n_rows,)` int, its time step.
    run : numpy.ndarray
        `(n_rows,)` int, number of its run; no two animals share a number.
    """

    position: np.ndarray
    row: np.ndarray
    run: np.ndarray


def read_valid_rows(path: Path) -> ValidRows:
    """Return the valid rows of an aligned session and the run that each belongs to."""
    return valid_rows(pq.read_table(path, columns=["individual", "row", "run"]))


def valid_rows(table: pa.Table) -> ValidRows:
    """Return the valid rows of an aligned session that was read, and the run that each belongs to.

    Parameters
    ----------
    table : pyarrow.Table
        Every row of the session, with the columns `individual`, `row` and `run`.
    """
    codes = table["individual"].unify_dictionaries().combine_chunks().indices.to_numpy()
    row, run = table["row"].to_numpy(), table["run"].to_numpy()
    position = np.flatnonzero(run >= 0)
    animal, run = codes[position], run[position]
    return ValidRows(position, row[position], number_stretches(animal, run))


def number_stretches(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the number of the stretch of rows in which two columns stay the same, from 0.

    Parameters
    ----------
    first, second : numpy.ndarray
        `(n_rows,)`.

    Examples
    --------
    >>> number_stretches(np.array([0, 0, 0, 1]), np.array([5, 5, 7, 7])).tolist()
    [0, 0, 1, 2]
    """
    changes = (np.diff(first, prepend=first[:1]) != 0) | (np.diff(second, prepend=second[:1]) != 0)
    return np.cumsum(changes)


def normalise(frames: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Return normalised features; shared by training and encoding.

    Parameters
    ----------
    frames : numpy.ndarray
        `(n_frames, n_features)`, or `(n_frames,)` for one feature.
    mean, std : numpy.ndarray
        `(n_features,)`, or numbers for one feature.

    Examples
    --------
    >>> frames = np.array([[1.0, 10.0], [3.0, 20.0]])
    >>> normalise(frames, np.array([1.0, 10.0]), np.array([2.0, 5.0])).tolist()
    [[0.0, 0.0], [1.0, 2.0]]
    """
    return (frames - mean) / std


def feature_weights(features: Sequence[str], balance: bool) -> np.ndarray:
    """Return how much each feature counts in a squared error of normalised features; the average is 1.

    Parameters
    ----------
    features : sequence of str
        Names of the features.
    balance : bool
        `windows.balance`: whether the positions of the keypoints, the motion of the animal and its relation
        to a partner count equally, as far as there are such features. Otherwise every feature counts
        equally, and the positions of many keypoints outweigh the motion.

    Returns
    -------
    numpy.ndarray
        `(n_features,)`.

    Examples
    --------
    >>> feature_weights(["nose_x", "ear_x", "ear_y", "log_speed"], balance=True).round(3).tolist()
    [0.667, 0.667, 0.667, 2.0]
    """
    kinds = [_kind(name) for name in features]
    if not balance:
        return np.ones(len(kinds))
    share = len(kinds) / len(set(kinds))
    return np.array([share / kinds.count(kind) for kind in kinds])


def _kind(feature: str) -> str:
    if feature.endswith(("_x", "_y", "_z")):
        return "position"
    return "partner" if feature.startswith("partner_") else "motion"


def gather(frames: torch.Tensor, starts: torch.Tensor, length: int) -> torch.Tensor:
    """Return the windows that start at given frames; shared by training and encoding.

    Parameters
    ----------
    frames : Tensor
        `(n_frames, n_features)`.
    starts : Tensor
        `(n_windows,)` int, on the same device.
    length : int
        Frames of a window.

    Returns
    -------
    Tensor
        `(n_windows, length, n_features)`.
    """
    import torch

    return frames[starts[:, None] + torch.arange(length, device=frames.device)]


def window_starts(run: np.ndarray, length: int) -> np.ndarray:
    """Return the index of the first row of every window that lies in a single run.

    Parameters
    ----------
    run : numpy.ndarray
        `(n_rows,)` int, the run of each row. The rows of a run follow one another; a window contains no row
        with -1.
    length : int
        Rows of a window.

    Examples
    --------
    >>> window_starts(np.array([0, 0, 0, -1, 1, 1]), 2).tolist()
    [0, 1, 4]
    """
    if len(run) < length:
        return np.empty(0, np.int64)
    # runs are unbroken: if both ends of a window are in the same run, so are the rows between them
    first, last = run[: len(run) - length + 1], run[length - 1 :]
    return np.flatnonzero((first == last) & (first >= 0))
