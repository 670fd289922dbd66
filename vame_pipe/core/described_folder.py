"""Paths of the tables that describe the motifs of a model, a part of the layout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DescribedFolder:
    """What the motifs of one model are: tables in which merged motifs count as one."""

    root: Path

    @property
    def description(self) -> Path:
        """Names, tree, entropy rate, skeleton."""
        return self.root / "description.json"

    @property
    def names(self) -> Path:
        """A table of names to copy and fill in."""
        return self.root / "motif_names.csv"

    @property
    def motifs(self) -> Path:
        """One row per motif."""
        return self.root / "motifs.parquet"

    @property
    def bouts(self) -> Path:
        """One row per bout, with its distance from the centre of the motif."""
        return self.root / "bouts.parquet"

    @property
    def usage(self) -> Path:
        """One row per animal and motif."""
        return self.root / "usage.parquet"

    @property
    def transitions(self) -> Path:
        """One row per animal and pair of motifs that follow one another."""
        return self.root / "transitions.parquet"

    @property
    def profiles(self) -> Path:
        """One row per motif and measure of movement."""
        return self.root / "profiles.parquet"

    @property
    def postures(self) -> Path:
        """Mean posture over a bout of each motif."""
        return self.root / "postures.parquet"

    @property
    def exemplars(self) -> Path:
        """The most typical bouts of each motif."""
        return self.root / "exemplars.parquet"

    @property
    def skeletons(self) -> Path:
        """Keypoints during these bouts."""
        return self.root / "skeletons.parquet"

    @property
    def outputs(self) -> list[Path]:
        """The files that the rule `describe` declares, the description first."""
        return [
            *(self.description, self.names, self.motifs, self.bouts, self.usage),
            *(self.transitions, self.profiles, self.postures, self.exemplars, self.skeletons),
        ]
