"""Compare groups of subjects: one row per measure, motif and two groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
import pyarrow as pa

from vame_pipe.motifs import group_tests
from vame_pipe.motifs.group_tests import centre
from vame_pipe.motifs.subjects import Measure, Study, average

GROUP_SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("test", "group", "other", "measure", "unit")),
        *(pa.field(name, pa.int16()) for name in ("motif", "target")),
        *(pa.field(name, pa.string()) for name in ("name", "target_name")),
        *(pa.field(name, pa.int64()) for name in ("n", "n_other")),
        *(pa.field(name, pa.float64()) for name in ("mean", "mean_other", "difference")),
        *(pa.field(name, pa.float64()) for name in ("low", "high", "hedges_g", "p", "q")),
        pa.field("smallest_p", pa.float64()),
    ]
)
"""Columns of groups.parquet. `test` is `unpaired` or `paired` for two groups, `all groups` for more."""
ALL = "all groups"


@dataclass(frozen=True)
class Design:
    """Which subjects are compared.

    Attributes
    ----------
    names : list of str
        Two groups, or more.
    paired : bool
    columns : list of list of list of int
        For each group and subject, the columns of the study; of a paired design, the subjects of a pair in
        that group, which count as one.
    """

    names: list[str]
    paired: bool
    columns: list[list[list[int]]]

    @property
    def sizes(self) -> list[int]:
        """Subjects (or pairs) of each group."""
        return [len(columns) for columns in self.columns]


def designs(study: Study) -> list[Design]:
    """Return all comparisons: of all groups, if there are more than two, and of every two.

    A comparison is paired if two or more pairs are complete. Subjects without a partner are not used then.

    Parameters
    ----------
    study : Study
    """
    names = study.groups
    chosen = [names] if len(names) > 2 else []
    chosen += [list(two) for two in combinations(names, 2)]
    return [_design(study, each) for each in chosen]


def _design(study: Study, names: list[str]) -> Design:
    of_group = [[k for k, s in enumerate(study.subjects) if s.group == name] for name in names]
    members: list[dict[str, list[int]]] = []
    for columns in of_group:
        pairs: dict[str, list[int]] = {}
        for k in columns:
            if (pair := study.subjects[k].pair) is not None:
                pairs.setdefault(pair, []).append(k)
        members.append(pairs)
    complete = [pair for pair in members[0] if all(pair in pairs for pairs in members)]
    if len(complete) > 1:
        return Design(names, True, [[pairs[pair] for pair in complete] for pairs in members])
    return Design(names, False, [[[k] for k in columns] for columns in of_group])


def compare(study: Study, motif_names: dict[int, str | None]) -> pd.DataFrame:
    """Return one row per comparison and measure, columns `GROUP_SCHEMA`.

    q is corrected over the motifs (or pairs of motifs) of a measure and all comparisons of two groups; the
    measures of whole recordings are corrected together.

    Parameters
    ----------
    study : Study
    motif_names : dict of int to str
        Names that people gave; None without one.
    """
    tables = [_rows(study, design, motif_names) for design in designs(study)]
    if not tables:
        return pd.DataFrame(columns=GROUP_SCHEMA.names)
    table = pd.concat(tables, ignore_index=True)
    family = np.tile([measure.family for measure in study.measures], len(tables))
    omnibus = (table["test"] == ALL).to_numpy()
    for together in sorted(set(family)):
        for kind in (omnibus, ~omnibus):
            rows = kind & (family == together)
            p = table.loc[rows, "p"].to_numpy()
            table.loc[rows, "q"] = group_tests.false_discovery(p)
    return table[GROUP_SCHEMA.names]


def _rows(study: Study, design: Design, names: dict[int, str | None]) -> pd.DataFrame:
    """Return the rows of one comparison, in the order of the measures; without q."""
    groups = [_values(study, columns) for columns in design.columns]
    several = len(groups) > 2
    numbers = {name: np.full(len(study.measures), np.nan) for name in GROUP_SCHEMA.names[9:]}
    for rows, known in _alike(study.measures, groups, design.paired):
        circular = study.measures[rows[0]].circular
        chosen = [values[rows][:, columns] for values, columns in zip(groups, known, strict=True)]
        sizes = [values.shape[1] for values in chosen]
        numbers["n"][rows] = sum(sizes) if several else sizes[0]
        tested = [values for values in chosen if not several or values.shape[1] > 1]
        if len(tested) > 1:
            numbers["p"][rows] = group_tests.permutation_p(tested, design.paired, circular)
            sizes_tested = [values.shape[1] for values in tested]
            numbers["smallest_p"][rows] = group_tests.smallest_p(sizes_tested, design.paired)
        if several:
            continue
        numbers["n_other"][rows] = sizes[1]
        for name, values in zip(("mean", "mean_other"), chosen, strict=True):
            if values.shape[1]:
                numbers[name][rows] = centre(values, circular)
        if all(sizes):
            found = group_tests.effect(chosen[0], chosen[1], design.paired, circular)
            numbers["difference"][rows], numbers["hedges_g"][rows] = found.difference, found.size
            numbers["low"][rows], numbers["high"][rows] = found.low, found.high
    first, second = (None, None) if several else design.names
    test = ALL if several else "paired" if design.paired else "unpaired"
    table = pd.DataFrame(numbers).assign(test=test, group=first, other=second)
    return pd.concat([table, measure_columns(study.measures, names)], axis=1)


def measure_columns(measures: Sequence[Measure], names: dict[int, str | None]) -> pd.DataFrame:
    """Return what identifies each measure: `measure, unit, motif, target, name, target_name`.

    Parameters
    ----------
    measures : sequence of Measure
    names : dict of int to str
        Names that people gave to motifs; None without one.
    """

    def name(number: int | None) -> str | None:
        return None if number is None else names[number]

    keys = [(m.name, m.unit, m.motif, m.target, name(m.motif), name(m.target)) for m in measures]
    columns = ["measure", "unit", "motif", "target", "name", "target_name"]
    return pd.DataFrame(keys, columns=columns, dtype=object)


def _values(study: Study, columns: Sequence[Sequence[int]]) -> np.ndarray:
    """Return the values of each subject (or pair) of a group, `(n_measures, n_subjects)`."""
    circular = np.array([measure.circular for measure in study.measures], bool)
    found = [average(study.values[:, chosen], circular) for chosen in columns]
    return np.stack(found, axis=1)


def _alike(
    measures: Sequence[Measure], groups: Sequence[np.ndarray], paired: bool
) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
    """Yield measures that are known of the same subjects, and these subjects `(n_known,)` of each group.

    Of a paired design, a pair is known if all of its members are.
    """
    known = [np.isfinite(values) for values in groups]
    if paired:
        known = [np.logical_and.reduce(known)] * len(groups)
    circular = np.array([[measure.circular] for measure in measures])
    patterns = np.hstack([circular, *known])
    _, inverse = np.unique(patterns, axis=0, return_inverse=True)
    for k in range(int(inverse.max(initial=-1)) + 1):
        rows = np.flatnonzero(inverse == k)
        yield rows, [np.flatnonzero(each[rows[0]]) for each in known]
