"""Look at pose files before there is a configuration: summaries, and pictures on one HTML page."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup, escape

from vame_pipe.core import files
from vame_pipe.core.colours import BLUE
from vame_pipe.core.errors import InputError
from vame_pipe.motifs.skeleton import nearest_tree
from vame_pipe.poses.contract import Poses
from vame_pipe.poses.suggestion import trusted_points
from vame_pipe.poses.summary import FileSummary, describe, summarise
from vame_pipe.reporting.filmstrip import draw_posture
from vame_pipe.reporting.templates import template

log = logging.getLogger(__name__)

SIZE = 320
"""Pixels of a picture."""
MAX_POINTS = 2000
"""Points of a path."""
N_BINS = 120
"""Stretches of time in which the fraction of known points is shown."""


@dataclass(frozen=True)
class Picture:
    """A picture of one animal of a file.

    Attributes
    ----------
    text : str
        What it shows.
    drawing : Markup
        SVG.
    """

    text: str
    drawing: Markup


def inspect(
    paths: Sequence[Path], format: str | None = None, plot: Path | None = None
) -> tuple[list[FileSummary], list[str]]:
    """Return what is in pose files, and what is wrong with those that cannot be read, one line each.

    Parameters
    ----------
    paths : sequence of Path
    format : str, optional
        Default: recognised by the content of each file.
    plot : Path, optional
        HTML file to write, with pictures.
    """
    summaries, pages, problems = [], [], []
    for path in paths:
        try:
            summary, poses = summarise(path, format)
        except InputError as error:
            problems += error.problems
            continue
        summaries.append(summary)
        if plot is not None:
            drawn = [p for name, animal in poses.items() for p in draw(summary, name, animal)]
            pages.append(("\n".join(describe(summary)), drawn))
    if pages and plot is not None:
        files.write_text(plot, template("inspection.html.jinja").render(pages=pages))
        log.info("%s: written", plot)
    return summaries, problems


def draw(summary: FileSummary, name: str, poses: Poses) -> list[Picture]:
    """Return pictures of one animal: its path, its posture, and when its keypoints are known."""
    chosen = summary.suggestion
    names = [n for n in poses.keypoints if n in {point.name for point in summary.keypoints}]
    columns = [poses.keypoints.index(n) for n in names]
    position, confidence = poses.position[:, columns], poses.confidence[:, columns]
    above = trusted_points(position, confidence, chosen.min_confidence)
    pictures = [
        Picture(
            f"{name}: when each keypoint is known, from white (never) to blue (always)",
            draw_presence(above, names),
        )
    ]
    if chosen.centre is None or chosen.forward is None:
        return pictures
    centre, forward = names.index(chosen.centre), names.index(chosen.forward)
    used = [k for k, n in enumerate(names) if n not in chosen.leave_out]
    flat = np.where(above[..., None], position, np.nan)[..., :2]
    if not (np.ptp(flat[:, [centre, forward]], axis=1) > 0).any():
        return pictures  # both ends of the body axis are never known in the same frame
    return [
        Picture(f"{name}: path of {chosen.centre}", draw_path(flat[:, centre])),
        Picture(
            f"{name}: its usual posture, {chosen.forward} to the right",
            draw_usual_posture(flat, used, names, centre, forward),
        ),
        *pictures,
    ]


def draw_path(points: np.ndarray) -> Markup:
    """Return the path of a keypoint, `(n_frames, 2)`, NaN where missing; it is broken at gaps."""
    sample = points[:: max(1, len(points) // MAX_POINTS)]
    low, high = np.nanmin(points, axis=0), np.nanmax(points, axis=0)
    scaled = (sample - low) / max(float((high - low).max()), 1e-9) * SIZE
    known = np.isfinite(scaled).all(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]])))
    lines = [
        " ".join(f"{x:.0f},{y:.0f}" for x, y in scaled[start:end])
        for start, end in zip(edges[::2], edges[1::2], strict=True)
    ]
    drawn = "".join(f'<polyline points="{line}"/>' for line in lines)
    return Markup(
        f'<svg viewBox="-5 -5 {SIZE + 10} {SIZE + 10}" width="{SIZE}" height="{SIZE}" fill="none" '
        f'stroke="{BLUE}" stroke-opacity=".5">{drawn}</svg>'
    )


def draw_usual_posture(
    position: np.ndarray, used: Sequence[int], names: Sequence[str], centre: int, forward: int
) -> Markup:
    """Return the median posture in the animal's own frame, with names.

    Parameters
    ----------
    position : numpy.ndarray
        `(n_frames, n_keypoints, 2)`, NaN where missing.
    used : sequence of int
        Keypoints to draw.
    names : sequence of str
    centre, forward : int
    """
    axis = position[:, forward] - position[:, centre]
    length = np.hypot(*axis.T)
    rows = np.flatnonzero(length > 0)
    rows = rows[:: max(1, len(rows) // MAX_POINTS)]
    unit = axis[rows] / length[rows, None]
    used = [k for k in used if np.isfinite(position[rows, k, 0]).any()]
    offset = position[rows][:, used] - position[rows, centre][:, None]
    x = (offset * unit[:, None]).sum(axis=2)
    y = offset[..., 1] * unit[:, None, 0] - offset[..., 0] * unit[:, None, 1]
    turned = np.stack([x, y], axis=2) / np.median(length[rows])
    median = np.nanmedian(turned, axis=0) - [0.5, 0]
    complete = turned[np.isfinite(turned).all(axis=(1, 2))]
    bones = nearest_tree(complete) if len(complete) else []
    ends = (used.index(centre), used.index(forward))
    points = draw_posture(median, np.ones(len(used), bool), bones, *ends)
    labels = "".join(
        f'<text x="{px:.2f}" y="{py - 0.1:.2f}" font-size=".09" text-anchor="middle">'
        f"{escape(names[k])}</text>"
        for k, (px, py) in zip(used, median, strict=True)
    )
    edge = max(1.0, 1.15 * float(np.nanmax(np.abs(median))))
    box = f"{-edge:.2f} {-edge:.2f} {2 * edge:.2f} {2 * edge:.2f}"
    return Markup(f'<svg viewBox="{box}" width="{SIZE}" height="{SIZE}">{points}{labels}</svg>')


def draw_presence(known: np.ndarray, names: Sequence[str]) -> Markup:
    """Return one line per keypoint: the fraction of frames in which it is known, over time.

    Parameters
    ----------
    known : numpy.ndarray
        `(n_frames, n_keypoints)` bool.
    names : sequence of str
    """
    n_bins, width, height = min(N_BINS, len(known)), 5, 14
    edges = np.linspace(0, len(known), n_bins + 1).astype(int)[:-1]
    share = np.add.reduceat(known.astype(float), edges, axis=0)
    share /= np.diff(np.append(edges, len(known)))[:, None]
    margin = 9 * max(len(name) for name in names)
    cells = []
    for k, name in enumerate(names):
        y = k * height
        cells.append(f'<text x="0" y="{y + 11}" font-size="12">{escape(name)}</text>')
        cells += [
            f'<rect x="{margin + i * width}" y="{y}" width="{width}" height="{height - 2}" '
            f'fill-opacity="{value:.2f}"/>'
            for i, value in enumerate(share[:, k])
        ]
    size = (margin + n_bins * width, len(names) * height)
    return Markup(
        f'<svg width="{size[0]}" height="{size[1]}"><g fill="{BLUE}">{"".join(cells)}</g></svg>'
    )
