"""Vector figures of how groups differ in their motifs, as wide as a page of a paper."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vame_pipe.core import files
from vame_pipe.core.colours import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION
from vame_pipe.core.description import Motif
from vame_pipe.core.folders import GroupFolder
from vame_pipe.core.plots import GREY
from vame_pipe.motifs import pair_figures
from vame_pipe.motifs.group_style import STYLE, WIDTH, join_labels, message, text
from vame_pipe.motifs.group_tests import ALPHA
from vame_pipe.motifs.subjects import Study

COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, SKY, ORANGE)
MARKERS = "os^Dv<>P*X"
MEASURES = {
    "usage": "Time (%)",
    "bout_duration": "Median bout (s)",
    "bout_rate": "Bouts per minute",
}
"""Measures that are drawn for every motif, and their axes."""
MAX_NAMED = 40
"""Subjects that have their name."""


def draw(study: Study, table: pd.DataFrame, motifs: Sequence[Motif], folder: GroupFolder) -> None:
    """Write the figures of a comparison of groups as SVG files.

    Parameters
    ----------
    study : Study
    table : pandas.DataFrame
        Result of `group_table.compare`.
    motifs : sequence of Motif
    folder : GroupFolder
    """
    figures: dict[Path, Callable[[], Figure]] = {
        folder.usage: lambda: by_group(study, table, motifs),
        folder.volcano: lambda: pair_figures.volcano(study, table, motifs),
        folder.transitions: lambda: pair_figures.transitions(study, table, motifs),
        folder.fingerprint: lambda: fingerprint(study, motifs),
        folder.map: lambda: subject_map(study),
    }
    for path, make in figures.items():
        with rc_context(STYLE), warnings.catch_warnings(), files.atomic(path) as temporary:
            # the viewer has the letters, even if the font that measures them does not
            warnings.filterwarnings("ignore", message="Glyph")
            make().savefig(temporary, format="svg", metadata={"Date": None})


def _groups(study: Study) -> list[tuple[str, list[int]]]:
    """Return the name and the columns of each group; of all subjects, if none has a group."""
    found = [
        (name, [k for k, s in enumerate(study.subjects) if s.group == name])
        for name in study.groups
    ]
    return found or [("no group", list(range(len(study.subjects))))]


def _look(k: int) -> tuple[str, str]:
    """Return the colour and the marker of a group."""
    return COLOURS[k % len(COLOURS)], MARKERS[k % len(MARKERS)]


def by_group(study: Study, table: pd.DataFrame, motifs: Sequence[Motif]) -> Figure:
    """Return usage and bouts of every motif by group: subjects as points, means as lines."""
    if not study.subjects:
        return message("No recording has a motif.")
    groups = _groups(study)
    per_line = min(len(motifs), max(4, 36 // (len(groups) + 1)))
    parts = [range(k, min(k + per_line, len(motifs))) for k in range(0, len(motifs), per_line)]
    n_lines = len(MEASURES) * len(parts)
    figure = Figure(figsize=(WIDTH, 0.7 + 1.45 * n_lines), layout="constrained")
    axes = figure.subplots(n_lines, 1, squeeze=False)[:, 0]
    for line, axis in enumerate(axes):
        measure, part = list(MEASURES)[line % len(MEASURES)], parts[line // len(MEASURES)]
        values = study.values[study.rows(measure)] * (100 if measure == "usage" else 1)
        _points(axis, values, groups, part)
        axis.set_xlim(part[0] - 0.5, part[0] + per_line - 0.5)
        axis.set_ylim(0, 1.2 * max(float(np.nanmax(values, initial=0)), 1e-6))
        axis.set_ylabel(MEASURES[measure])
        last = line % len(MEASURES) == len(MEASURES) - 1
        labels = [text(motifs[k].label) if last else "" for k in part]
        _motif_ticks(axis, part, labels)
        clear = table[(table["measure"] == measure) & (table["q"] < ALPHA)]["motif"].unique()
        for k in part:
            if motifs[k].number in clear:
                axis.annotate(
                    "*", (k, 0.93), xycoords=("data", "axes fraction"), ha="center", size=11
                )
        if last:
            axis.set_xlabel("Motif")
    if len(groups) > 1:
        axes[0].plot(
            [], [], linestyle="none", marker=(5, 2, 0), color="#222222", label=f"q < {ALPHA:g}"
        )
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper left", ncols=6)
    return figure


def _points(
    axis: Axes, values: np.ndarray, groups: Sequence[tuple[str, list[int]]], part: range
) -> None:
    """Draw the subjects and the mean of each group, for some motifs."""
    step = 0.8 / len(groups)
    motif = np.array(part)[:, None]
    for g, (name, columns) in enumerate(groups):
        colour, marker = _look(g)
        place = motif + (g - (len(groups) - 1) / 2) * step
        spread = (np.arange(len(columns)) * 0.618 % 1 - 0.5) * step * 0.6
        shown = values[part.start : part.stop][:, columns]
        axis.plot(
            *((place + spread).ravel(), shown.ravel(), marker),
            color=colour,
            alpha=0.75,
            markeredgewidth=0,
            label=f"{text(name)} (n = {len(columns)})",
        )
        known = np.isfinite(shown).sum(axis=1)
        mean = np.divide(
            np.nansum(shown, axis=1), known, out=np.full(len(shown), np.nan), where=known > 0
        )
        ends = place[:, 0] - 0.45 * step, place[:, 0] + 0.45 * step
        axis.hlines(
            *(mean, *ends),
            color="#222222",
            linewidth=1.2,
            zorder=3,
            label="mean" if g == len(groups) - 1 else "_nolegend_",
        )


def _motif_ticks(axis: Axes, part: range, labels: Sequence[str]) -> None:
    slanted = max((len(label) for label in labels), default=0) > 4
    axis.set_xticks(
        list(part), labels, rotation=30 if slanted else 0, ha="right" if slanted else "center"
    )


def fingerprint(study: Study, motifs: Sequence[Motif]) -> Figure:
    """Return how much of its time each subject spends in each motif, one line per subject."""
    if not study.subjects:
        return message("No recording has a motif.")
    groups = _groups(study)
    order = [k for _, columns in groups for k in columns]
    usage = 100 * study.values[study.rows("usage")][:, order].T
    height = min(8.0, 1.3 + 0.16 * len(order))
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axis = figure.subplots()
    image = axis.pcolormesh(usage, cmap="cividis", vmin=0, linewidth=0, rasterized=len(order) > 200)
    edge = 0
    for name, columns in groups:
        if edge:
            axis.axhline(edge, color="#FFFFFF", linewidth=2)
        axis.annotate(
            f"{text(name)} (n = {len(columns)})",
            (1.01, edge + len(columns) / 2),
            xycoords=("axes fraction", "data"),
            va="center",
            annotation_clip=False,
        )
        edge += len(columns)
    axis.set_xticks(np.arange(len(motifs)) + 0.5)
    slanted = any(motif.name for motif in motifs)
    axis.set_xticklabels(
        [text(motif.label) for motif in motifs],
        rotation=30 if slanted else 0,
        ha="right" if slanted else "center",
    )
    if len(order) <= MAX_NAMED:
        axis.set_yticks(np.arange(len(order)) + 0.5, [text(study.subjects[k].name) for k in order])
    else:
        axis.set_yticks([])
        axis.set_ylabel(f"{len(order)} subjects")
    axis.invert_yaxis()
    axis.set_xlabel("Motif")
    figure.colorbar(image, label="Time (%)", location="right", shrink=0.9, pad=0.02)
    return figure


def project(usage: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return subjects on the first two principal components of their usage.

    Parameters
    ----------
    usage : numpy.ndarray
        `(n_subjects, n_motifs)`.

    Returns
    -------
    points : numpy.ndarray
        `(n_subjects, 2)`.
    share : numpy.ndarray
        `(2,)`, fraction of the variance of each component.

    Examples
    --------
    >>> points, share = project(np.array([[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]]))
    >>> points.round(2).tolist(), share.round(2).tolist()
    ([[-0.71, 0.0], [0.0, 0.0], [0.71, 0.0]], [1.0, 0.0])
    """
    centred = usage - usage.mean(axis=0)
    left, values, right = np.linalg.svd(centred, full_matrices=False)
    largest = right[np.arange(len(right)), np.abs(right).argmax(axis=1)]
    values = np.where(values < 1e-9 * values.max(initial=0), 0, values)  # rounding errors
    points = left * values * np.where(largest < 0, -1, 1)
    total = (values**2).sum()
    share = values**2 / total if total > 0 else np.zeros(len(values))
    missing = max(0, 2 - points.shape[1])
    return np.pad(points, ((0, 0), (0, missing)))[:, :2] + 0.0, np.pad(share, (0, missing))[:2]


