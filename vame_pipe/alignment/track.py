"""The cleaned movement of one animal, before it is seen from the animal."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from vame_pipe.alignment import body_axis, cleaning, flips, quality
from vame_pipe.alignment.egocentric import Selection, body_lengths, select_keypoints
from vame_pipe.core.errors import InputError
from vame_pipe.core.quality import KeypointQuality, TrackingQuality

if TYPE_CHECKING:
    from vame_pipe.config.sections import Align
    from vame_pipe.poses.contract import Poses


@dataclass(frozen=True)
class Track:
    """The movement of one animal, without what cannot be trusted.

    Attributes
    ----------
    selected : Selection
        The keypoints.
    position : numpy.ndarray
        `(n_rows, n_keypoints, 2 or 3)`, NaN where missing; heights are from the floor.
    heading : numpy.ndarray
        `(n_rows, 2)`: unit vectors, where the animal points; NaN where unknown.
    time_s : numpy.ndarray
        `(n_rows,)` seconds from frame 0 of the video.
    fps : float
        Rows per second.
    quality : TrackingQuality
        Its rows are those before resampling, valid where every keypoint is known.
    warnings : list of str
        What a person should check in the tracking.
    """

    selected: Selection
    position: np.ndarray
    heading: np.ndarray
    time_s: np.ndarray
    fps: float
    quality: TrackingQuality
    warnings: list[str]

    @property
    def body_length(self) -> float:
        """Median length of the body axis, in the unit of the positions."""
        return self.quality.body_length_px


@dataclass(frozen=True)
class Unreliable:
    """Points that cannot be trusted by themselves.

    Attributes
    ----------
    placeholder, low, lost : numpy.ndarray
        `(n_frames, n_keypoints)` bool: values in place of missing points; other points that are below their
        threshold; both of these, and points that are missing in the file.
    thresholds : numpy.ndarray
        `(n_keypoints,)`, the smallest confidence that is used.
    scored : numpy.ndarray
        `(n_keypoints,)` bool: the file has a confidence of any of the points.
    warnings : list of str
        What a person should check.
    """

    placeholder: np.ndarray
    low: np.ndarray
    lost: np.ndarray
    thresholds: np.ndarray
    scored: np.ndarray
    warnings: list[str]


def make_track(
    poses: Poses, settings: Align, keypoints: dict[str, list[str]] | None = None
) -> Track:
    """Return the cleaned movement of one animal.

    Parameters
    ----------
    poses : Poses
        One animal of what `read_poses` returns.
    settings : Align
        The section `align` of the configuration.
    keypoints : dict of str to list of str, optional
        Keypoints to use, each with the names that it can have in the file; None: all of the file.

    Raises
    ------
    InputError
        If a keypoint is missing from the file or never tracked, or if the body axis is unusable.
    """
    selected = select_keypoints(poses, settings, keypoints)
    found, warnings = _clean(selected, settings, poses.fps)
    position, time_s, fps = cleaning.resample(selected.position, poses.fps, settings.fps)
    if settings.smooth_s is not None:
        position = cleaning.smooth(position, round(settings.smooth_s * fps))
    heading = body_axis.line_heading(position, selected.axis)
    if settings.axis == "rigid":
        heading = body_axis.rigid_heading(position, heading)
    time_s = time_s + poses.first_frame / poses.fps
    return Track(selected, position, heading, time_s, fps, found, warnings)


def _clean(selected: Selection, settings: Align, fps: float) -> tuple[TrackingQuality, list[str]]:
    """Remove what cannot be trusted, in place, and fill short gaps; return the quality and warnings."""
    position, ends = selected.position, (selected.centre, selected.forward)
    zero = (position == 0).all(axis=2)
    tracked = np.isfinite(position[..., 0]).any(axis=0)
    found = find_unreliable(selected, settings)
    placeholder, low = found.placeholder, found.low
    position[placeholder | low] = np.nan
    quality.require_tracked(position, selected, tracked, found.thresholds)
    if settings.camera == "below":
        position[..., 1] *= -1
    warnings = found.warnings
    warnings += quality.body_axis_warnings(position, selected, settings)
    length, _ = _body_length(selected, settings)
    flipped = flips.find_flips(position, *ends, fps, length)
    warnings += flips.flip_warnings(flipped, settings)
    n_jumps = quality.count_jumps(position, selected.centre, length)
    swapped = flips.minority(flipped, position, *ends)
    position[swapped] = np.nan
    outlier = np.zeros_like(low)
    if settings.outlier_threshold is not None:
        outlier = cleaning.find_outliers(position, settings.outlier_threshold, fps, length)
        position[outlier] = np.nan
    length, spread = _body_length(selected, settings)
    before = np.isnan(position[..., 0])
    cleaning.fill_gaps(position, int(settings.max_gap_s * fps + 1e-9))
    missing = np.isnan(position[..., 0])
    n_flips, n_repaired = flips.count_flips(swapped, position)
    masks = (placeholder, low, outlier, before & ~missing, missing, zero)
    numbers = np.stack([*(mask.mean(axis=0) for mask in masks), found.thresholds], axis=1)
    quality_of = (KeypointQuality(*row) for row in numbers.tolist())
    keypoints = {
        name: each if scored else replace(each, threshold=None)
        for name, each, scored in zip(selected.names, quality_of, found.scored, strict=True)
    }
    tracking = TrackingQuality(
        n_frames=len(position),
        n_rows=len(position),
        valid_fraction=float(cleaning.known_rows(position).mean()),
        flipped_fraction=float(flipped.mean()),
        n_flips=n_flips,
        n_flips_repaired=n_repaired,
        n_jumps=n_jumps,
        body_length_px=length,
        body_length_spread=spread,
        floor=_stand_on_floor(position, settings),
        keypoints=keypoints,
    )
    return tracking, warnings


def find_unreliable(selected: Selection, settings: Align) -> Unreliable:
    """Find placeholders and points of low confidence."""
    position, confidence, names = selected.position, selected.confidence, selected.names
    placeholder, values = cleaning.find_placeholders(position)
    known = np.isfinite(position[..., 0]) & ~placeholder
    thresholds = cleaning.confidence_thresholds(confidence, known, settings.min_confidence, names)
    low = known & (confidence < thresholds)  # points without a score (NaN) are trusted
    warnings = quality.placeholder_warnings(placeholder, values, names)
    warnings += quality.confidence_warnings(confidence, known, thresholds, names)
    scored = (known & ~np.isnan(confidence)).any(axis=0)
    return Unreliable(placeholder, low, ~known | low, thresholds, scored, warnings)


def _body_length(selected: Selection, settings: Align) -> tuple[float, float]:
    """Return the median length of the body axis, and its range (5 % to 95 %) relative to the median."""
    lengths = body_lengths(selected.position, selected.centre, selected.forward)
    if len(lengths) == 0 or not np.median(lengths) > 0:
        raise InputError(
            f"'{settings.centre}' and '{settings.forward}' are never both above align.min_confidence in "
            "the same frame, or always in the same place, so there is no body axis. Choose other "
            "keypoints for align.centre and align.forward, or lower align.min_confidence."
        )
    short, median, long = np.quantile(lengths, [0.05, 0.5, 0.95])
    return float(np.median(lengths)), float((long - short) / median)


def _stand_on_floor(position: np.ndarray, settings: Align) -> float | None:
    """Measure heights from the floor, in place; return its height, None without a third dimension."""
    if position.shape[2] == 2:
        return None
    floor = cleaning.floor_height(position) if settings.floor == "auto" else settings.floor
    position[..., 2] -= floor
    return floor
