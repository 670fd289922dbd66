"""Paths of the comparison with labels that people gave, a part of the layout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class LabelFolder:
    """How far the motifs of one model hold what people labelled."""

    root: Path

    @property
    def facts(self) -> Path:
        """What was compared, and how far it agrees."""
        return self.root / "labels.json"

    @property
    def behaviours(self) -> Path:
        """One row per representation and behaviour."""
        return self.root / "behaviours.parquet"

    @property
    def confusion(self) -> Path:
        """One row per representation, motif and behaviour."""
        return self.root / "confusion.parquet"

    @property
    def outputs(self) -> list[Path]:
        """The files that the rule `compare_labels` declares, the facts first."""
        return [self.facts, self.behaviours, self.confusion]
