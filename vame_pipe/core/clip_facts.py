"""What clips of motifs were cut from, and what came of it: videos.json."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from vame_pipe.core.facts_file import FactsFile


@dataclass(frozen=True)
class ClipFacts:
    """What clips of motifs were cut from.

    Attributes
    ----------
    motifs : list of int
        Numbers of the motifs that have clips.
    notes : list of str
        In what videos differ from their poses, and why nothing could be cut, a sentence each.
    sessions : dict of str to list of str
        The videos of each session.
    has_library : bool
        Whether videos could be read.
    description : str
        SHA-256 of the description of the motifs.
    stage_version : int
        See `core.source`.
    """

    motifs: list[int]
    notes: list[str]
    sessions: dict[str, list[str]]
    has_library: bool
    description: str
    stage_version: int


def has_library() -> bool:
    """Return whether the library that reads videos, PyAV, is installed."""
    return importlib.util.find_spec("av") is not None


_FILE = FactsFile(ClipFacts, 1, "about clips of motifs", "vame-pipe videos")
write, read = _FILE.write, _FILE.read
