"""Recordings that are meant for training but are tracked too badly for it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from vame_pipe.core.errors import InputError
from vame_pipe.core.metadata import AlignedMetadata

log = logging.getLogger(__name__)


def leave_out(
    paths: Sequence[Path], metas: Sequence[AlignedMetadata], min_valid: float | None
) -> dict[str, str]:
    """Return what `find_excluded` does, and log it.

    Raises
    ------
    InputError
        If no recording would be left.
    """
    excluded = find_excluded(paths, metas, min_valid)
    if len(excluded) == len(metas):
        shown = "; ".join(f"{name}: {reason}" for name, reason in list(excluded.items())[:3])
        raise InputError(
            f"windows: every session is left out: {shown}. Lower qc.min_valid, or track the videos again."
        )
    for name, reason in excluded.items():
        log.warning("session %s is left out of training: %s", name, reason)
    return excluded


def find_excluded(
    paths: Sequence[Path], metas: Sequence[AlignedMetadata], min_valid: float | None
) -> dict[str, str]:
    """Return why recordings are left out of training, by session.

    A recording is left out if no animal of it reaches the fraction of valid frames. Frames between two
    files of a recording, in which the camera did not run, do not count.

    Parameters
    ----------
    paths : sequence of Path
        results/aligned/{session}.parquet.
    metas : sequence of AlignedMetadata
        Their metadata.
    min_valid : float, optional
        `qc.min_valid` of the configuration; None: no recording is left out.
    """
    if min_valid is None:
        return {}
    excluded = {}
    for path, meta in zip(paths, metas, strict=True):
        best = max(valid_fractions(path, meta).values())
        if best < min_valid:
            whose = (
                "its frames" if len(meta.individuals) == 1 else "the frames of any of its animals"
            )
            excluded[meta.session] = (
                f"{best:.1%} of {whose} are valid, less than qc.min_valid ({min_valid:g})"
            )
    return excluded


def valid_fractions(path: Path, meta: AlignedMetadata) -> dict[str, float]:
    """Return the fraction of the recorded time steps of each animal that are valid.

    Parameters
    ----------
    path : Path
        results/aligned/{session}.parquet.
    meta : AlignedMetadata
        Its metadata.
    """
    table = pq.read_table(path, columns=["individual", "run"]).unify_dictionaries()
    column = table["individual"].combine_chunks()
    codes = column.indices.to_numpy()
    n_rows = np.bincount(codes, minlength=len(column.dictionary))
    n_valid = np.bincount(codes[table["run"].to_numpy() >= 0], minlength=len(n_rows))
    fractions = n_valid / (n_rows * meta.recorded_fraction)
    return dict(zip(column.dictionary.to_pylist(), fractions.tolist(), strict=True))
