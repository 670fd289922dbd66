"""Links from the report to the clips that were cut from videos."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from vame_pipe.core import clip_facts, files
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout


@dataclass(frozen=True)
class VideoSection:
    """What the page tells of videos.

    Attributes
    ----------
    links : dict of int to str
        Address of the clips of each motif that has some, relative to the page.
    notes : list of str
        What is wrong with videos, a sentence each.
    """

    links: dict[int, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def required_files(layout: Layout, models: Sequence[str]) -> list[Path]:
    """Return the files that the page needs if clips are cut from videos."""
    return [layout.motifs(model).videos.facts for model in models]


def read_videos(layout: Layout, model: str, page: Path) -> VideoSection:
    """Return what the page tells of videos.

    Parameters
    ----------
    layout : Layout
    model : str
        Whose motifs are shown.
    page : Path
        Folder of the page.

    Raises
    ------
    InputError
        If the motifs were described again since the clips were cut.
    """
    folder = layout.motifs(model)
    facts = clip_facts.read(folder.videos.facts)
    if facts.description != files.file_fingerprint(folder.described.description):
        raise InputError(f"{folder.videos.facts}: is about other motifs. Run snakemake.")
    links = {
        motif: quote(Path(os.path.relpath(folder.videos.grid(motif), page)).as_posix())
        for motif in facts.motifs
    }
    return VideoSection(links, facts.notes)
