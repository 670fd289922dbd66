"""Compare the motifs and latents of a model with what people labelled, next to PCA."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import torch

from vame_pipe.core import description as descriptions
from vame_pipe.core import files, label_facts
from vame_pipe.core.description import Description
from vame_pipe.core.errors import InputError
from vame_pipe.core.label_facts import LabelFacts
from vame_pipe.core.layout import Layout
from vame_pipe.core.source import LABELS
from vame_pipe.motifs import recording, segmentation
from vame_pipe.motifs.inputs import Inputs, SessionFiles, find_inputs
from vame_pipe.motifs.label_scores import Labelled, contingency, notes, predict, score
from vame_pipe.motifs.labelled_rows import AnimalRows, LabelSource, find_pca, read_session
from vame_pipe.motifs.recording import Folders
from vame_pipe.motifs.segmentation import Segmentation

log = logging.getLogger(__name__)

KINDS = ("latents", "pca")
BEHAVIOUR_SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("representation", "behaviour")),
        *(pa.field(name, pa.int64()) for name in ("n_rows", "n_subjects")),
        pa.field("motifs", pa.list_(pa.int16())),
        pa.field("overlap", pa.float64()),
        pa.field("n_bouts", pa.int64()),
        *(
            pa.field(name, pa.float64())
            for name in (
                *("found", "start_shift_s", "start_error_s", "end_shift_s", "end_error_s"),
                *("fragments", "precision", "recall"),
            )
        ),
    ]
)
"""Columns of behaviours.parquet, one row per representation and behaviour."""
CONFUSION_SCHEMA = pa.schema(
    [
        pa.field("representation", pa.string()),
        pa.field("motif", pa.int16()),
        *(pa.field(name, pa.string()) for name in ("name", "behaviour")),
        pa.field("n_rows", pa.int64()),
    ]
)
"""Columns of confusion.parquet: rows with both, for every motif and behaviour."""


def compare_labels(layout: Layout, model: str, sources: Mapping[str, LabelSource]) -> None:
    """Write how far the motifs and latents of a model hold what people labelled.

    Parameters
    ----------
    layout : Layout
    model : str
    sources : mapping of str to LabelSource
        The labels of each session that has some, by its name.

    Raises
    ------
    InputError
        If a label file is wrong or does not fit its recording, or if files of the model are missing or do
        not belong together; all of them. A recording that could not be aligned, encoded or labelled is left
        out.
    """
    torch.set_num_threads(1)  # as `segment`: the same motifs of PCA on every machine
    folder = layout.motifs(model)
    folders = Folders(folder, layout.latents_folder(model), layout.aligned_folder)
    found = segmentation.load(folder)
    described = descriptions.read(folder.described.description)
    if described.segmentation != found.fingerprint:
        raise InputError(
            f"{folder.described.description}: describes the motifs of another segmentation. Run snakemake, "
            "or vame-pipe describe."
        )
    windows, weights = layout.windows_folder.root, layout.model(model).weights
    inputs = find_inputs(folders.latents, folders.aligned, windows, weights)
    used, left_out = recording.split_usable(folders, sources)
    sessions = recording.find_sessions(folders, used, found)
    animals = _read(folders, sources, sessions, found, described, inputs)
    names = sorted({str(name) for a in animals for name in a.label if name is not None})
    labelled = Labelled(animals, names, inputs.windows.length)
    tables = {kind: contingency(labelled, kind, found.n_motifs) for kind in KINDS}
    if not tables["latents"].any():
        raise InputError(
            "labels: no labelled frame has a motif. Label frames that have one, see the ethogram in the "
            "report."
        )
    behaviours: list[dict[str, object]] = []
    scores, unit = {}, ""
    for kind, table in tables.items():
        predicted = predict(labelled, kind)
        rows, scores[kind] = score(labelled, kind, table, predicted)
        behaviours, unit = [*behaviours, *rows], predicted.unit
    facts = LabelFacts(
        scores=scores,
        n_subjects=len({animal.subject for animal in animals}),
        n_rows=int(tables["latents"].sum()),
        held_out=unit,
        notes=[*left_out, *notes(labelled, unit)],
        sessions={name: dataclasses.asdict(source) for name, source in sources.items()},
        labels={name: files.file_fingerprint(source.labels) for name, source in sources.items()},
        latents={session.name: session.meta.fingerprint for session in sessions},
        segmentation=found.fingerprint,
        stage_version=LABELS,
    )
    confusion = _confusion(labelled, tables, described)
    for path, table_rows, schema in (
        (folder.labelled.behaviours, behaviours, BEHAVIOUR_SCHEMA),
        (folder.labelled.confusion, confusion, CONFUSION_SCHEMA),
    ):
        content = pa.Table.from_pylist(table_rows, schema=schema)
        files.write_tables(path, [content], schema, files.metadata())
    label_facts.write(facts, folder.labelled.facts)
    for kind, numbers in scores.items():
        log.info("labels, %s: %s", kind, numbers.describe())


def _read(
    folders: Folders,
    sources: Mapping[str, LabelSource],
    sessions: Sequence[SessionFiles],
    found: Segmentation,
    described: Description,
    inputs: Inputs,
) -> list[AnimalRows]:
    """Return the labelled animals of all sessions."""
    pca = find_pca(inputs, found, folders.motifs)
    animals, problems = [], []
    for session in sessions:
        try:
            animals += read_session(
                *(session, sources[session.name], folders.motifs, described),
                *(inputs.windows, pca),
            )
        except InputError as error:
            problems += [f"session {session.name}: {line}" for line in error.problems]
    if problems:
        raise InputError(*problems)
    return animals


def _confusion(
    labelled: Labelled, tables: Mapping[str, Any], described: Description
) -> list[dict[str, object]]:
    names = {motif.number: motif.name for motif in described.motifs}
    return [
        {
            "representation": kind,
            "motif": motif,
            "name": names.get(motif) if kind == "latents" else None,
            "behaviour": behaviour,
            "n_rows": int(table[motif, k]),
        }
        for kind, table in tables.items()
        for motif in (names if kind == "latents" else range(len(table)))
        for k, behaviour in enumerate(labelled.behaviours)
    ]
