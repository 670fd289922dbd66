"""Compare a new recording with the training sessions of a model."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch

from vame_pipe.core import novelty
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import novelty_file
from vame_pipe.core.metadata import AlignedMetadata, LatentsMetadata, read_record
from vame_pipe.core.novelty import Novelty
from vame_pipe.core.schemas import latent_columns
from vame_pipe.core.source import ENCODE
from vame_pipe.encoding.model_file import ModelFile, Reference
from vame_pipe.encoding.posterior import BATCH
from vame_pipe.training.network import RNN_VAE
from vame_pipe.windows.data import (
    feature_weights,
    gather,
    normalise,
    read_valid_rows,
    window_starts,
)

log = logging.getLogger(__name__)

MAX_BEYOND = 0.1
"""Largest fraction of windows beyond the 99th percentile of a recording that is not named. Recordings of
other mice in the same arena have 0.01 to 0.03, mirrored ones 0.2. With little data the percentile is
uncertain."""
MAX_SIZE_RATIO = 1.5
"""Largest factor between a body length and those of the training sessions, in either direction."""
RATE_TOLERANCE = 0.01
"""Largest relative difference between frame rates that is rounding, as between 29.97 and 30."""
MAX_SHIFT = 1.0
"""Largest shift of a feature, in standard deviations, that is not named."""
MIRRORED = -0.7
"""Left and right seem swapped if the cosine between sideways positions of keypoints is lower."""
MIN_SIDEWAYS = 0.02
"""Body lengths that keypoints must lie sideways, on average, to tell left from right."""


def write_novelty(model: ModelFile, network: RNN_VAE, aligned: Path, latents: Path) -> None:
    """Write how far an encoded recording resembles the training sessions, and log why it does not.

    A file that is up to date is kept.

    Parameters
    ----------
    model : ModelFile
    network : RNN_VAE
        Its network, on the device that computes.
    aligned, latents : Path
        Files of the recording. The result is written next to the latents.
    """
    out, encoded = novelty_file(latents), read_record(LatentsMetadata, latents)
    if _is_up_to_date(out, encoded.fingerprint):
        return
    meta = read_record(AlignedMetadata, aligned)
    features = model.features or meta.features
    frames, starts = _read_frames(model, features, aligned)
    found, reference = None, model.reference
    if reference and len(starts):
        columns = pq.read_table(latents, columns=latent_columns(latents)).columns
        values = np.stack([column.to_numpy() for column in columns], axis=1)
        errors = reconstruction_errors(network, frames, starts, values, model.length)
        found = float((errors > reference.error_p99).mean())
    lengths = {name: facts.body_length_px for name, facts in meta.individuals.items()}
    shift: dict[str, float] = {}
    if len(frames):
        shifts = frames.mean(axis=0, dtype=np.float64) / _root_weights(model, features)
        shift = dict(zip(features, shifts.tolist(), strict=True))
    record = Novelty(
        session=meta.session,
        n_windows=len(starts),
        beyond_p99=found,
        body_length_px=lengths,
        body_length_ratio=_length_ratios(lengths, reference),
        source_fps=meta.source_fps,
        training_fps=reference.source_rates if reference else [],
        feature_shift=shift,
        reasons=[],
        known=reference is not None,
        latents_fingerprint=encoded.fingerprint,
        stage_version=ENCODE,
    )
    if reference:
        scaled = meta.settings.get("scale", True)
        unit = 1.0 if scaled else float(np.median([*lengths.values()]))
        record = dataclasses.replace(record, reasons=find_reasons(record, model, reference, unit))
    novelty.write(record, out)
    _log(record)


def _is_up_to_date(out: Path, latents_fingerprint: str) -> bool:
    try:
        found = novelty.read(out)
    except InputError:
        return False
    return (found.latents_fingerprint, found.stage_version) == (latents_fingerprint, ENCODE)


def _read_frames(
    model: ModelFile, features: list[str], aligned: Path
) -> tuple[np.ndarray, np.ndarray]:
    """Return the normalised features of valid rows `(n_rows, n_features)`, and the starts of windows."""
    valid, table = read_valid_rows(aligned), pq.read_table(aligned, columns=features)
    values = np.stack([table[name].to_numpy()[valid.position] for name in features], axis=1)
    mean, std = (np.array(numbers, np.float32) for numbers in (model.mean, model.std))
    return normalise(values, mean, std), window_starts(valid.run, model.length)


@torch.no_grad()
def reconstruction_errors(
    network: RNN_VAE, frames: np.ndarray, starts: np.ndarray, latents: np.ndarray, length: int
) -> np.ndarray:
    """Return the mean squared error of the reconstruction of each window.

    Parameters
    ----------
    network : RNN_VAE
        In evaluation mode.
    frames : numpy.ndarray
        `(n_frames, n_features)` float32, normalised.
    starts : numpy.ndarray
        `(n_windows,)` int64, index of the first frame of each window.
    latents : numpy.ndarray
        `(n_windows, zdims)` float32, the latent vector of each window.
    length : int
        Frames of a window.

    Returns
    -------
    numpy.ndarray
        `(n_windows,)` float32.
    """
    device = network.lmbda.hidden_to_mean.weight.device
    on_device, vectors = torch.from_numpy(frames).to(device), torch.from_numpy(latents).to(device)
    errors = []
    for offset in range(0, len(starts), BATCH):
        chosen = torch.from_numpy(starts[offset : offset + BATCH]).to(device)
        z = vectors[offset : offset + BATCH]
        output = network.decoder(z.unsqueeze(1).expand(-1, length, -1), z)
        error = (output - gather(on_device, chosen, length)).square().mean(dim=(1, 2))
        errors.append(error.cpu().numpy())
    return np.concatenate(errors) if errors else np.empty(0, np.float32)


def _length_ratios(lengths: Mapping[str, float], reference: Reference | None) -> dict[str, float]:
    if reference is None or not reference.body_lengths:
        return {}
    median = float(np.median(reference.body_lengths))
    return {name: length / median for name, length in lengths.items()}


def find_reasons(record: Novelty, model: ModelFile, reference: Reference, unit: float) -> list[str]:
    """Return why a recording does not resemble the training sessions, in words.

    Parameters
    ----------
    record : Novelty
        Its `reasons` are not read.
    model : ModelFile
    reference : Reference
    unit : float
        A body length in the units of the features.
    """
    found, beyond = [], record.beyond_p99
    if beyond is not None and beyond > MAX_BEYOND:
        found.append(
            f"{beyond:.0%} of its windows are reconstructed worse than 99% of validation windows"
        )
    known, lengths = reference.body_lengths, record.body_length_px
    for name, length in lengths.items() if known else ():
        if not min(known) / MAX_SIZE_RATIO <= length <= max(known) * MAX_SIZE_RATIO:
            whose = f"body length of {name}" if len(lengths) > 1 else "body length"
            found.append(
                f"{whose} {length:.0f} px, in the training sessions {_span(known)} px: it was filmed at "
                "another scale, or is another animal"
            )
    if record.training_fps and not _is_near(record.source_fps, record.training_fps):
        rates = _span(record.training_fps)
        found.append(f"recorded at {record.source_fps:g} fps, the training sessions at {rates} fps")
    if _is_mirrored(record.feature_shift, model, unit):
        found.append("left and right seem swapped: the camera was on another side, or names differ")
    shifted = {name: by for name, by in record.feature_shift.items() if abs(by) > MAX_SHIFT}
    if shifted:
        listed = ", ".join(f"{name} by {by:+.1f}" for name, by in shifted.items())
        found.append(f"features are shifted, in standard deviations: {listed}")
    return found


def _is_near(rate: float, rates: list[float]) -> bool:
    """Return whether one of several rates is the same, but for rounding."""
    return any(abs(rate - other) <= RATE_TOLERANCE * other for other in rates)


def _span(values: list[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"


def _root_weights(model: ModelFile, features: list[str]) -> np.ndarray:
    """Return by what normalised features are larger than in standard deviations, `(n_features,)`."""
    balance = model.settings.get("windows", {}).get("balance", False)
    return np.sqrt(feature_weights(features, balance))


def _is_mirrored(shifts: Mapping[str, float], model: ModelFile, unit: float) -> bool:
    """Return whether keypoints lie on the other side of the body axis than in the training sessions.

    Parameters
    ----------
    shifts : mapping of str to float
        By feature, in standard deviations of the training sessions.
    model : ModelFile
        Its normaliser has means and standard deviations of the training sessions.
    unit : float
        A body length in the units of the features.
    """
    features = model.features or []
    deviation = np.array(model.std[: len(features)]) * _root_weights(model, features)
    pairs = [
        (mean, mean + shifts[name] * std)
        for name, mean, std in zip(features, model.mean, deviation, strict=False)
        if name.endswith("_y") and name in shifts
    ]
    if not pairs:
        return False
    training, here = np.array(pairs).T / unit
    sizes = np.linalg.norm(training), np.linalg.norm(here)
    if min(sizes) <= MIN_SIDEWAYS * np.sqrt(len(pairs)):
        return False
    return bool(training @ here / np.prod(sizes) < MIRRORED)


def _log(record: Novelty) -> None:
    if not record.known:
        log.warning(
            "session %s: novelty is unknown, because the model file does not describe its training "
            "sessions (it is older, or imported from VAME)",
            record.session,
        )
    for reason in record.reasons:
        log.warning(
            "session %s does not resemble the training sessions: %s", record.session, reason
        )
