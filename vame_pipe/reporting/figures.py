"""Interactive figures of the report, as plotly's JSON: dictionaries of data and layout."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

# Okabe and Ito's colours, which colour-blind people tell apart; yellow is too pale for lines
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#444444", "#999933")
TRAIN, VAL, GREY = COLOURS[0], COLOURS[1], "#BBBBBB"
EVERY = "all sessions"
SYMBOLS = ("circle", "square", "diamond", "cross", "x", "triangle-up", "star", "hexagon")
CONTINUOUS = "Cividis"
GAP = 0.09
"""Room between panels, as a share of the figure."""


def panels(titles: list[list[str]], height: int, x: str, y: list[list[str]]) -> dict[str, Any]:
    """Return a layout of panels in rows; the axes of panel n (from 1, row by row) are xn and yn.

    Parameters
    ----------
    titles : list of list of str
        One a panel.
    height : int
        Of the figure, px.
    x : str
        Title of the x axes of the last row.
    y : list of list of str
        Titles of the y axes.
    """
    layout: dict[str, Any] = {
        "height": height,
        "margin": {"l": 60, "r": 20, "t": 40, "b": 50},
        "font": {"size": 12},
        "plot_bgcolor": "white",
        "annotations": [],
        "legend": {"orientation": "h", "y": -0.18},
    }
    n_rows, n_columns = len(titles), len(titles[0])
    width, tall = (1 - GAP * (n_columns - 1)) / n_columns, (1 - 1.4 * GAP * (n_rows - 1)) / n_rows
    line = {"showline": True, "linecolor": "#888", "gridcolor": "#E5E5E5", "zeroline": False}
    for row in range(n_rows):
        for column in range(n_columns):
            number = row * n_columns + column + 1
            left, top = column * (width + GAP), 1 - row * (tall + 1.4 * GAP)
            layout[f"xaxis{number}"] = line | {
                "domain": [left, min(1, left + width)],
                "anchor": f"y{number}",
                "title": {"text": x if row == n_rows - 1 else "", "standoff": 6},
            }
            layout[f"yaxis{number}"] = line | {
                "domain": [max(0, top - tall), top],
                "anchor": f"x{number}",
                "title": {"text": y[row][column], "standoff": 4},
            }
            layout["annotations"].append(
                {
                    "text": f"<b>{titles[row][column]}</b>",
                    "showarrow": False,
                    "x": left,
                    "y": top,
                    "xref": "paper",
                    "yref": "paper",
                    "xanchor": "left",
                    "yanchor": "bottom",
                }
            )
    return layout


def numbers(values: np.ndarray | pd.Series, digits: int = 4) -> list[float | None]:
    """Return numbers rounded to significant digits, None for what is not finite."""
    return [float(f"{v:.{digits}g}") if np.isfinite(v) else None for v in np.asarray(values, float)]


def line(x: list, y: list, panel: int, name: str, colour: str, **more: Any) -> dict[str, Any]:
    """Return a line in a panel; of lines of one name, those of panel 1 stand in the legend."""
    return {
        "type": "scatter",
        "mode": "lines",
        "x": x,
        "y": y,
        "xaxis": f"x{panel}",
        "yaxis": f"y{panel}",
        "name": name,
        "legendgroup": name,
        "showlegend": panel == 1,
        "line": {"color": colour, "width": 1.5},
    } | more


def trace(excerpt: dict[str, Any]) -> dict[str, Any]:
    """Return a keypoint of one session over time: as recorded, and as aligned.

    Parameters
    ----------
    excerpt : dict
        `session`; `keypoint`; `unit`, of the aligned; `raw` (None: not there) and `aligned`, each
        `(n_frames, 3)`: time (s), x and y; the aligned one may have no y.
    """
    data = []
    for panel, part in ((1, excerpt["raw"]), (2, excerpt["aligned"])):
        if part is not None:
            time, *places = (numbers(column, 6) for column in part.T)
            data += [
                line(time, place, panel, name, colour, showlegend=panel == 2)
                for place, name, colour in zip(places, "xy", (TRAIN, VAL), strict=False)
            ]
    point, unit = f"{excerpt['session']}: {excerpt['keypoint']}", excerpt["unit"]
    layout = panels(
        [
            [
                f"{point} as recorded"
                + ("" if excerpt["raw"] is not None else ": no pose file here")
            ],
            [f"{point} as aligned to the animal"],
        ],
        460,
        "Time from the start of the video (s)",
        [["Position (px)"], [f"Position ({unit})"]],
    )
    layout["xaxis1"]["matches"] = "x2"
    return {"data": data, "layout": layout}


def curves(history: list[dict[str, Any]], best_epoch: int) -> dict[str, Any]:
    """Return the loss terms over epochs, for training and held-out windows."""
    terms = {
        "loss": "Objective",
        "reconstruction": "Error of the reconstruction",
        "prediction": "Error of the prediction",
        "kl": "Information in the latent",
    }
    epochs = [metrics["epoch"] for metrics in history]
    data, shapes = [], []
    for panel, name in enumerate(terms, start=1):
        for split, colour, said in (("train", TRAIN, "training"), ("val", VAL, "held out")):
            values = numbers(np.array([metrics[f"{split}/{name}"] for metrics in history]))
            more = {"mode": "lines+markers", "hovertemplate": "epoch %{x}: %{y}"}
            data.append(line(epochs, values, panel, said, colour, **more))
        shapes.append(
            {
                "type": "line",
                "xref": f"x{panel}",
                "yref": f"y{panel} domain",
                "x0": best_epoch,
                "x1": best_epoch,
                "y0": 0,
                "y1": 1,
                "line": {"dash": "dot", "color": "#444444", "width": 1},
            }
        )
    titles = list(terms.values())
    layout = panels(
        [titles[:2], titles[2:]],
        520,
        "Epoch",
        [
            ["Per window", "Squared error per window"],
            ["Squared error per window", "Nats per window"],
        ],
    )
    for panel in range(1, 5):
        ticks = {"tick0": 0, "dtick": max(1, len(epochs) // 8)}
        layout[f"xaxis{panel}"] |= ticks | {"range": [-0.3, max(epochs) + 0.3]}
    return {"data": data, "layout": layout | {"shapes": shapes}}


def spectrum(variances: np.ndarray) -> dict[str, Any]:
    """Return the variances `(zdims,)` of the latent's principal components, the largest first."""
    layout = panels([["Latent spectrum"]], 300, "Principal component", [["Variance (prior: 1)"]])
    bars = {
        "type": "bar",
        "x": list(range(1, len(variances) + 1)),
        "y": numbers(variances),
        "marker": {"color": TRAIN},
        "xaxis": "x1",
        "yaxis": "y1",
        "hovertemplate": "component %{x}: %{y}<extra></extra>",
    }
    return {"data": [bars], "layout": layout | {"showlegend": False}}


