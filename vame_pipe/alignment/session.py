"""Align the recording of a session: read the poses, compute egocentric features, write them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from vame_pipe.alignment import aligned_file, egocentric, social
from vame_pipe.alignment.recorded import read_recorded
from vame_pipe.alignment.track import Track, make_track
from vame_pipe.core.errors import LEAVE_OUT, InputError, listing
from vame_pipe.core.quality import SessionQuality, TrackingQuality
from vame_pipe.core.quality import write as write_quality
from vame_pipe.poses.contract import Poses
from vame_pipe.poses.fragments import fragments

if TYPE_CHECKING:
    from vame_pipe.config.sections import Align, Session

log = logging.getLogger(__name__)

Made = TypeVar("Made")


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


def align(poses: Poses, settings: Align, keypoints: dict[str, list[str]] | None = None) -> Aligned:
    """Return the movement of one animal in its own frame of reference.

    Points that cannot be trusted are removed and short gaps are filled; then every frame is moved and
    rotated, so that `settings.centre` is at the origin and the animal looks along the positive x axis.

    Parameters
    ----------
    poses : Poses
        One animal of what `read_poses` returns.
    settings : Align
        The section `align` of the configuration; `social` needs `align_animals`.
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
    ((300, 18), '59 pixels')
    """
    return align_animals({poses.individual: poses}, settings, keypoints)[poses.individual]


def align_animals(
    animals: dict[str, Poses], settings: Align, keypoints: dict[str, list[str]] | None = None
) -> dict[str, Aligned]:
    """Return the movement of each animal of a recording in its own frame of reference, as `align` does.

    Parameters
    ----------
    animals : dict of str to Poses
        What `read_poses` returns.
    settings : Align
        The section `align` of the configuration. With `social`, there are features of the partner.
    keypoints : dict of str to list of str, optional
        Keypoints to use, each with the names that it can have in the file; default: all of the file.

    Raises
    ------
    InputError
        If an animal cannot be aligned, if animals have different keypoints, or if there is no partner for
        `social`.
    """
    if keypoints is None:
        _require_same_keypoints(animals)
    if not settings.social:  # one after the other: the tracks of all animals need much memory
        return _each(
            animals,
            lambda poses: _finish(
                make_track(poses, settings, keypoints), poses.fps, settings, keypoints
            ),
        )
    tracks = _each(animals, lambda poses: make_track(poses, settings, keypoints))
    social.require_partners(tracks, settings.partner)
    aligned = {}
    for name, track in tracks.items():
        others = social.partners(name, tracks, settings.partner)
        aligned[name] = _finish(track, animals[name].fps, settings, keypoints, others)
    if not any(animal.valid.any() for animal in aligned.values()):
        raise InputError(
            "no frame has all keypoints of one animal and those of another that align.social needs. Set "
            "align.social to false."
        )
    return aligned


def _require_same_keypoints(animals: dict[str, Poses]) -> None:
    """Raise InputError unless all animals have the same keypoints, which is so if they are set."""
    names = [poses.keypoints for poses in animals.values()]
    if len(set(names)) > 1:
        shared = [name for name in names[0] if all(name in each for each in names)]
        raise InputError(
            f"the animals {listing(list(animals))} have different keypoints. Set keypoints to those "
            f"that all of them have: {listing(shared, limit=12) or 'there are none'}."
        )


def _each(animals: dict[str, Poses], make: Callable[[Poses], Made]) -> dict[str, Made]:
    """Return what is made of each animal; raise InputError with the problems of all, by animal."""
    made, problems = {}, []
    for name, poses in animals.items():
        try:
            made[name] = make(poses)
        except InputError as error:
            problems += [f"{name}: {p}" if len(animals) > 1 else p for p in error.problems]
    if problems:
        raise InputError(*problems)
    return made


def _finish(
    track: Track,
    fps: float,
    settings: Align,
    keypoints: dict[str, list[str]] | None,
    others: list[Track] | None = None,
) -> Aligned:
    """Return the features of an animal, with those of its partner if there are others."""
    features, names = egocentric.features(track, settings)
    own = np.isfinite(features).all(axis=1)
    if not own.any():
        worst, found = max(track.quality.keypoints.items(), key=lambda item: item[1].missing)
        raise InputError(
            f"no frame has all {len(track.selected.names)} keypoints ('{worst}' is missing in "
            f"{found.missing:.0%} of the frames). Remove it from keypoints, lower align.min_confidence "
            "or raise align.max_gap_s."
        )
    valid = own
    if others:
        seen = social.features(track, others, settings.scale).astype(np.float32)
        features, names = np.hstack([features, seen]), [*names, *social.NAMES]
        valid = own & np.isfinite(seen).all(axis=1)
    used = settings.model_dump() | {"keypoints": keypoints}
    return Aligned(
        features=features,
        names=names,
        valid=valid,
        frame=np.rint(track.time_s * fps).astype(np.int64),
        time_s=track.time_s,
        fps=track.fps,
        settings=used,
        quality=replace(
            track.quality,
            n_rows=len(valid),
            valid_fraction=float(valid.mean()),
            partner_missing=float((own & ~valid).mean()),
        ),
        warnings=track.warnings,
    )


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
    try:
        recorded, parts = read_recorded(source, settings.max_gap_s)
        if source.individuals is None:
            animals, left_out = align_usable(recorded, settings, keypoints)
        else:
            animals, left_out = align_animals(recorded, settings, keypoints), {}
    except InputError as error:
        problems = [f"session {name}: {problem}" for problem in error.problems]
        if not record_failure:
            raise InputError(*problems) from None
        way_out = f'{LEAVE_OUT} (session {name}: exclude: "...")'
        problems = [f"{line} {way_out}" for line in problems]
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
    for individual, reason in left_out.items():
        log.warning("session %s: %s is left out: %s", name, individual, reason)
    source_fps = next(iter(recorded.values())).fps
    aligned_file.write(animals, name, source, source_fps, parts, out)
    tracking = {individual: aligned.quality for individual, aligned in animals.items()}
    fps = next(iter(animals.values())).fps
    pieces = fragments(recorded, sum(part.n_frames for part in parts))
    write_quality(SessionQuality(name, fps, tracking, left_out, pieces), qc)


def align_usable(
    recorded: dict[str, Poses], settings: Align, keypoints: dict[str, list[str]] | None
) -> tuple[dict[str, Aligned], dict[str, str]]:
    """Return the animals that can be aligned, and why others of the recording cannot.

    Parameters
    ----------
    recorded : dict of str to Poses
        All animals of the recording.
    settings, keypoints
        As for `align_animals`.

    Raises
    ------
    InputError
        If no animal can be aligned, or none that could be the partner of another for `social`.
    """
    try:
        return align_animals(recorded, settings, keypoints), {}
    except InputError:
        if len(recorded) == 1:
            raise
        left_out = {}
        alone = settings.model_copy(update={"social": False})
        for name, poses in recorded.items():
            try:
                align_animals({name: poses}, alone, keypoints)
            except InputError as error:
                left_out[name] = " ".join(error.problems)
        n_needed = 2 if settings.social else 1
        no_partner = settings.partner in left_out
        if not left_out or no_partner or len(recorded) - len(left_out) < n_needed:
            raise
    usable = {name: poses for name, poses in recorded.items() if name not in left_out}
    return align_animals(usable, settings, keypoints), left_out
