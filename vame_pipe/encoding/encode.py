"""Encode the windows of recordings with a trained model."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from tqdm import tqdm

from vame_pipe.config.sections import Align
from vame_pipe.core import files
from vame_pipe.core.device import Threads
from vame_pipe.core.errors import InputError
from vame_pipe.core.schemas import (
    INDEX_FIELDS,
    AlignedMetadata,
    LatentsMetadata,
    feature_fields,
    latent_names,
    read_record,
    to_metadata,
)
from vame_pipe.core.source import ENCODE
from vame_pipe.encoding import model_file
from vame_pipe.encoding.model_file import ModelFile
from vame_pipe.training.network import RNN_VAE
from vame_pipe.windows.data import gather, normalise, read_valid_rows, window_starts

if TYPE_CHECKING:
    from vame_pipe.alignment.session import Aligned

log = logging.getLogger(__name__)

BATCH = 256
"""Windows encoded at the same time; on a CPU the fastest of 64, 256 and 4,096."""


@dataclass(frozen=True)
class Latents:
    """The posterior of windows.

    Attributes
    ----------
    mean : numpy.ndarray
        `(n_windows, zdims)` float32.
    posterior_std : numpy.ndarray
        `(zdims,)` float64, the posterior standard deviation, averaged over the windows; 0 without any.
    """

    mean: np.ndarray
    posterior_std: np.ndarray


@torch.no_grad()
def encode_windows(
    network: RNN_VAE,
    frames: np.ndarray,
    starts: np.ndarray,
    length: int,
    after_batch: Callable[[], None] = lambda: None,
) -> Latents:
    """Return the posterior of windows.

    Parameters
    ----------
    network : RNN_VAE
        In evaluation mode.
    frames : numpy.ndarray
        `(n_frames, n_features)` float32, normalised.
    starts : numpy.ndarray
        `(n_windows,)` int64, the first row of each.
    length : int
        Frames of a window.
    after_batch : callable
        Called after each batch.
    """
    weight = network.lmbda.hidden_to_mean.weight
    on_device = torch.from_numpy(frames).to(weight.device)
    means = [torch.empty(0, len(weight))]
    std = torch.zeros(len(weight), dtype=torch.float64)
    for batch in torch.split(torch.from_numpy(starts).to(weight.device), BATCH):
        if not len(batch):
            break  # torch.split of an empty tensor gives one empty batch
        _, mean, logvar = network.lmbda(network.encoder(gather(on_device, batch, length)))
        means.append(mean.cpu())
        std += (logvar / 2).exp().sum(dim=0).cpu().double()
        after_batch()
    return Latents(torch.cat(means).numpy(), (std / max(1, len(starts))).numpy())


def encode(model: ModelFile, aligned: Aligned) -> pd.DataFrame:
    """Return the latent vectors of every window of one animal's recording, computed on the CPU.

    Parameters
    ----------
    model : ModelFile
        What `load_model` returned.
    aligned : Aligned
        What `align` returned, with the settings that the model was trained with.

    Returns
    -------
    pandas.DataFrame
        One row per window, at its centre: `row`, `frame`, `time_s`, `run`, `z_00`, `z_01`, ...

    Raises
    ------
    InputError
        If features or frame rate are not those of the model.
    """
    problems = feature_problems(model, aligned.names, aligned.fps)
    if problems:
        raise InputError(*problems)
    order = [aligned.names.index(name) for name in model.features or aligned.names]
    position = np.flatnonzero(aligned.valid)
    starts = window_starts(aligned.run[position], model.length)
    latents = encode_windows(
        model.network(),
        _normalised(model, aligned.features[position][:, order]),
        starts,
        model.length,
    )
    centre = position[starts + model.length // 2]
    index = {"row": centre, "frame": aligned.frame[centre], "time_s": aligned.time_s[centre]}
    columns = dict(zip(latent_names(latents.mean.shape[1]), latents.mean.T, strict=True))
    return pd.DataFrame(index | {"run": aligned.run[centre]} | columns)


def encode_runs(model: ModelFile, network: RNN_VAE, runs: np.ndarray) -> np.ndarray:
    """Return the latent vectors of every window in runs of frames of equal length.

    Parameters
    ----------
    model : ModelFile
    network : RNN_VAE
        What `model.network()` returned.
    runs : numpy.ndarray
        `(n_runs, n_frames, n_features)` float32, as aligned.

    Returns
    -------
    numpy.ndarray
        `(n_runs * (n_frames - model.length + 1), zdims)` float32, run after run.

    Raises
    ------
    InputError
        If runs are shorter than a window.
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


