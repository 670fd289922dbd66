"""Faults that show only when sessions are compared: mirrored sessions and duplicate recordings."""

from __future__ import annotations

import itertools
import logging
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vame_pipe.core.metadata import AlignedMetadata
from vame_pipe.core.quality import SessionFaults

log = logging.getLogger(__name__)

SAMPLE_S = 1.0
"""Seconds between the samples of a recording that are compared."""
MAX_SAMPLES = 1024
"""Most samples of a recording that are compared: the first 17 minutes."""
MIN_SHARED = 15
"""Samples that two recordings must have in common before they can be called the same."""
N_FEATURES = 4
"""Number of position features that are compared: those that vary most."""
SAME = 0.95
"""Two recordings that correlate more are the same, perhaps filtered; different ones stay below 0.6."""
MIRRORED = -0.7
"""Left and right are swapped if the cosine between sideways positions of keypoints is lower."""
MIN_SIDEWAYS = 0.02
"""Body lengths that keypoints must lie sideways, on average, to tell left from right."""
MIN_RECORDED_S = 5.0
"""Seconds of known rows that tell left from right: in less, an animal may only be bent to one side."""

Animal = dict[str, np.ndarray]
"""Columns of one animal's rows, by name, each `(n_rows,)`."""


def compare_sessions(paths: list[Path], metas: list[AlignedMetadata]) -> SessionFaults:
    """Return sessions that are mirrored and recordings that occur twice, and log a warning about them.

    Parameters
    ----------
    paths : list of Path
        results/aligned/{session}.parquet.
    metas : list of AlignedMetadata
        Their metadata.
    """
    names = [meta.session for meta in metas]
    positions = [name for name in metas[0].features if name.endswith(("_x", "_y"))]
    compared: list[str] = []
    owners, samples, sideways = [], [], []
    for session, (path, meta) in enumerate(zip(paths, metas, strict=True)):
        animals = _read_animals(path, meta, ["time_s", *positions])
        compared = compared or _most_variable(next(iter(animals.values())), positions)
        owners += [session] * len(animals)
        samples += [_sample(animal, compared, meta.fps) for animal in animals.values()]
        sideways.append(_sideways(animals, meta, positions))
    copies = _merged([{owners[i] for i in group} for group in find_copies(np.stack(samples))])
    faults = SessionFaults(
        mirrored=[names[i] for i in find_mirrored(np.array(sideways))],
        same_recording=[[names[i] for i in group] for group in copies],
    )
    _warn(faults, len(names))
    return faults


def _read_animals(path: Path, meta: AlignedMetadata, columns: list[str]) -> dict[str, Animal]:
    """Return columns of an aligned session, for each animal."""
    table = pq.read_table(path, columns=["individual", *columns])
    animals = {}
    for individual in meta.individuals:
        rows = table.filter(pc.equal(table["individual"], individual))
        animals[individual] = {name: rows[name].to_numpy() for name in columns}
    return animals


def _most_variable(animal: Animal, names: list[str]) -> list[str]:
    spread = {name: np.nanstd(animal[name]) for name in names}
    return sorted(spread, key=spread.__getitem__, reverse=True)[:N_FEATURES]


