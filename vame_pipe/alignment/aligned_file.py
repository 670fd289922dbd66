"""The file of an aligned session: its features and its tracking quality, or why there are none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from vame_pipe.alignment.cleaning import runs
from vame_pipe.core import files, metadata
from vame_pipe.core.digests import combined
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout
from vame_pipe.core.metadata import AlignedMetadata, AnimalFacts, to_metadata
from vame_pipe.core.parts import Part
from vame_pipe.core.schemas import INDEX_FIELDS, feature_fields, index_columns
from vame_pipe.core.source import ALIGN

if TYPE_CHECKING:
    from vame_pipe.alignment.session import Aligned
    from vame_pipe.config.sections import Session


def write(
    animals: dict[str, Aligned],
    session: str,
    source: Session,
    source_fps: float,
    parts: Sequence[Part],
    out: Path,
) -> None:
    """Write results/aligned/{session}.parquet.

    The fingerprint in the metadata is of the rows and the settings. If these change for any reason,
    everything that was made from them is made again.

    Parameters
    ----------
    animals : dict of str to Aligned
        By individual.
    session : str
        Name of the session.
    source : Session
        The recording, as in the configuration.
    source_fps : float
        Its frames per second.
    parts : sequence of Part
        Its pose files.
    out : Path
    """
    first = next(iter(animals.values()))
    tables = [to_table(aligned, session, name) for name, aligned in animals.items()]
    meta = AlignedMetadata(
        session=session,
        settings=first.settings,
        features=first.names,
        keypoints=list(first.quality.keypoints),
        fps=first.fps,
        individuals={name: facts(aligned) for name, aligned in animals.items()},
        fingerprint=files.fingerprint(
            *(files.table_fingerprint(table) for table in tables),
            first.settings,
            first.names,
            first.fps,
        ),
        poses_digest=combined([files.file_fingerprint(path) for path in source.files]),
        source=" + ".join(part.source for part in parts),
        source_fps=source_fps,
        format=source.format,
        selected=source.individuals,
        starts_s=source.starts_s,
        stage_version=ALIGN,
        parts=list(parts),
    )
    files.write_tables(out, tables, schema(first.names), to_metadata(meta))


def facts(aligned: Aligned) -> AnimalFacts:
    """Return the facts of one animal that later stages use."""
    starts, ends = runs(aligned.valid)
    longest = int((ends - starts).max(initial=0))
    found = aligned.quality
    return AnimalFacts(found.body_length_px, found.flipped_fraction, longest)


def write_rejection(session: str, problems: list[str], out: Path, qc: Path) -> None:
    """Write a placeholder that records why a recording could not be aligned; `windows` reports it.

    Parameters
    ----------
    session : str
        Name of the session.
    problems : list of str
        One line each.
    out, qc : Path
        results/aligned/{session}.parquet and .qc.json.
    """
    metadata.write_rejection(out, problems)
    files.write_json(qc, {"session": session, "rejected": problems})


def drop_rejections(layout: Layout) -> None:
    """Delete the files of sessions that could not be aligned or encoded; the next run tries again.

    Parameters
    ----------
    layout : Layout
        The results folder. Files that cannot be read stay as they are.
    """
    for path in layout.aligned_folder.glob("*.parquet"):
        if _is_rejection(path):
            path.unlink()
            layout.quality(path.stem).unlink(missing_ok=True)
    for folder in layout.session_folders():
        for path in filter(_is_rejection, folder.glob("*.parquet")):
            path.unlink()


def _is_rejection(path: Path) -> bool:
    try:
        return "rejected" in files.read_metadata(path)
    except InputError:
        return False


def to_table(aligned: Aligned, session: str, individual: str) -> pa.Table:
    """Return one animal's rows of results/aligned/{session}.parquet."""
    row = np.arange(len(aligned.valid))
    index = (row, aligned.frame, aligned.time_s, aligned.run)
    columns = [*index_columns(session, individual, *index), *map(pa.array, aligned.features.T)]
    return pa.Table.from_arrays(columns, schema=schema(aligned.names))


def schema(feature_names: list[str]) -> pa.Schema:
    """Return the columns of results/aligned/{session}.parquet."""
    return pa.schema([*INDEX_FIELDS, *feature_fields(feature_names)])
