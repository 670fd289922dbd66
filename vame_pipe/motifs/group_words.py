"""What came of the comparison of groups, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import pandas as pd
import scipy

from vame_pipe import __version__
from vame_pipe.core.description import Motif
from vame_pipe.core.errors import listing
from vame_pipe.core.scale import CM
from vame_pipe.motifs.group_table import Design
from vame_pipe.motifs.group_tests import (
    ALPHA,
    CONFIDENCE,
    N_BOOTSTRAP,
    N_RESAMPLES,
    enough_subjects,
    smallest_p,
)
from vame_pipe.motifs.members import Member
from vame_pipe.motifs.subjects import Study

NAMES = {
    "usage": "usage",
    "bout_duration": "median bout duration",
    "bout_rate": "bouts per minute",
    "transition": "transition",
    "usage_entropy": "entropy of the usage",
    "entropy_rate": "entropy rate of the transitions",
    "speed": "speed",
    "speed_forward": "forward speed",
    "direction": "direction of movement",
    "turn_rate": "turn rate",
    "turning": "turning",
    "heading_change": "heading change",
    "posture_speed": "speed of the posture",
    "elongation": "length of the body",
    "height": "height",
}
"""Measures in words, the ones that are told first at the top."""
N_SHOWN = 5
"""Differences that are told of two groups."""


def findings(
    table: pd.DataFrame,
    study: Study,
    designs: Sequence[Design],
    motifs: Sequence[Motif],
    members: Mapping[str, Member],
    empty: Sequence[str],
) -> list[str]:
    """Return what was found, what cannot be found, and what is missing, a sentence or two each.

    Parameters
    ----------
    table : pandas.DataFrame
        Result of `group_table.compare`.
    study : Study
    designs : sequence of Design
        The comparisons.
    motifs : sequence of Motif
    members : mapping of str to Member
        Of each session.
    empty : sequence of str
        Sessions without any motif.
    """
    return [
        *_missing(study, members, empty),
        *_powers(designs, study, len(motifs)),
        *(
            _differences(table, design, {motif.number: motif.label for motif in motifs})
            for design in designs
            if len(design.names) == 2 and min(design.sizes) > 1
        ),
    ]


def _missing(study: Study, members: Mapping[str, Member], empty: Sequence[str]) -> list[str]:
    groups = study.groups
    found = []
    ungrouped = [name for name, member in members.items() if member.group is None]
    if not groups:
        found.append(
            "No session has a group, so there is nothing to compare. Add `group` to the sessions in "
            "config.yaml, or a column `group` to the sheet."
        )
    elif len(groups) == 1:
        found.append(
            f"All sessions with a group are in the group {groups[0]}, so there is nothing to compare. Add "
            "sessions of another group."
        )
    if groups and ungrouped:
        found.append(f"Not compared, because they have no group: {listing(ungrouped)}.")
    if empty:
        found.append(f"Not compared, because no frame has a motif: {listing(empty)}.")
    return found


def _powers(designs: Sequence[Design], study: Study, n_motifs: int) -> list[str]:
    """Return what cannot be found because there are too few subjects; once if it is nothing at all."""
    twos = [design for design in designs if len(design.names) == 2]
    if len(twos) > 1 and all(min(design.sizes) < 2 for design in twos):
        enough = enough_subjects(n_motifs * len(twos), paired=False)
        return [
            f"{listing(study.groups)}: no two of these groups have two or more subjects each, so that no "
            f"difference can be tested. For one motif of {n_motifs}, record {enough} or more subjects per "
            "group."
        ]
    return [line for design in twos for line in _power(design, designs, study, n_motifs)]


def _power(design: Design, designs: Sequence[Design], study: Study, n_motifs: int) -> list[str]:
    """Return what cannot be found of two groups because there are too few subjects."""
    units = "pairs" if design.paired else "subjects"
    sizes = " and ".join(
        f"{name} ({size})" for name, size in zip(design.names, design.sizes, strict=True)
    )
    found = []
    n_tests = n_motifs * sum(len(each.names) == 2 for each in designs)
    enough = enough_subjects(n_tests, design.paired)
    needed = f"For one motif of {n_motifs}, record {enough} or more {units} per group."
    p = smallest_p(design.sizes, design.paired)
    if min(design.sizes) < 2:
        found.append(
            f"{sizes}: a difference cannot be tested with one subject in a group. {needed}"
        )
    elif p > ALPHA:
        found.append(
            f"{sizes}: with so few {units} the smallest possible p is {p:.2g}, so that no difference can "
            f"be found, however large it is. {needed}"
        )
    elif p * n_tests > ALPHA:
        found.append(
            f"{sizes}: the smallest possible p is {p:.2g}. After the correction for {n_tests} tests a "
            f"difference in one motif alone cannot be found. {needed}"
        )
    if design.paired and (alone := _alone(design, study)):
        found.append(
            f"{sizes}: not compared, because their pair is not complete: {listing(alone)}."
        )
    return found


def _used(designs: Sequence[Design]) -> set[int]:
    """Return the columns of the subjects that are compared."""
    return {k for d in designs for columns in d.columns for chosen in columns for k in chosen}


def _alone(design: Design, study: Study) -> list[str]:
    """Return the names of the subjects whose pair is not complete."""
    used = _used([design])
    return [
        s.name for k, s in enumerate(study.subjects) if s.group in design.names and k not in used
    ]


def _differences(table: pd.DataFrame, design: Design, labels: Mapping[int, str]) -> str:
    """Return the clearest differences between two groups, or that there is none."""
    first, second = design.names
    rows = table[(table["group"] == first) & (table["other"] == second)]
    rows = rows.assign(order=rows["measure"].map(list(NAMES).index))
    clear = rows[rows["q"] < ALPHA].sort_values(["order", "q"], kind="stable")
    if not len(clear):
        smallest = rows["q"].min()
        return (
            f"{first} and {second}: no difference has a q below {ALPHA:g}; the smallest is "
            f"{smallest:.2g}."
        )
    told = [
        f"{NAMES[row['measure']]}{_where(row, labels)} "
        f"{_value(row['mean'], row['unit'])} and {_value(row['mean_other'], row['unit'])} "
        f"(q = {row['q']:.2g})"
        for _, row in clear.head(N_SHOWN).iterrows()
    ]
    more = f"; and {len(clear) - N_SHOWN} more" if len(clear) > N_SHOWN else ""
    kind = "difference has" if len(clear) == 1 else "differences have"
    return (
        f"{first} and {second}: {len(clear)} {kind} a q below {ALPHA:g}: {'; '.join(told)}{more}."
    )


def _value(value: float, unit: str) -> str:
    if unit in ("fraction", "probability"):
        return f"{value:.1%}"
    return f"{value:.3g}" if unit == "bouts/min" else f"{value:.3g} {unit}"


def _where(row: pd.Series, labels: Mapping[int, str]) -> str:
    if pd.isna(row["motif"]):
        return ""
    if pd.isna(row["target"]):
        return f" of motif {labels[row['motif']]}"
    return f" from motif {labels[row['motif']]} to {labels[row['target']]}"


def methods(study: Study, designs: Sequence[Design]) -> str:
    """Return a text for the methods section of a paper; empty if nothing was tested.

    Parameters
    ----------
    study : Study
    designs : sequence of Design
    """
    designs = [design for design in designs if min(design.sizes) > 1]
    if not designs:
        return ""
    number = Counter(study.subjects[k].group for k in _used(designs))
    counted = ", ".join(f"{name} (n = {number[name]})" for name in study.groups if name in number)
    paired = [_pairs(d, study) for d in designs if d.paired and len(d.names) == 2]
    repeats = any(s.n_recordings > 1 for s in study.subjects)
    several = len(number) > 2
    exact = all(smallest_p(d.sizes, d.paired) > 1 / (N_RESAMPLES + 1) for d in designs)
    how = (
        "with all distinct permutations"
        if exact
        else f"with all distinct permutations or, of more than {N_RESAMPLES:,}, {N_RESAMPLES:,} random "
        "ones and p = (b + 1) / (n + 1)"
    )
    sentences = [
        "The usage of motifs, their bouts, transitions, entropy and movement were compared between groups: "
        f"{counted}. The animal was the statistical unit"
        + ("; several recordings of an animal were averaged first." if repeats else "."),
        "Lengths and speeds are in cm and cm/s." if CM in {m.unit for m in study.measures} else "",
        f"p values are those of two-sided permutation tests of the difference of the means, {how}.",
        f"Animals were paired for {'; '.join(paired)}; values were exchanged within pairs only."
        if paired
        else "",
        "All groups were compared first by the sum of squares between groups, then every two groups."
        if several
        else "",
        "p values were corrected for the number of motifs"
        + (" and of comparisons" if several else "")
        + " by the method of Benjamini and Hochberg (q). The p values of measures of whole recordings were "
        "corrected together.",
        f"Intervals of differences are {CONFIDENCE:.0%} percentile bootstrap intervals ({N_BOOTSTRAP:,} "
        "samples); effect sizes are Hedges' g. Angles were averaged on the circle. A motif that an animal "
        "did not show has a usage of 0, and its duration and movement are missing.",
        f"Computed with vame_pipe {__version__} and SciPy {scipy.__version__}.",
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def _pairs(design: Design, study: Study) -> str:
    """Return which groups are compared in pairs, how many pairs, and who is left out."""
    alone = _alone(design, study)
    without = f", without {listing(alone)}, whose pair is not complete" if alone else ""
    return f"{' and '.join(design.names)} (n = {design.sizes[0]} pairs{without})"
