"""What a run of the workflow would compute and why, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from vame_pipe.core.errors import listing
from vame_pipe.reporting.items import Item

NOUNS = {
    "align": ("alignment", "alignments"),
    "windows": ("set of windows", "sets of windows"),
    "quality": ("table of the quality", "tables of the quality"),
    "train": ("model", "models"),
    "fetch": ("fetched model", "fetched models"),
    "encode": ("encoding", "encodings"),
    "segment": ("segmentation", "segmentations"),
    "describe": ("description", "descriptions"),
    "videos": ("set of video clips", "sets of video clips"),
    "label": ("labelling", "labellings"),
    "groups": ("comparison of groups", "comparisons of groups"),
    "labels": ("comparison with labels", "comparisons with labels"),
    "upload": ("upload", "uploads"),
    "compare": ("comparison", "comparisons"),
    "report": ("report", "reports"),
}
MAX_CAUSES = 4
"""Causes of the same work that are listed; of more, the others are counted."""


def in_order(items: Iterable[Item]) -> list[Item]:
    """Return results in the order in which the stages are listed."""
    return sorted(items, key=lambda item: list(NOUNS).index(item.stage))


def describe(items: list[Item]) -> list[str]:
    """Return the status of every stage, one line each, then one line per reason with what it concerns."""
    lines = []
    for stage in NOUNS:
        of_stage = [item for item in items if item.stage == stage]
        if not of_stage:
            continue  # no session is new
        counts = Counter(item.state for item in of_stage)
        lines.append(f"{stage:8} {', '.join(f'{n} {state}' for state, n in counts.items())}")
        concerned: dict[tuple[str, ...], list[str]] = {}
        for item in of_stage:
            if item.causes:
                concerned.setdefault(item.causes, []).append(item.name)
        lines += [f"         {listing(n)}: {_joined(c)}" for c, n in concerned.items()]
    return lines


def plan(items: list[Item]) -> list[str]:
    """Return what the next run would compute, one line for each cause; empty if everything is done.

    Examples
    --------
    >>> plan([Item("align", "m7", "outdated", ("m7.csv changed",)),
    ...       Item("train", "vame", "outdated", ("m7.csv changed",))])
    ['m7.csv changed: 1 alignment, 1 model']
    """
    jobs: dict[str, Counter[str]] = {}
    for item in items:
        for cause in item.causes:
            jobs.setdefault(cause, Counter())[item.stage] += 1
    groups: dict[str, list[str]] = {}
    for cause, counts in jobs.items():
        work = ", ".join(f"{n} {NOUNS[stage][n != 1]}" for stage, n in counts.items())
        groups.setdefault(work, []).append(cause)
    lines = []
    for work, causes in groups.items():
        shown = causes if len(causes) <= MAX_CAUSES + 1 else causes[:MAX_CAUSES]
        lines += [f"{cause}: {work}" for cause in shown]
        if len(causes) > len(shown):
            lines.append(f"{len(causes) - len(shown)} more causes like these, each: {work}")
    return lines


def _joined(causes: tuple[str, ...]) -> str:
    more = len(causes) - MAX_CAUSES
    if more <= 1:
        return "; ".join(causes)
    return f"{'; '.join(causes[:MAX_CAUSES])}; and {more} more causes"
