"""Paths of sessions to which a model was applied without a workflow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vame_pipe.core.layout import Layout, MotifFolder, session_file


def is_of_workflow(folder: Path) -> bool:
    """Return whether a folder holds results of the workflow."""
    layout = Layout(folder)
    return layout.config.exists() and layout.log("align").parent.exists()


@dataclass(frozen=True)
class AppliedFolder:
    """The files of sessions to which one model was applied, without a workflow."""

    root: Path

    def aligned(self, session: str) -> Path:
        """Features of every time step of a session."""
        return session_file(self.root / "aligned", session)

    def quality(self, session: str) -> Path:
        """Tracking quality of a session."""
        return self.root / "aligned" / f"{session}.qc.json"

    @property
    def latents_folder(self) -> Path:
        return self.root / "latents"

    def latents(self, session: str) -> Path:
        """Latent vectors of a session."""
        return session_file(self.latents_folder, session)

    @property
    def motifs(self) -> MotifFolder:
        """Motifs, bouts and usage of the sessions; it holds no segmentation."""
        return MotifFolder(self.root / "motifs")
