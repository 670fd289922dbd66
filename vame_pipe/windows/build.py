"""Build the training windows: an index into the valid frames of all training sessions."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vame_pipe.core import files, quality
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import WindowsFolder
from vame_pipe.core.metadata import AlignedMetadata, WindowsMetadata, read_record, to_metadata
from vame_pipe.core.schemas import INDEX_FIELDS, SPLITS, WINDOW_SCHEMA, feature_fields
from vame_pipe.core.source import WINDOWS
from vame_pipe.windows.consistency import compare_sessions
from vame_pipe.windows.data import feature_weights, read_valid_rows, window_starts
from vame_pipe.windows.exclusion import leave_out
from vame_pipe.windows.split import (
    draw_sessions,
    min_splittable,
    run_lengths,
    segments,
    split_rows,
    valid_steps,
)

if TYPE_CHECKING:
    from vame_pipe.config.sections import Windows

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SessionWindows:
    """The windows of one session, as int32: those of all sessions are in memory at the same time.

    Attributes
    ----------
    path : Path
        results/aligned/{session}.parquet.
    name : str
    position : numpy.ndarray
        `(n_valid,)`, index of each valid row in the file.
    starts : list of numpy.ndarray
        For each split `(n_windows,)`, the first row of its windows, counted over the valid rows.
    """

    path: Path
    name: str
    position: np.ndarray
    starts: list[np.ndarray]


def n_frames_for(seconds: float, fps: float) -> int:
    """Return a duration as a number of frames.

    Examples
    --------
    >>> n_frames_for(0.5, 30)
    15
    """
    return round(seconds * fps)


def build(
    aligned: list[Path], settings: Windows, out: Path, min_valid: float | None = None
) -> None:
    """Write frames.parquet, windows.parquet and session_faults.json of the training sessions.

    Parameters
    ----------
    aligned : list of Path
        results/aligned/{session}.parquet.
    settings : Windows
    out : Path
        Output folder.
    min_valid : float, optional
        `qc.min_valid`: sessions with a smaller fraction of valid frames are left out.

    Raises
    ------
    InputError
        If a recording could not be aligned, if features, frame rates or settings of sessions differ, or if
        there are no windows for training or for validation.
    """
    metas = _read_metas(aligned)
    _require_same(aligned, metas)
    excluded = leave_out(aligned, metas, min_valid)
    kept = [meta.session not in excluded for meta in metas]
    aligned, metas = list(compress(aligned, kept)), list(compress(metas, kept))
    features, fps = metas[0].features, metas[0].fps
    length, future = n_frames_for(settings.length_s, fps), n_frames_for(settings.future_s, fps)
    window = length + future
    log.info("window: %d frames to encode and %d to predict, at %g fps", length, future, fps)

    sessions = _draw_windows(aligned, metas, window, settings)
    _require_windows(sessions, metas, window)
    mean, deviation = _normaliser(sessions, features, window)
    std = deviation / np.sqrt(feature_weights(features, settings.balance))
    record = WindowsMetadata(
        settings=settings.model_dump(),
        align=metas[0].settings,
        features=features,
        keypoints=metas[0].keypoints,
        aligned={meta.session: meta.fingerprint for meta in metas},
        fps=fps,
        length=length,
        future=future,
        mean=mean.astype(np.float32).tolist(),
        std=std.astype(np.float32).tolist(),
        stage_version=WINDOWS,
        body_lengths=[a.body_length_px for meta in metas for a in meta.individuals.values()],
        source_rates=sorted({meta.source_fps for meta in metas}),
        min_valid=min_valid,
        excluded=excluded,
    )
    faults = compare_sessions(aligned, metas)
    _write(sessions, record, WindowsFolder(out))
    quality.write(faults, WindowsFolder(out).session_faults)


def _read_metas(aligned: list[Path]) -> list[AlignedMetadata]:
    """Return the metadata of sessions; raise InputError with the reasons of all that were rejected."""
    metas, problems = [], []
    for path in aligned:
        try:
            metas.append(read_record(AlignedMetadata, path))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(*problems)
    return metas


def _require_same(aligned: list[Path], metas: list[AlignedMetadata]) -> None:
    """Raise InputError unless all sessions have the same features, frame rate and settings."""
    problems = []
    first = metas[0]
    for path, meta in zip(aligned, metas, strict=True):
        session, other = meta.session, first.session
        different = set(meta.features) ^ set(first.features)
        if _is_3d(meta) != _is_3d(first):
            solid, flat = (session, other) if _is_3d(meta) else (other, session)
            problems.append(
                f"session {solid}: is 3D, but session {flat} is 2D, and models learn from one kind. Make a "
                f'configuration for each kind, or leave one of them out (exclude: "...").'
            )
        elif different:
            problems.append(
                f"session {session}: has different features than session {other}, they differ in "
                f"{', '.join(sorted(different))}. Set keypoints to those that all sessions have (as NAME: "
                "[names in the files] if the files name them differently)."
            )
        if meta.fps != first.fps:
            problems.append(
                f"session {session}: has {meta.fps:g} fps, session {other} has {first.fps:g}. Set "
                "align.fps, to resample all sessions to one frame rate."
            )
        if meta.settings != first.settings:
            problems.append(
                f"session {session}: was aligned with different settings than session {other}. Delete "
                f"{path} and run again."
            )
    if problems:
        raise InputError(*problems)


def _is_3d(meta: AlignedMetadata) -> bool:
    return any(f"{name}_z" in meta.features for name in meta.keypoints)


def _draw_windows(
    aligned: list[Path], metas: list[AlignedMetadata], window: int, settings: Windows
) -> list[SessionWindows]:
    """Return the windows of each session, split into training and validation."""
    sessions, short = [], []
    for path, meta in zip(aligned, metas, strict=True):
        session, valid = meta.session, read_valid_rows(path)
        # a seed per session: adding a session does not change the split of the others
        rng = np.random.default_rng([settings.seed, *session.encode()])
        split = split_rows(valid.row, window, settings.val_fraction, rng)
        starts = [
            window_starts(segments(valid.run, split, split_id), window).astype(np.int32)
            for split_id in range(len(SPLITS))
        ]
        sessions.append(SessionWindows(path, session, valid.position.astype(np.int32), starts))
        longest = int(np.bincount(valid.run).max(initial=0))
        # the session is split in time, so what counts is the time in which any of its animals is valid
        longest_of_any = int(run_lengths(valid_steps(valid.row)).max(initial=0))
        if longest < window:
            log.warning(
                "session %s has no windows and is not used: its longest run has %d valid frames, a window "
                "needs %d",
                *(session, longest, window),
            )
        elif longest_of_any < min_splittable(window):
            short.append(session)
    _hold_out_short(sessions, short, settings)
    for each in sessions:
        n_train, n_val = map(len, each.starts)
        log.info("session %s: %d training and %d validation windows", each.name, n_train, n_val)
    return sessions


def _hold_out_short(sessions: list[SessionWindows], short: list[str], settings: Windows) -> None:
    """Use some of the sessions that are too short for a validation block for validation only.

    Parameters
    ----------
    sessions : list of SessionWindows
        Their windows are changed in place.
    short : list of str
        Sessions whose windows are all training windows so far, because they are too short to be split.
    settings : Windows
    """
    others = [session.starts for session in sessions if session.name not in short]
    has_train, has_val = (any(len(split[i]) for split in others) for i in range(len(SPLITS)))
    by_name = {session.name: session for session in sessions}
    for name in draw_sessions(short, settings.val_fraction, settings.seed, has_train, has_val):
        by_name[name].starts.reverse()
        log.info("session %s is too short to be split: all of it is used for validation", name)


def _require_windows(
    sessions: list[SessionWindows], metas: list[AlignedMetadata], window: int
) -> None:
    """Raise InputError unless there are windows of both splits."""
    longest = max(meta.longest_run for meta in metas)
    found = (
        f"a window takes {window} frames ({window / metas[0].fps:.2f} s: windows.length_s + "
        f"windows.future_s), the longest run of valid frames in any session is {longest}"
    )
    splits = zip(*(session.starts for session in sessions), strict=True)
    counts = [sum(map(len, of_split)) for of_split in splits]
    if not any(counts):
        where = "the only session" if len(metas) == 1 else f"any of the {len(metas)} sessions"
        raise InputError(
            f"windows: no window in {where}: {found}. Shorten the window, raise align.max_gap_s, lower "
            "align.min_confidence, or remove badly tracked keypoints."
        )
    for name, count in zip(("training", "validation"), counts, strict=True):
        if not count:
            raise InputError(
                f"windows: no {name} window: {found}, and a validation block with its guard frames and a "
                f"training window needs {min_splittable(window)}. Add longer recordings or shorten the "
                "window."
            )


def _normaliser(
    sessions: list[SessionWindows], features: list[str], window: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation `(n_features,)` of the frames that training windows cover.

    The moments are taken of one feature of one session at a time, and pooled over sessions: variance within
    sessions plus variance between them.
    """
    counts, means, variances = [], [], []
    for session in sessions:
        covered = _covered(session, window)
        if len(covered):
            path = session.path
            columns = (pq.read_table(path, columns=[n])[n].to_numpy()[covered] for n in features)
            moments = [(c.mean(dtype=np.float64), c.var(dtype=np.float64)) for c in columns]
            counts.append(len(covered))
            means.append([mean for mean, _ in moments])
            variances.append([variance for _, variance in moments])
    mean = np.average(means, axis=0, weights=counts)
    std = np.sqrt(np.average(variances + np.square(means - mean), axis=0, weights=counts))
    constant = [name for name, s in zip(features, std, strict=True) if not s > 1e-9]
    if constant:
        one = len(constant) == 1
        raise InputError(
            f"windows: {', '.join(constant)} {'is' if one else 'are'} constant in the training frames, so "
            f"nothing can be learned from {'it' if one else 'them'}. Remove the "
            f"{'keypoint' if one else 'keypoints'} from keypoints."
        )
    return mean, std


