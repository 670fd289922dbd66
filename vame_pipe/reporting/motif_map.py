"""Figures of all motifs together: profiles, transitions, trees, motifs in the latent space."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots
from scipy.cluster.hierarchy import dendrogram

from vame_pipe.core import segmentation_facts
from vame_pipe.core.colours import NO_MOTIF, motif_colour
from vame_pipe.core.description import Tree
from vame_pipe.core.layout import Layout
from vame_pipe.reporting.described import Described
from vame_pipe.reporting.figures import CONTINUOUS, TEMPLATE, rounded
from vame_pipe.reporting.motif_figures import motif_labels, plain
from vame_pipe.reporting.projection import ROW, Projection, values_at

MEASURES = {
    "speed": "speed",
    "speed_forward": "speed ahead",
    "direction": "direction of movement",
    "turn_rate": "turning to the right",
    "turning": "turning to either side",
    "heading_change": "turn during a bout",
    "posture_speed": "speed of the posture",
    "elongation": "length of the body",
    "height": "height",
}
"""What the page calls the measures of profiles.parquet."""
HARDLY_MOVES = 0.1
"""Speed, as a part of the fastest motif's, below which a direction of movement means nothing."""
MAX_WITH_VALUES = 16
"""Motifs of a matrix whose cells have room for numbers."""
DIVERGING = "RdBu_r"
GREYS = ("#222222", "#AAAAAA", "#666666")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x")
"""How communities are told apart; colours are those of motifs."""
TREES = {"transitions": "By what follows what", "kinematics": "By how the animal moves"}


def profiles(described: Described) -> go.Figure:
    """Return the mean of each measure in each motif; the colour compares a motif with the others."""
    table = described.profiles
    names, values, scores = profile_scores(described)
    units = table.drop_duplicates("measure").set_index("measure")["unit"]
    if "direction" in names:
        k, speed = names.index("direction"), values[names.index("speed")]
        values[k, speed < HARDLY_MOVES * np.nanmax(speed)] = np.nan
        # the colour of an angle would say that 179 and -179 degrees are far apart
        scores[k] = np.where(np.isfinite(values[k]), 0, np.nan)
    return _matrix(
        scores,
        [f"{MEASURES[name]} ({units[name]})" for name in names],
        described,
        text=[[short_number(v) for v in row] for row in values],
        hover="%{y}<br>motif %{x}: %{text}<extra></extra>",
        colorscale=DIVERGING,
        zmid=0,
        showscale=False,
    )


