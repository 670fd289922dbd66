"""The group section of the report: how groups of animals differ, in words, figures and a table."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from vame_pipe.core import group_facts
from vame_pipe.core.errors import InputError
from vame_pipe.core.group_facts import GroupFacts
from vame_pipe.core.layout import Layout
from vame_pipe.reporting.described import Described

MAX_ROWS = 60
"""Rows of the table, those with the smallest q first."""
SHOWN = {
    "usage": "usage",
    "bout_duration": "median bout",
    "bout_rate": "bout rate",
    "usage_entropy": "entropy of the usage",
    "entropy_rate": "entropy rate",
}
"""Measures in the table; all others are in its file."""


@dataclass(frozen=True)
class Difference:
    """A row of the table, as text."""

    groups: str
    measure: str
    motif: str
    n: str
    means: str
    difference: str
    size: str
    p: str
    q: str


@dataclass(frozen=True)
class GroupSection:
    """What the page tells of groups.

    Attributes
    ----------
    facts : GroupFacts
    pictures : dict of str to str
        SVG figures by name, base64.
    differences : list of Difference
        The clearest ones.
    n_differences : int
        Of these measures and all motifs.
    tables, figures : str
        Folders.
    """

    facts: GroupFacts
    pictures: dict[str, str]
    differences: list[Difference]
    n_differences: int
    tables: str
    figures: str


def read_groups(layout: Layout, model: str, described: Described) -> GroupSection:
    """Return what the page tells of groups.

    Parameters
    ----------
    layout : Layout
    model : str
    described : Described
        Its motifs.

    Raises
    ------
    InputError
        If the groups were compared by other motifs, or a file is damaged.
    """
    folder = layout.groups(model)
    facts = group_facts.read(folder.facts)
    if facts.segmentation != described.facts.segmentation:
        raise InputError(f"{folder.facts}: compares groups by other motifs. Run snakemake.")
    table = pd.read_parquet(folder.groups)
    table = table[table["measure"].isin(SHOWN) & table["q"].notna()]
    labels = dict(zip(described.numbers, described.labels, strict=True))
    clearest = table.sort_values(["q", "p"], kind="stable").head(MAX_ROWS)
    return GroupSection(
        facts=facts,
        pictures={path.stem: base64.b64encode(path.read_bytes()).decode() for path in folder.plots},
        differences=[_difference(row, labels) for _, row in clearest.iterrows()],
        n_differences=len(table),
        tables=folder.tables.as_posix(),
        figures=folder.figures.as_posix(),
    )


def _difference(row: pd.Series, labels: dict[int, str]) -> Difference:
    several = pd.isna(row["group"])
    scale, unit = (100, "%") if row["unit"] == "fraction" else (1, row["unit"])

    def number(name: str) -> str:
        return "" if pd.isna(row[name]) else f"{scale * row[name]:.3g}"

    interval = "" if pd.isna(row["low"]) else f" ({number('low')} to {number('high')})"
    return Difference(
        groups="all groups" if several else f"{row['group']}, {row['other']}",
        measure=f"{SHOWN[row['measure']]} ({unit})",
        motif="" if pd.isna(row["motif"]) else labels[int(row["motif"])],
        n=f"{row['n']:.0f}" if several else f"{row['n']:.0f}, {row['n_other']:.0f}",
        means="" if several else f"{number('mean')}, {number('mean_other')}",
        difference="" if several else f"{number('difference')}{interval}",
        size="" if pd.isna(row["hedges_g"]) else f"{row['hedges_g']:.2f}",
        p=f"{row['p']:.2g}",
        q=f"{row['q']:.2g}",
    )


def required_files(layout: Layout, models: Sequence[str]) -> list[Path]:
    """Return the files that the report needs."""
    return [path for model in models for path in layout.groups(model).outputs]
