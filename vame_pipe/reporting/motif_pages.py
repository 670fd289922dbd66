"""What each motif is: a part of the report per motif, and figures of all motifs together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from vame_pipe.core.colours import motif_colour
from vame_pipe.core.description import Motif
from vame_pipe.core.layout import Layout
from vame_pipe.reporting import motif_map, skeletons
from vame_pipe.reporting.described import Described
from vame_pipe.reporting.figures import embedded
from vame_pipe.reporting.projection import Projection

N_NEIGHBOURS = 3
"""Motifs that are named as the next or the previous ones."""


@dataclass(frozen=True)
class Measure:
    """One measure of the movement in a motif."""

    name: str
    unit: str
    mean: float | None
    spread: float | None


@dataclass(frozen=True)
class Bout:
    """A typical bout, as text."""

    session: str
    individual: str
    time: str
    frames: str
    duration_s: float


@dataclass(frozen=True)
class MotifPage:
    """What the report tells of one motif.

    Attributes
    ----------
    motif : Motif
    colour : str
    share : str
        Part of the time.
    n_bouts, n_sessions : int
        Of the training sessions.
    median_bout_s : float or None
    merged : list of int
        Further motifs that count as this one.
    following, preceding : list of tuple of str and str
        The most frequent next and previous motifs, with their share.
    measures : list of Measure
    bouts : list of Bout
        The most typical ones.
    postures : Markup or None
        Mean posture over a bout (SVG).
    clips : dict or None
        For the player; None without a bout.
    """

    motif: Motif
    colour: str
    share: str
    n_bouts: int
    n_sessions: int
    median_bout_s: float | None
    merged: list[int]
    following: list[tuple[str, str]]
    preceding: list[tuple[str, str]]
    measures: list[Measure]
    bouts: list[Bout]
    postures: Markup | None
    clips: dict[str, Any] | None


@dataclass(frozen=True)
class MotifPages:
    """What the report tells of all motifs.

    Attributes
    ----------
    pages : list of MotifPage
    entropy_rate, highest_entropy : float or None
        Bits per transition, and what they would be if any motif could follow.
    n_clips : int
        Clips of a motif, at most.
    side_view : bool
        Whether the clips have a view from the side.
    profiles, transitions : dict
        Figures.
    trees, projection : dict or None
        Figures; None with one motif, and with one latent dimension.
    clips, described : str
        Folders.
    """

    pages: list[MotifPage]
    entropy_rate: float | None
    highest_entropy: float
    n_clips: int
    side_view: bool
    profiles: dict[str, Any]
    transitions: dict[str, Any]
    trees: dict[str, Any] | None
    projection: dict[str, Any] | None
    clips: str
    described: str


def read_pages(
    layout: Layout, model: str, described: Described, projected: Projection
) -> MotifPages:
    """Return what the report tells of the motifs of a model.

    Parameters
    ----------
    layout : Layout
    model : str
    described : Described
        Of this model.
    projected : Projection
        Its latents.
    """
    drawn = skeletons.fitting_ranks(described.skeletons)
    counts = described.transition_counts()
    trees = motif_map.trees(described)
    projection = None
    if len(projected.variances) > 1:
        motif = motif_map.motif_of_points(layout, model, described, projected.points)
        projection = embedded(motif_map.projection(described, projected, motif))
    folder = layout.motifs(model)
    return MotifPages(
        pages=[_page(k, described, drawn, counts) for k in range(len(described.numbers))],
        entropy_rate=described.facts.entropy_rate,
        highest_entropy=float(np.log2(max(1, len(described.numbers) - 1))),
        n_clips=int(drawn["rank"].max()) + 1 if len(drawn) else 0,
        side_view=not drawn["z"].isna().all(),
        profiles=embedded(motif_map.profiles(described)),
        transitions=embedded(motif_map.transitions(described)),
        trees=None if trees is None else embedded(trees),
        projection=projection,
        clips=folder.clips.as_posix(),
        described=folder.described.root.as_posix(),
    )


def _page(k: int, described: Described, drawn: pd.DataFrame, counts: np.ndarray) -> MotifPage:
    motif, row = described.facts.motifs[k], described.motifs.iloc[k]
    shade = motif_colour(motif.number)

    def of_motif(table: pd.DataFrame) -> pd.DataFrame:
        return table[table["motif"] == motif.number]

    clips, postures = of_motif(drawn), of_motif(described.postures)
    return MotifPage(
        motif=motif,
        colour=shade,
        share=f"{row['fraction']:.1%}",
        n_bouts=int(row["n_bouts"]),
        n_sessions=int(row["n_sessions"]),
        median_bout_s=_known(row["median_bout_s"]),
        merged=[number for number in motif.members if number != motif.number],
        following=_neighbours(counts[k], described.labels),
        preceding=_neighbours(counts[:, k], described.labels),
        measures=_measures(of_motif(described.profiles)),
        bouts=[_bout(bout) for _, bout in of_motif(described.exemplars).iterrows()],
        postures=skeletons.postures_svg(postures, described.facts, shade)
        if len(postures)
        else None,
        clips=skeletons.clips_json(clips, described.facts, shade) if len(clips) else None,
    )


def _neighbours(counts: np.ndarray, labels: Sequence[str]) -> list[tuple[str, str]]:
    """Return the motifs with the highest counts and their share of all counts."""
    order = np.argsort(-counts, kind="stable")[:N_NEIGHBOURS]
    return [(labels[k], f"{counts[k] / counts.sum():.0%}") for k in order.tolist() if counts[k]]


def _measures(profile: pd.DataFrame) -> list[Measure]:
    return [
        Measure(
            motif_map.MEASURES[row["measure"]], row["unit"], *map(_known, row[["mean", "spread"]])
        )
        for _, row in profile.iterrows()
    ]


def _bout(row: pd.Series) -> Bout:
    minutes, seconds = divmod(float(row["start_s"]), 60)
    return Bout(
        session=str(row["session"]),
        individual=str(row["individual"]),
        time=f"{minutes:.0f}:{seconds:04.1f}",
        frames=f"{row['start_frame']} to {row['end_frame']}",
        duration_s=float(row["duration_s"]),
    )


def _known(value: float) -> float | None:
    return None if pd.isna(value) else float(value)
