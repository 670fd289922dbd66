"""A session and its videos: which picture shows which frame, and where the animals are in it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout
from vame_pipe.core.metadata import AlignedMetadata, read_record
from vame_pipe.core.quality import read_quality
from vame_pipe.poses.parts import PoseSource, read_files
from vame_pipe.videos.matching import Placement, place
from vame_pipe.videos.video_file import VideoFacts, read_facts

if TYPE_CHECKING:
    from vame_pipe.config.sections import Session
    from vame_pipe.poses.contract import Poses

log = logging.getLogger(__name__)

MAX_OUTSIDE = 0.1
"""Largest fraction of points outside the pictures; near an edge, some always are."""


@dataclass(frozen=True)
class Filmed:
    """A session with videos that fit its poses.

    Attributes
    ----------
    name : str
    source : Session
        As in the configuration.
    meta : AlignedMetadata
    placements : list of Placement
        One per pose file.
    """

    name: str
    source: Session
    meta: AlignedMetadata
    placements: list[Placement]

    @property
    def notes(self) -> list[str]:
        """In what the videos differ from the poses, one line each."""
        return list(dict.fromkeys(note for each in self.placements for note in each.notes))

    def placement_of(self, frames: np.ndarray) -> np.ndarray:
        """Return the position in `placements` of frames, `(n,)` int; -1 if no picture shows the frame."""
        found = np.full(len(frames), -1)
        for i, placement in enumerate(self.placements):
            found[placement.pictures(frames) >= 0] = i
        return found


@dataclass(frozen=True)
class Tracks:
    """Where the keypoints of the animals of a session are in the pictures.

    Attributes
    ----------
    starts : list of int
        First frame of each pose file on the time axis of the recording.
    positions : list of dict of str to numpy.ndarray
        For each pose file and animal `(n_frames, n_keypoints, 2)`, pixels; NaN where the point is missing
        or was not used, and everywhere for poses in 3D, which are not in the picture.
    n_keypoints : int
    """

    starts: list[int]
    positions: list[dict[str, np.ndarray]]
    n_keypoints: int

    def points(self, individual: str, frames: np.ndarray) -> np.ndarray:
        """Return the keypoints of an animal in frames of the recording, `(n, n_keypoints, 2)`."""
        points = np.full((len(frames), self.n_keypoints, 2), np.nan)
        for start, animals in zip(self.starts, self.positions, strict=True):
            known = animals.get(individual, np.empty((0, self.n_keypoints, 2)))
            inside = (frames >= start) & (frames < start + len(known))
            points[inside] = known[frames[inside] - start]
        return points


def find_filmed(name: str, source: Session, layout: Layout) -> Filmed:
    """Compare the videos of a session with its poses.

    Parameters
    ----------
    name : str
    source : Session
        As in the configuration; names a video.
    layout : Layout
        The results folder: the session is aligned.

    Raises
    ------
    InputError
        If a video cannot be read or does not fit; one line each, with the name of the session.
    """
    try:
        meta = read_record(AlignedMetadata, layout.aligned(name))
        videos, problems = [], []
        for path in source.videos:
            try:
                videos.append(read_facts(Path(path)))
            except InputError as error:
                problems += error.problems
        if problems:
            raise InputError(*problems)
        numbers = [part.first_frame for part in meta.parts]
        if len(numbers) > 1:  # on the time axis of the recording, not in the files
            numbers = [_first_frame(animals) for animals in read_files(PoseSource.of(source))]
        return Filmed(name, source, meta, place(videos, meta.parts, numbers, meta.source_fps))
    except InputError as error:
        raise InputError(*(f"session {name}: {line}" for line in error.problems)) from None


def read_tracks(filmed: Filmed, layout: Layout) -> Tracks:
    """Return where the keypoints are in the pictures: those that alignment used, as recorded.

    Parameters
    ----------
    filmed : Filmed
    layout : Layout
        The results folder, with the tracking quality of the session.

    Raises
    ------
    InputError
        If a pose file cannot be read, or is not the one that was aligned.
    """
    meta, recorded = filmed.meta, read_files(PoseSource.of(filmed.source))
    sizes = [max(len(poses.position) for poses in animals.values()) for animals in recorded]
    if sizes != [part.n_frames for part in meta.parts]:
        raise InputError(
            f"session {filmed.name}: {meta.source} was changed after it was aligned. Run snakemake."
        )
    qc = layout.quality(filmed.name)
    if not qc.exists():
        raise InputError(f"session {filmed.name}: {qc} not found. Run snakemake.")
    quality = read_quality(qc)
    positions = [
        {
            name: _used(
                poses, meta, [k.threshold for k in quality.individuals[name].keypoints.values()]
            )
            for name, poses in animals.items()
            if name in quality.individuals
        }
        for animals in recorded
    ]
    for placement, part, animals in zip(filmed.placements, meta.parts, positions, strict=True):
        lost = _outside(animals.values(), placement.video)
        if lost > MAX_OUTSIDE:
            video = placement.video
            log.warning(
                "session %s: %.0f%% of the points in %s are outside the pictures of %s (%d x %d pixels): "
                "is the video scaled or cropped? Give the one that was tracked",
                *(filmed.name, 100 * lost, part.source, video.path, video.width, video.height),
            )
    return Tracks([part.first_frame for part in meta.parts], positions, len(meta.keypoints))


def _outside(positions: Iterable[np.ndarray], video: VideoFacts) -> float:
    """Return the fraction of known points that are outside the pictures of a video."""
    points = np.concatenate([each[np.isfinite(each).all(axis=2)] for each in positions])
    if not len(points):
        return 0.0
    inside = (points >= 0) & (points <= [video.width, video.height])
    return float(1 - inside.all(axis=1).mean())


def _first_frame(animals: dict[str, Poses]) -> int:
    return min(poses.first_frame for poses in animals.values())


def _used(poses: Poses, meta: AlignedMetadata, thresholds: Sequence[float | None]) -> np.ndarray:
    """Return the points of one animal that alignment used, `(n_frames, n_keypoints, 2)`, pixels."""
    if poses.position.shape[2] == 3:
        return np.full((len(poses.position), len(meta.keypoints), 2), np.nan)
    aliases = meta.settings["keypoints"] or {}
    columns = [
        next(
            i for i, name in enumerate(poses.keypoints) if name in aliases.get(keypoint, [keypoint])
        )
        for keypoint in meta.keypoints
    ]
    points = poses.position[:, columns].copy()
    points[poses.confidence[:, columns] < np.array(thresholds, float)] = np.nan
    return points