def encode_sessions(
    model_path: Path,
    targets: dict[Path, Path],
    device: str,
    scratch: Path | None = None,
    threads: int = 1,
) -> None:
    """Write the latents of aligned sessions; files that are up to date stay.

    Parameters
    ----------
    model_path : Path
        model.pt.
    targets : dict of Path to Path
        For each results/aligned/{session}.parquet the results/latents/{model}/{session}.parquet.
    device : str
        A torch device.
    scratch : Path, optional
        Finished sessions wait in this folder until all are done; then they move to their targets.
    threads : int
        CPU threads that may be used, if other processes leave room for them.

    Raises
    ------
    InputError
        If sessions do not fit the model; the others are encoded all the same.
    """
    model = model_file.load(model_path)
    network, digest = model.network(device), files.file_fingerprint(model_path)
    cores = Threads(threads)
    written = {path: scratch / out.name if scratch else out for path, out in targets.items()}
    problems = []
    for path, out in tqdm(written.items(), unit="session", disable=None):
        try:
            meta = read_record(AlignedMetadata, path)
            check_compatible(model, meta, path)
            fingerprint = files.fingerprint(meta.fingerprint, digest, ENCODE)
            if not (out.exists() and read_record(LatentsMetadata, out).fingerprint == fingerprint):
                table, posterior_std = _encode_session(model, network, path, meta, cores.adapt)
                content = LatentsMetadata(
                    model_fingerprint=digest,
                    aligned_fingerprint=meta.fingerprint,
                    fingerprint=fingerprint,
                    length=model.length,
                    fps=meta.fps,
                    posterior_std=posterior_std.tolist(),
                    stage_version=ENCODE,
                )
                files.write_tables(out, [table], table.schema, to_metadata(content))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(*problems)
    if scratch:
        for path, out in targets.items():
            out.parent.mkdir(parents=True, exist_ok=True)
            written[path].replace(out)
        shutil.rmtree(scratch)


def _encode_session(
    model: ModelFile,
    network: RNN_VAE,
    path: Path,
    meta: AlignedMetadata,
    after_batch: Callable[[], None],
) -> tuple[pa.Table, np.ndarray]:
    """Return the latents of a session as a table, and the average posterior standard deviation."""
    table, valid = pq.read_table(path), read_valid_rows(path)
    features = model.features or meta.features
    values = np.stack([table[name].to_numpy()[valid.position] for name in features], axis=1)
    starts = window_starts(valid.run, model.length)
    latents = encode_windows(network, _normalised(model, values), starts, model.length, after_batch)
    if not len(starts):
        log.warning("session %s: no run of %d valid frames, no latents", path.stem, model.length)
    else:
        log.info("session %s: %d latent vectors", path.stem, len(starts))
    centre = pa.array(valid.position[starts + model.length // 2])
    index = table.select([field.name for field in INDEX_FIELDS]).take(centre)
    fields = [*INDEX_FIELDS, *feature_fields(latent_names(latents.mean.shape[1]))]
    columns = [*index.columns, *map(pa.array, latents.mean.T)]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields)), latents.posterior_std


def check_compatible(model: ModelFile, meta: AlignedMetadata, aligned: Path) -> None:
    """Raise InputError unless an aligned session has what the model was trained on."""
    problems = feature_problems(model, meta.features, meta.fps)
    problems += [
        f"was aligned with {name} {json.dumps(found)}, the recordings of the model with "
        f"{json.dumps(expected)}. Align it with the settings of the model."
        for name, found, expected in _differing_settings(model, meta)
    ]
    if problems:
        raise InputError(*(f"{aligned}: {problem}" for problem in problems))


def feature_problems(model: ModelFile, features: list[str], fps: float) -> list[str]:
    """Return why features and frame rate do not fit a model, one line each."""
    problems = []
    n_features = model.arguments["NUM_FEATURES"]
    if model.features is None:
        if len(features) != n_features:
            problems.append(
                f"has {len(features)} features ({', '.join(features)}), the model takes {n_features}. "
                "Align it with the keypoints and settings of the model."
            )
        else:
            log.warning("the model stores no feature names; assuming %s", ", ".join(features))
    elif set(features) != set(model.features):
        missing = [name for name in model.features if name not in features]
        unexpected = [name for name in features if name not in model.features]
        problems.append(
            f"its features do not match the model's: missing {', '.join(missing) or 'none'}; "
            f"unexpected {', '.join(unexpected) or 'none'}. Align it with the model's keypoints and "
            "settings."
        )
    if model.fps not in (None, fps):
        problems.append(f"{fps:g} fps, the model was trained at {model.fps:g}. Set align.fps.")
    return problems


def _differing_settings(model: ModelFile, meta: AlignedMetadata) -> list[tuple[str, Any, Any]]:
    """Return the alignment settings, with both values, in which a session differs from the model's.

    Models of VAME come without settings. Feature names and frame rate are compared elsewhere.
    """
    expected, found = model.settings.get("align"), meta.settings
    if expected is None:
        return []
    defaults = {name: field.default for name, field in Align.model_fields.items()}
    names = sorted((expected.keys() | found.keys()) - {"keypoints", "fps", "head_fixed"})
    pairs = [(n, found.get(n, defaults.get(n)), expected.get(n, defaults.get(n))) for n in names]
    return [(f"align.{n}", one, other) for n, one, other in pairs if one != other]
