"""From poses in the image to features of the animal's own frame: pure functions of arrays.

Conventions: positions are `(n_frames, n_keypoints, 2)`, pixels, x to the right and y down, NaN where
missing. Seen on the screen, a positive angle turns clockwise, so a positive turning rate is a turn
to the animal's right and a positive lateral speed a move to its right (camera above).

Egocentric alignment follows VAME (Luxem et al. 2022, Communications Biology 5:1267); frames whose
gaps are too long to fill are invalid here instead of being interpolated.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from vame_pipe.alignment.cleaning import fill_gaps, find_outliers, resample, runs, smooth
from vame_pipe.alignment.quality import find_flips, find_placeholders
from vame_pipe.config.sections import Quantile
from vame_pipe.core import files
from vame_pipe.core.errors import InputError
from vame_pipe.core.schemas import (
    INDEX_FIELDS,
    AlignedMetadata,
    AnimalFacts,
    feature_fields,
    index_columns,
    to_metadata,
)
from vame_pipe.core.source import ALIGN
from vame_pipe.poses.contract import Poses
from vame_pipe.poses.readers import missing_keypoints, read_poses

if TYPE_CHECKING:
    from vame_pipe.config.sections import Align, Session

log = logging.getLogger(__name__)

QC = ".qc.json"
MIN_FLIPPED = 0.005
"""Fraction of frames with swapped ends of the body axis above which there is a warning."""
MIN_SPEED = 0.01
"""Body lengths per second added before a logarithm; well below the noise of any tracker."""
FIXED_RATIO = 0.05
"""A keypoint that ranges over less than this share of another's range is fixed in the image."""
MAX_AXIS_SPREAD = 0.8
"""Range of a body's length over its median; 0.3 to 0.5 in tracked mice, 1.2 and more to an object."""


@dataclass(frozen=True)
class Aligned:
    """A recording in the animal's own frame.

    Attributes
    ----------
    features : numpy.ndarray
        `(n_frames, n_features)` float32, NaN where unknown.
    names : list of str
        Names of the features.
    valid : numpy.ndarray
        `(n_frames,)` bool: every feature is known.
    frame : numpy.ndarray
        `(n_frames,)` int64: number of the video frame (the nearest, after resampling).
    time_s : numpy.ndarray
        `(n_frames,)` float64: seconds from frame 0 of the video.
    fps : float
        Rows per second.
    body_length : float
        Median distance from centre to forward, pixels.
    quality : dict
        Tracking quality, per keypoint and for the session.
    """

    features: np.ndarray
    names: list[str]
    valid: np.ndarray
    frame: np.ndarray
    time_s: np.ndarray
    fps: float
    body_length: float
    quality: dict[str, Any]

    @property
    def run(self) -> np.ndarray:
        """`(n_frames,)` int32: number of the unbroken stretch of valid rows, -1 where not valid."""
        starts = self.valid & ~np.concatenate([[False], self.valid[:-1]])
        return np.where(self.valid, np.cumsum(starts) - 1, -1).astype(np.int32)


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
        Of the session.
    source : Session
    settings : Align
    keypoints : dict of str to list of str, optional
        Keypoints to use, each with the names that it may have in the file; default: all of the file.
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
        animals = {
            individual: align(poses, settings, keypoints)
            for individual, poses in read_poses(source.poses, source.fps, source.format).items()
        }
    except InputError as error:
        problems = [f"session {name}: {problem}" for problem in error.problems]
        if not record_failure:
            raise InputError(*problems) from None
        for line in problems:
            log.warning("%s", line)
        write_refusal(name, problems, out, qc)
        return
    write(animals, name, source, settings.model_dump() | {"keypoints": keypoints}, out, qc)
    for individual, aligned in animals.items():
        log.info(
            "session %s, %s: %d of %d frames valid, body length %.1f px",
            *(name, individual, aligned.valid.sum(), len(aligned.valid), aligned.body_length),
        )


