"""How far motifs and latents hold what people labelled: labels.json."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from vame_pipe.core.facts_file import FactsFile


@dataclass(frozen=True)
class LabelScores:
    """How far one representation holds the labels.

    Attributes
    ----------
    adjusted_mutual_information : float
        Of motifs and labels: 1 if they are the same up to names, 0 for chance.
    overlap : float
        Mean over behaviours of the overlap with the motifs that stand for each (Jaccard).
    found : float
        Mean over behaviours of the fraction of labelled bouts that a bout of these motifs overlaps.
    start_error_s, end_error_s : float or None
        Median over all bouts that were found of the distance of starts and of ends, seconds.
    fragments : float or None
        Mean number of bouts of the motifs per labelled bout that was found.
    balanced_accuracy : float or None
        Mean recall of a linear classifier on held-out rows; None if there is one behaviour.
    """

    adjusted_mutual_information: float
    overlap: float
    found: float
    start_error_s: float | None
    end_error_s: float | None
    fragments: float | None
    balanced_accuracy: float | None

    @property
    def numbers(self) -> dict[str, float]:
        """The numbers that are known, by name."""
        values = dataclasses.asdict(self)
        return {name: float(value) for name, value in values.items() if value is not None}

    def describe(self) -> str:
        """Return the numbers that are known as one line, for the log."""
        return ", ".join(f"{name} {value:.4g}" for name, value in self.numbers.items())


@dataclass(frozen=True)
class LabelFacts:
    """What was compared with labels, and how far it agrees.

    Attributes
    ----------
    scores : dict of str to LabelScores
        Of the `latents`, and of `pca` of the same windows.
    n_subjects, n_rows : int
        Animals with labels; rows with a label and a motif.
    held_out : str
        What the classifier was tested on: another `subject`, `session` or stretch of `time`.
    notes : list of str
        What a reader should know, a sentence each.
    sessions : dict of str to dict
        `labels` and `subject` of each session, as in the configuration.
    labels : dict of str to str
        For each session the SHA-256 of its label file.
    latents : dict of str to str
        For each session the fingerprint of its latents.
    segmentation : str
        Fingerprint of the segmentation.
    stage_version : int
        See `core.source`.
    """

    scores: dict[str, LabelScores]
    n_subjects: int
    n_rows: int
    held_out: str
    notes: list[str]
    sessions: dict[str, dict[str, Any]]
    labels: dict[str, str]
    latents: dict[str, str]
    segmentation: str
    stage_version: int

    @property
    def metrics(self) -> dict[str, float]:
        """The numbers by their names in MLflow, such as `labels/overlap` and `labels/pca_overlap`."""
        return {
            f"labels/{'pca_' if kind == 'pca' else ''}{name}": value
            for kind, scores in self.scores.items()
            for name, value in scores.numbers.items()
        }


def _make(scores: dict[str, dict[str, Any]], **rest: Any) -> LabelFacts:
    return LabelFacts({kind: LabelScores(**values) for kind, values in scores.items()}, **rest)


_FILE = FactsFile(_make, 2, "a comparison with labels", "vame-pipe compare-labels")
write, read = _FILE.write, _FILE.read
