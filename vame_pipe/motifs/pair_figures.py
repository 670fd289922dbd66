"""Vector figures of the differences between every two groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from vame_pipe.core.colours import BLUE, GREEN, NO_MOTIF, VERMILLION
from vame_pipe.core.description import Motif
from vame_pipe.core.plots import GREY
from vame_pipe.motifs.group_style import WIDTH, join_labels, message, text
from vame_pipe.motifs.group_tests import ALPHA
from vame_pipe.motifs.subjects import Study

SERIES = {
    "transition": ("transitions", ".", "#999999"),
    "usage": ("usage", "o", BLUE),
    "bout_duration": ("bout duration", "s", VERMILLION),
    "bout_rate": ("bout rate", "^", GREEN),
}
"""Label, marker and colour of measures in the volcano, the last ones on top."""
MAX_PAIRS, MAX_LABELLED = 6, 5
"""Pairs of groups that are drawn, and points of a volcano that have a name."""
DIVERGING = LinearSegmentedColormap.from_list("difference", [BLUE, "#FFFFFF", VERMILLION])


def _pairs(study: Study) -> list[tuple[str, str]]:
    return list(combinations(study.groups, 2))[:MAX_PAIRS]


def _panels(study: Study, height: float) -> tuple[Figure, list[tuple[Axes, tuple[str, str]]]]:
    """Return a figure with a panel for each pair of groups."""
    pairs = _pairs(study)
    n_columns = min(3, len(pairs)) if len(pairs) != 4 else 2
    n_lines = -(-len(pairs) // n_columns)
    width = WIDTH if n_columns > 1 else 0.62 * WIDTH
    figure = Figure(figsize=(width, height * n_lines), layout="constrained")
    axes = list(figure.subplots(n_lines, n_columns, squeeze=False).ravel())
    for axis in axes[len(pairs) :]:
        axis.set_visible(False)
    n_all = len(study.groups) * (len(study.groups) - 1) // 2
    if n_all > len(pairs):
        figure.suptitle(f"The first {len(pairs)} of {n_all} pairs of groups", size=8)
    for axis, (first, second) in zip(axes, pairs, strict=False):
        axis.set_title(f"{text(second)} compared with {text(first)}")
    return figure, list(zip(axes, pairs, strict=False))


def _rows_of(table: pd.DataFrame, pair: tuple[str, str]) -> pd.DataFrame:
    return table[(table["group"] == pair[0]) & (table["other"] == pair[1])]


def volcano(study: Study, table: pd.DataFrame, motifs: Sequence[Motif]) -> Figure:
    """Return the size of each difference against its q, a panel for each pair of groups."""
    if not _pairs(study):
        return message("There is no second group to compare with.")
    labels = {motif.number: text(motif.label) for motif in motifs}
    figure, panels = _panels(study, height=2.9)
    for axis, pair in panels:
        rows = _rows_of(table, pair).dropna(subset=["hedges_g", "q"])
        for measure, (name, marker, colour) in SERIES.items():
            of_measure = rows[rows["measure"] == measure]
            axis.plot(
                *(of_measure["hedges_g"], -np.log10(of_measure["q"]), marker),
                color=colour,
                alpha=0.8,
                markeredgewidth=0,
                markersize=5 if marker == "." else None,
                label=name,
            )
        axis.axhline(
            -np.log10(ALPHA), color=GREY, linewidth=0.8, linestyle="--", label=f"q = {ALPHA:g}"
        )
        axis.axvline(0, color=GREY, linewidth=0.5)
        named = rows[rows["measure"].isin(SERIES) & (rows["q"] < ALPHA)].sort_values(
            "q", kind="stable"
        )
        largest = max(
            1.0, float(rows.loc[rows["measure"].isin(SERIES), "hedges_g"].abs().max() or 1)
        )
        clear = [
            (row["hedges_g"], -np.log10(row["q"]), _label(row, labels))
            for _, row in named.head(MAX_LABELLED).iterrows()
        ]
        for x, y, label in join_labels(clear, (0.15 * largest, 0.15)):
            axis.annotate(
                label,
                (x, y),
                xytext=(4 if x < 0 else -4, 2),
                textcoords="offset points",
                ha="left" if x < 0 else "right",
                size=7,
            )
        axis.set_xlim(-1.15 * largest, 1.15 * largest)
        top = -np.log10(rows["q"].min()) if len(rows) else 0.0
        axis.set_ylim(0, 1.15 * max(top, 1.5))
        axis.set_xlabel("Effect size (Hedges' g)")
        axis.set_ylabel("-log10 q")
    handles, names = panels[0][0].get_legend_handles_labels()
    n_columns = 3 if len(panels) == 1 else len(handles)
    figure.legend(handles, names, loc="outside lower center", ncols=n_columns, columnspacing=1)
    return figure


def _label(row: pd.Series, labels: Mapping[int, str]) -> str:
    """Return the motif of a row, or the transition."""
    name = labels[row["motif"]]
    return name if pd.isna(row["target"]) else f"{name} → {labels[row['target']]}"


def transitions(study: Study, table: pd.DataFrame, motifs: Sequence[Motif]) -> Figure:
    """Return the differences of the probabilities of transitions, a panel for each pair of groups."""
    if not _pairs(study):
        return message("There is no second group to compare with.")
    numbers, labels = [m.number for m in motifs], [text(m.label, 14) for m in motifs]
    figure, panels = _panels(study, height=3.4)
    image = None
    largest = table.loc[table["measure"] == "transition", "difference"].abs().max()
    limit = 100 * float(largest) if largest > 0 else 1.0
    for axis, pair in panels:
        rows = _rows_of(table, pair)
        rows = rows[rows["measure"] == "transition"]
        matrix = np.full((len(motifs), len(motifs)), np.nan)
        source, target = (
            np.searchsorted(numbers, rows[n].astype(int)) for n in ("motif", "target")
        )
        matrix[source, target] = 100 * rows["difference"].to_numpy()
        axis.set_facecolor(NO_MOTIF)
        image = axis.pcolormesh(
            np.ma.masked_invalid(matrix), cmap=DIVERGING, vmin=-limit, vmax=limit, linewidth=0
        )
        clear = (rows["q"] < ALPHA).to_numpy()
        axis.plot(target[clear] + 0.5, source[clear] + 0.5, "*", color="#222222", markersize=5)
        places = np.arange(len(motifs)) + 0.5
        axis.set_xticks(places, labels, rotation=90 if any(motif.name for motif in motifs) else 0)
        axis.set_yticks(places, labels if axis is panels[0][0] else [""] * len(labels))
        axis.invert_yaxis()
        axis.set_aspect("equal")
        axis.set_xlabel("Next motif")
    panels[0][0].set_ylabel("Motif")
    if image is not None:
        figure.colorbar(
            image,
            ax=[axis for axis, _ in panels],
            label="Difference (percentage points)",
            shrink=0.8,
        )
    return figure