def align(poses: Poses, settings: Align, keypoints: dict[str, list[str]] | None = None) -> Aligned:
    """Return one animal's movement in its own frame of reference.

    Parameters
    ----------
    poses : Poses
    settings : Align
    keypoints : dict, optional
        Keypoints to use, each with the names it may have in the file; default: all of the file.

    Raises
    ------
    InputError
        If a keypoint is not in the file, or nothing trustworthy is left of the recording.
    """
    position, confidence, names = select_keypoints(poses, settings, keypoints)
    placeholder, values = find_placeholders(position)
    position[placeholder] = np.nan
    thresholds = confidence_thresholds(confidence, settings.min_confidence)
    low = ~(confidence >= thresholds)
    position[low] = np.nan
    _require_tracked(position, confidence, thresholds, names)
    centre, forward = names.index(settings.centre), names.index(settings.forward)
    _require_body_axis(position, names, centre, forward, settings)
    length = body_length(position, centre, forward)
    if not length > 0:
        raise InputError(
            f"'{settings.centre}' and '{settings.forward}' are never known in the same "
            "frame, or always in the same place, so there is no body axis. Choose other keypoints for "
            "align.centre and align.forward, or lower align.min_confidence."
        )
    flipped = find_flips(position, centre, forward, poses.fps, length)
    _warn_of_faults(settings, names, placeholder, values, flipped)
    outlier = np.zeros_like(low)
    if settings.outlier_threshold is not None:
        outlier = find_outliers(position, settings.outlier_threshold, poses.fps, length)
        position[outlier] = np.nan
        length = body_length(position, centre, forward)
    before = np.isnan(position[..., 0])
    position = fill_gaps(position, int(settings.max_gap_s * poses.fps + 1e-9))
    missing = np.isnan(position[..., 0])
    # QC counts the frames of the recording, before any resampling
    qc = _keypoint_qc(names, placeholder, low & ~placeholder, outlier, before & ~missing, missing)

    position, time_s, fps = resample(position, poses.fps, settings.fps)
    time_s = time_s + poses.first_frame / poses.fps
    if settings.smooth_s is not None:
        position = smooth(position, round(settings.smooth_s * fps))
    unit = length if settings.scale else 1.0
    features, feature_names = _features(position, names, settings, fps, unit, length)
    valid = np.isfinite(features).all(axis=1)
    if not valid.any():
        worst = max(qc, key=lambda name: qc[name]["missing"])
        raise InputError(
            f"no frame has all {len(names)} keypoints ('{worst}' is missing in "
            f"{qc[worst]['missing']:.0%} of them). Leave it out of keypoints, or lower "
            "align.min_confidence or raise align.max_gap_s."
        )
    report = {
        "n_frames": len(confidence),
        "n_rows": len(valid),
        "valid_fraction": float(valid.mean()),
        "flipped_fraction": float(flipped.mean()),
        "fps": fps,
        "body_length_px": length,
        "keypoints": qc,
    }
    frame = np.rint(time_s * poses.fps).astype(np.int64)
    return Aligned(features, feature_names, valid, frame, time_s, fps, length, report)


