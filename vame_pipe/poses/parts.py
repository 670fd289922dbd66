"""Read a recording that may be several pose files, one after the other, on one time axis."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vame_pipe.core.errors import InputError, listing
from vame_pipe.core.parts import Part
from vame_pipe.poses.contract import Poses
from vame_pipe.poses.readers import read_poses

if TYPE_CHECKING:
    from vame_pipe.config.sections import Session

log = logging.getLogger(__name__)

UNKNOWN_GAP_S = 1.0
"""Gap between two files if nothing tells how long the camera stopped; no window crosses it."""


@dataclass(frozen=True)
class PoseSource:
    """The pose files of a recording.

    Attributes
    ----------
    paths : tuple of Path
        In the order of time.
    fps : float or None
        Frames per second; None if the files store it.
    format : str or None
        None if it is recognised by the content.
    starts_s : tuple of float or None
        Seconds at which each file begins; None if the frame numbers tell, or if nothing does.
    individuals : tuple of str or None
        Animals to read; None: all. Each has to be in one of the files, not in all of them.
    """

    paths: tuple[Path, ...]
    fps: float | None = None
    format: str | None = None
    starts_s: tuple[float, ...] | None = None
    individuals: tuple[str, ...] | None = None

    @classmethod
    def of(cls, session: Session) -> PoseSource:
        """Return the pose files of a session of the configuration."""
        starts_s = None if session.starts_s is None else tuple(session.starts_s)
        individuals = None if session.individuals is None else tuple(session.individuals)
        paths = tuple(map(Path, session.files))
        return cls(paths, session.fps, session.format, starts_s, individuals)


def read_parts(
    source: PoseSource, min_gap_s: float = 0.0
) -> tuple[dict[str, Poses], tuple[Part, ...]]:
    """Return the poses of a recording by individual, on one time axis, and where each file lies on it.

    A file that begins where the one before ended goes on without a gap. If it begins later, the frames
    between them are missing. If nothing tells when it begins, because its frame numbers start again and
    `starts_s` is not given, there is a gap that is never interpolated.

    Parameters
    ----------
    source : PoseSource
    min_gap_s : float
        Gaps up to this length are interpolated later; a gap of unknown length is made longer.

    Raises
    ------
    InputError
        If a file cannot be read, if files differ in keypoints, coordinates or frame rate, or if one begins
        before the one before has ended.

    Examples
    --------
    >>> import tempfile
    >>> from vame_pipe.poses.simulate import write_recordings
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_recordings(Path(folder), n_sessions=2, n_frames=60, fps=30, seed=0)
    ...     paths = (Path(folder) / "sim-1.csv", Path(folder) / "sim-2.csv")
    ...     animals, parts = read_parts(PoseSource(paths, 30, starts_s=(0, 2)))
    >>> animals["id_0"].position.shape, [part.first_frame for part in parts]
    ((120, 8, 2), [0, 60])
    """
    files = read_files(source)
    firsts = [min(poses.first_frame for poses in animals.values()) for animals in files]
    ends = [
        max(poses.first_frame + len(poses.position) for poses in animals.values())
        for animals in files
    ]
    names = [path.name for path in source.paths]
    if len(files) == 1:
        return files[0], (Part(names[0], firsts[0], ends[0] - firsts[0]),)
    _require_same(files, source.paths)
    fps = next(iter(files[0].values())).fps
    if source.starts_s is not None:
        starts = [round(start * fps) for start in source.starts_s]
    else:
        starts = _starts(names, firsts, ends, 1 + round(max(UNKNOWN_GAP_S, min_gap_s) * fps))
    parts = tuple(
        Part(name, start, end - first)
        for name, start, first, end in zip(names, starts, firsts, ends, strict=True)
    )
    _require_order(parts, fps)
    shifts = [start - first for start, first in zip(starts, firsts, strict=True)]
    individuals = dict.fromkeys(name for animals in files for name in animals)
    joined = {
        name: _join([animals.get(name) for animals in files], shifts, parts) for name in individuals
    }
    return joined, parts


def read_files(source: PoseSource) -> list[dict[str, Poses]]:
    """Return the poses of each file of a recording by individual, with the frame numbers of the file.

    Parameters
    ----------
    source : PoseSource

    Raises
    ------
    InputError
        If a file cannot be read, or if an animal that is selected is in none of them.
    """
    files, problems = [], []
    partial = len(source.paths) > 1
    for path in source.paths:
        try:
            files.append(
                read_poses(path, source.fps, source.format, source.individuals, partial=partial)
            )
        except InputError as error:
            problems += error.problems
    found = {name for animals in files for name in animals}
    missing = [name for name in source.individuals or () if name not in found]
    if missing and not problems:
        problems.append(
            f"individuals {listing(missing, chr(39))} are in none of its {len(files)} files, or never "
            "tracked. Remove them from individuals."
        )
    if problems:
        raise InputError(*problems)
    return files


def _require_same(files: Sequence[dict[str, Poses]], paths: Sequence[Path]) -> None:
    """Raise InputError unless all files have the same keypoints, coordinates and frame rate."""
    first = next(iter(files[0].values()))
    known: dict[str, set[str]] = {}
    for animals in files:
        for name, poses in animals.items():
            known.setdefault(name, set(poses.keypoints))
    problems = []
    for animals, path in zip(files[1:], paths[1:], strict=True):
        poses = next(iter(animals.values()))
        different = set[str]().union(
            *(known[name] ^ set(each.keypoints) for name, each in animals.items())
        )
        if different:
            problems.append(
                f"{path}: has other keypoints than {paths[0].name}, they differ in "
                f"{listing(sorted(different))}. The files of one session need the same keypoints: track "
                "them with the same model, or make them sessions of their own."
            )
        elif poses.position.shape[2] != first.position.shape[2]:
            problems.append(
                f"{path}: has {poses.position.shape[2]} coordinates per point, {paths[0].name} has "
                f"{first.position.shape[2]}. Make them sessions of their own."
            )
        if poses.fps != first.fps:
            problems.append(
                f"{path}: has {poses.fps:g} fps, {paths[0].name} has {first.fps:g}. The files of one "
                "session need the same frame rate: make them sessions of their own, and set align.fps."
            )
    if problems:
        raise InputError(*problems)


def _starts(names: list[str], firsts: list[int], ends: list[int], unknown_gap: int) -> list[int]:
    """Return the first frame of each file on the common time axis, from the frame numbers of the files.

    Parameters
    ----------
    names : list of str
    firsts, ends : list of int
        First frame of each file, and the one after its last.
    unknown_gap : int
        Frames between two files if the numbers start again.
    """
    starts, end = [firsts[0]], ends[0]
    for i in range(1, len(names)):
        continues = firsts[i] >= ends[i - 1] and starts[-1] == firsts[i - 1]
        if not continues and firsts[i] > firsts[0]:
            raise InputError(
                f"{names[i]}: begins at frame {firsts[i]}, but {names[i - 1]} ends at frame "
                f"{ends[i - 1] - 1}. Name the files in the order of time, or set starts_s."
            )
        if not continues:
            log.warning(
                "%s: its frame numbers start again, so that it is unknown how long the camera stopped: no "
                "window crosses the join. If the time is known, set starts_s",
                names[i],
            )
        starts.append(firsts[i] if continues else end + unknown_gap)
        end = starts[-1] + ends[i] - firsts[i]
    return starts


def _require_order(parts: tuple[Part, ...], fps: float) -> None:
    problems = [
        f"{part.source}: begins {part.first_frame / fps:.3f} s after the recording, but {before.source} "
        f"ends at {before.end / fps:.3f} s. Set starts_s to the times at which the files begin, in order."
        for before, part in itertools.pairwise(parts)
        if part.first_frame < before.end
    ]
    if problems:
        raise InputError(*problems)


def _join(files: Sequence[Poses | None], shifts: list[int], parts: tuple[Part, ...]) -> Poses:
    """Return one animal on the common time axis; missing where no file has it.

    Parameters
    ----------
    files : sequence of Poses or None
        The animal in each file; None if the file does not have it.
    shifts : list of int
        What is added to the frame numbers of each file.
    parts : tuple of Part
    """
    present = [poses for poses in files if poses is not None]
    first = present[0]
    origin, n_frames = parts[0].first_frame, parts[-1].end - parts[0].first_frame
    n_keypoints, dimensions = first.position.shape[1:]
    # each coordinate is contiguous along time, as the readers return it
    position = np.full((n_keypoints, dimensions, n_frames), np.nan)
    confidence = np.full((n_keypoints, n_frames), np.nan)
    faults: dict[str, str] = {}
    for poses, shift in zip(files, shifts, strict=True):
        if poses is None:
            continue
        order = [poses.keypoints.index(name) for name in first.keypoints]
        start = poses.first_frame + shift - origin
        rows = slice(start, start + len(poses.position))
        position[..., rows] = poses.position[:, order].transpose(1, 2, 0)
        confidence[:, rows] = poses.confidence[:, order].T
        faults |= poses.faults
    return Poses(
        position=position.transpose(2, 0, 1),
        confidence=confidence.T,
        keypoints=first.keypoints,
        fps=first.fps,
        source=" + ".join(part.source for part in parts),
        first_frame=origin,
        individual=first.individual,
        faults=faults,
    )
