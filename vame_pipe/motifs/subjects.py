"""What each animal does: usage, bouts, transitions, entropy and movement, for the comparison of groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from scipy.stats import entropy

from vame_pipe.core.description import Description
from vame_pipe.motifs import grammar, profiles
from vame_pipe.motifs.bouts import transitions
from vame_pipe.motifs.group_tests import centre
from vame_pipe.motifs.members import Member
from vame_pipe.motifs.movement import units
from vame_pipe.motifs.profiles import Sums
from vame_pipe.motifs.recording import Recording

CIRCULAR = ("direction",)
"""Measures of movement that are angles."""


@dataclass(frozen=True)
class Measure:
    """One number that is known of each animal.

    Attributes
    ----------
    name, unit : str
    motif, target : int or None
        Number of the motif, and of the one that follows it; None for the whole recording.
    """

    name: str
    unit: str
    motif: int | None = None
    target: int | None = None

    @property
    def circular(self) -> bool:
        """Whether it is an angle."""
        return self.name in CIRCULAR

    @property
    def family(self) -> str:
        """Measures with the same family are corrected together for their number."""
        return "recording" if self.motif is None else self.name


@dataclass(frozen=True)
class Subject:
    """An animal in a group.

    Attributes
    ----------
    name : str
    group, pair : str or None
    n_recordings : int
    """

    name: str
    group: str | None
    pair: str | None
    n_recordings: int


@dataclass(frozen=True)
class Study:
    """What is known of all subjects.

    Attributes
    ----------
    measures : list of Measure
    subjects : list of Subject
    values : numpy.ndarray
        `(n_measures, n_subjects)`, NaN where not known.
    """

    measures: list[Measure]
    subjects: list[Subject]
    values: np.ndarray

    @property
    def groups(self) -> list[str]:
        """Names of the groups, in the order in which the configuration names them."""
        return list(dict.fromkeys(s.group for s in self.subjects if s.group is not None))

    def rows(self, name: str) -> np.ndarray:
        """Return the rows of a measure, `(n_rows,)` int."""
        return np.array([i for i, m in enumerate(self.measures) if m.name == name], int)


def list_measures(description: Description, movement: Sequence[str], unit: str) -> list[Measure]:
    """Return the measures, in the order of the values of `measure`.

    Parameters
    ----------
    description : Description
    movement : sequence of str
        Names of the measures of movement.
    unit : str
        Their unit of length.
    """
    movement_units = units(unit)
    numbers = [motif.number for motif in description.motifs]
    of_motifs = {"usage": "fraction", "bout_duration": "s", "bout_rate": "bouts/min"}
    found = [Measure(name, unit, k) for name, unit in of_motifs.items() for k in numbers]
    found += [
        Measure("transition", "probability", k, target)
        for k in numbers
        for target in numbers
        if k != target
    ]
    found += [Measure(name, movement_units[name], k) for name in movement for k in numbers]
    found += [Measure("usage_entropy", "bits"), Measure("entropy_rate", "bits")]
    return found + [Measure(name, movement_units[name]) for name in movement]


def measure(
    read: Recording, description: Description
) -> tuple[list[Measure], dict[str, np.ndarray]]:
    """Return what each animal of a session does.

    Parameters
    ----------
    read : Recording
    description : Description
        Of the motifs.

    Returns
    -------
    measures : list of Measure
    values : dict of str to numpy.ndarray
        `(n_measures,)` of each animal, NaN where not known. A motif that it never shows has the usage 0 and
        no duration. Animals without any motif are left out.
    """
    names = list(read.meta.individuals)
    position, n_motifs = np.array(description.position), len(description.motifs)
    bouts = read.bouts(np.array(description.counts_as))
    animal = _number(bouts["individual"], names)
    motif = position[bouts["motif"].to_numpy()] if len(bouts) else np.zeros(0, int)
    cell = animal * n_motifs + motif
    shape = len(names), n_motifs
    duration = bouts["duration_s"].to_numpy()
    time = np.bincount(cell, duration, minlength=len(names) * n_motifs).reshape(shape)
    number = np.bincount(cell, minlength=len(names) * n_motifs).reshape(shape)
    linear, overall = _movement(read, cell, read.spans(bouts), shape, position)
    counts = np.zeros((len(names), n_motifs, n_motifs), int)
    for row in transitions(bouts, names, "").to_pylist():
        place = names.index(row["individual"]), position[row["source"]], position[row["target"]]
        counts[place] += row["count"]
    values = {}
    for k, name in enumerate(names):
        total = time[k].sum()
        if not total:
            continue
        usage = time[k] / total
        median = [_median(duration[cell == k * n_motifs + m]) for m in range(n_motifs)]
        movement = [value[k] for value in linear.values()]
        rate = grammar.entropy_rate(counts[k])
        values[name] = np.concatenate(
            [
                *(usage, median, 60 * number[k] / total, _chances(counts[k]), *movement),
                [entropy(usage, base=2), np.nan if rate is None else rate],
                [value[k] for value in overall.values()],
            ]
        )
    return list_measures(description, list(linear), read.moved.unit), values


def _number(column: pa.ChunkedArray, names: Sequence[str]) -> np.ndarray:
    """Return the position of each name of a column, `(n_rows,)` int."""
    coded = column.combine_chunks()
    places = np.array([names.index(name) for name in coded.dictionary.to_pylist()], int)
    return np.asarray(places[coded.indices.to_numpy()])


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if len(values) else np.nan


def _chances(counts: np.ndarray) -> np.ndarray:
    """Return the probability of each transition from one motif to another; NaN if a motif is never left."""
    left = counts.sum(axis=1, keepdims=True)
    chance = np.where(left > 0, grammar.probabilities(counts), np.nan)
    return chance[~np.eye(len(counts), dtype=bool)]


def _movement(
    read: Recording,
    cell: np.ndarray,
    spans: np.ndarray,
    shape: tuple[int, int],
    position: np.ndarray,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the mean of each measure of movement per animal and motif, and per animal.

    Parameters
    ----------
    read : Recording
    cell : numpy.ndarray
        `(n_bouts,)` int, animal and motif in one number.
    spans : numpy.ndarray
        `(n_bouts, 2)` int, first and last row.
    shape : tuple of int
        Number of animals and of motifs.
    position : numpy.ndarray
        Position of the motif that each number counts as.
    """
    rows = read.motif
    animal = _number(read.labels["individual"], list(read.meta.individuals))
    of_row = np.where(rows >= 0, animal * shape[1] + position[rows], -1)
    bouts = np.column_stack([cell, spans])
    n_cells = shape[0] * shape[1]
    sums = profiles.sum_session(read.moved, of_row, bouts, read.meta.fps, n_cells)
    of_animals = Sums(
        {k: v.reshape(3, *shape).sum(axis=2) for k, v in sums.linear.items()},
        {k: v.reshape(2, *shape).sum(axis=2) for k, v in sums.angles.items()},
        np.zeros(0),
        np.zeros(0),
    )
    per_motif = {k: mean.reshape(shape) for k, (mean, _) in profiles.statistics(sums).items()}
    return per_motif, {k: mean for k, (mean, _) in profiles.statistics(of_animals).items()}


