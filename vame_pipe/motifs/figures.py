"""Figures of the motifs of a model: usage, ethograms, and quality next to PCA, as MLflow gets them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from vame_pipe.core.colours import BLUE, NO_MOTIF, VERMILLION, motif_colour
from vame_pipe.core.layout import MotifFolder
from vame_pipe.core.motif_quality import MotifQuality
from vame_pipe.core.plots import GREY, STYLE, new_figure, save

MAX_LINES, N_COLUMNS = 40, 2000
"""Animals with an ethogram, and columns of it."""
PANELS = {
    "adjusted_rand": "Agreement between seeds (adjusted Rand)",
    "boundary_z": "Boundary score (standard deviations)",
    "median_bout_s": "Median bout (s)",
}
"""Numbers of the quality that are drawn, and their titles."""
SERIES = {"latents": ("latents", BLUE, "o"), "pca": ("PCA", VERMILLION, "s")}
"""Label, colour and marker of each representation."""


def plot_motifs(
    bouts: pd.DataFrame, usage: pd.DataFrame, scan: Sequence[MotifQuality], folder: MotifFolder
) -> None:
    """Draw usage, ethograms and quality of the motifs of a model as PNG files.

    Parameters
    ----------
    bouts, usage : pandas.DataFrame
        As in bouts.parquet and usage.parquet.
    scan : sequence of MotifQuality
    folder : MotifFolder
    """
    rows = usage.groupby("motif")["n_rows"].sum()
    save(draw_usage(rows.to_numpy() / max(1, rows.sum())), folder.usage_plot)
    save(draw_ethograms(bouts, usage), folder.ethogram_plot)
    save(draw_quality(scan), folder.quality_plot)


@rc_context(STYLE)
def draw_usage(fraction: np.ndarray) -> Figure:
    """Return a figure of the fraction of time that is spent in each motif.

    Parameters
    ----------
    fraction : numpy.ndarray
        `(n_motifs,)`, of the frames that have a motif.
    """
    figure = new_figure(height=3)
    axis = figure.subplots()
    motif = np.arange(len(fraction))
    axis.bar(motif, 100 * fraction, color=[motif_colour(k) for k in motif.tolist()])
    axis.set_xlabel("Motif")
    axis.set_ylabel("Time (%)")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    return figure


@rc_context(STYLE)
def draw_ethograms(bouts: pd.DataFrame, usage: pd.DataFrame) -> Figure:
    """Return a figure of the motif over time, one line per animal, the first ones of many.

    Parameters
    ----------
    bouts, usage : pandas.DataFrame
        As in bouts.parquet and usage.parquet; the latter has all animals and motifs.
    """
    animals = usage[["session", "individual"]].drop_duplicates()
    several = animals.groupby("session", observed=True).size().max() > 1
    shown = list(animals.itertuples(index=False, name=None))[:MAX_LINES]
    end = float(bouts["end_s"].max()) if len(bouts) else 1.0
    groups = dict(list(bouts.groupby(["session", "individual"], observed=True)))
    none = bouts.iloc[:0]
    cells = np.stack([raster(groups.get(animal, none), end) for animal in shown])
    n_motifs = int(usage["motif"].max()) + 1
    figure = new_figure(height=1.2 + 0.22 * len(shown))
    axis = figure.subplots()
    colours = ListedColormap([motif_colour(k) for k in range(n_motifs)]).with_extremes(bad=NO_MOTIF)
    image = axis.imshow(
        cells,
        cmap=colours,
        vmin=-0.5,
        vmax=n_motifs - 0.5,
        aspect="auto",
        interpolation="nearest",
        extent=(0, end, len(shown) - 0.5, -0.5),
    )
    axis.set_yticks(range(len(shown)), [", ".join(a) if several else str(a[0]) for a in shown])
    axis.set_xlabel("Time (s)")
    axis.grid(False)
    if len(shown) < len(animals):
        axis.set_title(f"The first {len(shown)} of {len(animals)} animals")
    figure.colorbar(image, label="motif").locator = MaxNLocator(integer=True)
    return figure


def raster(bouts: pd.DataFrame, end: float) -> np.ndarray:
    """Return the motif of one animal in the middle of each of `N_COLUMNS` columns; NaN without one.

    Parameters
    ----------
    bouts : pandas.DataFrame
        Its bouts, in the order of time.
    end : float
        End of the last column, seconds.
    """
    cells = np.full(N_COLUMNS, np.nan)
    if not len(bouts):
        return cells
    middle = (np.arange(N_COLUMNS) + 0.5) * end / N_COLUMNS
    start = bouts["start_s"].to_numpy()
    at = np.searchsorted(start, middle, side="right") - 1
    inside = (at >= 0) & (middle < (start + bouts["duration_s"].to_numpy())[at])
    cells[inside] = bouts["motif"].to_numpy()[at[inside]]
    return cells


@rc_context(STYLE)
def draw_quality(scan: Sequence[MotifQuality]) -> Figure:
    """Return a figure of the quality for each number of motifs, of the latents next to PCA."""
    figure = new_figure(height=3.4)
    for axis, (name, title) in zip(figure.subplots(1, len(PANELS)), PANELS.items(), strict=True):
        for representation, (label, colour, marker) in SERIES.items():
            rows = [row for row in scan if row.representation == representation]
            values = [np.nan if (v := getattr(row, name)) is None else v for row in rows]
            error = [row.adjusted_rand_se or 0.0 for row in rows]
            axis.errorbar(
                [row.n for row in rows],
                values,
                yerr=error if name == "adjusted_rand" else None,
                color=colour,
                marker=marker,
                markersize=5,
                label=label,
            )
        for row in scan:
            if row.chosen and row.representation == "latents":
                axis.axvline(row.n, color=GREY, linestyle=":", label=f"chosen ({row.n})")
        axis.set_title(title)
        axis.set_xlabel("Number of motifs")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    figure.legend(*axis.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure
