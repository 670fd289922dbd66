"""Read the recording of a session."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vame_pipe.poses.parts import PoseSource, read_parts

if TYPE_CHECKING:
    from vame_pipe.config.sections import Session
    from vame_pipe.core.parts import Part
    from vame_pipe.poses.contract import Poses


def read_recorded(source: Session, max_gap_s: float) -> tuple[dict[str, Poses], tuple[Part, ...]]:
    """Return the animals of a recording, and the files that it consists of.

    Parameters
    ----------
    source : Session
        The recording, as in the configuration.
    max_gap_s : float
        Gaps up to this length are interpolated later; a gap of unknown length is made longer.

    Raises
    ------
    InputError
        If a file cannot be read, or if the files do not fit together.
    """
    starts_s = None if source.starts_s is None else tuple(source.starts_s)
    individuals = None if source.individuals is None else tuple(source.individuals)
    paths = tuple(map(Path, source.files))
    files = PoseSource(paths, source.fps, source.format, starts_s, individuals)
    return read_parts(files, min_gap_s=max_gap_s)
