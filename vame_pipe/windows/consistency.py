"""Faults that show only when sessions are compared with each other."""

from __future__ import annotations

import itertools
import logging
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vame_pipe.core.schemas import AlignedMetadata

log = logging.getLogger(__name__)

SAMPLE_S = 1.0
MAX_SAMPLES = 1024
"""Samples of a session that are compared with those of others: 17 minutes."""
MIN_SHARED = 15
"""Samples that two sessions must share before they can be called the same recording."""
N_FEATURES = 4
"""Position features that are compared: those that vary most."""
SAME = 0.95
"""Correlation above which two sessions are one recording, filtered perhaps; others stay below 0.6."""
MIRRORED = -0.7
"""Cosine of the sideways places of keypoints with the usual ones below which left and right are swapped."""
MIN_SIDEWAYS = 0.02
"""Body lengths by which keypoints must lie sideways, on average, for left and right to differ."""


def compare_sessions(paths: list[Path], metas: list[AlignedMetadata]) -> dict[str, list]:
    """Find sessions that are mirrored and recordings that are given twice; warn of both.

    Parameters
    ----------
    paths : list of Path
        results/aligned/{session}.parquet.
    metas : list of AlignedMetadata

    Returns
    -------
    dict
        `mirrored`: names of sessions; `same_recording`: lists of two or more names.
    """
    features, fps = metas[0].features, metas[0].fps
    positions = [name for name in features if name.endswith(("_x", "_y"))]
    sideways = [name for name in positions if name.endswith("_y")]
    chosen: list[str] = []
    sessions, samples, medians = [], [], []
    for path, meta in zip(paths, metas, strict=True):
        table = pq.read_table(path, columns=["individual", "time_s", *positions])
        for individual, facts in meta.individuals.items():
            animal = table.filter(pc.equal(table["individual"], individual))
            values = {name: animal[name].to_numpy() for name in positions}
            chosen = chosen or _most_variable(values)
            samples.append(_sample(animal["time_s"].to_numpy(), values, chosen, fps))
            unit = 1.0 if meta.settings["scale"] else facts.body_length_px
            # head for tail swaps left and right as well, and has been reported
            usable = facts.flipped_fraction < 0.5
            medians.append(
                [np.nanmedian(values[name]) / unit if usable else 0.0 for name in sideways]
            )
            sessions.append(meta.session)
    groups = [{sessions[i] for i in group} for group in find_copies(np.stack(samples))]
    found = {
        "mirrored": list(dict.fromkeys(sessions[i] for i in find_mirrored(np.array(medians)))),
        "same_recording": [sorted(group, key=sessions.index) for group in groups if len(group) > 1],
    }
    _warn(found, len(metas))
    return found


def _most_variable(values: dict[str, np.ndarray]) -> list[str]:
    spread = {name: np.nanstd(v) for name, v in values.items()}
    return sorted(spread, key=spread.__getitem__, reverse=True)[:N_FEATURES]


def _sample(
    time_s: np.ndarray, values: dict[str, np.ndarray], names: list[str], fps: float
) -> np.ndarray:
    """Return features `(MAX_SAMPLES, n_names)` float32 at full seconds, NaN where missing."""
    step = np.rint(time_s * fps).astype(np.int64)
    stride = max(1, round(SAMPLE_S * fps))
    rows = np.flatnonzero((step % stride == 0) & (step < MAX_SAMPLES * stride))
    sample = np.full((MAX_SAMPLES, len(names)), np.nan, np.float32)
    sample[step[rows] // stride] = np.stack([values[name][rows] for name in names], axis=1)
    return sample


def find_mirrored(sideways: np.ndarray) -> list[int]:
    """Return the sessions in which left and right are swapped, compared with the usual session.

    Of two that differ, both are returned: which of them is wrong cannot be told.

    Parameters
    ----------
    sideways : numpy.ndarray
        `(n_sessions, n_keypoints)`, median sideways place of each keypoint, body lengths.
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
    """Return groups of sessions that hold the same recording, as it was or filtered.

    Parameters
    ----------
    samples : numpy.ndarray
        `(n_sessions, n_samples, n_features)`, features at the same times of each recording; NaN where
        they are not known.
    """
    n_sessions = len(samples)
    correlations, shared = [], np.inf
    for feature in np.moveaxis(samples.astype(np.float64), 2, 0):
        known = np.isfinite(feature)
        mask = known.astype(np.float64)
        values = np.where(known, feature, 0.0)
        # sums over the samples that two sessions share: [i, j] is of i
        count = np.maximum(mask @ mask.T, 1)
        total = values @ mask.T
        squares = np.square(values) @ mask.T - np.square(total) / count
        product = values @ values.T - total * total.T / count
        size = np.sqrt(np.maximum(squares, 0) * np.maximum(squares.T, 0))
        correlations.append(product / np.where(size > 0, size, np.inf))
        shared = np.minimum(shared, mask @ mask.T)
    same = (np.mean(correlations, axis=0) > SAME) & (shared >= MIN_SHARED)
    groups: list[list[int]] = []
    for i, j in itertools.combinations(range(n_sessions), 2):
        if same[i, j]:
            group = next((g for g in groups if i in g or j in g), None)
            if group is None:
                groups.append([i, j])
            else:
                group += [k for k in (i, j) if k not in group]
    return groups


def _warn(found: dict[str, list], n_sessions: int) -> None:
    lines = []
    if found["same_recording"]:
        groups = "; ".join(" and ".join(group) for group in found["same_recording"])
        lines.append(
            f"the same recording is given more than once ({groups}), so that windows are tested that were "
            "trained on: leave all but one of each out of sessions"
        )
    if found["mirrored"]:
        which = "each other" if n_sessions == 2 else "the other sessions"
        lines.append(
            f"left and right are swapped between {', '.join(found['mirrored'])} and {which}: were they "
            "filmed from the other side, or are names of keypoints swapped?"
        )
    if lines:
        log.warning("sessions: %s", "; ".join(lines))
