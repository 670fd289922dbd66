"""Encode the windows of recordings with a trained model."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from vame_pipe.core.errors import InputError
from vame_pipe.core.schemas import feature_fields, latent_names
from vame_pipe.encoding.compatibility import find_problems
from vame_pipe.encoding.model_file import ModelFile
from vame_pipe.encoding.posterior import encode_windows
from vame_pipe.training.network import RNN_VAE
from vame_pipe.windows.data import ValidRows, normalise, window_starts

if TYPE_CHECKING:
    import pandas as pd

    from vame_pipe.alignment.session import Aligned

log = logging.getLogger(__name__)


def encode(model: ModelFile, aligned: Aligned) -> pd.DataFrame:
    """Return the latent vector of every window of one animal; computes on the CPU.

    Parameters
    ----------
    model : ModelFile
        Result of `load_model`.
    aligned : Aligned
        Result of `align`, with the settings that the model was trained with: `model.alignment()`.

    Returns
    -------
    pandas.DataFrame
        One row per window, labelled with its middle frame: `row`, `frame`, `time_s`, `run` and the latent
        vector `z_00`, `z_01`, ...; see `core.schemas` for the columns.

    Raises
    ------
    InputError
        If features, frame rate or settings of the alignment are not those of the model.

    Examples
    --------
    A model with random weights, and an animal that wanders about for two seconds. Trained models come from
    `load_model`, and poses from `read_poses`.

    >>> from vame_pipe import align
    >>> from vame_pipe.poses.contract import Poses
    >>> rng = np.random.default_rng(0)
    >>> position = np.cumsum(rng.normal(size=(60, 2, 2)), axis=0) + [[[0, 0], [50, 0]]]
    >>> poses = Poses(position, np.ones((60, 2)), ("tail", "nose"), 30.0, "example.csv")
    >>> motion = ["speed_forward", "speed_lateral", "turn_rate", "log_speed", "log_posture_speed"]
    >>> features = ["nose_x", *motion]
    >>> sizes = ("hidden_size_layer_1", "hidden_size_layer_2", "hidden_size_rec", "hidden_size_pred")
    >>> arguments = {
    ...     **{"TEMPORAL_WINDOW": 2 * 15, "ZDIMS": 2, "NUM_FEATURES": len(features)},
    ...     **{"FUTURE_DECODER": False, "FUTURE_STEPS": 0, "softplus": False},
    ...     **dict.fromkeys(sizes, 8),
    ...     **dict.fromkeys(("dropout_encoder", "dropout_rec", "dropout_pred"), 0.0),
    ... }
    >>> model = ModelFile(
    ...     arguments=arguments,
    ...     state=RNN_VAE(**arguments).state_dict(),
    ...     features=features,
    ...     mean=[0.0] * 6,
    ...     std=[1.0] * 6,
    ...     length=15,
    ...     fps=30.0,
    ...     settings={"align": {"centre": "tail", "forward": "nose", "keypoints": None}},
    ...     data_fingerprint=None,
    ...     training={},
    ... )
    >>> latents = encode(model, align(poses, *model.alignment()))
    >>> latents[["row", "frame", "run"]].tail(2).values.tolist()
    [[51, 51, 0], [52, 52, 0]]
    >>> latents.shape
    (46, 6)
    """
    problems = find_problems(model, aligned.names, aligned.fps, aligned.settings)
    if problems:
        raise InputError(*problems)
    warn_of_unknown_features(model, aligned.names)
    order = [aligned.names.index(name) for name in model.features or aligned.names]
    position = np.flatnonzero(aligned.valid)
    valid = ValidRows(position, position, aligned.run[position])
    row = np.arange(len(aligned.valid))
    columns = {"row": row, "frame": aligned.frame, "time_s": aligned.time_s, "run": aligned.run}
    table, _ = latents_table(
        Encoder(model, model.network()),
        pa.table(columns),
        aligned.features[position][:, order],
        valid,
    )
    return table.to_pandas()


def encode_runs(model: ModelFile, network: RNN_VAE, runs: np.ndarray) -> np.ndarray:
    """Return the latent vector of every window in runs of equal length.

    Parameters
    ----------
    model : ModelFile
    network : RNN_VAE
        Result of `model.network()`.
    runs : numpy.ndarray
        `(n_runs, n_frames, n_features)` float32, aligned features in the order of the model.

    Returns
    -------
    numpy.ndarray
        `(n_runs * (n_frames - model.length + 1), zdims)` float32, run after run.

    Raises
    ------
    InputError
        If the runs are shorter than a window.
    """
    n_runs, n_frames, n_features = runs.shape
    if n_frames < model.length:
        raise InputError(
            f"the input has runs of {n_frames} frames; this model needs at least {model.length}."
        )
    frames = _normalised(model, runs.reshape(-1, n_features))
    starts = np.arange(n_runs)[:, None] * n_frames + np.arange(n_frames - model.length + 1)
    return encode_windows(network, frames, starts.ravel(), model.length).mean


def _normalised(model: ModelFile, frames: np.ndarray) -> np.ndarray:
    return normalise(frames, np.array(model.mean, np.float32), np.array(model.std, np.float32))


def warn_of_unknown_features(model: ModelFile, features: list[str]) -> None:
    """Log that the features of a recording are taken in their order, if the model does not name its own."""
    if model.features is None:
        log.warning("the model stores no feature names; assuming %s", ", ".join(features))


@dataclass(frozen=True)
class Encoder:
    """A loaded model.

    Attributes
    ----------
    model : ModelFile
    network : RNN_VAE
        On the device that computes.
    fingerprint : str
        SHA-256 of the model file; empty if it is not known.
    after_batch : callable
        Called after each batch of windows.
    """

    model: ModelFile
    network: RNN_VAE
    fingerprint: str = ""
    after_batch: Callable[[], None] = lambda: None


def latents_table(
    encoder: Encoder, index: pa.Table, values: np.ndarray, valid: ValidRows
) -> tuple[pa.Table, np.ndarray]:
    """Return one row per window, and the average posterior standard deviation `(zdims,)`.

    Parameters
    ----------
    encoder : Encoder
    index : pyarrow.Table
        Columns that identify a row, for all rows of a recording. Windows get those of their middle frame.
    values : numpy.ndarray
        `(n_valid, n_features)`, the features of the valid rows, in the order of the model.
    valid : ValidRows
    """
    length = encoder.model.length
    starts = window_starts(valid.run, length)
    frames = _normalised(encoder.model, values)
    latents = encode_windows(encoder.network, frames, starts, length, encoder.after_batch)
    middle = index.take(pa.array(valid.position[starts + length // 2]))
    schema = pa.schema([*index.schema, *feature_fields(latent_names(latents.mean.shape[1]))])
    columns = [*middle.columns, *map(pa.array, latents.mean.T)]
    return pa.Table.from_arrays(columns, schema=schema), latents.posterior_std
