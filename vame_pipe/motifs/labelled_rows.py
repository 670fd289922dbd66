"""Labelled recordings with their motifs and latents, and the same of PCA of the same windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from vame_pipe.config.sections import Motifs, Session
from vame_pipe.core import motif_quality
from vame_pipe.core.description import Description
from vame_pipe.core.layout import MotifFolder
from vame_pipe.core.metadata import AlignedMetadata, WindowsMetadata, read_record
from vame_pipe.core.motif_quality import Representation
from vame_pipe.motifs.inputs import Inputs, SessionFiles, read_latents
from vame_pipe.motifs.label_file import frame_labels, read_labels
from vame_pipe.motifs.labels import label_runs
from vame_pipe.motifs.sample import (
    BLOCK,
    Frames,
    Principal,
    fit_pca,
    read_frames,
    sample_latents,
    sample_pca,
)
from vame_pipe.motifs.scan import scaled, try_number
from vame_pipe.motifs.segmentation import Segmentation
from vame_pipe.windows.data import window_starts


@dataclass(frozen=True)
class LabelSource:
    """The labels of a session.

    Attributes
    ----------
    labels : str
        Path of the label file.
    subject : str or None
        The animal, as in the configuration.
    """

    labels: str
    subject: str | None = None


@dataclass(frozen=True)
class Pca:
    """Principal components of the training windows, and motifs found in them.

    Attributes
    ----------
    principal : Principal
    segmentation : Segmentation
    """

    principal: Principal
    segmentation: Segmentation


@dataclass(frozen=True)
class AnimalRows:
    """The rows of one labelled animal of a session.

    Attributes
    ----------
    session, subject : str
    fps : float
        Rows per second.
    row : numpy.ndarray
        `(n_rows,)` int, time step of each row.
    label : numpy.ndarray
        `(n_rows,)` object, None without a label.
    motif : dict of str to numpy.ndarray
        By representation `(n_rows,)` int, -1 without a motif.
    window : numpy.ndarray
        `(n_windows,)` int, position of the row in the middle of each window.
    values : dict of str to numpy.ndarray
        By representation `(n_windows, n_dims)`.
    n_points : int
        Events without duration in the label file.
    """

    session: str
    subject: str
    fps: float
    row: np.ndarray
    label: np.ndarray
    motif: dict[str, np.ndarray]
    window: np.ndarray
    values: dict[str, np.ndarray]
    n_points: int


def find_pca(inputs: Inputs, found: Segmentation, folder: MotifFolder) -> Pca:
    """Return PCA of the training windows and its motifs, as `segment` found them for comparison.

    Parameters
    ----------
    inputs : Inputs
    found : Segmentation
        Of the latents.
    folder : MotifFolder
    """
    length = inputs.windows.length
    n = next(row.n for row in motif_quality.read(folder.quality) if row.chosen)
    latents = sample_latents(inputs)
    sample = sample_pca(latents, length)
    data = scaled(sample)
    trial = try_number(data, "pca", n, Motifs.model_validate(found.settings), inputs.windows)
    arrays = {"offset": data.offset, "scale": sample.unit} | trial.arrays
    return Pca(fit_pca(latents, length), replace(found, arrays=arrays, lag=trial.lag))


def read_session(
    session: SessionFiles,
    source: LabelSource,
    folder: MotifFolder,
    described: Description,
    windows: WindowsMetadata,
    pca: Pca,
) -> list[AnimalRows]:
    """Return the labelled animals of a session.

    Parameters
    ----------
    session : SessionFiles
    source : LabelSource
    folder : MotifFolder
    described : Description
        Which motifs count as one.
    windows : WindowsMetadata
        Of the training windows.
    pca : Pca

    Raises
    ------
    InputError
        If the labels do not fit the recording, one line each.
    """
    meta = read_record(AlignedMetadata, session.aligned)
    motifs = pq.read_table(folder.session(session.name)).unify_dictionaries().combine_chunks()
    names = motifs["individual"].combine_chunks().dictionary.to_pylist()
    animal = motifs["individual"].combine_chunks().indices.to_numpy()
    frame, row = motifs["frame"].to_numpy(), motifs["row"].to_numpy()
    first = min([int(frame.min()), *(part.first_frame for part in meta.parts)])
    end = max([int(frame.max()) + 1, *(part.end for part in meta.parts)])
    given = read_labels(Path(source.labels), session.name)
    labels = frame_labels(given, names, meta.source_fps, first, end - first)
    number = motifs["motif"].fill_null(-1).to_numpy().astype(int)
    heads = np.array(described.counts_as)
    latents = read_latents(session.latents)
    principal = project(read_frames(windows, session), windows.length, pca.principal)
    of_pca, _ = label_runs(pca.segmentation, principal, latents.run)
    key = (animal.astype(np.int64) << 40) + row
    at_key = (latents.animal.astype(np.int64) << 40) + latents.row
    at = np.searchsorted(key, at_key)
    pca_motif = np.full(len(row), -1)
    pca_motif[np.searchsorted(key, at_key + pca.segmentation.lag)] = of_pca
    motif: dict[Representation, np.ndarray] = {
        "latents": np.where(number >= 0, heads[number], -1),
        "pca": pca_motif,
    }
    found = []
    for code, name in enumerate(names):
        if name not in labels:
            continue
        rows, own = np.flatnonzero(animal == code), latents.animal == code
        alone = source.subject or session.name
        found.append(
            AnimalRows(
                session=session.name,
                subject=alone if len(names) == 1 else f"{alone}, {name}",
                fps=meta.fps,
                row=row[rows],
                label=labels[name][frame[rows]],
                motif={kind: values[rows] for kind, values in motif.items()},
                window=at[own] - rows[0],
                values={"latents": latents.values[own], "pca": principal[own]},
                n_points=given.n_points,
            )
        )
    return found


def project(frames: Frames, length: int, principal: Principal) -> np.ndarray:
    """Return the principal components of every window, `(n_windows, n_dims)`.

    Parameters
    ----------
    frames : Frames
        Of a session.
    length : int
        Rows of a window.
    principal : Principal
    """
    starts, steps = window_starts(frames.run, length), np.arange(length)
    values = np.empty((len(starts), principal.components.shape[1]))
    for low in range(0, len(starts), BLOCK):
        part = starts[low : low + BLOCK]
        windows = frames.values[part[:, None] + steps].reshape(len(part), -1)
        values[low : low + BLOCK] = (windows - principal.mean) @ principal.components
    return values


def label_sources(sessions: Mapping[str, Session]) -> dict[str, LabelSource]:
    """Return the labels of sessions, without the sessions that have none.

    Examples
    --------
    >>> label_sources({"m1": Session(poses="m1.h5", labels="m1.csv"), "m2": Session(poses="m2.h5")})
    {'m1': LabelSource(labels='m1.csv', subject=None)}
    """
    return {
        name: LabelSource(session.labels, session.subject)
        for name, session in sessions.items()
        if session.labels
    }