def projection(points: pd.DataFrame, shares: np.ndarray) -> dict[str, Any]:
    """Return the first two principal components of latents, coloured in three ways.

    Parameters
    ----------
    points : pandas.DataFrame
        `x`, `y`, `session`, `minutes`, `speed` (NaN: not known) and the unit of speed in `attrs`.
    shares : numpy.ndarray
        Of the variance that both components have.
    """
    x_title = f"Component 1 ({shares[0]:.0%})"
    y_title = f"Component 2 ({shares[1]:.0%})"
    coloured = points["speed"].notna().any()
    titles = ["By session", "By time"] + (["By speed"] if coloured else [])
    layout = panels([titles], 430, x_title, [[y_title, "", ""][: len(titles)]])
    data = _by_session(points)
    values = (("minutes", "min"), ("speed", points.attrs["speed_unit"]))[: len(titles) - 1]
    for panel, (column, unit) in enumerate(values, start=2):
        data.append(_by_value(points, column, unit, panel, layout[f"xaxis{panel}"]["domain"]))
        layout[f"xaxis{panel}"]["matches"], layout[f"yaxis{panel}"]["matches"] = "x", "y"
    layout["legend"] |= {"itemsizing": "constant"}
    layout["margin"] |= {"b": 90}
    return {"data": data, "layout": layout | {"showlegend": data[0]["name"] != EVERY}}


def _dots(points: pd.DataFrame, panel: int) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": numbers(points["x"]),
        "y": numbers(points["y"]),
        "text": points["session"].tolist(),
        "xaxis": f"x{panel}",
        "yaxis": f"y{panel}",
    }