def gather(
    measures: list[Measure],
    recordings: Mapping[tuple[str, str | None], np.ndarray],
    members: Mapping[str, Member],
) -> Study:
    """Return what is known of each subject: the mean of its recordings.

    Parameters
    ----------
    measures : list of Measure
    recordings : mapping of tuple of str to numpy.ndarray
        `(n_measures,)` of each session and animal; the animal is None in a session of one animal.
    members : mapping of str to Member
        Of each session.
    """
    found: dict[tuple[str | None, str], list[np.ndarray]] = {}
    subjects: dict[tuple[str | None, str], Subject] = {}
    for (session, individual), values in recordings.items():
        member = members[session]
        name = member.subject or session
        name = name if individual is None else f"{name}, {individual}"
        key = member.group, name
        found.setdefault(key, []).append(values)
        pair = member.pair or (subjects[key].pair if key in subjects else None)
        subjects[key] = Subject(name, member.group, pair, len(found[key]))
    groups_of: dict[str, set[str | None]] = {}
    for group, name in subjects:
        groups_of.setdefault(name, set()).add(group)
    # an animal in several groups is its own pair
    units = [
        replace(s, pair=s.pair or (s.name if len(groups_of[s.name]) > 1 else None))
        for s in subjects.values()
    ]
    values = np.full((len(measures), len(units)), np.nan)
    circular = np.array([m.circular for m in measures], bool)
    for column, repeats in enumerate(found.values()):
        values[:, column] = average(np.stack(repeats, axis=1), circular)
    return Study(measures, units, values)


def average(values: np.ndarray, circular: np.ndarray) -> np.ndarray:
    """Return the mean of the known values of each row; of angles, that on the circle.

    Parameters
    ----------
    values : numpy.ndarray
        `(n_measures, n_recordings)`, NaN where not known.
    circular : numpy.ndarray
        `(n_measures,)` bool.

    Returns
    -------
    numpy.ndarray
        `(n_measures,)`; NaN if nothing is known.

    Examples
    --------
    >>> average(np.array([[1.0, np.nan], [350.0, 30.0]]), np.array([False, True])).round(6).tolist()
    [1.0, 10.0]
    """
    if values.shape[1] == 1:
        return values[:, 0]
    found = np.full(len(values), np.nan)
    for k, row in enumerate(values):
        known = row[np.isfinite(row)]
        if len(known):
            found[k] = centre(known, bool(circular[k]))
    return found
