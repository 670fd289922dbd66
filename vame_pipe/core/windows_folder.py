"""Paths of the training windows, a part of the layout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class WindowsFolder:
    """The files of the training windows."""

    root: Path

    @property
    def frames(self) -> Path:
        """Every valid frame of the training sessions."""
        return self.root / "frames.parquet"

    @property
    def index(self) -> Path:
        """One row per window."""
        return self.root / "windows.parquet"

    @property
    def session_faults(self) -> Path:
        """Mirrored sessions and recordings that are given twice."""
        return self.root / "session_faults.json"
