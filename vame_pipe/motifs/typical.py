"""The most typical bouts of all motifs: their table, their skeletons, and an animated picture per motif."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from vame_pipe.core import files
from vame_pipe.core.colours import motif_colour
from vame_pipe.core.description import Description
from vame_pipe.motifs import exemplars, recording
from vame_pipe.motifs.clips import write_gif
from vame_pipe.motifs.exemplars import EXEMPLAR_SCHEMA, SKELETON_SCHEMA, Clip
from vame_pipe.motifs.inputs import SessionFiles
from vame_pipe.motifs.names import with_names
from vame_pipe.motifs.recording import Folders


def write_exemplars(
    bouts: pa.Table, description: Description, folders: Folders, sessions: Sequence[SessionFiles]
) -> None:
    """Write the most typical bouts of each motif: exemplars, skeletons, clips/motif_NN.gif.

    Parameters
    ----------
    bouts : pyarrow.Table
        Bouts of all sessions, with `distance`.
    description : Description
    folders : Folders
    sessions : sequence of SessionFiles
    """
    chosen = choose_all(bouts, [motif.number for motif in description.motifs])
    clips = _read_clips(chosen, folders, sessions)
    tables = [pa.Table.from_pylist([], schema=SKELETON_SCHEMA)]
    for (number, rank), clip in clips.items():
        tables.append(exemplars.skeleton_rows(clip, number, rank, description.keypoints))
    described = folders.motifs.described
    named = with_names(chosen, description.motifs)
    files.write_tables(described.exemplars, [named], named.schema, files.metadata())
    files.write_tables(described.skeletons, tables, SKELETON_SCHEMA, files.metadata())
    _write_gifs(clips, description, folders.motifs.clips)


def choose_all(bouts: pa.Table, numbers: Sequence[int]) -> pa.Table:
    """Return the most typical bouts of each motif, columns `exemplars.EXEMPLAR_SCHEMA`."""
    motif, session = bouts["motif"].to_numpy(), bouts["session"].combine_chunks().indices
    duration = bouts["duration_s"].to_numpy()
    distance = bouts["distance"].to_numpy(zero_copy_only=False)
    index, ranks = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for number in numbers:
        own = np.flatnonzero(motif == number)
        best = exemplars.choose(session.to_numpy()[own], duration[own], distance[own])
        index.append(own[best])
        ranks.append(np.arange(len(best)))
    table = bouts.take(pa.array(np.concatenate(index)))
    table = table.append_column("rank", pa.array(np.concatenate(ranks)))
    return table.select(EXEMPLAR_SCHEMA.names).cast(EXEMPLAR_SCHEMA)


def _read_clips(
    chosen: pa.Table, folders: Folders, sessions: Sequence[SessionFiles]
) -> dict[tuple[int, int], Clip]:
    """Return the clip of each motif and rank; reads one session at a time."""
    names = np.array(chosen["session"].to_pylist(), object)
    clips = {}
    for session in sessions:
        own = chosen.filter(pa.array(names == session.name, pa.bool_()))
        if not len(own):
            continue
        read = recording.read(folders, session)
        run, spans = read.run, read.spans(own).tolist()
        keys = zip(own["motif"].to_pylist(), own["rank"].to_pylist(), strict=True)
        for key, (first, last) in zip(keys, spans, strict=True):
            clips[key] = exemplars.clip(read.moved, run, first, last, read.meta.fps)
    return dict(sorted(clips.items()))


def _write_gifs(clips: dict[tuple[int, int], Clip], description: Description, folder: Path) -> None:
    """Write one animated picture per motif that has a bout; delete those of earlier motifs."""
    folder.mkdir(parents=True, exist_ok=True)
    current = set()
    for motif in description.motifs:
        own = [clip for (number, _), clip in clips.items() if number == motif.number]
        if own:
            path = folder / f"motif_{motif.number:02d}.gif"
            shade = motif_colour(motif.number)
            write_gif(own, description.bones, description.front, shade, path)
            current.add(path)
    for path in set(folder.glob("motif_*.gif")) - current:
        path.unlink()