def subject_map(study: Study) -> Figure:
    """Return a map of the subjects: near ones use the motifs alike."""
    if len(study.subjects) < 2:
        return message("A map needs two subjects or more.")
    groups = _groups(study)
    order = [k for _, columns in groups for k in columns]
    points, share = project(100 * study.values[study.rows("usage")][:, order].T)
    place = dict(zip(order, points.tolist(), strict=True))
    reach = 0.12 * np.ptp(points[:, 0]), 0.04 * np.ptp(points[:, 1])
    figure = Figure(figsize=(0.62 * WIDTH, 3.2), layout="constrained")
    axis = figure.subplots()
    for g, (name, columns) in enumerate(groups):
        colour, marker = _look(g)
        axis.plot(
            *(*np.array([place[k] for k in columns]).reshape(-1, 2).T, marker),
            color=colour,
            alpha=0.8,
            markersize=5,
            markeredgewidth=0,
            label=f"{text(name)} (n = {len(columns)})",
        )
        names = [(*place[k], text(study.subjects[k].name, 12)) for k in columns]
        for x, y, label in join_labels(names, reach) if len(order) <= MAX_NAMED else []:
            axis.annotate(
                label,
                (x, y),
                xytext=(4, 2),
                textcoords="offset points",
                size=6,
                color=GREY,
            )
    axis.set_xlabel(f"Component 1 of usage (percentage points, {share[0]:.0%} of variance)")
    axis.set_ylabel(f"Component 2 ({share[1]:.0%})")
    axis.margins(0.12)
    figure.legend(loc="outside upper left", ncols=3)
    return figure
