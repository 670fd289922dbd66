"""One session as its motifs are described: its movement and its bouts."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vame_pipe.core import metadata
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import MotifFolder, session_file
from vame_pipe.core.metadata import AlignedMetadata, MotifsMetadata, read_record
from vame_pipe.core.scale import cm_per_unit
from vame_pipe.motifs.bouts import find_bouts
from vame_pipe.motifs.exemplars import bout_distances, distances
from vame_pipe.motifs.inputs import SessionFiles, find_session, number_runs, read_latents
from vame_pipe.motifs.movement import Movement, in_cm, movement
from vame_pipe.motifs.names import merge_bouts
from vame_pipe.motifs.segmentation import Segmentation

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Folders:
    """Where the motifs of a model are, and what they were found in.

    Attributes
    ----------
    motifs : MotifFolder
        Read and written.
    latents, aligned : Path
    """

    motifs: MotifFolder
    latents: Path
    aligned: Path


@dataclass(frozen=True)
class Recording:
    """A session and its motifs.

    Attributes
    ----------
    files : SessionFiles
    meta : AlignedMetadata
    labels : pyarrow.Table
        Columns `schemas.MOTIF_FIELDS`.
    moved : Movement
    valid : numpy.ndarray
        `(n_rows,)` bool.
    """

    files: SessionFiles
    meta: AlignedMetadata
    labels: pa.Table
    moved: Movement
    valid: np.ndarray

    @cached_property
    def _key(self) -> np.ndarray:
        """Animal and time step of each row in one number, ascending."""
        return _key(_codes(self.labels), self.labels["row"].to_numpy())

    @property
    def run(self) -> np.ndarray:
        """`(n_rows,)` int: number of the unbroken stretch of rows of one animal, -1 if not valid."""
        run = np.full(len(self.valid), -1)
        animal, row = _codes(self.labels)[self.valid], self.labels["row"].to_numpy()[self.valid]
        run[self.valid] = number_runs(animal, row)
        return run

    @property
    def motif(self) -> np.ndarray:
        """`(n_rows,)` int: number of the motif in the segmentation, -1 without one."""
        return self.labels["motif"].fill_null(-1).to_numpy().astype(np.int64)

    def bouts(self, counts_as: np.ndarray) -> pa.Table:
        """Return the bouts, those of merged motifs as one.

        Parameters
        ----------
        counts_as : numpy.ndarray
            `(n_motifs,)` int, the number of the motif that each motif counts as.
        """
        return merge_bouts(find_bouts(self.labels, self.meta.fps), counts_as)

    def spans(self, bouts: pa.Table) -> np.ndarray:
        """Return the positions of the first and the last row of bouts, `(n_bouts, 2)`.

        Parameters
        ----------
        bouts : pyarrow.Table
            Of this session, columns `bouts.BOUT_SCHEMA`.
        """
        names = _names(self.labels)
        animal = np.array([names.index(name) for name in bouts["individual"].to_pylist()], int)
        ends = [
            np.searchsorted(self._key, _key(animal, bouts[name].to_numpy()))
            for name in ("start_row", "end_row")
        ]
        return np.stack(ends, axis=1)

    def distance(self, segmentation: Segmentation, spans: np.ndarray) -> np.ndarray:
        """Return how far bouts are from the centre of their motif, `(n_bouts,)`.

        Parameters
        ----------
        segmentation : Segmentation
        spans : numpy.ndarray
            Result of `spans`.
        """
        latents = read_latents(self.files.latents)
        position = np.searchsorted(self._key, _key(latents.animal, latents.row + segmentation.lag))
        motif = self.motif[position]
        known = motif >= 0
        found = distances(segmentation, latents.values[known], motif[known])
        return bout_distances(position[known], found, spans)


def split_usable(folders: Folders, sessions: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the sessions that could be labelled, and why others are left out, one line each.

    Raises
    ------
    InputError
        With these lines, if no session could be labelled.
    """
    reasons = {name: metadata.rejection(folders.motifs.session(name)) for name in sessions}
    problems = [line for lines in reasons.values() for line in lines]
    usable = [name for name, lines in reasons.items() if not lines]
    if not usable:
        raise InputError(*problems)
    for line in problems:
        log.warning("left out: %s", line)
    return usable, [f"Left out: {line}" for line in problems]


def find_sessions(
    folders: Folders, sessions: Sequence[str], segmentation: Segmentation
) -> list[SessionFiles]:
    """Return the files of sessions that have motifs of a segmentation.

    Raises
    ------
    InputError
        If a file is missing or damaged, or was made from something else than the others; all of them.
    """
    found, problems = [], []
    for name in sessions:
        try:
            session = find_session(
                session_file(folders.latents, name),
                session_file(folders.aligned, name),
                segmentation.model_fingerprint,
            )
            path = folders.motifs.session(name)
            made_from = read_record(MotifsMetadata, path)
        except InputError as error:
            problems += error.problems
            continue
        expected = segmentation.fingerprint, session.meta.fingerprint
        if (made_from.segmentation_fingerprint, made_from.latents_fingerprint) != expected:
            problems.append(
                f"{path}: was made by another segmentation than {folders.motifs.settings}, or from other "
                "latents. Run snakemake, which makes it again."
            )
        found.append(session)
    if problems:
        raise InputError(*problems)
    return found


def read(folders: Folders, session: SessionFiles, px_per_cm: float | None = None) -> Recording:
    """Return a session and its motifs.

    Parameters
    ----------
    folders : Folders
    session : SessionFiles
    px_per_cm : float, optional
        Scale of the session; with it the measures of movement are in centimetres.
    """
    meta = read_record(AlignedMetadata, session.aligned)
    labels = pq.read_table(folders.motifs.session(session.name)).unify_dictionaries()
    table = pq.read_table(session.aligned, columns=["run", *meta.features])
    features = {name: table[name].to_numpy().astype(np.float64) for name in meta.features}
    valid = table["run"].to_numpy() >= 0
    labels, moved = labels.combine_chunks(), movement(features, meta)
    if px_per_cm is not None:
        cm = np.array([cm_per_unit(meta, name, px_per_cm) for name in _names(labels)])
        moved = in_cm(moved, cm[_codes(labels)])
    return Recording(session, meta, labels, moved, valid)


def _key(animal: np.ndarray, row: np.ndarray) -> np.ndarray:
    return (animal.astype(np.int64) << 40) + row


def _codes(labels: pa.Table) -> np.ndarray:
    """Return the number of the animal of each row; in the file, one animal follows the other."""
    return np.asarray(labels["individual"].combine_chunks().indices)


def _names(labels: pa.Table) -> list[str]:
    return list(labels["individual"].combine_chunks().dictionary.to_pylist())
