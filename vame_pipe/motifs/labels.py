"""The motif of every time step of a session."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from vame_pipe.core import files
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import MotifFolder
from vame_pipe.core.metadata import (
    AlignedMetadata,
    MotifsMetadata,
    read_record,
    to_metadata,
    write_rejection,
)
from vame_pipe.core.schemas import MOTIF_FIELDS
from vame_pipe.core.source import ENCODE, SEGMENT
from vame_pipe.motifs import hmm
from vame_pipe.motifs.bouts import find_bouts, usage
from vame_pipe.motifs.inputs import Latents, SessionFiles, find_session, read_latents, run_lengths
from vame_pipe.motifs.kmeans import nearest
from vame_pipe.motifs.segmentation import Segmentation
from vame_pipe.windows.data import ValidRows, number_stretches, valid_rows, window_starts

log = logging.getLogger(__name__)

FILLED = {"motif": np.int16, "confidence": np.float32, "bout": np.int32}
"""Columns that are filled in where there is a latent vector."""
REASONS = ("edge", "gap", "low confidence")
"""Why a row has no motif: no window that could tell it lies in its run, it is not valid, or its bout is too
uncertain."""
EDGE, GAP, LOW_CONFIDENCE = range(3)


def label(
    segmentation: Segmentation,
    latents: Path,
    aligned: Path,
    out: Path,
    record_failure: bool = False,
) -> None:
    """Write the motifs of a session that the segmentation was not made from, its bouts and its usage.

    Files that are up to date are kept.

    Parameters
    ----------
    segmentation : Segmentation
    latents, aligned, out : Path
        Files; bouts and usage are written to folders next to `out`, see `MotifFolder`.
    record_failure : bool
        If the session has no motifs, write the reasons instead of raising; `report` names them.

    Raises
    ------
    InputError
        If the latents are of another model than the segmentation, or of another recording.
    """
    torch.set_num_threads(1)  # as `segment`: the same labels on every machine
    folder = MotifFolder(out.parent)
    targets = (folder.bouts_of(out.stem), folder.usage_of(out.stem), out)
    try:
        session = _find_session(segmentation, latents, aligned)
        meta = _metadata(segmentation, session)
        if all(_is_up_to_date(target, meta) for target in targets):
            return
        labels = write_labels(segmentation, session, out)
        individuals = list(read_record(AlignedMetadata, aligned).individuals)
        bouts = find_bouts(labels, segmentation.fps)
        used = usage(bouts, individuals, session.name, segmentation.n_motifs)
        for target, table in zip(targets, (bouts, used), strict=False):
            files.write_tables(target, [table], table.schema, to_metadata(meta))
    except InputError as error:
        if not record_failure:
            raise
        for line in error.problems:
            log.warning("%s", line)
        for target in targets:
            write_rejection(target, error.problems)


def _is_up_to_date(path: Path, meta: MotifsMetadata) -> bool:
    """Return whether a file exists, is intact and was made from the same."""
    try:
        return read_record(MotifsMetadata, path) == meta
    except InputError:
        return False


def _metadata(segmentation: Segmentation, session: SessionFiles) -> MotifsMetadata:
    return MotifsMetadata(
        segmentation_fingerprint=segmentation.fingerprint,
        latents_fingerprint=session.meta.fingerprint,
        stage_version=SEGMENT,
    )


def _find_session(segmentation: Segmentation, latents: Path, aligned: Path) -> SessionFiles:
    """Return the files of a session that fit the segmentation."""
    session = find_session(latents, aligned, segmentation.model_fingerprint)
    if session.meta.stage_version != ENCODE or session.meta.fps != segmentation.fps:
        raise InputError(
            f"{latents}: has {session.meta.fps:g} fps and stage version {session.meta.stage_version}, the "
            f"segmentation needs {segmentation.fps:g} fps and stage version {ENCODE}. Encode the session "
            "again."
        )
    return session


def write_labels(segmentation: Segmentation, session: SessionFiles, out: Path) -> pa.Table:
    """Write the motifs of a session, and return them.

    Parameters
    ----------
    segmentation : Segmentation
    session : SessionFiles
    out : Path
        File to write.

    Returns
    -------
    pyarrow.Table
        Columns `schemas.MOTIF_FIELDS`, one row per animal and time step of the whole recording.
    """
    table = _label_table(segmentation, session)
    n_labelled = len(table) - table["motif"].null_count
    if not n_labelled:
        log.warning("session %s: no latent vector, so no motif", session.name)
    meta = to_metadata(_metadata(segmentation, session))
    files.write_tables(out, [table], table.schema, meta)
    return table


def decode(segmentation: Segmentation, latents: Latents) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the motif of each latent vector, and its posterior probability.

    Returns
    -------
    motif : numpy.ndarray
        `(n_rows,)` int64.
    confidence : numpy.ndarray or None
        `(n_rows,)` float32; None with the method kmeans, which has none.
    """
    arrays = segmentation.arrays
    rows = (latents.values - arrays["offset"]) / arrays["scale"]
    if segmentation.method == "kmeans":
        return nearest(torch.from_numpy(rows), torch.from_numpy(arrays["mean"])).numpy(), None
    return hmm.decode(hmm.from_arrays(arrays), rows, run_lengths(latents.run))


