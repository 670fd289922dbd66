"""Compare groups of animals by their motifs: tables, findings in words, figures."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from vame_pipe.core import description as descriptions
from vame_pipe.core import files
from vame_pipe.core.description import Description
from vame_pipe.core.errors import InputError
from vame_pipe.core.folders import GroupFolder
from vame_pipe.core.group_facts import GroupFacts
from vame_pipe.core.group_facts import write as write_facts
from vame_pipe.core.source import GROUPS
from vame_pipe.motifs import group_figures, group_words, recording, segmentation, subjects
from vame_pipe.motifs.group_table import GROUP_SCHEMA, compare, designs, measure_columns
from vame_pipe.motifs.inputs import SessionFiles
from vame_pipe.motifs.members import Member
from vame_pipe.motifs.recording import Folders
from vame_pipe.motifs.subjects import Measure, Study

log = logging.getLogger(__name__)

SUBJECT_SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("group", "subject", "pair")),
        pa.field("n_recordings", pa.int64()),
        *(pa.field(name, pa.string()) for name in ("measure", "unit")),
        *(pa.field(name, pa.int16()) for name in ("motif", "target")),
        *(pa.field(name, pa.string()) for name in ("name", "target_name")),
        pa.field("value", pa.float64()),
    ]
)
"""Columns of subjects.parquet: every subject and measure; `value` is null where not known."""


def compare_groups(folders: Folders, members: Mapping[str, Member], folder: GroupFolder) -> None:
    """Write how groups of animals differ in the motifs of a model.

    Parameters
    ----------
    folders : Folders
        The motifs have been described.
    members : mapping of str to Member
        Group, subject, pair and scale of each session that is used, by its name. All have a scale, or
        none.
    folder : GroupFolder

    Raises
    ------
    InputError
        If files are missing or do not belong together. A recording that could not be aligned, encoded or
        labelled is left out.
    """
    found = segmentation.load(folders.motifs)
    described = descriptions.read(folders.motifs.described.description)
    if described.segmentation != found.fingerprint:
        raise InputError(
            f"{folders.motifs.described.description}: describes the motifs of another segmentation. Run "
            "snakemake, or vame-pipe describe."
        )
    used, left_out = recording.split_usable(folders, members)
    sessions = recording.find_sessions(folders, used, found)
    study, empty = _measure(folders, described, sessions, members)
    names = {motif.number: motif.name for motif in described.motifs}
    table, chosen = compare(study, names), designs(study)
    words = group_words.findings(table, study, chosen, described.motifs, members, empty)
    findings = left_out + words
    _write(table, folder.groups, GROUP_SCHEMA)
    _write(_subject_table(study, names), folder.subjects, SUBJECT_SCHEMA)
    group_figures.draw(study, table, described.motifs, folder)
    facts = GroupFacts(
        groups={name: sum(s.group == name for s in study.subjects) for name in study.groups},
        n_recordings=sum(s.n_recordings for s in study.subjects if s.group is not None),
        paired=any(design.paired for design in chosen),
        findings=findings,
        methods=group_words.methods(study, chosen),
        sessions={name: dataclasses.asdict(member) for name, member in members.items()},
        labels={session.name: session.meta.fingerprint for session in sessions},
        segmentation=found.fingerprint,
        motif_names=described.settings["motif_names"],
        stage_version=GROUPS,
    )
    write_facts(facts, folder.facts)
    log.info("%d subjects in %d groups", len(study.subjects), len(facts.groups))
    for line in findings:
        log.info("%s", line)


def _measure(
    folders: Folders,
    described: Description,
    sessions: list[SessionFiles],
    members: Mapping[str, Member],
) -> tuple[Study, list[str]]:
    """Return what is known of all subjects, and the sessions without any motif."""
    measures: list[Measure] = []
    recordings: dict[tuple[str, str | None], np.ndarray] = {}
    empty = []
    for session in sessions:
        read = recording.read(folders, session, members[session.name].px_per_cm)
        measures, values = subjects.measure(read, described)
        several = len(read.meta.individuals) > 1
        recordings |= {(session.name, n if several else None): v for n, v in values.items()}
        if not values:
            empty.append(session.name)
    return subjects.gather(measures, recordings, members), empty


def _subject_table(study: Study, names: dict[int, str | None]) -> pd.DataFrame:
    """Return one row per subject and measure."""
    columns = measure_columns(study.measures, names)
    tables = [
        columns.assign(
            group=subject.group,
            subject=subject.name,
            pair=subject.pair,
            n_recordings=subject.n_recordings,
            value=study.values[:, k],
        )
        for k, subject in enumerate(study.subjects)
    ]
    if not tables:
        return pd.DataFrame(columns=SUBJECT_SCHEMA.names)
    return pd.concat(tables, ignore_index=True)[SUBJECT_SCHEMA.names]


def _write(table: pd.DataFrame, path: Path, schema: pa.Schema) -> None:
    """Write a table as Parquet and as CSV."""
    content = pa.Table.from_pydict(
        {
            name: pa.array(table[name], field_type, from_pandas=True)
            for name, field_type in zip(schema.names, schema.types, strict=True)
        },
    )
    files.write_tables(path, [content], schema, files.metadata(stage_version=GROUPS))
    files.write_text(path.with_suffix(".csv"), content.to_pandas().to_csv(index=False))
