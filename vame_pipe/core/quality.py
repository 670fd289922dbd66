"""Tracking quality of sessions, and faults that show when sessions are compared: records and files."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vame_pipe.core import files
from vame_pipe.core.errors import InputError


@dataclass(frozen=True)
class KeypointQuality:
    """How well one keypoint was tracked, as fractions of the frames of the recording.

    Attributes
    ----------
    placeholders : float
        Values that a program wrote for a missing point.
    below_confidence : float
        Other points below the confidence threshold.
    outliers : float
        Jumps away from the path.
    interpolated : float
        Frames of short gaps, which were filled.
    missing : float
        Frames that stay missing.
    exact_zeros : float
        Points at exactly zero, with the placeholders among them.
    threshold : float or None
        Confidence below which points count as missing; None if the file has no confidence of the keypoint.
    """

    placeholders: float
    below_confidence: float
    outliers: float
    interpolated: float
    missing: float
    exact_zeros: float
    threshold: float | None


@dataclass(frozen=True)
class TrackingQuality:
    """How well one animal was tracked in a recording.

    Attributes
    ----------
    n_frames : int
        Frames of the recording.
    n_rows : int
        Time steps after resampling.
    valid_fraction : float
        Fraction of the time steps in which every feature is known.
    flipped_fraction : float
        Fraction of the frames in which the ends of the body axis seem to be swapped.
    n_flips, n_flips_repaired : int
        Stretches in which they are, unlike in most frames; of these, those that were interpolated.
    n_jumps : int
        Frames in which the centre is more than a body length from where it was in the frame before.
    body_length_px : float
        Median distance between both ends of the body axis, pixels (3D: in the unit of the file).
    body_length_spread : float
        Range of that distance, from 5 % to 95 % of the frames, divided by the median.
    floor : float or None
        Height of the floor in the file, from which heights are measured; None in two dimensions.
    keypoints : dict of str to KeypointQuality
    partner_missing : float
        Fraction of the time steps that are not valid only because no partner is known (`align.social`).
    """

    n_frames: int
    n_rows: int
    valid_fraction: float
    flipped_fraction: float
    n_flips: int
    n_flips_repaired: int
    n_jumps: int
    body_length_px: float
    body_length_spread: float
    floor: float | None
    keypoints: dict[str, KeypointQuality]
    partner_missing: float = 0.0


@dataclass(frozen=True)
class Fragments:
    """How the animals of a recording were tracked over time.

    Attributes
    ----------
    n_fragments : int
        Unbroken stretches of frames in which an animal has any point, of all animals.
    longest_s : float
        Length of the longest of them, seconds.
    covered_fraction : float
        Fraction of the frames in which the camera ran, in which at least one animal has a point.
    """

    n_fragments: int
    longest_s: float
    covered_fraction: float


@dataclass(frozen=True)
class SessionQuality:
    """Tracking quality of a session, as in results/aligned/{session}.qc.json.

    Attributes
    ----------
    session : str
    fps : float
        Rows per second.
    individuals : dict of str to TrackingQuality
    left_out : dict of str to str
        Animals of the pose file that cannot be aligned, while others can, and why.
    fragments : Fragments, optional
        In how many pieces the animals were tracked.
    """

    session: str
    fps: float
    individuals: dict[str, TrackingQuality]
    left_out: dict[str, str] = field(default_factory=dict)
    fragments: Fragments | None = None


@dataclass(frozen=True)
class SessionFaults:
    """Faults found by comparing the training sessions, as in session_faults.json.

    Attributes
    ----------
    mirrored : list of str
        Sessions in which left and right are swapped, compared with the others.
    same_recording : list of list of str
        Groups of two or more sessions that hold the same recording.
    """

    mirrored: list[str]
    same_recording: list[list[str]]


def write(record: SessionQuality | SessionFaults, path: Path) -> None:
    """Write a record as JSON, atomically."""
    files.write_json(path, dataclasses.asdict(record))


def read_quality(path: Path) -> SessionQuality:
    """Return the tracking quality of a session.

    Raises
    ------
    InputError
        If the file is damaged or of another version. For a recording that could not be aligned: the
        reasons, one line each.
    """
    content = _read(path)
    if "rejected" in content:
        raise InputError(*content["rejected"])
    try:
        animals = {name: _tracking(animal) for name, animal in content["individuals"].items()}
        pieces = content.get("fragments")
        fragments = None if pieces is None else Fragments(**pieces)
        return SessionQuality(**content | {"individuals": animals, "fragments": fragments})
    except (AttributeError, KeyError, TypeError):
        raise _wrong_file(path) from None


def read_faults(path: Path) -> SessionFaults:
    """Return the faults of the training sessions.

    Raises
    ------
    InputError
        If the file is damaged or of another version.
    """
    try:
        return SessionFaults(**_read(path))
    except TypeError:
        raise _wrong_file(path) from None


def _tracking(content: dict[str, Any]) -> TrackingQuality:
    keypoints = {name: KeypointQuality(**found) for name, found in content["keypoints"].items()}
    return TrackingQuality(**content | {"keypoints": keypoints})


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise _wrong_file(path) from None
    if not isinstance(content, dict):
        raise _wrong_file(path)
    return content


def _wrong_file(path: Path) -> InputError:
    return InputError(
        f"{path}: cannot be read; it is damaged or of another version of vame_pipe. Delete it and run the "
        "workflow again."
    )