def _label_table(segmentation: Segmentation, session: SessionFiles) -> pa.Table:
    schema = pa.schema(MOTIF_FIELDS)
    columns = ["session", "individual", "row", "frame", "time_s", "run"]
    table = pq.read_table(session.aligned, columns=columns).unify_dictionaries()
    latents = read_latents(session.latents)
    motif, confidence = decode(segmentation, latents)
    sure = _sure(segmentation, motif, confidence, latents.run)
    position = _positions(session, latents.row, valid_rows(table), segmentation.lag)
    known, decoded = (np.zeros(len(table), bool) for _ in range(2))
    known[position[sure]] = decoded[position] = True
    filled = {name: np.zeros(len(table), kind) for name, kind in FILLED.items()}
    filled["motif"][position] = motif
    filled["confidence"][position] = 0 if confidence is None else confidence
    bout = number_bouts(number_stretches(motif, latents.run)[sure], latents.animal[sure])
    filled["bout"][position[sure]] = bout
    reason = np.where(table["run"].to_numpy() < 0, GAP, EDGE)
    reason[position] = LOW_CONFIDENCE
    unknown = np.ones(len(table), bool) if confidence is None else ~decoded
    arrays = [
        *table.select(columns[:5]).columns,
        pa.array(filled["motif"], mask=~known),
        pa.DictionaryArray.from_arrays(pa.array(reason, pa.int32(), mask=known), pa.array(REASONS)),
        pa.array(filled["confidence"], mask=unknown),
        pa.array(filled["bout"], mask=~known),
    ]
    return pa.Table.from_arrays(arrays, names=schema.names).cast(schema)


def label_runs(
    segmentation: Segmentation, values: np.ndarray, run: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the motif of each window, without files.

    Parameters
    ----------
    segmentation : Segmentation
    values : numpy.ndarray
        `(n_windows, zdims)`, latent vectors; NaN where unknown.
    run : numpy.ndarray
        `(n_windows,)` int, number of the recording that each is from. Those of a recording follow one
        another in time.

    Returns
    -------
    motif : numpy.ndarray
        `(n_windows,)` int64, -1 where unknown or too uncertain.
    confidence : numpy.ndarray
        `(n_windows,)` float32, NaN where unknown, and with the method kmeans.
    """
    known = np.isfinite(values).all(axis=1)
    motif, confidence = np.full(len(values), -1), np.full(len(values), np.nan, np.float32)
    row = np.arange(len(values))
    stretch = number_stretches(run, np.where(known, -1, row))[known]
    if not known.any():
        return motif, confidence
    latents = Latents(values[known].astype(np.float64), run[known], row[known], stretch)
    found, certainty = decode(segmentation, latents)
    motif[known] = np.where(_sure(segmentation, found, certainty, stretch), found, -1)
    if certainty is not None:
        confidence[known] = certainty
    return motif, confidence


def used_rows(segmentation: Segmentation, latents: Latents) -> np.ndarray:
    """Return the number of rows that get each motif, `(n_motifs,)` int; uncertain ones get none."""
    motif, confidence = decode(segmentation, latents)
    sure = _sure(segmentation, motif, confidence, latents.run)
    return np.bincount(motif[sure], minlength=segmentation.n_motifs)


def _sure(
    segmentation: Segmentation, motif: np.ndarray, confidence: np.ndarray | None, run: np.ndarray
) -> np.ndarray:
    """Return which rows are in a bout that is certain enough, `(n_rows,)` bool."""
    if confidence is None:
        return np.ones(len(motif), bool)
    least = segmentation.settings["min_confidence"]
    return sure_rows(number_stretches(motif, run), confidence, least)


def sure_rows(bout: np.ndarray, confidence: np.ndarray, least: float) -> np.ndarray:
    """Return which rows are in a bout of sufficient mean confidence, `(n_rows,)` bool.

    A bout is kept or given up as a whole: its first and last rows are always less certain than the others,
    because the boundary can be a row earlier or later.

    Parameters
    ----------
    bout : numpy.ndarray
        `(n_rows,)` int, a number of the bout of each row, from 0.
    confidence : numpy.ndarray
        `(n_rows,)` float, the posterior probability of the motif of each row.
    least : float
        Least mean of a bout.

    Examples
    --------
    >>> bout, confidence = np.array([0, 0, 0, 1, 1]), np.array([0.9, 0.8, 0.4, 0.4, 0.5])
    >>> sure_rows(bout, confidence, 0.5).tolist()
    [True, True, True, False, False]
    """
    if not len(bout):
        return np.ones(0, bool)
    mean = np.bincount(bout, confidence) / np.bincount(bout)
    return np.asarray((mean >= least)[bout], bool)


def _positions(session: SessionFiles, row: np.ndarray, valid: ValidRows, lag: int) -> np.ndarray:
    """Return the position in the recording of the row that the motif of each latent vector belongs to."""
    starts = window_starts(valid.run, session.meta.length)
    centre = starts + session.meta.length // 2
    if not np.array_equal(valid.row[centre], row):
        raise InputError(
            f"{session.latents}: does not have one row per window of {session.aligned}. Encode the session "
            "again."
        )
    return np.asarray(valid.position[centre + lag])  # in the same window


def number_bouts(stretch: np.ndarray, animal: np.ndarray) -> np.ndarray:
    """Return the number of the bout that each row is in, from 0 for each animal.

    Parameters
    ----------
    stretch, animal : numpy.ndarray
        `(n_rows,)` int: a number that no two neighbouring bouts share, and the animal. The rows of an
        animal follow one another.

    Examples
    --------
    >>> number_bouts(np.array([0, 0, 3, 4, 4, 7]), np.array([0, 0, 0, 0, 0, 1])).tolist()
    [0, 0, 1, 2, 2, 0]
    """
    if not len(stretch):
        return np.empty(0, np.int64)
    number = number_stretches(stretch, animal)
    first = np.flatnonzero(np.diff(animal, prepend=-1))
    return number - np.repeat(number[first], np.diff(np.append(first, len(animal))))
