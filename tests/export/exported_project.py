"""A results folder with two small sessions, for the tests of exports."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from motif_files import write_motifs
from pose_files import recording, write_dlc_csv

from vame_pipe.alignment.session import align_session
from vame_pipe.config import loading
from vame_pipe.core import files
from vame_pipe.core.layout import Layout
from vame_pipe.core.metadata import AlignedMetadata, LatentsMetadata, read_record, to_metadata
from vame_pipe.core.schemas import INDEX_FIELDS, feature_fields, latent_names

FPS, LENGTH, ZDIMS = 25.0, 5, 3
SEGMENTATION = "segmentation of vame"
STARTED = "2026-05-04T09:30:00+02:00"
KNOWN = {"session_start_time": STARTED, "species": "Mus musculus", "sex": "F", "age": "P90D"}
KNOWN |= {"experimenter": "Doe, Jane", "institution": "Lab of mice"}
NAMES = [{"motif": 0, "name": "walk <slowly> & 'ünïcode'"}, {"motif": 2, "merge_into": 1}]


def make_project(folder, motif_names=NAMES, **solo):
    """Write poses, aligned sessions, latents, motifs; return the layout.

    `solo` has one animal and a name, a date and a group; `pair` has two animals and nothing else.
    """
    layout = Layout(folder / "results")
    sessions = {}
    for name, n_animals, more in (
        ("solo", 1, {"metadata": KNOWN, "group": "old", "subject": "m7", "px_per_cm": 4.0}),
        ("pair", 2, {"px_per_cm": 5.0}),
    ):
        path = folder / f"{name}.csv"
        write_dlc_csv(path, recording(n_frames=80, n_animals=n_animals, seed=n_animals))
        sessions[name] = {"poses": str(path), "fps": FPS} | more
    sessions["solo"] |= solo
    config = loading.load(
        {
            "sessions": sessions,
            "results": str(layout.root),
            "align": {"centre": "tail", "forward": "nose", "max_gap_s": 0.2},
            "windows": {"length_s": LENGTH / FPS},
            "model": {"zdims": ZDIMS},
            "motif_names": motif_names,
        }
    )
    for name, session in config.sessions.items():
        align_session(name, session, config.align, None, layout.aligned(name), layout.quality(name))
        _write_latents(layout, name)
    write_motifs(layout, "vame", sessions, bout=7)
    files.write_text(layout.config, yaml.safe_dump(config.resolved()))
    (layout.model("vame").root).mkdir(parents=True)
    return layout


def _write_latents(layout, session):
    """Latents of the rows that are not near an end of their run: row + animal / 10 + dimension / 100."""
    path = layout.aligned(session)
    meta = read_record(AlignedMetadata, path)
    table = pq.read_table(path, columns=[field.name for field in INDEX_FIELDS]).unify_dictionaries()
    run = table["run"].to_numpy()
    animal = table["individual"].combine_chunks().indices.to_numpy()
    half = LENGTH // 2
    inside = np.zeros(len(run), bool)
    for at in range(half, len(run) - half):
        around = slice(at - half, at + half + 1)
        inside[at] = run[at] >= 0 and len(set(zip(run[around], animal[around], strict=True))) == 1
    chosen = np.flatnonzero(inside)
    rows, of_animal = table["row"].to_numpy()[chosen], animal[chosen]
    values = [(rows + of_animal / 10 + k / 100).astype(np.float32) for k in range(ZDIMS)]
    fields = [*INDEX_FIELDS, *feature_fields(latent_names(ZDIMS))]
    content = pa.Table.from_arrays(
        [*table.take(pa.array(chosen)).columns, *map(pa.array, values)], schema=pa.schema(fields)
    )
    record = LatentsMetadata(
        "", meta.fingerprint, f"latents of {session}", LENGTH, FPS, [0.1] * 3, 1
    )
    files.write_tables(
        layout.latents("vame", session), [content], content.schema, to_metadata(record)
    )
