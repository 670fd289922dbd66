"""Numbers that tell how far one representation holds the labels of all animals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import adjusted_mutual_info_score, precision_recall_fscore_support

from vame_pipe.core.label_facts import LabelScores
from vame_pipe.motifs import label_agreement
from vame_pipe.motifs.label_agreement import BoutErrors
from vame_pipe.motifs.labelled_rows import AnimalRows

MAX_ROWS = 20_000
"""Labelled windows that the classifier uses, at most, evenly spaced."""


@dataclass(frozen=True)
class Labelled:
    """All labelled animals, with behaviours as numbers.

    Attributes
    ----------
    animals : sequence of AnimalRows
    behaviours : list of str
        In alphabetical order.
    length : int
        Rows of a window.
    """

    animals: Sequence[AnimalRows]
    behaviours: list[str]
    length: int

    def codes(self, animal: AnimalRows) -> np.ndarray:
        """Return the number of the behaviour of each row of an animal, -1 without a label."""
        number = {None: -1} | {name: k for k, name in enumerate(self.behaviours)}
        return np.array([number[label] for label in animal.label])


@dataclass(frozen=True)
class Predicted:
    """What a linear classifier says of held-out rows.

    Attributes
    ----------
    unit : str
        What was held out, see `label_agreement.folds`.
    accuracy : float or None
        Mean recall; None if there is one behaviour.
    precision, recall : numpy.ndarray
        `(n_behaviours,)`; NaN where no row has the behaviour.
    """

    unit: str
    accuracy: float | None
    precision: np.ndarray
    recall: np.ndarray


def contingency(labelled: Labelled, kind: str, n_motifs: int) -> np.ndarray:
    """Return the rows of each motif and behaviour, `(n_motifs, n_behaviours)` int."""
    n_motifs = max([n_motifs, *(int(a.motif[kind].max(initial=0)) + 1 for a in labelled.animals)])
    table = np.zeros((n_motifs, len(labelled.behaviours)), int)
    for animal in labelled.animals:
        label, motif = labelled.codes(animal), animal.motif[kind]
        both = (label >= 0) & (motif >= 0)
        np.add.at(table, (motif[both], label[both]), 1)
    return table


def predict(labelled: Labelled, kind: str) -> Predicted:
    """Return what a linear classifier says of rows that it was not trained on."""
    parts, n_all = [], len(labelled.behaviours)
    names = sorted({animal.session for animal in labelled.animals})
    subjects = sorted({animal.subject for animal in labelled.animals})
    for animal in labelled.animals:
        label = labelled.codes(animal)[animal.window]
        known = np.flatnonzero(label >= 0)
        where = (
            np.full(len(known), subjects.index(animal.subject)),
            np.full(len(known), names.index(animal.session)),
        )
        row = animal.row[animal.window[known]]
        parts.append((animal.values[kind][known], label[known], *where, row))
    values, label, subject, session, row = (
        np.concatenate(part) for part in zip(*parts, strict=True)
    )
    stride = -(-len(label) // MAX_ROWS) or 1
    values, label, subject, session, row = (
        part[::stride] for part in (values, label, subject, session, row)
    )
    nothing = np.full(n_all, np.nan)
    if not len(label):
        return Predicted("time", None, nothing, nothing)
    fold, unit = label_agreement.folds(subject, session, row)
    near = label_agreement.near_folds(fold, row, labelled.length) if unit == "time" else None
    if n_all < 2:
        return Predicted(unit, None, nothing, nothing)
    predicted = label_agreement.predict_held_out(values, label, fold, near)
    precision, recall, _, support = precision_recall_fscore_support(
        label, predicted, labels=np.arange(n_all), zero_division=0.0
    )
    known = support > 0
    return Predicted(
        unit,
        float(np.mean(recall[known])),
        np.where(known, precision, np.nan),
        np.where(known, recall, np.nan),
    )


def score(
    labelled: Labelled, kind: str, table: np.ndarray, predicted: Predicted
) -> tuple[list[dict[str, object]], LabelScores]:
    """Return one row per behaviour, and the numbers of all of them."""
    behaviour = label_agreement.stand_for(table)
    overlaps = label_agreement.overlap(table, behaviour)
    motif, label = np.nonzero(table)
    fps, rows, all_bouts = labelled.animals[0].fps, [], []
    for k, name in enumerate(labelled.behaviours):
        bouts = label_agreement.join(
            [_bouts(labelled, a, kind, behaviour, k) for a in labelled.animals]
        )
        all_bouts.append(bouts)
        rows.append(
            {
                "representation": kind,
                "behaviour": name,
                "n_rows": int(table[:, k].sum()),
                "n_subjects": len({a.subject for a in labelled.animals if (a.label == name).any()}),
                "motifs": np.flatnonzero(behaviour == k).tolist(),
                "overlap": float(overlaps[k]),
                "n_bouts": bouts.n_bouts,
                "found": float(bouts.found.mean()) if bouts.n_bouts else None,
                "start_shift_s": _median(bouts.start, fps),
                "start_error_s": _median(np.abs(bouts.start), fps),
                "end_shift_s": _median(bouts.end, fps),
                "end_error_s": _median(np.abs(bouts.end), fps),
                "fragments": float(bouts.fragments.mean()) if len(bouts.fragments) else None,
                "precision": _number(predicted.precision[k]),
                "recall": _number(predicted.recall[k]),
            }
        )
    joined = label_agreement.join(all_bouts)
    weights = table[motif, label]
    return rows, LabelScores(
        adjusted_mutual_information=float(
            adjusted_mutual_info_score(np.repeat(label, weights), np.repeat(motif, weights))
        ),
        overlap=float(overlaps[table.sum(axis=0) > 0].mean()),
        found=float(np.mean([row["found"] for row in rows if row["n_bouts"]])),
        start_error_s=_median(np.abs(joined.start), fps),
        end_error_s=_median(np.abs(joined.end), fps),
        fragments=float(joined.fragments.mean()) if len(joined.fragments) else None,
        balanced_accuracy=predicted.accuracy,
    )


def _bouts(
    labelled: Labelled, animal: AnimalRows, kind: str, behaviour: np.ndarray, k: int
) -> BoutErrors:
    motif = animal.motif[kind]
    known = motif >= 0
    return label_agreement.compare_bouts(
        labelled.codes(animal) == k, known & (behaviour[motif] == k), known
    )


def _median(rows: np.ndarray, fps: float) -> float | None:
    return float(np.median(rows)) / fps if len(rows) else None


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def notes(labelled: Labelled, unit: str) -> list[str]:
    """Return what a reader should know, a sentence each."""
    found = []
    if unit != "subject":
        found.append(
            "Only one animal has labels, so precision and recall say little about other animals: label a "
            "second one."
        )
    if len(labelled.behaviours) == 1:
        found.append(
            f"There is one behaviour, {labelled.behaviours[0]}: label other frames as something else, so "
            "that it can be told apart."
        )
    for name in labelled.behaviours if unit == "subject" else []:
        subjects = {a.subject for a in labelled.animals if (a.label == name).any()}
        if len(subjects) == 1:
            found.append(
                f"Only {subjects.pop()} has frames of {name}, so a classifier cannot find it: its "
                "recall is 0."
            )
    n_points = sum({a.session: a.n_points for a in labelled.animals}.values())
    if n_points:
        found.append(f"{n_points} point events without duration are left out.")
    return found
