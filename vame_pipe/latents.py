"""Encode every window of recordings."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from tqdm import tqdm

from vame_pipe import checkpoint, store
from vame_pipe.device import Threads
from vame_pipe.errors import InputError
from vame_pipe.model import RNN_VAE
from vame_pipe.settings import Align
from vame_pipe.windows import gather, normalise, require_aligned, valid_runs, window_starts

log = logging.getLogger(__name__)

BATCH = 256
"""Windows encoded at once; on a CPU the fastest of 64, 256 and 4,096."""


@torch.no_grad()
def encode(
    network: RNN_VAE,
    frames: torch.Tensor,
    starts: torch.Tensor,
    length: int,
    after_batch: Callable[[], None] = lambda: None,
) -> torch.Tensor:
    """Return the posterior mean of windows.

    Parameters
    ----------
    network : RNN_VAE
        In evaluation mode.
    frames : Tensor
        `(n_frames, n_features)`, normalised, on the network's device.
    starts : Tensor
        `(n_windows,)` int64, the first row of each.
    length : int
        Frames of a window.
    after_batch : callable
        Called after each batch.

    Returns
    -------
    Tensor
        `(n_windows, zdims)`.
    """
    parts = []
    for batch in torch.split(starts, BATCH):
        parts.append(network.lmbda(network.encoder(gather(frames, batch, length)))[1])
        after_batch()
    if parts:
        return torch.cat(parts)
    return torch.empty(0, network.lmbda.hidden_to_mean.out_features, device=frames.device)


def encode_runs(model: checkpoint.ModelFile, network: RNN_VAE, runs: np.ndarray) -> np.ndarray:
    """Return the latents of every window in runs of frames.

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
        raise InputError(f"runs of {n_frames} frames: a window of this model takes {model.length}.")
    mean, std = (np.array(values, np.float32) for values in (model.mean, model.std))
    frames = normalise(runs.reshape(-1, n_features), mean, std)
    starts = np.arange(n_runs)[:, None] * n_frames + np.arange(n_frames - model.length + 1)
    return encode(
        network, torch.from_numpy(frames), torch.from_numpy(starts.ravel()), model.length
    ).numpy()


def export(
    model_path: Path,
    files: dict[Path, Path],
    device: str,
    resume: Path | None = None,
    code: str = "",
    threads: int = 1,
) -> None:
    """Write the latents of recordings; those that are there already, made of the same, stay.

    Parameters
    ----------
    model_path : Path
        model.pt.
    files : dict of Path to Path
        For each results/aligned/{session}.parquet the results/latents/{model}/{session}.parquet.
    device : str
        A torch device.
    resume : Path, optional
        Folder where latents wait until all are done, if their places are none for a part of them.
    code : str
        Hash of what computes them.
    threads : int
        CPU threads that may be used, if other processes leave room for them.

    Raises
    ------
    InputError
        If the features or the frame rate of recordings are not the model's; the others are done.
    """
    model = checkpoint.load(model_path)
    network, digest = model.network(device), store.file_fingerprint(model_path)
    cores = Threads(threads)
    places = {path: resume / out.name if resume else out for path, out in files.items()}
    problems = []
    for path, place in tqdm(places.items(), unit="session", disable=None):
        try:
            meta = store.read_metadata(path)
            require_aligned([meta])
            require_fit(model, meta, path)
            fingerprint = store.fingerprint(meta["fingerprint"], digest, code)
            if not place.exists() or store.read_metadata(place)["fingerprint"] != fingerprint:
                content = {
                    "model_fingerprint": digest,
                    "aligned_fingerprint": meta["fingerprint"],
                    "fingerprint": fingerprint,
                }
                _export_session(model, network, path, meta, place, content, cores.adapt)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(*problems)
    if resume:
        for path, out in files.items():
            out.parent.mkdir(parents=True, exist_ok=True)
            places[path].replace(out)
        shutil.rmtree(resume)


def _export_session(
    model: checkpoint.ModelFile,
    network: RNN_VAE,
    aligned: Path,
    meta: dict,
    out: Path,
    content: dict,
    after_batch: Callable[[], None],
) -> None:
    table = pq.read_table(aligned)
    features = model.features or meta["features"]
    rows, run = valid_runs(table["valid"].to_numpy())
    values = np.stack([table[name].to_numpy()[rows] for name in features], axis=1)
    values = normalise(values, np.array(model.mean, np.float32), np.array(model.std, np.float32))
    starts = window_starts(np.zeros(len(run)), run, model.length, 0)
    device = network.lmbda.hidden_to_mean.weight.device
    frames, places = (torch.from_numpy(part).to(device) for part in (values, starts))
    latent = encode(network, frames, places, model.length, after_batch).cpu().numpy()
    if not len(latent):
        log.warning("session %s: no run of %d valid frames, no latents", aligned.stem, model.length)
    else:
        log.info("session %s: %d latents", aligned.stem, len(latent))

    centre = pa.array(rows[starts + model.length // 2])
    index = table.select([field.name for field in store.INDEX_FIELDS]).take(centre)
    names = [f"z_{i:02d}" for i in range(latent.shape[1])]
    fields = [*store.INDEX_FIELDS, *(pa.field(name, pa.float32()) for name in names)]
    result = pa.Table.from_arrays(
        [*index.columns, *(pa.array(column) for column in latent.T)], schema=pa.schema(fields)
    )
    content = store.metadata(**content, length=model.length, fps=meta["fps"])
    store.write_tables(out, [result], result.schema, content)


def require_fit(model: checkpoint.ModelFile, meta: dict, aligned: Path) -> None:
    """Raise InputError unless an aligned file has what the model was trained on."""
    problems = []
    found, n_features = meta["features"], model.arguments["NUM_FEATURES"]
    if model.features is None:
        if len(found) != n_features:
            problems.append(
                f"{aligned}: has {len(found)} features ({', '.join(found)}), the model takes "
                f"{n_features}. Align it with the keypoints and settings of the model."
            )
        else:
            log.warning(
                "the model does not name its features, taken for them: %s", ", ".join(found)
            )
    elif set(found) != set(model.features):
        lacking = [name for name in model.features if name not in found]
        extra = [name for name in found if name not in model.features]
        problems.append(
            f"{aligned}: its features do not match the model's: lacks {', '.join(lacking) or 'none'}; "
            f"has besides {', '.join(extra) or 'none'}. Align it with the model's keypoints and settings."
        )
    if model.fps not in (None, meta["fps"]):
        problems.append(
            f"{aligned}: {meta['fps']:g} fps, the model was trained at {model.fps:g}. Set align.fps."
        )
    problems += [
        f"{aligned}: was aligned with {name} {json.dumps(found)}, the recordings of the model with "
        f"{json.dumps(expected)}. Align it with the settings of the model."
        for name, found, expected in _differing_settings(model, meta)
    ]
    if problems:
        raise InputError(*problems)


def _differing_settings(model: checkpoint.ModelFile, meta: dict) -> list[tuple[str, Any, Any]]:
    """Return the settings of alignment, with both values, in which a recording differs.

    Weights of VAME come without settings. Names of features and the frame rate are compared elsewhere.
    """
    expected, found = model.settings.get("align"), meta["settings"]
    if expected is None:
        return []
    defaults = {name: field.default for name, field in Align.model_fields.items()}
    names = sorted((expected.keys() | found.keys()) - {"keypoints", "fps", "head_fixed"})
    pairs = [(n, found.get(n, defaults.get(n)), expected.get(n, defaults.get(n))) for n in names]
    return [(f"align.{n}", one, other) for n, one, other in pairs if one != other]