def _by_session(points: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a set of dots a session or, of many, a grey one of all and one to be filled with a session."""
    names = sorted(points["session"].unique())
    if len(names) > len(COLOURS):
        grey = {"name": EVERY, "marker": {"size": 4, "opacity": 0.6, "color": GREY}}
        marked = {"name": "highlighted", "marker": {"size": 6, "color": VAL}}
        sets = [_dots(points, 1) | grey, _dots(points[:0], 1) | marked]
    else:
        sets = [
            _dots(points[points["session"] == name], 1)
            | {
                "name": name,
                "marker": {"size": 4, "opacity": 0.6, "color": colour, "symbol": symbol},
            }
            for name, colour, symbol in zip(names, COLOURS, SYMBOLS, strict=False)
        ]
    return [dots | {"hovertemplate": "%{text}<extra></extra>"} for dots in sets]


def _by_value(
    points: pd.DataFrame, column: str, unit: str, panel: int, domain: list[float]
) -> dict[str, Any]:
    """Return dots coloured by a column, with a scale below the panel."""
    left, right = domain
    marker = {
        "size": 4,
        "color": numbers(points[column]),
        "colorscale": CONTINUOUS,
        # the fastest percent would leave one colour for all others
        "cmax": float(f"{np.nanquantile(points[column], 0.99):.4g}"),
        "cmin": 0,
        "showscale": True,
        "colorbar": {
            "title": {"text": unit, "side": "right"},
            "orientation": "h",
            "thickness": 10,
            "len": 0.8 * (right - left),
            "x": (left + right) / 2,
            "y": -0.22,
            "yanchor": "top",
        },
    }
    hover = {"hovertemplate": f"%{{text}}, %{{marker.color}} {unit}<extra></extra>"}
    return _dots(points, panel) | {"marker": marker, "showlegend": False} | hover


def scores(table: pd.DataFrame) -> dict[str, Any]:
    """Return R2 of held-out windows for each model beside PCA."""
    layout = panels([["R2 of held-out windows"]], 420, "", [["R2 (1: exact, 0: the mean)"]])
    layout["xaxis1"] |= {"type": "category", "automargin": True}
    columns = {
        "final/r2_reconstruction": ("reconstruction", COLOURS[0], "circle"),
        "pca/r2_reconstruction": ("reconstruction by PCA", COLOURS[6], "x"),
        "final/r2_prediction": ("prediction", COLOURS[1], "square"),
    }
    data = [
        line(table["model"].tolist(), numbers(table[column]), 1, name, colour)
        | {"mode": "markers", "marker": {"size": 9, "color": colour, "symbol": symbol}}
        for column, (name, colour, symbol) in columns.items()
        if column in table
    ]
    return {"data": data, "layout": layout | {"legend": {"orientation": "h", "y": 1.15, "x": 0.3}}}


def similarity(pairs: pd.DataFrame, models: list[str]) -> dict[str, Any]:
    """Return how far models agree: CKA, and R2 of one predicted from the other."""
    layout = panels(
        [["Alignment (CKA)", "R2: the row predicts the column"]],
        max(330, 130 + 24 * len(models)),
        "",
        [["", ""]],
    )
    data = []
    for panel, column in enumerate(("cka", "r2"), start=1):
        square = pairs.pivot(index="model", columns="other", values=column)
        values = square.reindex(index=models, columns=models).to_numpy()
        heat = {
            "type": "heatmap",
            "x": models,
            "y": models,
            "z": [numbers(row, 3) for row in values],
            "zmin": 0,
            "zmax": 1,
            "colorscale": CONTINUOUS,
            "showscale": panel == 2,
            "colorbar": {"thickness": 10},
            "xaxis": f"x{panel}",
            "yaxis": f"y{panel}",
            "hovertemplate": "%{y}, %{x}: %{z}<extra></extra>",
        }
        if len(models) <= 12:
            heat["texttemplate"] = "%{z:.2f}"
        data.append(heat)
        layout[f"xaxis{panel}"] |= {"type": "category", "automargin": True}
        layout[f"yaxis{panel}"] |= {
            "type": "category",
            "autorange": "reversed",
            "automargin": True,
            "showticklabels": panel == 1,
        }
    return {"data": data, "layout": layout}
