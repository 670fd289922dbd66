"""Paths of the clips of motifs that are cut from videos, a part of the layout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class VideoFolder:
    """Clips of the motifs of one model."""

    root: Path

    @property
    def facts(self) -> Path:
        """What the clips were cut from, and which motifs have some."""
        return self.root / "videos.json"

    @property
    def clips(self) -> Path:
        """One row per clip."""
        return self.root / "clips.csv"

    @property
    def videos(self) -> Path:
        """One row per video or problem."""
        return self.root / "videos.csv"

    def grid(self, motif: int) -> Path:
        """Clips of a motif side by side.

        Examples
        --------
        >>> VideoFolder(Path("videos")).grid(7).as_posix()
        'videos/motif_07.mp4'
        """
        return self.root / f"motif_{motif:02d}.mp4"

    def clip(self, motif: int, number: int) -> Path:
        """One clip of a motif, from 1."""
        return self.root / f"motif_{motif:02d}_{number}.mp4"
