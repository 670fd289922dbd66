"""Paths of the comparison of groups, a part of the layout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class GroupFolder:
    """How groups differ in the motifs of one model.

    Attributes
    ----------
    tables, figures : Path
        Folders.
    """

    tables: Path
    figures: Path

    @property
    def facts(self) -> Path:
        """Groups, findings in words, and a text for the methods section of a paper."""
        return self.tables / "groups.json"

    @property
    def groups(self) -> Path:
        """One row per measure, motif and two groups; a CSV of the same name is next to it."""
        return self.tables / "groups.parquet"

    @property
    def subjects(self) -> Path:
        """One row per subject and measure; a CSV of the same name is next to it."""
        return self.tables / "subjects.parquet"

    @property
    def usage(self) -> Path:
        """Every motif by group, each subject as a point."""
        return self.figures / "usage.svg"

    @property
    def volcano(self) -> Path:
        """Effect against q."""
        return self.figures / "volcano.svg"

    @property
    def transitions(self) -> Path:
        """Differences of the transitions."""
        return self.figures / "transitions.svg"

    @property
    def fingerprint(self) -> Path:
        """Usage of all motifs by each subject."""
        return self.figures / "fingerprint.svg"

    @property
    def map(self) -> Path:
        """Subjects in a plane: near ones use the motifs alike."""
        return self.figures / "map.svg"

    @property
    def plots(self) -> list[Path]:
        """The figures, in the order of the report."""
        return [self.usage, self.volcano, self.transitions, self.fingerprint, self.map]

    @property
    def outputs(self) -> list[Path]:
        """The files that the rule `groups` declares, the facts first."""
        tables = [self.groups, self.subjects]
        return [self.facts, *tables, *(path.with_suffix(".csv") for path in tables), *self.plots]
