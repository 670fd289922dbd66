"""The results of one session, in the form in which every export format takes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from vame_pipe import __version__
from vame_pipe.config.configuration import Config
from vame_pipe.config.sections import Session
from vame_pipe.core import files, scale, segmentation_facts
from vame_pipe.core.description import Motif
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout
from vame_pipe.core.metadata import AlignedMetadata, LatentsMetadata, MotifsMetadata, read_record
from vame_pipe.core.schemas import latent_columns
from vame_pipe.core.segmentation_facts import SegmentationFacts
from vame_pipe.motifs.bouts import find_bouts
from vame_pipe.motifs.names import merge_bouts, resolve

START_KEY = "session_start_time"
"""Key of the metadata of a session that holds when it began."""
UNKNOWN_START = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for an unknown start where a format demands one."""


@dataclass(frozen=True)
class Bout:
    """A bout of a motif.

    Attributes
    ----------
    motif : Motif
    start_s, stop_s : float
        Seconds since the start of the video; `stop_s` is the end of its last row.
    start_frame, stop_frame : int
        First and last frame of the video.
    """

    motif: Motif
    start_s: float
    stop_s: float
    start_frame: int
    stop_frame: int


@dataclass(frozen=True)
class Animal:
    """The results of one animal of a session.

    Attributes
    ----------
    name : str
    rows : pandas.DataFrame
        One row per time step of the analysis: `session, individual, row, frame, time_s, motif, name,
        reason, confidence, bout`, the features, `speed_cm_s` if the session has a scale, and the latents.
        Merged motifs have the number that they count as; `motif` and `bout` are missing where there is no
        motif, latents where there is no window.
    bouts : list of Bout
        In the order of time.
    """

    name: str
    rows: pd.DataFrame
    bouts: list[Bout]


@dataclass(frozen=True)
class SessionResults:
    """The results of one session.

    Attributes
    ----------
    name, model : str
        Of the session and of the model.
    source : Session
        The recording, as in the configuration.
    meta : AlignedMetadata
    animals : list of Animal
    motifs : list of Motif
        All motifs of the model, by their numbers.
    latents : list of str
        Names of the columns of the latents.
    provenance : dict
        What the results were made from: versions, names and fingerprints.
    """

    name: str
    model: str
    source: Session
    meta: AlignedMetadata
    animals: list[Animal]
    motifs: list[Motif]
    latents: list[str]
    provenance: dict[str, Any]

    @property
    def identifier(self) -> str:
        """SHA-256 of what the results were made from: the same results have the same identifier."""
        return files.fingerprint(self.provenance)

    @property
    def start(self) -> datetime | None:
        """When the recording began; UTC if no time zone is given."""
        text = self.source.metadata.get(START_KEY)
        if text is None:
            return None
        found = datetime.fromisoformat(text)
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    @property
    def duration_s(self) -> float:
        """Seconds from the start of the video to the end of the last row."""
        last = max(float(animal.rows["time_s"].iloc[-1]) for animal in self.animals)
        return last + 1 / self.meta.fps


def behaviour(motif: Motif) -> str:
    """Return what other programs call a motif: its name, or its number if it has none.

    Examples
    --------
    >>> behaviour(Motif(3, "rear", [3])), behaviour(Motif(4, None, [4]))
    ('rear', 'motif 4')
    """
    return motif.name or f"motif {motif.number}"


def read_results(layout: Layout, config: Config, model: str, session: str) -> SessionResults:
    """Return the results of a session.

    Parameters
    ----------
    layout : Layout
    config : Config
        The configuration of the last run.
    model, session : str

    Raises
    ------
    InputError
        If a file is missing, or was made from something else than the others, or if the start of the
        session is not a date.
    """
    source = config.sessions[session]
    facts = segmentation_facts.read(layout.motifs(model).settings)
    motifs = resolve(config.names_of(model), facts.n_motifs, facts.fingerprint)
    path = layout.motifs(model).session(session)
    made_from = read_record(MotifsMetadata, path)
    latents = read_record(LatentsMetadata, layout.latents(model, session))
    meta = read_record(AlignedMetadata, layout.aligned(session))
    expected = facts.fingerprint, latents.fingerprint, meta.fingerprint
    found = (
        *(made_from.segmentation_fingerprint, made_from.latents_fingerprint),
        latents.aligned_fingerprint,
    )
    if found != expected:
        raise InputError(
            f"session {session}: {path} was made from other latents or by another segmentation. Run "
            "snakemake, which makes it again."
        )
    _check_start(session, source)
    labels = pq.read_table(path).unify_dictionaries().combine_chunks()
    names = latent_columns(layout.latents(model, session))
    return SessionResults(
        name=session,
        model=model,
        source=source,
        meta=meta,
        animals=list(
            _animals(layout, model, labels, _features(layout, source, meta), meta, motifs)
        ),
        motifs=motifs,
        latents=names,
        provenance=_provenance(model, session, facts, latents, meta),
    )