def _sample(animal: Animal, names: list[str], fps: float) -> np.ndarray:
    """Return features `(MAX_SAMPLES, n_names)` float32 at full seconds, NaN where missing."""
    step = np.rint(animal["time_s"] * fps).astype(np.int64)
    stride = max(1, round(SAMPLE_S * fps))
    rows = np.flatnonzero((step % stride == 0) & (step < MAX_SAMPLES * stride))
    sample = np.full((MAX_SAMPLES, len(names)), np.nan, np.float32)
    sample[step[rows] // stride] = np.stack([animal[name][rows] for name in names], axis=1)
    return sample


def _sideways(
    animals: dict[str, Animal], meta: AlignedMetadata, positions: list[str]
) -> np.ndarray:
    """Return the median sideways position of each keypoint, body lengths, averaged over the animals.

    Animals whose head and tail are swapped do not count: that swaps left and right, too, and alignment has
    warned of it. Neither do those that are known for too short a time. All 0 if no animal is left.
    """
    medians, names = [], [name for name in positions if name.endswith("_y")]
    for individual, facts in meta.individuals.items():
        animal = animals[individual]
        known = np.isfinite([animal[name] for name in positions]).all(axis=0)
        if facts.flipped_fraction < 0.5 and known.sum() >= MIN_RECORDED_S * meta.fps:
            unit = 1.0 if meta.settings["scale"] else facts.body_length_px
            medians.append([np.median(animal[name][known]) / unit for name in names])
    return np.mean(medians, axis=0) if medians else np.zeros(len(names))


def find_mirrored(sideways: np.ndarray) -> list[int]:
    """Return the sessions in which left and right are swapped, compared with most of the others.

    Of two sessions that differ, both are returned: nothing tells which of them is wrong.

    Parameters
    ----------
    sideways : numpy.ndarray
        `(n_sessions, n_keypoints)`, median sideways position of each keypoint, body lengths.
    """
    size = np.linalg.norm(sideways, axis=1)
    usable = np.flatnonzero(size > MIN_SIDEWAYS * np.sqrt(max(1, sideways.shape[1])))
    if len(usable) < 2:
        return []
    unit = sideways[usable] / size[usable, None]
    cosine = unit @ unit.T
    opposed = (cosine < MIRRORED).sum(axis=1)
    return [int(i) for i in usable[2 * opposed >= len(usable)]] if opposed.any() else []


def find_copies(samples: np.ndarray) -> list[list[int]]:
    """Return groups of recordings that are the same, unchanged or filtered.

    Parameters
    ----------
    samples : numpy.ndarray
        `(n_recordings, n_samples, n_features)`, features at the same times of each recording; NaN where
        missing.
    """
    n_recordings = len(samples)
    correlations, shared = [], np.full((n_recordings, n_recordings), np.inf)
    for feature in np.moveaxis(samples.astype(np.float64), 2, 0):
        known = np.isfinite(feature)
        mask = known.astype(np.float64)
        values = np.where(known, feature, 0.0)
        # sums over the samples that two recordings have in common: [i, j] is the sum of i
        count = np.maximum(mask @ mask.T, 1)
        total = values @ mask.T
        squares = np.square(values) @ mask.T - np.square(total) / count
        product = values @ values.T - total * total.T / count
        size = np.sqrt(np.maximum(squares, 0) * np.maximum(squares.T, 0))
        correlations.append(product / np.where(size > 0, size, np.inf))
        shared = np.minimum(shared, mask @ mask.T)
    same = (np.mean(correlations, axis=0) > SAME) & (shared >= MIN_SHARED)
    pairs = [{i, j} for i, j in itertools.combinations(range(n_recordings), 2) if same[i, j]]
    return _merged(pairs)


def _merged(groups: list[set[int]]) -> list[list[int]]:
    """Return groups of two or more that have no members in common, in order."""
    merged: list[set[int]] = []
    for group in groups:
        overlapping = [other for other in merged if other & group]
        merged = [other for other in merged if not other & group]
        merged.append(group.union(*overlapping))
    return sorted(sorted(group) for group in merged if len(group) > 1)


def _warn(faults: SessionFaults, n_sessions: int) -> None:
    lines = []
    if faults.same_recording:
        groups = "; ".join(" and ".join(group) for group in faults.same_recording)
        lines.append(
            f"the same recording occurs more than once ({groups}), so models are validated on windows that "
            "they were trained on: remove all but one of each from sessions"
        )
    if faults.mirrored:
        others = "each other" if n_sessions == 2 else "the other sessions"
        lines.append(
            f"left and right are swapped between {', '.join(faults.mirrored)} and {others}: were they "
            "filmed from the other side, or are names of keypoints swapped?"
        )
    if lines:
        log.warning("sessions: %s", "; ".join(lines))
