"""How far motifs and latents hold what a person labelled: pure functions of arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

N_FOLDS = 10
"""Most groups of subjects that are held out one after the other."""
N_BLOCKS = 5
"""Stretches of time that are held out if there is a single recording."""


@dataclass(frozen=True)
class BoutErrors:
    """Bouts of one behaviour, compared with those of the motifs that stand for it.

    Attributes
    ----------
    n_bouts : int
        Labelled bouts in which at least one row has a motif.
    found : numpy.ndarray
        `(n_bouts,)` bool: whether a bout of the motifs overlaps.
    start, end : numpy.ndarray
        `(n_found,)` int, rows: first start and last end of the overlapping bouts, minus those of the label;
        above 0 is too late.
    fragments : numpy.ndarray
        `(n_found,)` int: number of overlapping bouts; 1 if the motifs do not break it up.
    """

    n_bouts: int
    found: np.ndarray
    start: np.ndarray
    end: np.ndarray
    fragments: np.ndarray


def stand_for(table: np.ndarray) -> np.ndarray:
    """Return the behaviour that each motif stands for, `(n_motifs,)` int, -1 without labelled rows.

    It is the behaviour of whose rows the motif holds the largest share, so rare ones have a chance.

    Parameters
    ----------
    table : numpy.ndarray
        `(n_motifs, n_behaviours)` int, rows of each pair.

    Examples
    --------
    >>> stand_for(np.array([[90, 5], [10, 4], [0, 0]])).tolist()
    [0, 1, -1]
    """
    share = table / np.maximum(1, table.sum(axis=0))
    return np.where(table.sum(axis=1) > 0, share.argmax(axis=1), -1)


def overlap(table: np.ndarray, behaviour: np.ndarray) -> np.ndarray:
    """Return the overlap of each behaviour with the motifs that stand for it, `(n_behaviours,)`.

    It is the number of rows that have both, divided by that of rows that have one or both (Jaccard).

    Parameters
    ----------
    table : numpy.ndarray
        `(n_motifs, n_behaviours)` int.
    behaviour : numpy.ndarray
        Result of `stand_for`.

    Examples
    --------
    >>> table = np.array([[8, 0], [2, 10]])
    >>> overlap(table, stand_for(table)).round(3).tolist()
    [0.8, 0.833]
    """
    n = table.shape[1]
    chosen = behaviour[:, None] == np.arange(n)
    both = (table * chosen).sum(axis=0)
    of_motifs = chosen.T @ table.sum(axis=1)
    either = of_motifs + table.sum(axis=0) - both
    return np.asarray(both / np.maximum(1, either))


def spans(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first row of each stretch of true rows, and the row after its last one.

    Examples
    --------
    >>> [each.tolist() for each in spans(np.array([0, 1, 1, 0, 1], bool))]
    [[1, 4], [3, 5]]
    """
    change = np.diff(np.concatenate([[False], rows, [False]]).astype(np.int8))
    return np.flatnonzero(change == 1), np.flatnonzero(change == -1)


def compare_bouts(labelled: np.ndarray, found: np.ndarray, known: np.ndarray) -> BoutErrors:
    """Return how bouts of one behaviour and of its motifs fit, for the rows of one animal.

    Parameters
    ----------
    labelled, found, known : numpy.ndarray
        `(n_rows,)` bool: rows with the label, rows with a motif that stands for it, rows with any motif.

    Examples
    --------
    >>> labelled = np.array([0, 1, 1, 1, 1, 0, 0], bool)
    >>> found = np.array([0, 0, 1, 0, 1, 1, 0], bool)
    >>> errors = compare_bouts(labelled, found, np.ones(7, bool))
    >>> errors.start.tolist(), errors.end.tolist(), errors.fragments.tolist()
    ([1], [1], [2])
    """
    first, after = spans(labelled)
    total = np.concatenate([[0], np.cumsum(known)])
    judged = total[after] > total[first]
    first, after = first[judged], after[judged]
    begin, end = spans(found)
    low = np.searchsorted(end, first, side="right")
    high = np.searchsorted(begin, after, side="left")
    hit = high > low
    return BoutErrors(
        n_bouts=len(first),
        found=hit,
        start=begin[low[hit]] - first[hit],
        end=end[high[hit] - 1] - after[hit],
        fragments=(high - low)[hit],
    )


def join(parts: list[BoutErrors]) -> BoutErrors:
    """Return the bouts of several animals together; there is at least one animal."""
    names = ("found", "start", "end", "fragments")
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return BoutErrors(n_bouts=sum(part.n_bouts for part in parts), **joined)


def folds(subject: np.ndarray, session: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, str]:
    """Return which rows are held out together, `(n_rows,)` int, and what they have in common.

    Parameters
    ----------
    subject, session : numpy.ndarray
        `(n_rows,)` int.
    row : numpy.ndarray
        `(n_rows,)` int, time steps; used if there is one session.

    Returns
    -------
    fold : numpy.ndarray
    unit : str
        `subject`, `session` or `time`: the first of which there are several.
    """
    for unit, values in (("subject", subject), ("session", session)):
        names, code = np.unique(values, return_inverse=True)
        if len(names) > 1:
            return code % N_FOLDS, unit
    blocks = (row - row.min()) * N_BLOCKS // max(1, row.max() - row.min() + 1)
    return blocks, "time"


def predict_held_out(
    values: np.ndarray, label: np.ndarray, fold: np.ndarray, near: np.ndarray | None = None
) -> np.ndarray:
    """Return the label that a linear classifier gives each row, trained without the fold of the row.

    Classes have the same weight, however rare.

    Parameters
    ----------
    values : numpy.ndarray
        `(n_rows, n_dims)` float.
    label, fold : numpy.ndarray
        `(n_rows,)` int.
    near : numpy.ndarray, optional
        `(n_folds, n_rows)` bool: rows whose windows overlap with those of a fold, which do not train.

    Returns
    -------
    numpy.ndarray
        `(n_rows,)` int; -1 if nothing but the fold has labels.
    """
    predicted = np.full(len(label), -1)
    for k in np.unique(fold):
        test = fold == k
        train = ~test if near is None else ~test & ~near[k]
        classes = np.unique(label[train])
        if len(classes) < 2:
            predicted[test] = classes[0] if len(classes) else -1
            continue
        model = make_pipeline(
            StandardScaler(), LogisticRegression(max_iter=1000, class_weight="balanced")
        )
        predicted[test] = model.fit(values[train], label[train]).predict(values[test])
    return predicted


def near_folds(fold: np.ndarray, row: np.ndarray, length: int) -> np.ndarray:
    """Return which rows are less than a window away from each fold, `(n_folds, n_rows)` bool.

    Parameters
    ----------
    fold, row : numpy.ndarray
        `(n_rows,)` int: the stretch of time, and the time step.
    length : int
        Rows of a window.

    Examples
    --------
    >>> near_folds(np.array([0, 0, 1, 1]), np.array([0, 5, 6, 9]), 3).astype(int).tolist()
    [[1, 1, 1, 0], [0, 1, 1, 1]]
    """
    found = []
    for k in range(int(fold.max()) + 1):
        own = row[fold == k]
        low, high = (own.min(), own.max()) if len(own) else (0, -1)
        found.append((row > low - length) & (row < high + length) & (len(own) > 0))
    return np.stack(found)
