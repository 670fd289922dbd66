"""Skeletons of the animal: the mean posture over a bout as SVG, and clips for the page's own player."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from vame_pipe.core.description import Description

POSTURE_PX, MARGIN = 90, 0.12
"""Width and height of a posture, and the part of it that stays empty at each side."""
STEPS_PER_WIDTH = 400
"""Precision of the positions in a clip: this many steps across its picture."""
MAX_NUMBERS = 600_000
"""Numbers in the clips of all motifs together, about 4 bytes of the page each."""


def views(points: np.ndarray) -> list[np.ndarray]:
    """Return what is drawn: `(..., 2)` to the right and down, from above and, of three axes, from the side.

    From above, what is ahead is up. From the side, what is ahead is to the right.

    Parameters
    ----------
    points : numpy.ndarray
        `(..., 2 or 3)`: ahead, to the right, up.
    """
    above = np.stack([points[..., 1], -points[..., 0]], axis=-1)
    if points.shape[-1] == 2:
        return [above]
    return [above, np.stack([points[..., 0], -points[..., 2]], axis=-1)]


def to_points(table: pd.DataFrame, n_keypoints: int) -> np.ndarray:
    """Return the rows of a table with x, y and z as `(n_rows / n_keypoints, n_keypoints, n_axes)`."""
    axes = ["x", "y"] if table["z"].isna().all() else ["x", "y", "z"]
    return table[axes].to_numpy(float).reshape(-1, n_keypoints, len(axes))


def postures_svg(postures: pd.DataFrame, facts: Description, colour: str) -> Markup:
    """Return the mean postures of a motif side by side, from the first to the last row of a bout.

    Parameters
    ----------
    postures : pandas.DataFrame
        Rows of one motif of postures.parquet.
    facts : Description
    colour : str
    """
    rows = views(to_points(postures, len(facts.keypoints)))
    n_phases = len(rows[0])
    width, height = POSTURE_PX * n_phases, POSTURE_PX * len(rows)
    parts = []
    for line, drawn in enumerate(rows):
        low, high = drawn.min(axis=(0, 1)), drawn.max(axis=(0, 1))
        scale = POSTURE_PX * (1 - 2 * MARGIN) / max(float((high - low).max()), 1e-6)
        placed = (drawn - (low + high) / 2) * scale + POSTURE_PX / 2
        for phase, points in enumerate(placed):
            corner = np.array([POSTURE_PX * phase, POSTURE_PX * line])
            parts.append(_skeleton(points + corner, facts, colour))
    return Markup(
        '<svg role="img" aria-label="Mean posture during a bout, from its beginning to its end" '
        'viewBox="0 0 {0} {1}" width="{0}" height="{1}">{2}</svg>'
    ).format(width, height, Markup("").join(parts))


def _skeleton(points: np.ndarray, facts: Description, colour: str) -> Markup:
    lines = " ".join(
        "M{:.1f} {:.1f}L{:.1f} {:.1f}".format(*points[i], *points[j]) for i, j in facts.bones
    )
    dots = Markup("").join(
        Markup('<circle cx="{:.1f}" cy="{:.1f}" r="{}"><title>{}</title></circle>').format(
            x, y, 4 if k == facts.front else 2, name
        )
        for k, (name, (x, y)) in enumerate(zip(facts.keypoints, points.tolist(), strict=True))
    )
    return Markup('<g fill="{0}" stroke="{0}"><path d="{1}" stroke-width="2"/>{2}</g>').format(
        colour, lines, dots
    )


def clips_json(skeletons: pd.DataFrame, facts: Description, colour: str) -> dict[str, Any]:
    """Return the clips of a motif as the player of the page reads them.

    Parameters
    ----------
    skeletons : pandas.DataFrame
        Rows of one motif of skeletons.parquet.
    facts : Description
    colour : str

    Returns
    -------
    dict
        `clips`: for each rank `step` (seconds between two pictures), `inside` (1 during the bout) and
        `views`: for each view, positions of all keypoints of all steps, right and down, as whole numbers;
        `size`: width of a picture in the same unit.
    """
    n_keypoints = len(facts.keypoints)
    clips = [table for _, table in skeletons.groupby("rank")]
    drawn = [views(to_points(table, n_keypoints)) for table in clips]
    largest = max((np.ptp(view, axis=1).max() for each in drawn for view in each), default=1.0)
    unit = max(float(largest), 1e-6) / (1 - 2 * MARGIN) / STEPS_PER_WIDTH
    return {
        "colour": colour,
        "size": STEPS_PER_WIDTH,
        "bones": facts.bones,
        "front": facts.front,
        "clips": [
            {
                "step": _step_s(table),
                "inside": table["inside"].to_numpy()[::n_keypoints].astype(int).tolist(),
                "views": [np.rint(view / unit).astype(int).ravel().tolist() for view in each],
            }
            for table, each in zip(clips, drawn, strict=True)
        ],
    }


def _step_s(table: pd.DataFrame) -> float:
    times = table["time_s"].unique()
    return round(float(np.median(np.diff(times))), 4) if len(times) > 1 else 0.1


def fitting_ranks(skeletons: pd.DataFrame) -> pd.DataFrame:
    """Return the clips that fit on a page: of each motif the most typical ones, as many as there is room.

    Parameters
    ----------
    skeletons : pandas.DataFrame
        As in skeletons.parquet.
    """
    per_row = 2 if skeletons["z"].isna().all() else 4
    sizes: Sequence[int] = (skeletons.groupby("rank").size() * per_row).cumsum().tolist()
    n_ranks = max(1, sum(size <= MAX_NUMBERS for size in sizes))
    return skeletons[skeletons["rank"] < n_ranks]
