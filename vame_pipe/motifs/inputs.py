"""What motifs are found in: the latents of the training sessions, and the recordings that they are from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from vame_pipe.core import files
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import WindowsFolder, session_file
from vame_pipe.core.metadata import AlignedMetadata, LatentsMetadata, WindowsMetadata, read_record
from vame_pipe.core.schemas import latent_columns


@dataclass(frozen=True)
class SessionFiles:
    """The latents of one session, and the recording that they are from.

    Attributes
    ----------
    latents, aligned : Path
    meta : LatentsMetadata
        Metadata of the latents.
    n_rows : int
        Number of latent vectors.
    """

    latents: Path
    aligned: Path
    meta: LatentsMetadata
    n_rows: int

    @property
    def name(self) -> str:
        """Name of the session."""
        return self.aligned.stem


@dataclass(frozen=True)
class Inputs:
    """The training sessions of a model.

    Attributes
    ----------
    sessions : list of SessionFiles
    windows : WindowsMetadata
    model_fingerprint : str
        SHA-256 of the model file.
    excluded : list of SessionFiles
        Sessions that were left out of training: they get motifs, but none is found in them.
    """

    sessions: list[SessionFiles]
    windows: WindowsMetadata
    model_fingerprint: str
    excluded: list[SessionFiles] = field(default_factory=list)


@dataclass(frozen=True)
class Latents:
    """The latent vectors of one session.

    Attributes
    ----------
    values : numpy.ndarray
        `(n_rows, n_dims)` float64.
    animal, row : numpy.ndarray
        `(n_rows,)` int, code of the animal, and time step.
    run : numpy.ndarray
        `(n_rows,)` int, number of the unbroken stretch of rows of one animal, from 0.
    """

    values: np.ndarray
    animal: np.ndarray
    row: np.ndarray
    run: np.ndarray


def find_inputs(latents: Path, aligned: Path, windows: Path, model: Path) -> Inputs:
    """Return the training sessions of a model.

    Parameters
    ----------
    latents, aligned, windows : Path
        Folders.
    model : Path
        Model file.

    Raises
    ------
    InputError
        If a file is missing or damaged, or was made from something else than the others; all of them.
    """
    meta = read_record(WindowsMetadata, WindowsFolder(windows).frames)
    try:
        digest = files.file_fingerprint(model)
    except OSError as error:
        raise InputError(
            f"{model}: cannot be read ({error.strerror}). Train the model first."
        ) from None
    sessions, excluded, problems = [], [], []
    for name in [*meta.aligned, *meta.excluded]:
        try:
            session = find_session(session_file(latents, name), session_file(aligned, name), digest)
        except InputError as error:
            problems += error.problems
            continue
        if name in meta.excluded:
            excluded.append(session)
            continue
        if session.meta.aligned_fingerprint != meta.aligned[name]:
            problems.append(
                f"{session.aligned}: is not the recording that the windows in {windows} were made from. "
                "Run snakemake, which makes them again."
            )
        elif session.meta.length != meta.length:
            problems.append(
                f"{session.latents}: is of windows of {session.meta.length} rows, but those in {windows} "
                f"have {meta.length}. Run snakemake, which trains on these windows and encodes again."
            )
        sessions.append(session)
    if problems:
        raise InputError(*problems)
    if not any(session.n_rows for session in sessions):
        raise InputError(
            f"{latents}: no session has a latent vector, so there is nothing to find motifs in. Shorten "
            "windows.length_s, or raise align.max_gap_s."
        )
    return Inputs(sessions, meta, digest, excluded)


def find_session(latents: Path, aligned: Path, model_fingerprint: str) -> SessionFiles:
    """Return the files of one session.

    Raises
    ------
    InputError
        If a file is missing or damaged, if the latents are of another model, or if the recording is not the
        one that was encoded.
    """
    meta = read_record(LatentsMetadata, latents)
    if meta.model_fingerprint != model_fingerprint:
        raise InputError(
            f"{latents}: was made by model {meta.model_fingerprint[:8]}, but the motifs belong to model "
            f"{model_fingerprint[:8]}. Encode the session with that model, or give the motifs of the other."
        )
    if meta.aligned_fingerprint != read_record(AlignedMetadata, aligned).fingerprint:
        raise InputError(
            f"{latents}: was made from another aligned recording than {aligned}. Encode the session again."
        )
    return SessionFiles(latents, aligned, meta, pq.read_metadata(latents).num_rows)


def read_latents(path: Path) -> Latents:
    """Return the latent vectors of one session."""
    names = latent_columns(path)
    table = pq.read_table(path, columns=["individual", "row", *names]).unify_dictionaries()
    animal = table["individual"].combine_chunks().indices.to_numpy()
    row = table["row"].to_numpy()
    values = np.empty((len(table), len(names)))
    for i, name in enumerate(names):
        values[:, i] = table[name].to_numpy()
    return Latents(values, animal, row, number_runs(animal, row))


def number_runs(animal: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Return the number of the unbroken stretch of rows of one animal that each row is in, from 0.

    Examples
    --------
    >>> number_runs(np.array([0, 0, 0, 1]), np.array([3, 4, 8, 9])).tolist()
    [0, 0, 1, 2]
    """
    begins = (np.diff(animal, prepend=animal[:1]) != 0) | (np.diff(row, prepend=row[:1] - 1) != 1)
    begins[:1] = False
    return np.cumsum(begins)


def run_lengths(run: np.ndarray) -> np.ndarray:
    """Return the number of rows of each run.

    Examples
    --------
    >>> run_lengths(np.array([0, 0, 2, 5, 5])).tolist()
    [2, 1, 2]
    """
    begins = np.flatnonzero(np.diff(run, prepend=-1))
    return np.diff(np.append(begins, len(run)))
