"""The section of the report on labels: how far the motifs hold what people labelled, next to PCA."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from vame_pipe.core import label_facts, segmentation_facts
from vame_pipe.core.errors import InputError
from vame_pipe.core.label_facts import LabelFacts
from vame_pipe.core.layout import Layout
from vame_pipe.reporting import figures

REPRESENTATIONS = {"latents": "latents", "pca": "PCA"}
MAX_TEXTS = 300
"""Cells of the confusion up to which each has its number."""
SAME = 0.02
"""Differences of scores that count as none."""
HELD_OUT = {
    "subject": "animals that it was not trained on",
    "session": "recordings that it was not trained on",
    "time": "stretches of time that it was not trained on",
}


@dataclass(frozen=True)
class BehaviourRow:
    """A behaviour in one representation, as text."""

    representation: str
    behaviour: str
    n_rows: str
    n_subjects: str
    motifs: str
    overlap: str
    found: str
    start: str
    end: str
    fragments: str
    precision: str
    recall: str


@dataclass(frozen=True)
class LabelSection:
    """What the page tells of labels.

    Attributes
    ----------
    facts : LabelFacts
    verdict : list of str
        What the scores mean, in sentences.
    held_out : str
        What the classifier was tested on.
    rows : list of BehaviourRow
    confusion : dict
        Figure.
    folder : str
        The files.
    """

    facts: LabelFacts
    verdict: list[str]
    held_out: str
    rows: list[BehaviourRow]
    confusion: dict[str, Any]
    folder: str


def required_files(layout: Layout, models: Sequence[str]) -> list[Path]:
    """Return the files that the page needs if sessions have labels."""
    return [path for model in models for path in layout.motifs(model).labelled.outputs]


def read_labels(layout: Layout, model: str) -> LabelSection:
    """Return the section on labels.

    Parameters
    ----------
    layout : Layout
    model : str
        Whose motifs are shown.

    Raises
    ------
    InputError
        If the motifs were found again since they were compared.
    """
    folder = layout.motifs(model)
    facts = label_facts.read(folder.labelled.facts)
    if facts.segmentation != segmentation_facts.read(folder.settings).fingerprint:
        raise InputError(f"{folder.labelled.facts}: is about other motifs. Run snakemake.")
    table = pd.read_parquet(folder.labelled.behaviours)
    confusion = pd.read_parquet(folder.labelled.confusion)
    return LabelSection(
        facts=facts,
        verdict=verdict(facts),
        held_out=HELD_OUT[facts.held_out],
        rows=[_row(row) for row in table.itertuples()],
        confusion=figures.embedded(draw_confusion(confusion)),
        folder=folder.labelled.root.as_posix(),
    )


def verdict(facts: LabelFacts) -> list[str]:
    """Return what the scores mean, in sentences, compared with PCA."""
    latents, pca = facts.scores["latents"], facts.scores["pca"]
    own, other = latents.adjusted_mutual_information, pca.adjusted_mutual_information
    found = [
        "Motifs and labels share information of "
        f"{own:.2f} (adjusted mutual information; 1: the same, 0: chance). Motifs of PCA: {other:.2f}"
        f"{_compared(own, other)}."
    ]
    if latents.balanced_accuracy is not None and pca.balanced_accuracy is not None:
        own, other = latents.balanced_accuracy, pca.balanced_accuracy
        found.append(
            f"A linear classifier names {own:.0%} of the frames of a behaviour correctly from the latents, "
            f"on average over behaviours, in {HELD_OUT[facts.held_out]}. From PCA: {other:.0%}"
            f"{_compared(own, other)}."
        )
    return found


def _compared(own: float, other: float) -> str:
    if abs(own - other) <= SAME:
        return ", which is as good"
    return ", which is worse" if own > other else ", which is better"


def _row(row: Any) -> BehaviourRow:
    return BehaviourRow(
        representation=REPRESENTATIONS[row.representation],
        behaviour=row.behaviour,
        n_rows=f"{row.n_rows:,}",
        n_subjects=str(row.n_subjects),
        motifs=", ".join(str(number) for number in row.motifs) or "none",
        overlap=_text(row.overlap, "{:.2f}"),
        found=f"{_text(row.found, '{:.0%}')} of {row.n_bouts}",
        start=_text(row.start_shift_s, "{:+.2f}"),
        end=_text(row.end_shift_s, "{:+.2f}"),
        fragments=_text(row.fragments, "{:.1f}"),
        precision=_text(row.precision, "{:.2f}"),
        recall=_text(row.recall, "{:.2f}"),
    )


def _text(value: float | None, form: str) -> str:
    return "" if value is None or pd.isna(value) else form.format(value)


def draw_confusion(confusion: pd.DataFrame) -> go.Figure:
    """Return the share of each behaviour that each motif of the latents holds, as a figure.

    Parameters
    ----------
    confusion : pandas.DataFrame
        `confusion.parquet`.
    """
    table = confusion[confusion["representation"] == "latents"]
    counts = table.pivot(index="behaviour", columns="motif", values="n_rows")
    names = table.drop_duplicates("motif").set_index("motif")["name"]
    labels = [f"{k} {names[k]}" if isinstance(names[k], str) else str(k) for k in counts.columns]
    share = 100 * counts.div(counts.sum(axis=1).clip(lower=1), axis=0)
    figure = go.Figure(
        go.Heatmap(
            z=share.to_numpy().tolist(),
            x=labels,
            y=counts.index.tolist(),
            customdata=counts.to_numpy().tolist(),
            texttemplate="%{z:.0f}" if counts.size <= MAX_TEXTS else None,
            colorscale=figures.CONTINUOUS,
            zmin=0,
            zmax=100,
            colorbar={"thickness": 10, "title": "percent"},
            hovertemplate="%{y}, motif %{x}<br>%{z:.1f} % (%{customdata} frames)<extra></extra>",
        )
    )
    figure.update_xaxes(title="Motif", type="category", automargin=True, showgrid=False)
    figure.update_yaxes(type="category", automargin=True, autorange="reversed", showgrid=False)
    return figure.update_layout(template=figures.TEMPLATE, height=max(240, 130 + 30 * len(counts)))