def profile_scores(described: Described) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return the measures, their mean in each motif, and how far it is from that of the other motifs.

    Returns
    -------
    names : list of str
    values, scores : numpy.ndarray
        `(n_measures, n_motifs)`, NaN where not known; scores are in standard deviations over motifs.
    """
    table = described.profiles
    names = [name for name in MEASURES if name in set(table["measure"])]
    square = table.pivot(index="measure", columns="motif", values="mean")
    values = square.reindex(index=names, columns=described.numbers).to_numpy(float, copy=True)
    known = np.isfinite(values)
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    mean = np.where(known, values, 0).sum(axis=1, keepdims=True) / count
    centred = np.where(known, values - mean, np.nan)
    spread = np.sqrt(np.nansum(centred**2, axis=1, keepdims=True) / count)
    return names, values, centred / np.where(spread > 1e-12, spread, 1)


def short_number(value: float) -> str:
    """Return a number with at most three digits and without an exponent, empty if it is not known.

    Examples
    --------
    >>> [short_number(v) for v in (0.0123, -1234.5, 2e-7, 56.78, float("nan"))]
    ['0.012', '-1234', '0', '56.8', '']
    """
    if not np.isfinite(value):
        return ""
    digits = max(0, 2 - int(np.floor(np.log10(max(abs(value), 0.1)))))
    text = f"{value:.{digits}f}"
    text = text.rstrip("0").rstrip(".") if digits else text
    return "0" if text == "-0" else text


def transitions(described: Described) -> go.Figure:
    """Return in percent which motif follows each motif."""
    counts = described.transition_counts()
    percent = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    percent[counts.sum(axis=1) == 0] = np.nan
    np.fill_diagonal(percent, np.nan)
    figure = _matrix(
        percent,
        [
            name if any(row) else f"{name} (none)"
            for name, row in zip(motif_labels(described.facts.motifs), counts, strict=True)
        ],
        described,
        text=[[f"{v:.0f}" if np.isfinite(v) else "" for v in row] for row in percent],
        hover="%{y}, then %{x}: %{z:.1f}%<extra></extra>",
        colorscale=CONTINUOUS,
        zmin=0,
        colorbar={"thickness": 10, "title": {"text": "%"}},
    )
    return figure.update_layout(
        xaxis_title_text="Next motif", yaxis={"title": {"text": "Motif"}, "type": "category"}
    )


def _matrix(
    values: np.ndarray,
    rows: Sequence[str],
    described: Described,
    text: list[list[str]],
    hover: str,
    **more: object,
) -> go.Figure:
    """Return a matrix with a column per motif."""
    few = len(described.numbers) <= MAX_WITH_VALUES
    heatmap = go.Heatmap(
        z=[rounded(row, 3) for row in values],
        x=motif_labels(described.facts.motifs),
        y=list(rows),
        text=text,
        texttemplate="%{text}" if few else None,
        xgap=1,
        ygap=1,
        hoverongaps=False,
        hovertemplate=hover,
        **more,
    )
    figure = go.Figure(heatmap)
    figure.update_xaxes(type="category", showgrid=False, automargin=True, title_text="Motif")
    figure.update_yaxes(type="category", showgrid=False, automargin=True, autorange="reversed")
    height = max(260, 130 + 26 * len(rows))
    return figure.update_layout(template=TEMPLATE, height=height, margin={"t": 30})


def trees(described: Described) -> go.Figure | None:
    """Return the trees of motifs side by side; None if there is one motif."""
    found = described.facts.trees
    if len(described.numbers) < 2:
        return None
    titles = [TREES[name] for name in found]
    figure = make_subplots(cols=len(found), horizontal_spacing=0.16, subplot_titles=titles)
    for panel, tree in enumerate(found.values(), start=1):
        _add_tree(figure, tree, described, panel)
    height = max(260, 110 + 20 * len(described.numbers))
    figure.update_annotations(font_size=13)
    return figure.update_layout(
        template=TEMPLATE, height=height, margin={"t": 40}, showlegend=False
    )


def _add_tree(figure: go.Figure, tree: Tree, described: Described, panel: int) -> None:
    drawn = dendrogram(np.array(tree.linkage), no_plot=True)
    x, y = [], []
    for height, place in zip(drawn["dcoord"], drawn["icoord"], strict=True):
        x += [*rounded(height), None]
        y += [*rounded(place), None]
    lines = go.Scatter(x=x, y=y, mode="lines", line={"color": "#777777"}, hoverinfo="skip")
    places = [10 * i + 5 for i in range(len(drawn["leaves"]))]
    groups = [tree.communities[leaf] for leaf in drawn["leaves"]]
    leaves = go.Scatter(
        x=[0] * len(places),
        y=places,
        mode="markers",
        marker={
            "size": 11,
            "color": [GREYS[group % len(GREYS)] for group in groups],
            "symbol": [SYMBOLS[group % len(SYMBOLS)] for group in groups],
        },
        text=[
            f"motif {plain(described.labels[leaf], 80)}: community {group}"
            for leaf, group in zip(drawn["leaves"], groups, strict=True)
        ],
        hovertemplate="%{text}<extra></extra>",
        cliponaxis=False,
    )
    figure.add_traces([lines, leaves], rows=1, cols=panel)
    names = [plain(described.labels[leaf]) for leaf in drawn["leaves"]]
    figure.update_yaxes(
        tickvals=places,
        ticktext=names,
        ticks="outside",
        ticklen=10,  # room for the dots
        tickcolor="rgba(0, 0, 0, 0)",
        showgrid=False,
        showline=False,
        automargin=True,
        col=panel,
    )
    figure.update_xaxes(title_text="Distance", rangemode="tozero", col=panel)


def projection(described: Described, projected: Projection, motif: np.ndarray) -> go.Figure:
    """Return the latent vectors on their first two principal components, coloured by motif.

    Parameters
    ----------
    described : Described
    projected : Projection
    motif : numpy.ndarray
        `(n_points,)` int, position of the motif in `described.numbers`; -1 without one.
    """
    figure, points = go.Figure(), projected.points
    shades = [NO_MOTIF, *map(motif_colour, described.numbers)]
    names = ["none", *motif_labels(described.facts.motifs)]
    for position, (name, shade) in enumerate(zip(names, shades, strict=True), start=-1):
        chosen = points[motif == position]
        if not len(chosen):
            continue
        dots = go.Scatter(
            x=rounded(chosen["x"]),
            y=rounded(chosen["y"]),
            text=chosen["session"].tolist(),
            mode="markers",
            name=name,
            marker={"size": 4, "opacity": 0.7, "color": shade},
            hovertemplate=f"motif {name}, %{{text}}<extra></extra>",
        )
        figure.add_trace(dots)
    first, second = projected.fractions[:2]
    figure.update_xaxes(title_text=f"Component 1 ({first:.0%})")
    figure.update_yaxes(title_text=f"Component 2 ({second:.0%})")
    return figure.update_layout(
        template=TEMPLATE,
        height=480,
        legend={"orientation": "v", "itemsizing": "constant", "title": {"text": "motif"}},
        margin={"t": 30},
    )


def motif_of_points(
    layout: Layout, model: str, described: Described, points: pd.DataFrame
) -> np.ndarray:
    """Return the position of the motif of each latent vector in `described.numbers`, -1 without one.

    Parameters
    ----------
    layout : Layout
    model : str
    described : Described
    points : pandas.DataFrame
        `session, individual, row`.
    """
    lag = segmentation_facts.read(layout.motifs(model).settings).lag
    position, found = np.array(described.facts.position), np.full(len(points), -1)
    for session in points["session"].unique():
        chosen = np.flatnonzero(points["session"] == session)
        path = layout.motifs(model).session(session)
        rows = points.iloc[chosen][ROW]
        motif = values_at(path, "motif", rows.assign(row=rows["row"] + lag))
        values = np.nan_to_num(motif, nan=-1).astype(int)
        found[chosen] = np.where(values >= 0, position[values], -1)
    return found
