"""Style of the figures of groups, which are as wide as a page of a paper."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from vame_pipe.core.errors import shortened
from vame_pipe.core.plots import GREY

WIDTH = 7.2
"""Inches: a page of a paper."""
STYLE = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "lines.markersize": 3.5,
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    "svg.fonttype": "none",  # text stays text, for a drawing program
    "svg.hashsalt": "vame_pipe",  # the same figure is the same file
}


def text(label: str, length: int = 18) -> str:
    """Return a name as a figure can show it: short, without control characters.

    Examples
    --------
    >>> text("a" + chr(10) + "b")
    'a b'
    """
    return shortened("".join(c if c.isprintable() else " " for c in label), length)


def join_labels(
    labels: Sequence[tuple[float, float, str]], reach: tuple[float, float]
) -> list[tuple[float, float, str]]:
    """Return the labels of points; those that would overlap are one label, at the first of their points.

    Parameters
    ----------
    labels : sequence of tuple
        Both coordinates of each point, and its label.
    reach : tuple of float
        Distance along each axis below which two labels overlap.

    Examples
    --------
    >>> join_labels([(0.0, 0.0, "1"), (0.1, 0.0, "5"), (0.1, 0.0, "1"), (3.0, 0.0, "2")], (1.0, 1.0))
    [(0.0, 0.0, '1, 5'), (3.0, 0.0, '2')]
    """
    joined: dict[tuple[float, float], list[str]] = {}
    for x, y, label in labels:
        near = [at for at in joined if abs(at[0] - x) < reach[0] and abs(at[1] - y) < reach[1]]
        own = joined.setdefault(near[0] if near else (x, y), [])
        if label not in own:
            own.append(label)
    return [(x, y, ", ".join(own)) for (x, y), own in joined.items()]


def message(line: str) -> Figure:
    """Return a figure that says why there is nothing to draw."""
    figure = Figure(figsize=(WIDTH, 0.6))
    figure.text(0.5, 0.5, line, ha="center", va="center", color=GREY)
    return figure
