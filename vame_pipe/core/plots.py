"""Style and size of the figures that are written as PNG files."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from vame_pipe.core import files

GREY = "#555555"
WIDTH, DPI = 10.4, 110
"""Inches and dots per inch: as wide as the report at 100 %."""
STYLE = {
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 3.5,
}


def new_figure(height: float) -> Figure:
    """Return an empty figure of the usual width; its height is in inches."""
    return Figure(figsize=(WIDTH, height), layout="constrained")


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, atomically; the same figure always gives the same file."""
    with files.atomic(path) as temporary:
        figure.savefig(temporary, format="png", dpi=DPI, metadata={"Software": None})
