"""A comparison of groups that is cheap to write, for the tests of the report."""

import pyarrow as pa

from vame_pipe.core import files, group_facts
from vame_pipe.core.group_facts import GroupFacts
from vame_pipe.core.layout import Layout
from vame_pipe.core.metadata import LatentsMetadata, read_record
from vame_pipe.core.source import GROUPS
from vame_pipe.motifs.group_table import GROUP_SCHEMA
from vame_pipe.motifs.groups import SUBJECT_SCHEMA

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>'
FINDING = "No session has a group, so there is nothing to compare."


def write_groups(layout: Layout, model: str, sessions, rows=(), groups=None) -> None:
    """Write the comparison of groups.

    Parameters
    ----------
    rows : sequence of dict
        Rows of groups.parquet.
    groups : dict of str to int, optional
        Subjects of each group; default: there is no group.
    """
    folder = layout.groups(model)
    latents = {name: read_record(LatentsMetadata, layout.latents(model, name)) for name in sessions}
    facts = GroupFacts(
        groups=groups or {},
        n_recordings=len(latents),
        paired=False,
        findings=[FINDING],
        methods="They were compared." if groups else "",
        sessions={name: {"group": None, "subject": None, "pair": None} for name in sessions},
        labels={name: meta.fingerprint for name, meta in latents.items()},
        segmentation=f"segmentation of {model}",
        motif_names=[],
        stage_version=GROUPS,
    )
    group_facts.write(facts, folder.facts)
    tables = {folder.groups: (GROUP_SCHEMA, list(rows)), folder.subjects: (SUBJECT_SCHEMA, [])}
    for path, (schema, content) in tables.items():
        table = pa.Table.from_pylist(content, schema=schema)
        files.write_tables(path, [table], schema, files.metadata())
        files.write_text(path.with_suffix(".csv"), "")
    for path in folder.plots:
        files.write_text(path, SVG)
