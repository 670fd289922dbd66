"""Interactive figures of the report."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from vame_pipe.core.colours import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION
from vame_pipe.reporting.projection import Projection
from vame_pipe.reporting.traces import TraceExcerpt

BLACK, OLIVE, GREY = "#444444", "#999933", "#BBBBBB"
COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, SKY, ORANGE, BLACK, OLIVE)
SYMBOLS = ("circle", "square", "diamond", "cross", "x", "triangle-up", "star", "hexagon")
CONTINUOUS = "Cividis"
ALL_SESSIONS = "all sessions"
MAX_MODELS_WITH_VALUES = 12
"""Models of a similarity matrix whose cells have room for numbers."""

_AXIS = {"showline": True, "linecolor": "#888888", "gridcolor": "#E5E5E5", "zeroline": False}
TEMPLATE = go.layout.Template(
    layout={
        "font": {"size": 12},
        "margin": {"l": 60, "r": 20, "t": 40, "b": 50},
        "plot_bgcolor": "white",
        "colorway": COLOURS,
        "legend": {"orientation": "h"},
        "xaxis": _AXIS,
        "yaxis": _AXIS,
    }
)


def trace(excerpt: TraceExcerpt) -> go.Figure:
    """Return a keypoint of one recording over time: as recorded, and as aligned."""
    name = f"{excerpt.label}: {excerpt.keypoint}"
    missing = f": {excerpt.note}" if excerpt.recorded is None else ""
    figure = make_subplots(
        rows=2,
        shared_xaxes=True,
        vertical_spacing=0.16,
        subplot_titles=[f"{name} as recorded{missing}", f"{name} as aligned to the animal"],
    )
    for row, values in ((1, excerpt.recorded), (2, excerpt.aligned)):
        if values is None:
            continue
        time_s, *positions = (rounded(column, 6) for column in values.T)
        for position, axis, colour in zip(positions, "xy", COLOURS, strict=False):
            line = go.Scatter(
                x=time_s,
                y=position,
                mode="lines",
                name=axis,
                line={"color": colour, "width": 1.5},
                legendgroup=axis,
                showlegend=row == 2,
            )
            figure.add_trace(line, row, 1)
    figure.update_xaxes(title_text="Time from the start of the video (s)", row=2)
    figure.update_yaxes(title_text="Position (px)", row=1)
    figure.update_yaxes(title_text=f"Position ({excerpt.unit})", row=2)
    return _styled(figure, 460, legend={"y": -0.18})


def projection(projected: Projection) -> go.Figure:
    """Return the first two principal components of latents, coloured by session, time and speed."""
    points, fractions = projected.points, projected.fractions
    scales = {"By time": ("minutes", "min")}
    if points["speed"].notna().any():
        scales["By speed"] = ("speed", projected.speed_unit)
    titles = ["By session", *scales]
    figure = make_subplots(
        cols=len(titles),
        shared_xaxes="all",
        shared_yaxes="all",
        horizontal_spacing=0.05,
        subplot_titles=titles,
    )
    by_session = _by_session(points)
    figure.add_traces(by_session, rows=1, cols=1)
    for panel, (column, unit) in enumerate(scales.values(), start=2):
        domain = figure.layout[f"xaxis{panel}"].domain
        figure.add_trace(_by_value(points, column, unit, domain), 1, panel)
    figure.update_xaxes(title_text=f"Component 1 ({fractions[0]:.0%})")
    figure.update_yaxes(title_text=f"Component 2 ({fractions[1]:.0%})", col=1)
    return _styled(
        figure,
        430,
        showlegend=by_session[0].name != ALL_SESSIONS,
        legend={"y": -0.22, "itemsizing": "constant"},
        margin={"b": 100},
    )


def _by_session(points: pd.DataFrame) -> list[go.Scatter]:
    """Return the points of each session; of many sessions, all in grey and none to highlight yet."""
    sessions = sorted(points["session"].unique())
    if len(sessions) > len(COLOURS):
        grey = {"size": 4, "opacity": 0.6, "color": GREY}
        highlighted = {"size": 6, "color": VERMILLION}
        return [
            _dots(points, name=ALL_SESSIONS, marker=grey),
            _dots(points[:0], name="highlighted", marker=highlighted),
        ]
    return [
        _dots(
            points[points["session"] == session],
            name=session,
            marker={"size": 4, "opacity": 0.6, "color": colour, "symbol": symbol},
        )
        for session, colour, symbol in zip(sessions, COLOURS, SYMBOLS, strict=False)
    ]


def _by_value(
    points: pd.DataFrame, column: str, unit: str, domain: tuple[float, float]
) -> go.Scatter:
    """Return the points coloured by a column, with a colour bar below the panel."""
    left, right = domain
    marker = {
        "size": 4,
        "color": rounded(points[column]),
        "colorscale": CONTINUOUS,
        # clip at the 99th percentile: outliers would flatten the colour scale
        "cmax": float(f"{np.nanquantile(points[column], 0.99):.4g}"),
        "cmin": 0,
        "showscale": True,
        "colorbar": {
            "title": {"text": unit, "side": "bottom"},
            "orientation": "h",
            "thickness": 10,
            "len": 0.8 * (right - left),
            "x": (left + right) / 2,
            "y": -0.2,
            "yanchor": "top",
        },
    }
    hover = f"%{{text}}, %{{marker.color}} {unit}<extra></extra>"
    return _dots(points, marker=marker, showlegend=False, hovertemplate=hover)


def _dots(
    points: pd.DataFrame, hovertemplate: str = "%{text}<extra></extra>", **more: object
) -> go.Scatter:
    return go.Scatter(
        x=rounded(points["x"]),
        y=rounded(points["y"]),
        text=points["session"].tolist(),
        mode="markers",
        hovertemplate=hovertemplate,
        **more,
    )


def scores(table: pd.DataFrame) -> go.Figure:
    """Return R2 on validation windows for each model, next to PCA."""
    series = {
        "final/r2_reconstruction": ("reconstruction", BLUE, "circle"),
        "pca/r2_reconstruction": ("reconstruction by PCA", BLACK, "x"),
        "final/r2_prediction": ("prediction", VERMILLION, "square"),
    }
    figure = go.Figure(
        [
            go.Scatter(
                x=table["model"].tolist(),
                y=rounded(table[column]),
                mode="markers",
                name=name,
                marker={"size": 9, "color": colour, "symbol": symbol},
                hovertemplate="%{x}: %{y}",
            )
            for column, (name, colour, symbol) in series.items()
            if column in table
        ]
    )
    figure.update_xaxes(type="category", automargin=True)
    figure.update_yaxes(title_text="R² (1: exact, 0: no better than the mean)")
    return _styled(figure, 420, showlegend=True, legend={"y": 1.12})


def similarity(pairs: pd.DataFrame, models: list[str]) -> go.Figure:
    """Return the similarity of the latents of each pair of models: CKA, and R2 of a linear map."""
    figure = make_subplots(
        cols=2,
        shared_yaxes=True,
        horizontal_spacing=0.05,
        subplot_titles=["CKA", "R² of predicting the column from the row"],
    )
    for panel, column in enumerate(("cka", "r2"), start=1):
        square = pairs.pivot(index="model", columns="other", values=column)
        values = square.reindex(index=models, columns=models).to_numpy()
        heatmap = go.Heatmap(
            x=models,
            y=models,
            z=[rounded(row, 3) for row in values],
            zmin=0,
            zmax=1,
            colorscale=CONTINUOUS,
            colorbar={"thickness": 10},
            showscale=panel == 2,
            texttemplate="%{z:.2f}" if len(models) <= MAX_MODELS_WITH_VALUES else None,
            hovertemplate="%{y}, %{x}: %{z}<extra></extra>",
        )
        figure.add_trace(heatmap, 1, panel)
    figure.update_xaxes(type="category", automargin=True, showgrid=False)
    figure.update_yaxes(type="category", automargin=True, autorange="reversed", showgrid=False)
    return _styled(figure, max(330, 130 + 24 * len(models)))


def _styled(figure: go.Figure, height: int, **layout: object) -> go.Figure:
    """Return a figure in the style and of the height (px) that it has on the page."""
    figure.update_annotations(font_size=13)
    return figure.update_layout(template=TEMPLATE, height=height, **layout)


def rounded(values: np.ndarray | pd.Series, digits: int = 4) -> list[float | None]:
    """Return numbers rounded to significant digits, None for those that are not finite."""
    return [float(f"{v:.{digits}g}") if np.isfinite(v) else None for v in np.asarray(values, float)]


def embedded(figure: go.Figure) -> dict[str, Any]:
    """Return a figure as the JSON that plotly.js draws."""
    content: dict[str, Any] = json.loads(figure.to_json())
    return content
