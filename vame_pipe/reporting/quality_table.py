"""The table of the tracking quality: one row per session, animal and keypoint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vame_pipe.core import files
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout
from vame_pipe.core.metadata import (
    AlignedMetadata,
    QualityMetadata,
    WindowsMetadata,
    read_record,
    to_metadata,
)
from vame_pipe.core.quality import KeypointQuality
from vame_pipe.core.scale import SPEEDS, cm_per_unit, speed
from vame_pipe.core.schemas import QUALITY_SCHEMA
from vame_pipe.core.source import QUALITY
from vame_pipe.reporting.recordings import Recording, read_recordings

if TYPE_CHECKING:
    from vame_pipe.config.sections import Qc


@dataclass(frozen=True)
class WindowCount:
    """Windows of one animal of a training session, and those that it does not have.

    Attributes
    ----------
    windows_possible : int
        If every frame were valid and none were held out.
    windows_lost_gaps : int
        Because a frame of them is not valid, or because they lie across a gap.
    windows_lost_split : int
        Because they lie across the border between training and validation.
    windows_train, windows_val : int
    """

    windows_possible: int
    windows_lost_gaps: int
    windows_lost_split: int
    windows_train: int
    windows_val: int


def write_quality_table(
    layout: Layout,
    sessions: list[str],
    settings: Qc,
    px_per_cm: Mapping[str, float],
    excluded: Mapping[str, str],
    groups: Mapping[str, str],
) -> None:
    """Write results/qc.parquet.

    Parameters
    ----------
    layout : Layout
    sessions : list of str
        All that are not excluded by the configuration.
    settings : Qc
    px_per_cm : mapping of str to float
        Scale of each session; empty if it is not known.
    excluded : mapping of str to str
        Why the configuration leaves sessions out.
    groups : mapping of str to str
        Group of each session that has one.

    Raises
    ------
    InputError
        If a file is missing or damaged.
    """
    usable, rejected = _rejections(layout, sessions)
    windows = read_record(WindowsMetadata, layout.windows_folder.frames)
    recordings: dict[str, list[Recording]] = {}
    for recording in read_recordings(layout, usable, settings.warn_valid):
        recordings.setdefault(recording.session, []).append(recording)
    splits = _window_counts(layout)
    aligned: dict[str, str] = {}
    rows: list[dict[str, Any]] = []
    for session in usable:
        meta = read_record(AlignedMetadata, layout.aligned(session))
        aligned[session] = meta.fingerprint
        tracks = _read_tracks(layout.aligned(session), meta)
        for recording in recordings[session]:
            facts = _facts(recording, meta, tracks[recording.individual], px_per_cm.get(session))
            facts["group"] = groups.get(session)
            facts |= _status(recordings[session], windows)
            if recording.use == "train":
                counts = splits.get((session, recording.individual), (0, 0))
                run = tracks[recording.individual]["run"]
                facts |= asdict(count_windows(run, meta, windows, counts))
            rows += [facts | _of_keypoint(n, q) for n, q in recording.quality.keypoints.items()]
    rows += [_left_out(name, "excluded", reason) for name, reason in excluded.items()]
    rows += [_left_out(name, "rejected", reason) for name, reason in rejected.items()]
    record = QualityMetadata(
        settings=settings.model_dump(),
        aligned=aligned,
        px_per_cm=dict(px_per_cm),
        excluded=dict(excluded),
        stage_version=QUALITY,
        groups=dict(groups),
    )
    table = pa.Table.from_pylist(rows, schema=QUALITY_SCHEMA)
    files.write_tables(layout.qc, [table], QUALITY_SCHEMA, to_metadata(record))


def _rejections(layout: Layout, sessions: list[str]) -> tuple[list[str], dict[str, str]]:
    """Return the sessions that could be aligned, and why the others could not."""
    usable, rejected = [], {}
    for session in sessions:
        try:
            read_record(AlignedMetadata, layout.aligned(session))
        except InputError as error:
            prefix = f"session {session}: "
            rejected[session] = " ".join(line.removeprefix(prefix) for line in error.problems)
        else:
            usable.append(session)
    return usable, rejected


def _window_counts(layout: Layout) -> dict[tuple[str, str], tuple[int, int]]:
    """Return the number of training and of validation windows, by session and animal."""
    index = pq.read_table(layout.windows_folder.index, columns=["session", "individual", "split"])
    names = [pc.cast(index[name], pa.string()) for name in index.column_names]
    counted = pa.table(names, names=index.column_names)
    found: dict[tuple[str, str, str], int] = {
        (row["session"], row["individual"], row["split"]): row["session_count"]
        for row in counted.group_by(counted.column_names)
        .aggregate([("session", "count")])
        .to_pylist()
    }
    keys = dict.fromkeys((session, individual) for session, individual, _ in found)
    return {key: (found.get((*key, "train"), 0), found.get((*key, "val"), 0)) for key in keys}


def _read_tracks(path: Path, meta: AlignedMetadata) -> dict[str, dict[str, np.ndarray]]:
    """Return the runs and the speeds of each animal of an aligned session."""
    columns = ["run", *(name for name in SPEEDS if name in meta.features)]
    table = pq.read_table(path, columns=["individual", *columns])
    tracks = {}
    for individual in meta.individuals:
        rows = table.filter(pc.equal(table["individual"], individual))
        tracks[individual] = {name: rows[name].to_numpy() for name in columns}
    return tracks


def count_windows(
    run: np.ndarray, meta: AlignedMetadata, windows: WindowsMetadata, counts: tuple[int, int]
) -> WindowCount:
    """Return how many windows an animal has, and how many it lost and why.

    Parameters
    ----------
    run : numpy.ndarray
        `(n_rows,)` int, number of the unbroken stretch of valid rows, -1 where not valid.
    meta : AlignedMetadata
    windows : WindowsMetadata
    counts : tuple of int
        Training and validation windows.
    """
    length = windows.length + windows.future
    n_recorded = round(len(run) * meta.recorded_fraction)
    possible = max(0, n_recorded - length + 1)
    lengths = np.bincount(run[run >= 0])
    unbroken = int(np.maximum(0, lengths - length + 1).sum())
    lost_split = 0 if meta.session in windows.excluded else unbroken - sum(counts)
    return WindowCount(possible, possible - unbroken, lost_split, *counts)


def _facts(
    recording: Recording,
    meta: AlignedMetadata,
    track: Mapping[str, np.ndarray],
    px_per_cm: float | None,
) -> dict[str, Any]:
    """Return the columns that are the same for all keypoints of an animal."""
    quality = recording.quality
    length = quality.body_length_px
    per_s = _median_speed(track)  # in the unit of the features
    body_lengths = per_s if meta.settings["scale"] else per_s / length
    cm = cm_per_unit(meta, recording.individual, px_per_cm) if px_per_cm else None
    n_rows = round(quality.n_rows * meta.recorded_fraction)
    return {
        "session": recording.session,
        "individual": recording.individual,
        "use": recording.use,
        "flags": "; ".join(recording.flags) or None,
        "minutes": recording.minutes,
        "n_frames": n_rows,
        "n_valid": int((track["run"] >= 0).sum()),
        "valid_fraction": quality.valid_fraction,
        "flipped_fraction": quality.flipped_fraction,
        "n_flips": quality.n_flips,
        "n_flips_repaired": quality.n_flips_repaired,
        "n_jumps": quality.n_jumps,
        "partner_missing": quality.partner_missing,
        "mirrored": recording.mirrored,
        "same_recording": ", ".join(recording.copies) or None,
        "body_length_px": length,
        "body_length_spread": quality.body_length_spread,
        "body_length_ratio": recording.length_ratio,
        "speed": None if np.isnan(per_s) else body_lengths,
        "body_length_cm": length / px_per_cm if px_per_cm else None,
        "speed_cm_s": None if cm is None or np.isnan(per_s) else per_s * cm,
    }


def _status(recordings: Sequence[Recording], windows: WindowsMetadata) -> dict[str, str | None]:
    """Return the columns that tell whether the models learned from a session, and why not."""
    if reason := recordings[0].excluded:
        return {"status": "excluded", "reason": reason}
    if recordings[0].use == "train" and not any(each.n_windows for each in recordings):
        length = windows.length + windows.future
        return {"status": "no windows", "reason": f"no window of {length} valid frames fits."}
    return {"status": "used", "reason": None}


def _median_speed(track: Mapping[str, np.ndarray]) -> float:
    """Return the median speed of the centre; NaN if the recording was aligned without kinematics."""
    found, valid = speed(track), track["run"] >= 0
    return float(np.median(found[valid])) if found is not None and valid.any() else float("nan")


def _of_keypoint(name: str, quality: KeypointQuality) -> dict[str, Any]:
    return {"keypoint": name, **asdict(quality)}


def _left_out(session: str, status: str, reason: str) -> dict[str, Any]:
    return {"session": session, "status": status, "reason": reason}


def animals(table: pa.Table) -> Iterable[dict[str, Any]]:
    """Return one row per session and animal of results/qc.parquet, without the columns of the keypoints."""
    names = [
        n for n in table.column_names if n not in {"keypoint", *KeypointQuality.__annotations__}
    ]
    seen = set()
    for row in table.select(names).to_pylist():
        key = (row["session"], row["individual"])
        if key not in seen:
            seen.add(key)
            yield row
