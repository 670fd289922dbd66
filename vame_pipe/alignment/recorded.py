"""Read the recording of a session."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vame_pipe.core.errors import did_you_mean, listing
from vame_pipe.poses.parts import PoseSource, read_parts
from vame_pipe.poses.readers import NO_FPS, keypoint_names, read_header

if TYPE_CHECKING:
    from vame_pipe.config.sections import Align, Session
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
    return read_parts(PoseSource.of(source), min_gap_s=max_gap_s)


def unsuitable(
    path: Path,
    format: str | None,
    settings: Align,
    keypoints: dict[str, list[str]] | None,
    fps: float | None,
) -> list[str]:
    """Return why a pose file does not suit the alignment of a trained model, from its header.

    Parameters
    ----------
    path : Path
    format : str, optional
        As for `read_poses`.
    settings : Align
    keypoints : dict of str to list of str, optional
        Keypoints of the model, each with the names that it can have in the file; None: all of the file.
    fps : float, optional
        Frames per second, as given.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    header = read_header(path, format)
    problems = []
    if header.fps is None and fps is None:
        problems.append(f"{path}: {NO_FPS}. Give it with --fps NUMBER.")
    available = keypoint_names(header, path)
    axis = {name: [name] for names in settings.named_keypoints.values() for name in names}
    unknown = [n for n, names in (keypoints or axis).items() if not set(names) & set(available)]
    if unknown:
        problems.append(
            f"{path}: has no keypoint {listing(unknown, chr(39), limit=12)}, which the model needs; it "
            f"has: {listing(available, limit=12)}. Rename them in the file, or use a model that was "
            f"trained with its keypoints.{did_you_mean(unknown[0], available)}"
        )
    return problems