def select_keypoints(
    poses: Poses, settings: Align, aliases: dict[str, list[str]] | None
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return positions, confidence and names of the keypoints to use."""
    problems = missing_keypoints(list(poses.keypoints), settings, aliases)
    problems += [
        f"align.{key} '{name}' is not in keypoints, which has: {', '.join(aliases)}."
        for key, name in (("centre", settings.centre), ("forward", settings.forward))
        if aliases is not None and name not in aliases
    ]
    aliases = aliases or {name: [name] for name in poses.keypoints}
    if problems:
        raise InputError(*problems)
    columns = [
        next(poses.keypoints.index(a) for a in known if a in poses.keypoints)
        for known in aliases.values()
    ]
    used = [poses.keypoints[c] for c in columns]
    faults = [poses.faults[name] for name in used if name in poses.faults]
    if faults:
        raise InputError(*faults)
    if len(columns) < 2:
        raise InputError(
            f"{poses.source} has one keypoint only ('{poses.keypoints[0]}'); a body "
            "axis needs two on the animal."
        )
    # one contiguous plane a coordinate: everything below walks along the frames, three times as fast
    planes = np.ascontiguousarray(poses.position.transpose(1, 2, 0)[columns])
    return planes.transpose(2, 0, 1), poses.confidence[:, columns], list(aliases)


def body_length(position: np.ndarray, centre: int, forward: int) -> float:
    """Median distance between two keypoints, pixels; NaN if they are never seen together."""
    distance = np.hypot(*(position[:, forward] - position[:, centre]).T)
    distance = distance[np.isfinite(distance)]
    return float(np.median(distance)) if len(distance) else float("nan")


def egocentric(position: np.ndarray, centre: int, forward: int) -> tuple[np.ndarray, np.ndarray]:
    """Put `centre` at the origin and `forward` on the positive x axis, frame by frame.

    Returns
    -------
    ego : numpy.ndarray
        `(n_frames, n_keypoints, 2)`, pixels.
    heading : numpy.ndarray
        `(n_frames, 2)`: unit vector from centre to forward, in the image; NaN where undefined.
    """
    axis = (position[:, forward] - position[:, centre]).T
    length = np.hypot(*axis)
    length[length == 0] = np.nan  # two points in one place have no direction
    cos, sin = axis / length
    ego = np.empty_like(position)
    x0, y0 = position[:, centre].T
    for k in range(position.shape[1]):  # planes of frames, see select_keypoints
        x, y = position[:, k, 0] - x0, position[:, k, 1] - y0
        ego[:, k, 0] = cos * x + sin * y
        ego[:, k, 1] = cos * y - sin * x
    heading = np.stack([cos, sin], axis=1)
    return ego, heading


def difference(values: np.ndarray, fps: float) -> np.ndarray:
    """Rate of change per second along the first axis, NaN-aware.

    Central differences inside a stretch of known values, one-sided ones at its ends; NaN for a value
    that stands alone.
    """
    step = np.full((len(values) + 1, *values.shape[1:]), np.nan)
    step[1:-1] = np.diff(values, axis=0)
    before, after = step[:-1], step[1:]
    rate = (before + after) / 2
    rate = np.where(np.isnan(before), after, rate)
    return np.where(np.isnan(after), before, rate) * fps


def turning(heading: np.ndarray, fps: float) -> np.ndarray:
    """Turning rate in radians per second of unit vectors `(n_frames, 2)`, positive to the right."""
    previous, following = heading[:-1], heading[1:]
    cross = previous[:, 0] * following[:, 1] - previous[:, 1] * following[:, 0]
    angle = np.arctan2(cross, (previous * following).sum(axis=1))
    # angles between neighbours never wrap, so their sum may be differenced like any other value
    known = np.isfinite(angle)
    path = np.concatenate([[0.0], np.cumsum(np.where(known, angle, 0.0))])
    path[np.isnan(heading[:, 0])] = np.nan
    return difference(path, fps)


def kinematics(
    position: np.ndarray,
    ego: np.ndarray,
    heading: np.ndarray,
    centre: int,
    fps: float,
    unit: float,
    floor: float,
) -> tuple[np.ndarray, list[str]]:
    """Return the movement that alignment removes.

    Parameters
    ----------
    position, ego : numpy.ndarray
        `(n_frames, n_keypoints, 2)` pixels, in the image and in the animal's frame.
    heading : numpy.ndarray
        `(n_frames, 2)`, unit vectors.
    centre : int
    fps : float
    unit : float
        Pixels of one unit of length.
    floor : float
        Speed added before a logarithm, units per second.

    Returns
    -------
    values : numpy.ndarray
        `(n_frames, 5)`: forward and lateral speed of the centre, units per second; turning rate,
        radians per second; natural logarithms of the centre's speed and of the mean speed of the
        other keypoints in the animal's frame.
    names : list of str
    """
    velocity = difference(position[:, centre], fps) / unit
    forward = (velocity * heading).sum(axis=1)
    lateral = velocity[:, 1] * heading[:, 0] - velocity[:, 0] * heading[:, 1]
    posture = np.zeros(len(ego))
    others = [k for k in range(ego.shape[1]) if k != centre]
    for k in others:
        posture += np.hypot(*(difference(ego[:, k], fps) / unit).T) / len(others)
    values = [
        forward,
        lateral,
        turning(heading, fps),
        np.log(np.hypot(*velocity.T) + floor),
        np.log(posture + floor),
    ]
    return np.stack(values).T, [
        "speed_forward",
        "speed_lateral",
        "turn_rate",
        "log_speed",
        "log_posture_speed",
    ]


def _features(
    position: np.ndarray, names: list[str], settings: Align, fps: float, unit: float, length: float
) -> tuple[np.ndarray, list[str]]:
    centre, forward = names.index(settings.centre), names.index(settings.forward)
    # a frame that lacks a keypoint is no frame of the animal: no speed is taken across it
    position = position.copy(order="K")
    position[np.isnan(position).any(axis=(1, 2))] = np.nan
    ego, heading = egocentric(position, centre, forward)
    columns, labels = [], []
    for k, name in enumerate(names):
        for axis, letter in enumerate("xy"):
            if k == centre or (k == forward and letter == "y"):
                continue  # zero by construction
            columns.append((ego[:, k, axis] / unit).astype(np.float32))
            labels.append(f"{name}_{letter}")
    if settings.kinematics:
        floor = MIN_SPEED * length / unit
        values, more = kinematics(position, ego, heading, centre, fps, unit, floor)
        columns += list(values.astype(np.float32).T)
        labels += more
    return np.stack(columns).T, labels


def confidence_thresholds(confidence: np.ndarray, min_confidence: float | Quantile) -> np.ndarray:
    """Return the confidence `(n_keypoints,)` below which a point of each keypoint counts as missing.

    Parameters
    ----------
    confidence : numpy.ndarray
        `(n_frames, n_keypoints)`.
    min_confidence : float or Quantile
    """
    if isinstance(min_confidence, Quantile):
        return np.quantile(confidence, min_confidence.quantile, axis=0)
    return np.full(confidence.shape[1], min_confidence)


def _require_tracked(
    position: np.ndarray,
    confidence: np.ndarray,
    thresholds: np.ndarray,
    names: list[str],
) -> None:
    never = [k for k in range(len(names)) if not np.isfinite(position[:, k, 0]).any()]
    if never:
        raise InputError(
            f"no point of {_quoted([names[k] for k in never])} can be used: confidence "
            f"reaches {confidence[:, never].max():.3g} at most, align.min_confidence is "
            f"{thresholds[never].max():.3g}. Leave them out of keypoints, or lower align.min_confidence."
        )


def _require_body_axis(
    position: np.ndarray,
    names: list[str],
    centre: int,
    forward: int,
    settings: Align,
) -> None:
    """Refuse a body axis that ends in an object; warn of other keypoints that never move.

    An animal may turn on one spot, but its length stays much the same, while its distance to an object
    does not.
    """
    sample = position[:: max(1, len(position) // 20_000)]
    if _is_egocentric(sample, centre, forward):
        if settings.kinematics:
            raise InputError(
                f"'{names[centre]}' never moves and '{names[forward]}' always lies in "
                "the same direction from it, as in poses that are egocentric already. Set "
                "align.kinematics to false: they hold no speed and no turning."
            )
        return
    low, high = np.nanquantile(sample, [0.05, 0.95], axis=0)
    extent = np.hypot(*(high - low).T)
    axis = np.hypot(*(sample[:, forward] - sample[:, centre]).T)
    if np.isnan(axis).all():
        return  # they are never known together, which is refused next
    short, median, long = np.nanquantile(axis, [0.05, 0.5, 0.95])
    fixed = [name for name, e in zip(names, extent, strict=True) if e < FIXED_RATIO * extent.max()]
    wrong = [names[k] for k in (centre, forward) if names[k] in fixed]
    if settings.head_fixed:
        return
    if len(wrong) == 2 or (wrong and long - short > MAX_AXIS_SPREAD * median):
        raise InputError(
            f"{_quoted(wrong)} never {_moves(wrong)} while other keypoints do, like an "
            "object or a corner of the arena. A body axis needs two keypoints of the animal: choose "
            "another for align.centre and align.forward. If the animal is held in place, set "
            "align.head_fixed to true."
        )
    if fixed and not wrong:
        log.warning(
            "%s never %s: leave out of keypoints what is an object or a corner of the arena",
            _quoted(fixed),
            _moves(fixed),
        )


def _moves(names: list[str]) -> str:
    return "moves" if len(names) == 1 else "move"


def _is_egocentric(sample: np.ndarray, centre: int, forward: int) -> bool:
    """Return whether the centre never moves and the direction from it to forward never changes."""
    known = sample[np.isfinite(sample[:, [centre, forward]]).all(axis=(1, 2))]
    if len(known) < 2:
        return False
    axis = known[:, forward] - known[:, centre]
    turned = np.abs(axis[:, 0] * axis[0, 1] - axis[:, 1] * axis[0, 0])
    reach = np.square(axis).sum(axis=1).max()
    return bool((np.ptp(known[:, centre], axis=0) < 1e-9).all() and (turned < 1e-6 * reach).all())


def _warn_of_faults(
    settings: Align,
    names: list[str],
    placeholder: np.ndarray,
    values: list[tuple[float, float]],
    flipped: np.ndarray,
) -> None:
    """Log one warning about what was found that no confidence shows."""
    faults = []
    if placeholder.any():
        found = [k for k in range(len(names)) if placeholder[:, k].any()]
        shown = ", ".join(f"({x:g}, {y:g})" for x, y in values[:3])
        faults.append(
            f"{placeholder.sum()} points of {_quoted([names[k] for k in found])} lie at exactly {shown}, "
            "which programs write for a missing point: taken as missing"
        )
    if flipped.mean() > MIN_FLIPPED:
        faults.append(
            f"'{settings.centre}' and '{settings.forward}' seem to be swapped (head for tail) in "
            f"{flipped.mean():.1%} of the frames: look at the tracking"
        )
    if faults:
        log.warning("%s", "; ".join(faults))


def _quoted(names: list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _keypoint_qc(
    names: list[str],
    placeholder: np.ndarray,
    low: np.ndarray,
    outlier: np.ndarray,
    filled: np.ndarray,
    missing: np.ndarray,
) -> dict[str, dict[str, float]]:
    return {
        name: {
            "placeholders": float(placeholder[:, k].mean()),
            "below_confidence": float(low[:, k].mean()),
            "outliers": float(outlier[:, k].mean()),
            "interpolated": float(filled[:, k].mean()),
            "missing": float(missing[:, k].mean()),
        }
        for k, name in enumerate(names)
    }


def write(
    animals: dict[str, Aligned],
    session: str,
    source: Session,
    settings: dict[str, Any],
    out: Path,
    qc: Path,
) -> None:
    """Write results/aligned/{session}.parquet and its quality.

    The fingerprint in the metadata is of the rows and of the settings, so that whatever is made from them is
    made again when they change, for any reason.

    Parameters
    ----------
    animals : dict of str to Aligned
        By individual.
    session : str
    source : Session
        The recording as the configuration names it.
    settings : dict
        The section `align`, and `keypoints`.
    out, qc : Path
    """
    first = next(iter(animals.values()))
    tables = [to_table(aligned, session, name) for name, aligned in animals.items()]
    meta = AlignedMetadata(
        session=session,
        settings=settings,
        features=first.names,
        keypoints=list(first.quality["keypoints"]),
        fps=first.fps,
        individuals={name: facts(aligned) for name, aligned in animals.items()},
        fingerprint=files.fingerprint(
            *(files.table_fingerprint(table) for table in tables), settings, first.names, first.fps
        ),
        poses_digest=files.file_fingerprint(source.poses),
        source=Path(source.poses).name,
        group=source.group,
        metadata=source.metadata,
        stage_version=ALIGN,
    )
    files.write_tables(out, tables, schema(first.names), to_metadata(meta))
    quality = {name: aligned.quality for name, aligned in animals.items()}
    files.write_json(qc, {"session": session, "fps": first.fps, "individuals": quality})


def facts(aligned: Aligned) -> AnimalFacts:
    """Return what later stages need to know of one animal."""
    starts, ends = runs(aligned.valid)
    longest = int((ends - starts).max(initial=0))
    return AnimalFacts(aligned.body_length, aligned.quality["flipped_fraction"], longest)


def write_refusal(session: str, problems: list[str], out: Path, qc: Path) -> None:
    """Write, in place of a recording that cannot be aligned, why not; for windows to stop by.

    Parameters
    ----------
    session : str
    problems : list of str
        One line each.
    out, qc : Path
    """
    files.write_tables(out, [], schema([]), files.metadata(rejected=problems))
    files.write_json(qc, {"session": session, "rejected": problems})


def drop_refusals(folder: Path) -> None:
    """Delete what `write_refusal` wrote to a folder: those recordings are yet to be aligned."""
    for qc in folder.glob(f"*{QC}"):
        if "rejected" in json.loads(qc.read_text(encoding="utf-8")):
            qc.with_name(qc.name.removesuffix(QC) + ".parquet").unlink(missing_ok=True)
            qc.unlink()


def to_table(aligned: Aligned, session: str, individual: str) -> pa.Table:
    """Return one animal's rows of results/aligned/{session}.parquet."""
    row = np.arange(len(aligned.valid))
    index = (row, aligned.frame, aligned.time_s, aligned.run)
    columns = [*index_columns(session, individual, *index), *map(pa.array, aligned.features.T)]
    return pa.Table.from_arrays(columns, schema=schema(aligned.names))


def schema(feature_names: list[str]) -> pa.Schema:
    """Return the columns of results/aligned/{session}.parquet."""
    return pa.schema([*INDEX_FIELDS, *feature_fields(feature_names)])
