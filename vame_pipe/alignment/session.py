"""Align the recording of a session: read the poses, compute egocentric features, write them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vame_pipe.alignment import aligned_file, cleaning, egocentric, quality
from vame_pipe.alignment.egocentric import Selection
from vame_pipe.core.errors import InputError
from vame_pipe.core.quality import KeypointQuality, TrackingQuality
from vame_pipe.poses.contract import Poses
from vame_pipe.poses.parts import PoseSource, read_parts

if TYPE_CHECKING:
    from vame_pipe.config.sections import Align, Session

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Aligned:
    """The movement of one animal in egocentric coordinates.

    Attributes
    ----------
    features : numpy.ndarray
        `(n_rows, n_features)` float32, NaN where unknown.
    names : list of str
        Names of the features.
    valid : numpy.ndarray
        `(n_rows,)` bool: every feature is known.
    frame : numpy.ndarray
        `(n_rows,)` int64: number of the video frame (the nearest one after resampling).
    time_s : numpy.ndarray
        `(n_rows,)` float64: seconds from frame 0 of the video.
    fps : float
        Rows per second.
    settings : dict
        Settings that it was aligned with: the section `align`, and `keypoints`.
    quality : TrackingQuality
        Tracking quality, of the animal and of each keypoint.
    warnings : list of str
        What a person should check in the tracking.
    """

    features: np.ndarray
    names: list[str]
    valid: np.ndarray
    frame: np.ndarray
    time_s: np.ndarray
    fps: float
    settings: dict[str, Any]
    quality: TrackingQuality
    warnings: list[str]

    @property
    def run(self) -> np.ndarray:
        """`(n_rows,)` int32: number of the unbroken stretch of valid rows, -1 where invalid."""
        starts = self.valid & ~np.concatenate([[False], self.valid[:-1]])
        return np.where(self.valid, np.cumsum(starts) - 1, -1).astype(np.int32)


@dataclass(frozen=True)
class _Cleaned:
    """Positions of the selected keypoints, without what cannot be trusted.

    Attributes
    ----------
    position : numpy.ndarray
        `(n_frames, n_keypoints, 2)`, pixels; short gaps are filled, other missing points are NaN.
    body_length : float
        Pixels.
    flipped : numpy.ndarray
        `(n_frames,)` bool: the ends of the body axis seem to be swapped.
    keypoints : dict of str to KeypointQuality
    warnings : list of str
    """

    position: np.ndarray
    body_length: float
    flipped: np.ndarray
    keypoints: dict[str, KeypointQuality]
    warnings: list[str]


def align(poses: Poses, settings: Align, keypoints: dict[str, list[str]] | None = None) -> Aligned:
    """Return the movement of one animal in its own frame of reference.

    Points that cannot be trusted are removed and short gaps are filled; then every frame is moved and
    rotated, so that `settings.centre` is at the origin and `settings.forward` on the positive x axis.

    Parameters
    ----------
    poses : Poses
        One animal of what `read_poses` returns.
    settings : Align
        The section `align` of the configuration.
    keypoints : dict of str to list of str, optional
        Keypoints to use, each with the names that it can have in the file; default: all of the file.

    Raises
    ------
    InputError
        If a keypoint is missing from the file, the body axis is unusable or no frame is valid.

    Examples
    --------
    >>> from vame_pipe.config.sections import Align
    >>> from vame_pipe.poses.contract import Poses
    >>> from vame_pipe.poses.simulate import KEYPOINTS, simulate
    >>> position, confidence, _ = simulate(n_frames=300, fps=30, seed=0)
    >>> poses = Poses(position, confidence, KEYPOINTS, fps=30, source="simulated")
    >>> aligned = align(poses, Align(centre="tailbase", forward="nose"))
    >>> aligned.names[:3], aligned.names[-2:]
    (['nose_x', 'left_ear_x', 'left_ear_y'], ['log_speed', 'log_posture_speed'])
    >>> aligned.features.shape, f"{aligned.quality.body_length_px:.0f} pixels"
    ((300, 18), '57 pixels')
    """
    selected = egocentric.select_keypoints(poses, settings, keypoints)
    cleaned = _clean(selected, settings, poses.fps)
    position, time_s, fps = cleaning.resample(cleaned.position, poses.fps, settings.fps)
    time_s = time_s + poses.first_frame / poses.fps
    if settings.smooth_s is not None:
        position = cleaning.smooth(position, round(settings.smooth_s * fps))
    features, names = egocentric.features(position, selected, settings, fps, cleaned.body_length)
    valid = np.isfinite(features).all(axis=1)
    if not valid.any():
        worst, found = max(cleaned.keypoints.items(), key=lambda item: item[1].missing)
        raise InputError(
            f"no frame has all {len(selected.names)} keypoints ('{worst}' is missing in "
            f"{found.missing:.0%} of the frames). Remove it from keypoints, lower align.min_confidence "
            "or raise align.max_gap_s."
        )
    tracking = TrackingQuality(
        n_frames=len(selected.confidence),
        n_rows=len(valid),
        valid_fraction=float(valid.mean()),
        flipped_fraction=float(cleaned.flipped.mean()),
        body_length_px=cleaned.body_length,
        keypoints=cleaned.keypoints,
    )
    frame = np.rint(time_s * poses.fps).astype(np.int64)
    used = settings.model_dump() | {"keypoints": keypoints}
    return Aligned(features, names, valid, frame, time_s, fps, used, tracking, cleaned.warnings)


def _clean(selected: Selection, settings: Align, fps: float) -> _Cleaned:
    """Remove points that cannot be trusted, check the body axis and fill short gaps."""
    position = selected.position  # changed in place: it is a large copy already
    names, centre, forward = selected.names, selected.centre, selected.forward
    placeholder, values = cleaning.find_placeholders(position)
    position[placeholder] = np.nan
    thresholds = cleaning.confidence_thresholds(selected.confidence, settings.min_confidence)
    low = selected.confidence < thresholds  # points without a score (NaN) are trusted
    position[low] = np.nan
    quality.require_tracked(position, selected, thresholds)
    warnings = quality.body_axis_warnings(position, selected, settings)
    length = egocentric.body_length(position, centre, forward)
    if not length > 0:
        raise InputError(
            f"'{settings.centre}' and '{settings.forward}' are never both above align.min_confidence in "
            "the same frame, or always in the same place, so there is no body axis. Choose other "
            "keypoints for align.centre and align.forward, or lower align.min_confidence."
        )
    flipped = quality.find_flips(position, centre, forward, fps, length)
    warnings += quality.placeholder_warnings(placeholder, values, names)
    warnings += quality.flip_warnings(flipped, settings)
    outlier = np.zeros_like(low)
    if settings.outlier_threshold is not None:
        outlier = cleaning.find_outliers(position, settings.outlier_threshold, fps, length)
        position[outlier] = np.nan
        length = egocentric.body_length(position, centre, forward)
    before = np.isnan(position[..., 0])
    position = cleaning.fill_gaps(position, int(settings.max_gap_s * fps + 1e-9))
    missing = np.isnan(position[..., 0])
    masks = (placeholder, low & ~placeholder, outlier, before & ~missing, missing)
    keypoints = {
        name: KeypointQuality(*(float(mask[:, k].mean()) for mask in masks))
        for k, name in enumerate(names)
    }
    return _Cleaned(position, length, flipped, keypoints, warnings)


def align_session(
    name: str,
    source: Session,
    settings: Align,
    keypoints: dict[str, list[str]] | None,
    out: Path,
    qc: Path,
    record_failure: bool = False,
) -> None:
    """Read the poses of a session, align each animal, and write the features and their quality.

    Parameters
    ----------
    name : str
        Name of the session.
    source : Session
        The recording, as in the configuration.
    settings : Align
        The section `align` of the configuration.
    keypoints : dict of str to list of str, optional
        Keypoints to use, each with the names that it can have in the file; None: all of the file.
    out, qc : Path
        results/aligned/{session}.parquet and .qc.json.
    record_failure : bool
        If the recording is unusable, write the reasons instead of raising; `windows` reports them.

    Raises
    ------
    InputError
        If the recording is unusable; every problem names the session.
    """
    starts_s = None if source.starts_s is None else tuple(source.starts_s)
    files = PoseSource(tuple(map(Path, source.files)), source.fps, source.format, starts_s)
    try:
        recorded, parts = read_parts(files, min_gap_s=settings.max_gap_s)
        animals = {
            individual: align(poses, settings, keypoints) for individual, poses in recorded.items()
        }
    except InputError as error:
        problems = [f"session {name}: {problem}" for problem in error.problems]
        if not record_failure:
            raise InputError(*problems) from None
        for line in problems:
            log.warning("%s", line)
        aligned_file.write_rejection(name, problems, out, qc)
        return
    for individual, aligned in animals.items():
        subject = f"session {name}, {individual}" if len(animals) > 1 else f"session {name}"
        for warning in aligned.warnings:
            log.warning("%s: %s", subject, warning)
        n_valid, length = aligned.valid.sum(), aligned.quality.body_length_px
        log.info(
            "%s: %d of %d time steps valid, body length %.1f px",
            *(subject, n_valid, len(aligned.valid), length),
        )
    aligned_file.write(animals, name, source, parts, out, qc)
