"""One keypoint over time, as recorded and as aligned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout
from vame_pipe.core.metadata import AlignedMetadata, read_record
from vame_pipe.poses.parts import PoseSource, read_parts

if TYPE_CHECKING:
    from vame_pipe.config.sections import Session
    from vame_pipe.poses.contract import Poses
    from vame_pipe.reporting.recordings import Recording

EXCERPT_S = 20.0
"""Length of the traces: long enough to see movements, short enough to see frames."""


@dataclass(frozen=True)
class TraceExcerpt:
    """Some seconds of one keypoint.

    Attributes
    ----------
    label : str
        Of the recording.
    keypoint : str
    unit : str
        Of the aligned positions.
    recorded : numpy.ndarray or None
        `(n_frames, 3)`: time (s), x and y (px); None if the pose file does not have it.
    aligned : numpy.ndarray
        `(n_rows, 3)`: time (s), x and y; without y, `(n_rows, 2)`, if the keypoint moves along x only.
    note : str
        Why there is no `recorded`; empty if there is.
    """

    label: str
    keypoint: str
    unit: str
    recorded: np.ndarray | None
    aligned: np.ndarray
    note: str = ""


def pose_sources(sessions: Mapping[str, Session]) -> dict[str, PoseSource]:
    """Return the pose files of each session of the configuration."""
    return {
        name: PoseSource(
            tuple(map(Path, session.files)),
            session.fps,
            session.format,
            None if session.starts_s is None else tuple(session.starts_s),
            None if session.individuals is None else tuple(session.individuals),
        )
        for name, session in sessions.items()
    }


def trace_excerpt(layout: Layout, recording: Recording, source: PoseSource | None) -> TraceExcerpt:
    """Return an excerpt from the middle of a recording, of one keypoint.

    Parameters
    ----------
    layout : Layout
    recording : Recording
    source : PoseSource, optional
        Without it, or if it does not have the keypoint (any more), only the aligned part is returned.
    """
    path = layout.aligned(recording.session)
    meta = read_record(AlignedMetadata, path)
    features = set(meta.features)
    # the centre does not move and forward moves along x only; with two keypoints there is no other
    free = [k for k in meta.keypoints if {f"{k}_x", f"{k}_y"} <= features]
    keypoint = free[0] if free else meta.settings["forward"]
    columns = ["time_s", *(f"{keypoint}_{axis}" for axis in ("xy" if free else "x"))]
    is_animal = pc.field("individual") == recording.individual
    aligned = pq.read_table(path, columns=columns, filters=is_animal).to_pandas().to_numpy()
    start = aligned[len(aligned) // 2, 0] - EXCERPT_S / 2
    aliases = (meta.settings["keypoints"] or {}).get(keypoint, [keypoint])
    recorded, note = None, ""
    try:
        gap_s = meta.settings["max_gap_s"]
        recorded = _cut(_read_recorded(source, gap_s, recording.individual, aliases), start)
    except InputError as error:
        note = str(error)
    return TraceExcerpt(
        label=recording.label,
        keypoint=keypoint,
        unit="body lengths" if meta.settings["scale"] else "px",
        recorded=recorded,
        aligned=_cut(aligned, start),
        note=note,
    )


def read_individual(source: PoseSource | None, min_gap_s: float, individual: str) -> Poses:
    """Return one animal of a recording as it was recorded.

    Its files may have been moved or replaced since they were aligned.

    Parameters
    ----------
    source : PoseSource, optional
        None if it is not known.
    min_gap_s : float
        `align.max_gap_s`, see `read_parts`.
    individual : str

    Raises
    ------
    InputError
        With a few words if they are not there.
    """
    if source is None or not all(path.exists() for path in source.paths):
        raise InputError("pose file not found")
    try:
        animals, _ = read_parts(source, min_gap_s)
    except InputError:
        raise InputError("pose file cannot be read") from None
    if individual not in animals:
        raise InputError("pose file has no animal of this name")
    return animals[individual]


def _read_recorded(
    source: PoseSource | None, min_gap_s: float, individual: str, aliases: list[str]
) -> np.ndarray:
    """Return time, x and y `(n_frames, 3)` of a keypoint in a pose file; see `read_individual`."""
    poses = read_individual(source, min_gap_s, individual)
    found = [i for i, name in enumerate(poses.keypoints) if name in aliases]
    if not found:
        raise InputError("pose file has no such keypoint")
    frame = poses.first_frame + np.arange(len(poses.position))
    return np.column_stack([frame / poses.fps, poses.position[:, found[0], :2]])


def _cut(values: np.ndarray, start: float) -> np.ndarray:
    """Return the rows whose time, the first column, is within the excerpt."""
    time_s = values[:, 0]
    return values[(time_s >= start) & (time_s < start + EXCERPT_S)]
