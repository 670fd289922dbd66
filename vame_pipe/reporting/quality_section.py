"""The section of the report on the tracking quality."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq
from markupsafe import Markup

from vame_pipe.core import keypoint_choice
from vame_pipe.core.layout import Layout
from vame_pipe.core.metadata import AlignedMetadata, read_record
from vame_pipe.core.quality import read_quality
from vame_pipe.poses.parts import PoseSource
from vame_pipe.reporting.filmstrip import draw_strip, read_strip
from vame_pipe.reporting.quality_table import animals
from vame_pipe.reporting.recordings import MAX_SIZE_RATIO, Recording

MAX_ROWS = 200
"""Rows of a table on the page, worst first; results/qc.parquet has all."""
MAX_STRIPS = 4
"""Recordings whose skeletons are drawn: each takes about 40 kB of the page."""


@dataclass(frozen=True)
class DrawnStrip:
    """The skeletons of one recording.

    Attributes
    ----------
    label, note : str
    drawing : Markup
        SVG.
    """

    label: str
    note: str
    drawing: Markup


@dataclass(frozen=True)
class QualitySection:
    """What the section shows.

    Attributes
    ----------
    left_out : list of dict
        Sessions that are excluded or rejected: session, status and reason.
    lost_animals : list of str
        Animals of used sessions that cannot be aligned, and why, one line each.
    fragments : list of str
        In how many pieces the animals of sessions with several were tracked, in words.
    animals : list of dict
        Rows of results/qc.parquet without the columns of the keypoints, worst first.
    n_animals : int
        Of all recordings, also those that are not in `animals`.
    keypoints : list of dict
        Rows of results/qc.parquet, worst first.
    n_keypoints : int
    odd_sizes : list of str
        Sessions whose body length differs from the others, in words.
    has_scale : bool
        Whether lengths in cm are known.
    strips : list of DrawnStrip
    dropped : dict of str to float
        Keypoints that are left out of all sessions, and the fraction of frames in which each is missing.
    """

    left_out: list[dict[str, Any]]
    lost_animals: list[str]
    fragments: list[str]
    animals: list[dict[str, Any]]
    n_animals: int
    keypoints: list[dict[str, Any]]
    n_keypoints: int
    odd_sizes: list[str]
    has_scale: bool
    strips: list[DrawnStrip]
    dropped: dict[str, float]


def read_quality_section(
    layout: Layout,
    recordings: list[Recording],
    sources: dict[str, PoseSource],
    bones: Sequence[Sequence[int]],
) -> QualitySection:
    """Return what the report shows of results/qc.parquet.

    Parameters
    ----------
    layout : Layout
    recordings : list of Recording
        Those on the page.
    sources : dict of str to PoseSource
        Pose files, by session.
    bones : sequence of pairs of int
        Keypoints that are joined by a line in pictures of the animal.
    """
    table = pq.read_table(layout.qc)
    rows = list(animals(table))
    shown = {recording.session for recording in recordings}
    measured = [row for row in rows if row["session"] in shown]
    measured.sort(key=lambda row: row["valid_fraction"])
    points = [row for row in table.to_pylist() if row["session"] in shown]
    points.sort(key=lambda row: -row["missing"])
    n_animals = Counter(row["session"] for row in measured)
    left_out = {row["session"]: row for row in rows if row["status"] != "used"}
    qualities = [read_quality(layout.quality(session)) for session in sorted(shown)]
    worst = sorted(recordings, key=lambda r: r.quality.valid_fraction)[:MAX_STRIPS]
    strips = [read_strip(layout, each, sources.get(each.session), bones) for each in worst]
    return QualitySection(
        left_out=list(left_out.values()),
        lost_animals=[
            f"{each.session}, {name}: {reason}"
            for each in qualities
            for name, reason in each.left_out.items()
        ],
        fragments=[
            f"{each.session} ({pieces.n_fragments}, the longest {pieces.longest_s:.3g} s, an animal in "
            f"{pieces.covered_fraction:.1%} of the frames)"
            for each in qualities
            if (pieces := each.fragments) and len(each.individuals) + len(each.left_out) > 1
        ][:MAX_ROWS],
        animals=[_labelled(row, n_animals) for row in measured[:MAX_ROWS]],
        n_animals=len(measured),
        keypoints=[_labelled(row, n_animals) for row in points[:MAX_ROWS]],
        n_keypoints=len(points),
        odd_sizes=[
            f"{_labelled(row, n_animals)['label']} ({row['body_length_ratio']:.2g} x the median)"
            for row in measured
            if not 1 / MAX_SIZE_RATIO <= row["body_length_ratio"] <= MAX_SIZE_RATIO
        ],
        has_scale=any(row["body_length_cm"] is not None for row in measured),
        strips=[DrawnStrip(strip.label, strip.note, draw_strip(strip)) for strip in strips],
        dropped=_dropped(layout, recordings),
    )


def _dropped(layout: Layout, recordings: list[Recording]) -> dict[str, float]:
    """Return the keypoints that are left out of all sessions, and how often each is missing."""
    for recording in recordings[:1]:
        aligned = read_record(AlignedMetadata, layout.aligned(recording.session))
        if aligned.settings.get("drop_bad_keypoints") is not None:
            choice = keypoint_choice.read(layout.keypoints)
            return {name: choice.missing[name] for name in choice.dropped}
    return {}


def _labelled(row: dict[str, Any], n_animals: Counter[str]) -> dict[str, Any]:
    """Return a row with its label: the session, and the animal if the session has several."""
    several = n_animals[row["session"]] > 1
    label = f"{row['session']}, {row['individual']}" if several else row["session"]
    return row | {"label": label}