def _covered(session: SessionWindows, window: int) -> np.ndarray:
    """Return the rows of an aligned session that its training windows cover."""
    train = session.starts[SPLITS.index("train")]
    steps = np.zeros(len(session.position) + 1, dtype=np.int64)
    np.add.at(steps, train, 1)
    np.add.at(steps, train + window, -1)
    covered: np.ndarray = session.position[np.cumsum(steps[:-1]) > 0]
    return covered


def _write(sessions: list[SessionWindows], record: WindowsMetadata, out: WindowsFolder) -> None:
    """Write frames.parquet and windows.parquet."""
    meta = to_metadata(record)
    # one row group per session; one per run would double the size for fragmented recordings
    schema = pa.schema([*INDEX_FIELDS, *feature_fields(record.features)])
    tables = (_rows(session.path, session.position, schema) for session in sessions)
    files.write_tables(out.frames, tables, schema, meta)
    files.write_tables(out.index, _index_tables(sessions), WINDOW_SCHEMA, meta)


def _rows(path: Path, position: np.ndarray, schema: pa.Schema) -> pa.Table:
    """Return columns of some rows of a session."""
    return pq.read_table(path, columns=schema.names).take(pa.array(position)).cast(schema)


def _index_tables(sessions: list[SessionWindows]) -> Iterator[pa.Table]:
    """Yield the window index of each session."""
    offset = 0
    for session in sessions:
        first = np.concatenate(session.starts)
        n_windows = [len(starts) for starts in session.starts]
        split = np.repeat(np.arange(len(SPLITS), dtype=np.int32), n_windows)
        order = np.argsort(first, kind="stable")
        position = session.position[first[order]]
        columns = [
            *_rows(session.path, position, pa.schema(INDEX_FIELDS[:3])).columns,
            pa.array(first[order] + np.int64(offset)),
            pa.DictionaryArray.from_arrays(split[order], list(SPLITS)),
        ]
        yield pa.Table.from_arrays(columns, schema=WINDOW_SCHEMA)
        offset += len(session.position)
