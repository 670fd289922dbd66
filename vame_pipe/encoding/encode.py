"""Encode the windows of recordings with a trained model."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from vame_pipe.core import files
from vame_pipe.core.device import Threads
from vame_pipe.core.errors import InputError
from vame_pipe.core.metadata import (
    AlignedMetadata,
    LatentsMetadata,
    read_record,
    to_metadata,
    write_rejection,
)
from vame_pipe.core.schemas import INDEX_FIELDS, feature_fields, latent_names
from vame_pipe.core.source import ENCODE
from vame_pipe.encoding import model_file
from vame_pipe.encoding.compatibility import check_compatible, find_problems
from vame_pipe.encoding.model_file import ModelFile
from vame_pipe.encoding.posterior import encode_windows
from vame_pipe.training.network import RNN_VAE
from vame_pipe.windows.data import ValidRows, normalise, read_valid_rows, window_starts

if TYPE_CHECKING:
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
    _warn_of_unknown_features(model, aligned.names)
    order = [aligned.names.index(name) for name in model.features or aligned.names]
    position = np.flatnonzero(aligned.valid)
    valid = ValidRows(position, position, aligned.run[position])
    row = np.arange(len(aligned.valid))
    columns = {"row": row, "frame": aligned.frame, "time_s": aligned.time_s, "run": aligned.run}
    table, _ = _latents_table(
        _Encoder(model, model.network()),
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


def _warn_of_unknown_features(model: ModelFile, features: list[str]) -> None:
    if model.features is None:
        log.warning("the model stores no feature names; assuming %s", ", ".join(features))


@dataclass(frozen=True)
class _Encoder:
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


def encode_sessions(
    model_path: Path,
    targets: dict[Path, Path],
    device: str,
    scratch: Path | None = None,
    threads: int = 1,
    record_failure: bool = False,
) -> None:
    """Write the latents of aligned sessions; files that are up to date are kept.

    Parameters
    ----------
    model_path : Path
        model.pt.
    targets : dict of Path to Path
        For each results/aligned/{session}.parquet: results/latents/{model}/{session}.parquet.
    device : str
        A torch device.
    scratch : Path, optional
        Folder for finished sessions, which are moved to their targets once all are done. A job that was
        interrupted resumes from it.
    threads : int
        Most CPU threads to use; fewer are used if other processes need the cores.
    record_failure : bool
        In place of the latents of a session that cannot be encoded, write the reasons, instead of raising;
        the report names them.

    Raises
    ------
    InputError
        If sessions could not be aligned or do not fit the model. The other sessions are still encoded.
    """
    model = model_file.load(model_path)
    network, digest = model.network(device), files.file_fingerprint(model_path)
    encoder = _Encoder(model, network, digest, Threads(threads).adapt)
    written = {path: scratch / out.name if scratch else out for path, out in targets.items()}
    problems = []
    for path, out in tqdm(written.items(), unit="session", disable=None):
        try:
            _encode_session(encoder, path, out)
        except InputError as error:
            if record_failure:
                _record_failure(error.problems, out)
            else:
                problems += error.problems
    if problems:
        raise InputError(*problems)
    if scratch:
        for path, out in targets.items():
            out.parent.mkdir(parents=True, exist_ok=True)
            written[path].replace(out)
            out.touch()  # an interrupted job may have written it; Snakemake refuses files older than inputs
        shutil.rmtree(scratch)


def _record_failure(problems: list[str], out: Path) -> None:
    """Write the reasons why a session cannot be encoded, and log them."""
    for line in problems:
        log.warning("%s", line)
    write_rejection(out, problems)


def _encode_session(encoder: _Encoder, aligned: Path, out: Path) -> None:
    """Write the latents of a session, unless the file is up to date."""
    meta = read_record(AlignedMetadata, aligned)
    check_compatible(encoder.model, meta, aligned)
    fingerprint = files.fingerprint(meta.fingerprint, encoder.fingerprint, ENCODE)
    if _is_up_to_date(out, fingerprint):
        return
    _warn_of_unknown_features(encoder.model, meta.features)
    table, posterior_std = _encode_rows(encoder, aligned, meta)
    content = LatentsMetadata(
        model_fingerprint=encoder.fingerprint,
        aligned_fingerprint=meta.fingerprint,
        fingerprint=fingerprint,
        length=encoder.model.length,
        fps=meta.fps,
        posterior_std=posterior_std.tolist(),
        stage_version=ENCODE,
    )
    files.write_tables(out, [table], table.schema, to_metadata(content))


def _is_up_to_date(out: Path, fingerprint: str) -> bool:
    """Return whether a file of latents exists, is intact and has a fingerprint."""
    try:
        return read_record(LatentsMetadata, out).fingerprint == fingerprint
    except InputError:
        return False


def _encode_rows(
    encoder: _Encoder, aligned: Path, meta: AlignedMetadata
) -> tuple[pa.Table, np.ndarray]:
    """Return what `_latents_table` makes of an aligned session."""
    table, valid = pq.read_table(aligned), read_valid_rows(aligned)
    features = encoder.model.features or meta.features
    values = np.stack([table[name].to_numpy()[valid.position] for name in features], axis=1)
    index = table.select([field.name for field in INDEX_FIELDS])
    latents, posterior_std = _latents_table(encoder, index, values, valid)
    if len(latents):
        log.info("session %s: %d latent vectors", meta.session, len(latents))
    else:
        log.warning(
            "session %s: no run of %d valid frames, so no latent vectors",
            *(meta.session, encoder.model.length),
        )
    return latents, posterior_std


def _latents_table(
    encoder: _Encoder, index: pa.Table, values: np.ndarray, valid: ValidRows
) -> tuple[pa.Table, np.ndarray]:
    """Return one row per window, and the average posterior standard deviation `(zdims,)`.

    Parameters
    ----------
    encoder : _Encoder
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
