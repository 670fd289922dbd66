"""What is in a pose file, and settings that suit it: before there is any configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vame_pipe.poses.contract import Poses
from vame_pipe.poses.fragments import fragments
from vame_pipe.poses.readers import read_header, read_poses
from vame_pipe.poses.suggestion import Suggestion, describe_suggestion, suggest

MAX_SAMPLE = 20_000
"""Frames of an animal from which settings are suggested, about."""
BLOCK = 200
"""Frames that follow one another in the sample: the movement between them counts."""
QUANTILES = (0.01, 0.1, 0.5)


@dataclass(frozen=True)
class AnimalSummary:
    """One animal of a file.

    Attributes
    ----------
    name : str
    tracked : float
        Fraction of the frames in which any of its keypoints is known.
    n_fragments, longest : int
        Unbroken stretches of such frames, and the frames of the longest.
    """

    name: str
    tracked: float
    n_fragments: int
    longest: int


@dataclass(frozen=True)
class KeypointSummary:
    """One keypoint, over all animals of a file.

    Attributes
    ----------
    name : str
    missing : float
        Fraction of the frames without a position.
    zeros : float
        Fraction of the frames at exactly zero.
    confidence : tuple of float
        Quantiles `QUANTILES` of the confidence; empty if the tracker gave no scores.
    kept : float
        Fraction of the frames in which it is known with the suggested threshold.
    """

    name: str
    missing: float
    zeros: float
    confidence: tuple[float, ...]
    kept: float


@dataclass(frozen=True)
class FileSummary:
    """What is in a pose file.

    Attributes
    ----------
    path : Path
    format : str
    fps : float or None
        Frames per second; None if the file does not tell.
    n_frames, first_frame, dimensions : int
    animals : list of AnimalSummary
    keypoints : list of KeypointSummary
    suggestion : Suggestion
    """

    path: Path
    format: str
    fps: float | None
    n_frames: int
    first_frame: int
    dimensions: int
    animals: list[AnimalSummary]
    keypoints: list[KeypointSummary]
    suggestion: Suggestion


def summarise(path: Path, format: str | None = None) -> tuple[FileSummary, dict[str, Poses]]:
    """Return what is in a pose file, and its poses by individual.

    The poses can be large: of many files, keep the summaries only.

    Parameters
    ----------
    path : Path
    format : str, optional
        Default: recognised by the content of the file.

    Raises
    ------
    InputError
        If the file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from vame_pipe.poses.simulate import write_recordings
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_recordings(Path(folder), n_sessions=1, n_frames=300, fps=30, seed=0)
    ...     found, poses = summarise(Path(folder) / "sim-1.csv")
    >>> found.format, found.fps, found.n_frames, list(poses)
    ('deeplabcut', None, 300, ['id_0'])
    >>> found.suggestion.centre, found.suggestion.forward, found.suggestion.min_confidence
    ('tailbase', 'nose', 0.6)
    """
    header = read_header(path, format)
    poses = read_poses(path, header.fps or 1.0, format)  # the frame rate changes no position
    names = _common_names(list(poses.values()))
    sample = [_sample(animal, names) for animal in poses.values()]
    position = np.concatenate([each[0] for each in sample])
    confidence = np.concatenate([each[1] for each in sample])
    suggestion, kept = suggest(position, confidence, names)
    suggestion = _with_faults(suggestion, list(poses.values()))
    first = next(iter(poses.values()))
    summary = FileSummary(
        path=path,
        format=header.format,
        fps=header.fps,
        n_frames=len(first.position),
        first_frame=first.first_frame,
        dimensions=first.dimensions,
        animals=[_summarise_animal(name, animal) for name, animal in poses.items()],
        keypoints=_summarise_keypoints(position, confidence, names, kept),
        suggestion=suggestion,
    )
    return summary, poses


def _with_faults(suggestion: Suggestion, animals: Sequence[Poses]) -> Suggestion:
    """Return a suggestion that tells which keypoints are left out because the file has a fault."""
    faults = {name: text for each in animals for name, text in each.faults.items()}
    prefix = f"{animals[0].source}: "
    found = {
        name: faults.get(name, why).removeprefix(prefix)
        for name, why in suggestion.leave_out.items()
    }
    return replace(suggestion, leave_out=found)


def _common_names(animals: Sequence[Poses]) -> list[str]:
    """Return the keypoints that all animals have."""
    return [n for n in animals[0].keypoints if all(n in each.keypoints for each in animals)]


def _sample(poses: Poses, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return positions and confidence of some frames: blocks of adjacent ones, evenly spaced."""
    columns = [poses.keypoints.index(name) for name in names]
    frame = np.arange(len(poses.position))
    every = -(-len(frame) // MAX_SAMPLE)
    rows = frame[(frame // BLOCK) % every == 0]
    return poses.position[rows][:, columns], poses.confidence[rows][:, columns]


def _summarise_animal(name: str, poses: Poses) -> AnimalSummary:
    found = fragments({name: poses})
    longest = round(found.longest_s * poses.fps)
    return AnimalSummary(name, found.covered_fraction, found.n_fragments, longest)


def _summarise_keypoints(
    position: np.ndarray, confidence: np.ndarray, names: Sequence[str], kept: np.ndarray
) -> list[KeypointSummary]:
    found = []
    for k, name in enumerate(names):
        missing = np.isnan(position[:, k]).any(axis=1)
        scores = confidence[~missing, k]
        scores = scores[np.isfinite(scores)]
        quantiles = tuple(map(float, np.quantile(scores, QUANTILES))) if len(scores) else ()
        zeros = (position[:, k] == 0).all(axis=1)
        shares = (float(missing.mean()), float(zeros.mean()))
        found.append(KeypointSummary(name, *shares, quantiles, float(kept[k])))
    return found


def describe(summary: FileSummary) -> list[str]:
    """Return a summary as lines of text."""
    fps = "not in the file" if summary.fps is None else f"{summary.fps:g}"
    last = summary.first_frame + summary.n_frames - 1
    lines = [
        str(summary.path),
        f"  format      {summary.format}{', 3D' if summary.dimensions == 3 else ''}",
        f"  fps         {fps}",
        f"  frames      {summary.n_frames} ({summary.first_frame} to {last})",
    ]
    for animal in summary.animals:
        pieces = "one stretch" if animal.n_fragments == 1 else f"{animal.n_fragments} stretches"
        lines.append(
            f"  animal      {animal.name}: in {animal.tracked:.0%} of the frames, {pieces}, the longest "
            f"{animal.longest} frames"
        )
    width = max(8, *(len(point.name) for point in summary.keypoints))
    lines.append(f"  {'keypoint':{width}}  missing    zero  confidence at 1 %, 10 %, 50 %   kept")
    for point in summary.keypoints:
        scores = "  ".join(f"{value:7.3g}" for value in point.confidence) or "not scored"
        lines.append(
            f"  {point.name:{width}}  {point.missing:7.1%} {point.zeros:7.1%}  {scores:>28} "
            f"{point.kept:7.1%}"
        )
    is_scored = any(point.confidence for point in summary.keypoints)
    return [*lines, *describe_suggestion(summary.suggestion, is_scored)]
