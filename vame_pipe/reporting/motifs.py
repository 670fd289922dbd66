"""The motif section of the report: what the animals did, and how far to trust it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from vame_pipe.core import segmentation_facts
from vame_pipe.core.description import Motif
from vame_pipe.core.layout import Layout
from vame_pipe.reporting import figures, motif_figures
from vame_pipe.reporting.current import require_current_motifs
from vame_pipe.reporting.described import Described
from vame_pipe.reporting.motif_lines import Line, raster, read_lines
from vame_pipe.reporting.motif_map import profile_scores
from vame_pipe.reporting.motif_phrases import phrase
from vame_pipe.reporting.motif_quality import QualityRow, Rare, read_quality, verdict

MAX_LINES = 60
"""Animals with an ethogram: more cannot be told apart on a page."""
BETWEEN_MODELS = "motifs/model_seeds_adjusted_rand"
"""Column of the comparison."""
MAX_SHARE = 0.9
"""Largest part of a motif that may come from one session or one group; otherwise the page names it."""


@dataclass(frozen=True)
class MotifSection:
    """What the page shows of motifs.

    Attributes
    ----------
    model : str
        Model whose motifs are shown.
    folder : str
        Its motif files.
    n : int
        Number of motifs.
    busiest : list of tuple of str and str
        Motifs that take most of the time, with their share and what the animal does in them.
    covered : str
        Share of the frames that have a motif.
    uncovered : list of str
        Shares of the reasons why the others have none.
    reason_for_n : str
        Why that number was asked for, one sentence.
    verdict : list of str
        Sentences on how far to trust the motifs, PCA included.
    recur : bool
        Whether every motif has two bouts or more.
    notes : list of str
        Sentences on single motifs.
    quality : list of QualityRow
        One per model, representation and number of motifs.
    n_lines, n_shown : int
        Animals of all sessions, and those with an ethogram.
    step_s : float
        Width of a column of the ethogram, seconds.
    usage, ethograms, usage_per_line : dict
        Figures.
    scan : dict or None
        Figure; None if one number of motifs was tried.
    """

    model: str
    folder: str
    n: int
    busiest: list[tuple[str, str]]
    covered: str
    uncovered: list[str]
    reason_for_n: str
    verdict: list[str]
    recur: bool
    notes: list[str]
    quality: list[QualityRow]
    n_lines: int
    n_shown: int
    step_s: float
    usage: dict[str, Any]
    ethograms: dict[str, Any]
    usage_per_line: dict[str, Any]
    scan: dict[str, Any] | None


def read_motifs(
    layout: Layout,
    models: Sequence[str],
    best: str,
    sessions: Sequence[str],
    groups: Mapping[str, str],
    described: Described,
) -> MotifSection:
    """Return the motif section: the motifs of the best model, and the quality of all models.

    Parameters
    ----------
    layout : Layout
    models : sequence of str
    best : str
        Model whose motifs are shown.
    sessions : sequence of str
    groups : mapping of str to str
        Group of each session that has one.
    described : Described
        Its motifs.

    Raises
    ------
    InputError
        If motif files are missing, or were made from other latents or by another segmentation.
    """
    require_current_motifs(layout, models, sessions)
    folder = layout.motifs(best)
    facts = segmentation_facts.read(folder.settings)
    shown_motifs, heads = described.facts.motifs, described.facts.counts_as
    lines = [line for session in sessions for line in read_lines(layout, best, session, heads)]
    n_numbers = facts.n_motifs
    counts = np.stack([np.pad(line.counts, (0, n_numbers - len(line.counts))) for line in lines])
    counts = counts[:, described.numbers]
    frequency = counts.sum(axis=0) / max(1, counts.sum())
    quality = [row for model in models for row in read_quality(layout, model)]
    own = [row.numbers for row in quality if row.model == best]
    shown, labels = lines[:MAX_LINES], [line.label for line in lines[:MAX_LINES]]
    ethograms, step_s = _draw_ethograms(shown, shown_motifs)
    used = counts[: len(shown)] / np.maximum(1, counts[: len(shown)].sum(axis=1, keepdims=True))
    n_rows = sum(line.n_rows for line in lines)
    rare = _rare(described.motifs, len(facts.latents))
    return MotifSection(
        model=best,
        folder=folder.root.as_posix(),
        n=len(shown_motifs),
        busiest=[
            (shown_motifs[k].label, f"{frequency[k]:.0%}{_phrase(described, k)}")
            for k in np.argsort(-frequency)[:3].tolist()
        ],
        covered=f"{counts.sum() / n_rows:.0%}",
        uncovered=_uncovered(lines, n_rows),
        reason_for_n=facts.reason_for_n,
        verdict=verdict(own, _between_models(layout, best), rare, _less_than_pca(layout, best)),
        recur=not rare.n_once,
        notes=[
            *_fewer_than_asked(n_numbers, next(row.n for row in own if row.chosen)),
            *notes(lines, counts, shown_motifs, groups),
        ],
        quality=quality,
        n_lines=len(lines),
        n_shown=len(shown),
        step_s=step_s,
        usage=figures.embedded(
            motif_figures.usage(frequency, _hover(counts, described.motifs), shown_motifs)
        ),
        ethograms=ethograms,
        usage_per_line=figures.embedded(motif_figures.usage_per_line(used, labels, shown_motifs)),
        scan=figures.embedded(motif_figures.scan(own)) if len({r.n for r in own}) > 1 else None,
    )


def _draw_ethograms(lines: Sequence[Line], motifs: Sequence[Motif]) -> tuple[dict[str, Any], float]:
    """Return the figure of the motifs over time, and the width of its columns in seconds."""
    cells, step_s = raster(lines)
    spans = np.array([[line.begins[0], line.begins[-1]] for line in lines])
    labels = [line.label for line in lines]
    drawn = motif_figures.ethograms(cells, step_s, spans, labels, motifs)
    return figures.embedded(drawn), step_s


def _uncovered(lines: Sequence[Line], n_rows: int) -> list[str]:
    """Return the shares of the reasons why rows have no motif."""
    reasons = pd.Series(pd.DataFrame([line.reasons for line in lines]).sum(), dtype=float)
    return [f"{rows / n_rows:.1%} {reason}" for reason, rows in reasons.items()]


def _phrase(described: Described, k: int) -> str:
    """Return what the animal does in motif `k`, after a colon; empty if a person has named it."""
    names, values, scores = profile_scores(described)
    if described.facts.motifs[k].name is not None or "speed" not in names:
        return ""
    known = {name: i for i, name in enumerate(names) if np.isfinite(values[i, k])}
    found = phrase(
        {name: float(values[i, k]) for name, i in known.items()},
        {name: float(scores[i, k]) for name, i in known.items()},
        float(np.nanmax(values[names.index("speed")])),
    )
    return f": {found}" if found else ""


def _rare(motifs: pd.DataFrame, n_sessions: int) -> Rare:
    """Return how many motifs have one bout or none, and how many others are of one of the sessions."""
    once = motifs["n_bouts"] <= 1
    local = ~once & (motifs["n_sessions"] <= 1) & (n_sessions > 1)
    return Rare(len(motifs), int(once.sum()), int(local.sum()))


def _less_than_pca(layout: Layout, model: str) -> bool:
    """Return whether a model explains less of validation windows than PCA, as in the comparison."""
    table = pd.read_parquet(layout.comparison).set_index("model")
    own, pca = (table.loc[model, f"{of}/r2_reconstruction"] for of in ("final", "pca"))
    return bool(own < pca)


def _between_models(layout: Layout, model: str) -> float | None:
    """Return the agreement of motifs with models that differ in the seed, as in the comparison."""
    table = pd.read_parquet(layout.comparison)
    if BETWEEN_MODELS not in table:
        return None
    (value,) = table.loc[table["model"] == model, BETWEEN_MODELS]
    return None if pd.isna(value) else float(value)


def required_files(layout: Layout, models: Sequence[str], sessions: Sequence[str]) -> list[Any]:
    """Return the motif files that the page needs."""
    folders = [layout.motifs(model) for model in models]
    paths = [path for f in folders for path in (f.settings, f.bouts, f.quality)]
    return paths + [folder.session(name) for folder in folders for name in sessions]


def _fewer_than_asked(n_found: int, n_asked: int) -> list[str]:
    if n_found == n_asked:
        return []
    return [f"{n_asked} motifs were asked for, but the data support only {n_found}."]


def notes(
    lines: Sequence[Line], counts: np.ndarray, motifs: Sequence[Motif], groups: Mapping[str, str]
) -> list[str]:
    """Return sentences on motifs that are not used, or nearly only by one session or one group.

    Parameters
    ----------
    lines : sequence of Line
    counts : numpy.ndarray
        `(n_lines, n_motifs)` int, rows of each motif.
    motifs : sequence of Motif
    groups : mapping of str to str
        Group of each session that has one.
    """
    found = []
    sessions = pd.DataFrame(counts).groupby([line.session for line in lines], sort=False).sum()
    of_groups = sessions.groupby(pd.Series(groups, index=sessions.index, dtype=object)).sum()
    for motif, total in enumerate(counts.sum(axis=0).tolist()):
        label = motifs[motif].label
        if not total:
            found.append(f"Motif {label} is used by no session.")
            continue
        for kind, rows in (("session", sessions), ("group", of_groups)):
            share = rows[motif].max() / total
            if len(rows) > 1 and share > MAX_SHARE:
                name = rows[motif].idxmax()
                part = "All" if share == 1 else f"{share:.0%}"
                found.append(
                    f"{part} of motif {label} is from {kind} {name}: check whether it is behaviour "
                    "or a difference in filming or tracking."
                )
                break
    return found


def _hover(counts: np.ndarray, motifs: pd.DataFrame) -> list[str]:
    """Return the number and length of the bouts of each motif, and the animals that use it."""
    texts = []
    columns = (motifs[name] for name in ("n_bouts", "median_bout_s"))
    n_used = (counts > 0).sum(axis=0).tolist()
    for n_bouts, median, n_lines in zip(*columns, n_used, strict=True):
        bout = (
            f"{n_bouts} bouts in training sessions, median {median:.2f} s"
            if n_bouts
            else "no bout in training sessions"
        )
        texts.append(f"{bout}<br>used by {n_lines} of {len(counts)} animals")
    return texts
