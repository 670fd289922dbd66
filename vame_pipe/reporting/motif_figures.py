"""Figures of the motif section of the report: usage, ethograms, the scan of the number of motifs."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from vame_pipe.core.colours import NO_MOTIF, motif_colour
from vame_pipe.core.description import Motif
from vame_pipe.core.errors import shortened
from vame_pipe.core.motif_quality import MotifQuality
from vame_pipe.reporting.figures import COLOURS, CONTINUOUS, TEMPLATE, rounded

MAX_LINES_WITH_VALUES = 20
"""Lines of the usage matrix that have room for numbers."""
LINE_PX = 20


def plain(label: str, length: int = 24) -> str:
    """Return a label as plotly shows it: cut to a length, nothing in it is markup.

    Examples
    --------
    >>> plain("3 <b>rear")
    '3 &lt;b&gt;rear'
    """
    return html.escape(shortened(label, length), quote=False)


def motif_labels(motifs: Sequence[Motif]) -> list[str]:
    """Return number and name of each motif, for an axis."""
    return [plain(motif.label) for motif in motifs]


def usage(frequency: np.ndarray, hover: Sequence[str], motifs: Sequence[Motif]) -> go.Figure:
    """Return the fraction of time that is spent in each motif, as bars.

    Parameters
    ----------
    frequency : numpy.ndarray
        `(n_motifs,)`, fractions.
    hover : sequence of str
        What else to tell of each motif.
    motifs : sequence of Motif
    """
    bars = go.Bar(
        x=motif_labels(motifs),
        y=rounded(100 * frequency),
        marker={"color": [motif_colour(motif.number) for motif in motifs]},
        text=[f"{value:.0%}" if value >= 0.005 else "<1%" for value in frequency],
        textposition="outside",
        cliponaxis=False,
        customdata=list(hover),
        hovertemplate="motif %{x}: %{y}%<br>%{customdata}<extra></extra>",
    )
    figure = go.Figure(bars)
    figure.update_xaxes(title_text="Motif", type="category", showgrid=False, automargin=True)
    figure.update_yaxes(title_text="Time (%)", rangemode="tozero")
    return figure.update_layout(template=TEMPLATE, height=260, margin={"t": 25}, bargap=0.15)


def ethograms(
    values: np.ndarray,
    step_s: float,
    spans: np.ndarray,
    labels: Sequence[str],
    motifs: Sequence[Motif],
) -> go.Figure:
    """Return the motif over time, one line per animal.

    Parameters
    ----------
    values : numpy.ndarray
        `(n_lines, n_columns)`, the number of the motif in the middle of each column; NaN without one.
    step_s : float
        Width of a column, seconds.
    spans : numpy.ndarray
        `(n_lines, 2)`, start and end of each recording, seconds.
    labels : sequence of str
        Name of each line.
    motifs : sequence of Motif
    """
    n_numbers = motifs[-1].number + 1
    heatmap = go.Heatmap(
        z=values.astype(np.float32),
        x0=step_s / 2,
        dx=step_s,
        y=list(labels),
        zmin=-0.5,
        zmax=n_numbers - 0.5,
        colorscale=_steps(motifs),
        colorbar=_legend(motifs),
        hoverongaps=False,
        hovertemplate="%{y}, %{x:.2f} s: motif %{z}<extra></extra>",
    )
    recorded = [
        {"type": "rect", "x0": start, "x1": end, "y0": line - 0.5, "y1": line + 0.5}
        | {"fillcolor": NO_MOTIF, "line": {"width": 0}, "layer": "below"}
        for line, (start, end) in enumerate(spans.tolist())
    ]
    figure = go.Figure(heatmap)
    end = float(spans[:, 1].max())
    figure.update_xaxes(
        title_text="Time from the start of the video (s)", range=[0, end], showgrid=False
    )
    figure.update_yaxes(type="category", automargin=True, autorange="reversed", showgrid=False)
    return figure.update_layout(
        template=TEMPLATE, height=_height(labels, n_numbers), margin={"t": 30}, shapes=recorded
    )


def usage_per_line(
    fractions: np.ndarray, labels: Sequence[str], motifs: Sequence[Motif]
) -> go.Figure:
    """Return the fraction of time that each animal spends in each motif, as a matrix.

    Parameters
    ----------
    fractions : numpy.ndarray
        `(n_lines, n_motifs)`; NaN if an animal has no frame with a motif.
    labels : sequence of str
        Name of each line.
    motifs : sequence of Motif
    """
    heatmap = go.Heatmap(
        z=[rounded(row, 3) for row in 100 * fractions],
        x=motif_labels(motifs),
        y=list(labels),
        xgap=1,
        ygap=1,
        zmin=0,
        zmax=max(1.0, 100 * float(np.nan_to_num(fractions).max())),
        colorscale=CONTINUOUS,
        colorbar={"thickness": 10, "title": {"text": "%"}},
        texttemplate="%{z:.0f}" if len(labels) <= MAX_LINES_WITH_VALUES else None,
        hoverongaps=False,
        hovertemplate="%{y}, motif %{x}: %{z}%<extra></extra>",
    )
    figure = go.Figure(heatmap)
    figure.update_xaxes(title_text="Motif", type="category", showgrid=False, automargin=True)
    figure.update_yaxes(type="category", automargin=True, autorange="reversed", showgrid=False)
    return figure.update_layout(template=TEMPLATE, height=_height(labels, 0), margin={"t": 30})


def scan(quality: Sequence[MotifQuality]) -> go.Figure:
    """Return the agreement between seeds for each number of motifs, for the latents and for PCA."""
    figure = go.Figure()
    series = {"latents": ("latents", COLOURS[0], "circle"), "pca": ("PCA", COLOURS[6], "x")}
    for representation, (name, shade, symbol) in series.items():
        rows = [row for row in quality if row.representation == representation]
        points = go.Scatter(
            x=[row.n for row in rows],
            y=rounded(np.array([row.adjusted_rand for row in rows], float)),
            error_y={
                "type": "data",
                "array": rounded(np.array([row.adjusted_rand_se for row in rows], float)),
            },
            mode="lines+markers",
            name=name,
            marker={"size": 9, "color": shade, "symbol": symbol},
            hovertemplate="%{x} motifs: %{y}",
        )
        figure.add_trace(points)
    for row in quality:
        if row.chosen and row.representation == "latents":
            figure.add_vline(
                x=row.n,
                line={"dash": "dot", "color": "#888888"},
                annotation_text="chosen",
                annotation_position="top left",
            )
    figure.update_xaxes(title_text="Number of motifs", tickvals=sorted({row.n for row in quality}))
    figure.update_yaxes(title_text="Agreement between seeds", rangemode="tozero")
    return figure.update_layout(
        template=TEMPLATE, height=320, showlegend=True, legend={"y": 1.15}, margin={"t": 30}
    )


def _steps(motifs: Sequence[Motif]) -> list[list[float | str]]:
    """Return a colour scale with one constant step per number; those of merged motifs are white."""
    shades = {motif.number: motif_colour(motif.number) for motif in motifs}
    n_numbers = motifs[-1].number + 1
    return [
        [edge / n_numbers, shades.get(number, "#FFFFFF")]
        for number in range(n_numbers)
        for edge in (number, number + 1)
    ]


def _legend(motifs: Sequence[Motif]) -> dict[str, object]:
    """Return a colour bar with the label of each motif."""
    n_numbers = motifs[-1].number + 1
    return {
        "title": {"text": "motif"},
        "tickvals": [motif.number for motif in motifs],
        "ticktext": motif_labels(motifs),
        "thickness": 14,
        "lenmode": "pixels",
        "len": 60 + 18 * n_numbers,
        "y": 1,
        "yanchor": "top",
    }


def _height(labels: Sequence[str], n_motifs: int) -> int:
    """Return the height (px) of a figure with a line per label and a legend of the motifs."""
    return max(240, 100 + LINE_PX * len(labels), 100 + 18 * n_motifs)