def _check_start(session: str, source: Session) -> None:
    text = source.metadata.get(START_KEY)
    try:
        datetime.fromisoformat(text or UNKNOWN_START.isoformat())
    except ValueError:
        raise InputError(
            f"session {session}: {START_KEY} is '{text}'; expected a date and time as "
            "2026-05-04T09:30:00+02:00. Correct it in the sheet or under metadata, and run snakemake."
        ) from None


def _provenance(
    model: str,
    session: str,
    facts: SegmentationFacts,
    latents: LatentsMetadata,
    meta: AlignedMetadata,
) -> dict[str, Any]:
    return {
        "vame_pipe": __version__,
        "session": session,
        "model": model,
        "model_sha256": facts.model_fingerprint,
        "segmentation": facts.fingerprint,
        "latents": latents.fingerprint,
        "aligned": meta.fingerprint,
        "poses_sha256": meta.poses_digest,
        "method": facts.method,
        "n_motifs": facts.n_motifs,
        "window_frames": latents.length,
        "fps": meta.fps,
    }


def _features(layout: Layout, source: Session, meta: AlignedMetadata) -> pd.DataFrame:
    """Return the features of each row, with the speed in cm/s if the scale is known."""
    path = layout.aligned(meta.session)
    table = pq.read_table(path, columns=["individual", *meta.features]).to_pandas()
    speed = scale.speed(table)
    if speed is not None and source.px_per_cm is not None:
        names = meta.individuals
        cm = {name: scale.cm_per_unit(meta, name, source.px_per_cm) for name in names}
        table["speed_cm_s"] = speed * table["individual"].astype(str).map(cm).to_numpy()
    return table.drop(columns="individual")


def _animals(
    layout: Layout,
    model: str,
    labels: pa.Table,
    features: pd.DataFrame,
    meta: AlignedMetadata,
    motifs: Sequence[Motif],
) -> Iterator[Animal]:
    """Yield the animals of a session, in the order of the file."""
    of_number = {number: motif for motif in motifs for number in motif.members}
    heads = np.array([of_number[k].number for k in range(len(of_number))])
    bouts = merge_bouts(find_bouts(labels, meta.fps), heads).to_pandas()
    table = labels.drop_columns(["motif", "bout"]).to_pandas()
    table[["session", "individual"]] = table[["session", "individual"]].astype(str)
    number = labels["motif"].to_pandas().astype("Int64")
    table.insert(5, "motif", number.map(dict(enumerate(heads.tolist()))).astype("Int64"))
    table.insert(6, "name", number.map({k: each.name for k, each in of_number.items()}))
    table["bout"] = pd.array([pd.NA] * len(table), "Int64")
    table = pd.concat([table, features], axis=1)
    path = layout.latents(model, meta.session)
    latents = pq.read_table(path, columns=["individual", "row", *latent_columns(path)]).to_pandas()
    latents["individual"] = latents["individual"].astype(str)
    table = table.merge(latents, how="left", on=["individual", "row"], validate="1:1")
    for name in meta.individuals:
        rows = table[table["individual"] == name].reset_index(drop=True)
        own = bouts[bouts["individual"] == name]
        first, last = (np.searchsorted(rows["row"], own[f"{e}_row"]) for e in ("start", "end"))
        column = np.full(len(rows), -1)
        for at, (begin, end) in enumerate(zip(first, last, strict=True)):
            column[begin : end + 1] = at
        rows["bout"] = pd.Series(column, dtype="Int64").mask(column < 0)
        found = [
            Bout(
                motif=of_number[row.motif],
                start_s=row.start_s,
                stop_s=row.start_s + row.duration_s,
                start_frame=row.start_frame,
                stop_frame=row.end_frame,
            )
            for row in own.itertuples()
        ]
        yield Animal(name, rows, found)
