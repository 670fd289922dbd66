"""Build the training windows: an index into the valid frames of all training sessions."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vame_pipe.core import files, layout
from vame_pipe.core.errors import InputError
from vame_pipe.core.schemas import (
    INDEX_FIELDS,
    SPLITS,
    WINDOW_SCHEMA,
    AlignedMetadata,
    WindowsMetadata,
    feature_fields,
    read_record,
    to_metadata,
)
from vame_pipe.core.source import WINDOWS
from vame_pipe.windows.consistency import compare_sessions
from vame_pipe.windows.data import read_valid_rows, window_starts
from vame_pipe.windows.split import (
    draw_sessions,
    min_splittable,
    run_lengths,
    segments,
    split_rows,
)

if TYPE_CHECKING:
    from vame_pipe.config.sections import Windows

log = logging.getLogger(__name__)


def n_frames_for(seconds: float, fps: float) -> int:
    """Return a duration as a number of frames."""
    return round(seconds * fps)


def build(aligned: list[Path], settings: Windows, out: Path) -> None:
    """Write frames.parquet, windows.parquet and session_faults.json of the training sessions.

    Parameters
    ----------
    aligned : list of Path
        results/aligned/{session}.parquet of each.
    settings : Windows
    out : Path
        Folder to write to.

    Raises
    ------
    InputError
        If a recording could not be aligned, features, fps or settings disagree, or there is no window for
        training or validation.
    """
    metas = _read_metas(aligned)
    features, fps = _require_same(aligned, metas)
    length, future = n_frames_for(settings.length_s, fps), n_frames_for(settings.future_s, fps)
    window = length + future
    log.info("window: %d frames to encode and %d to predict, at %g fps", length, future, fps)

    starts = _draw_windows(aligned, window, settings)
    _require_windows(starts, metas, window, fps)
    mean, std = _normaliser(aligned, starts, features, window)

    meta = to_metadata(
        WindowsMetadata(
            settings=settings.model_dump(),
            align=metas[0].settings,
            features=features,
            keypoints=metas[0].keypoints,
            sessions=[path.stem for path in aligned],
            fps=fps,
            length=length,
            future=future,
            mean=mean.tolist(),
            std=std.tolist(),
            stage_version=WINDOWS,
        )
    )
    faults = compare_sessions(aligned, metas)
    # one row group per session; one per run would double the file size of fragmented recordings
    schema = pa.schema([*INDEX_FIELDS, *feature_fields(features)])
    tables = (_valid_table(path, schema) for path in aligned)
    files.write_tables(layout.frames(out), tables, schema, meta)
    index = _index_tables(aligned, starts)
    files.write_tables(layout.window_index(out), index, WINDOW_SCHEMA, meta)
    files.write_json(layout.session_faults(out), faults)


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


def _require_same(aligned: list[Path], metas: list[AlignedMetadata]) -> tuple[list[str], float]:
    problems = []
    first = metas[0]
    for path, meta in zip(aligned, metas, strict=True):
        if set(meta.features) != set(first.features):
            different = set(meta.features) ^ set(first.features)
            problems.append(
                f"session {path.stem}: its features differ from those of {aligned[0].stem} in "
                f"{', '.join(sorted(different))}. Set keypoints to those that all sessions have (as NAME: "
                "[names in the files] if the files name them differently)."
            )
        if meta.fps != first.fps:
            problems.append(
                f"session {path.stem}: {meta.fps:g} fps, {aligned[0].stem} has {first.fps:g}. "
                "Set align.fps."
            )
        if meta.settings != first.settings:
            problems.append(
                f"session {path.stem}: was aligned with other settings than {aligned[0].stem}. Delete "
                f"{path} and run again."
            )
    if problems:
        raise InputError(*problems)
    return first.features, first.fps


def _draw_windows(aligned: list[Path], window: int, settings: Windows) -> list[list[np.ndarray]]:
    """Return, for each session, the first valid row of its windows of each split."""
    starts: dict[str, list[np.ndarray]] = {}
    short = []
    for path in aligned:
        session, valid = path.stem, read_valid_rows(path)
        # a seed of its own: adding a session does not change the split of the others
        rng = np.random.default_rng([settings.seed, *session.encode()])
        split = split_rows(valid.row, window, settings.val_fraction, rng)
        # int32: the starts of all sessions are held at the same time
        starts[session] = [
            window_starts(segments(valid.run, split, value), window).astype(np.int32)
            for value in range(len(SPLITS))
        ]
        longest = int(np.bincount(valid.run).max(initial=0))
        longest_of_any = int(run_lengths(np.unique(valid.row)).max(initial=0))
        if longest < window:
            log.warning(
                "session %s has no window: its longest run of valid frames is %d, a window takes %d",
                *(session, longest, window),
            )
        elif longest_of_any < min_splittable(window):
            short.append(session)
    others = [split for session, split in starts.items() if session not in short]
    has_train, has_val = (any(len(split[i]) for split in others) for i in range(len(SPLITS)))
    for session in draw_sessions(short, settings.val_fraction, settings.seed, has_train, has_val):
        starts[session].reverse()
        log.info("session %s is too short for a validation block: all of it is validation", session)
    for session, of_session in starts.items():
        log.info(
            "session %s: %d training and %d validation windows", session, *map(len, of_session)
        )
    return list(starts.values())


def _valid_table(path: Path, schema: pa.Schema) -> pa.Table:
    """Return a session's valid frames."""
    positions = pa.array(read_valid_rows(path).position)
    return pq.read_table(path, columns=schema.names).take(positions).cast(schema)


def _index_tables(aligned: list[Path], starts: list[list[np.ndarray]]) -> Iterator[pa.Table]:
    """Yield the windows of each session."""
    offset = 0
    for path, of_splits in zip(aligned, starts, strict=True):
        first = np.concatenate(of_splits)
        split = np.repeat(np.arange(len(SPLITS), dtype=np.int32), [len(s) for s in of_splits])
        order = np.argsort(first, kind="stable")
        frames = _valid_table(path, pa.schema(INDEX_FIELDS[:3]))
        columns = [
            *frames.take(pa.array(first[order])).columns,
            pa.array(first[order] + np.int64(offset)),
            pa.DictionaryArray.from_arrays(split[order], list(SPLITS)),
        ]
        yield pa.Table.from_arrays(columns, schema=WINDOW_SCHEMA)
        offset += len(frames)


def _require_windows(
    starts: list[list[np.ndarray]], metas: list[AlignedMetadata], window: int, fps: float
) -> None:
    longest = max(meta.longest_run for meta in metas)
    found = (
        f"a window takes {window} frames ({window / fps:.2f} s: windows.length_s + windows.future_s), the "
        f"longest run of valid frames in any session is {longest}"
    )
    counts = [sum(map(len, of_split)) for of_split in zip(*starts, strict=True)]
    if not any(counts):
        raise InputError(
            f"windows: no window in any of {len(metas)} session(s): {found}. Shorten the window, or "
            "raise align.max_gap_s, lower align.min_confidence or remove badly tracked keypoints."
        )
    for name, count in zip(SPLITS, counts, strict=True):
        if not count:
            raise InputError(
                f"windows: no {name} window: {found}, and a validation block with its guard frames needs "
                f"{min_splittable(window)}. Add longer recordings or shorten the window."
            )


def _normaliser(
    aligned: list[Path], starts: list[list[np.ndarray]], features: list[str], window: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation per feature over the frames that training windows cover.

    One session and one feature at a time; the moments of sessions are pooled (variance within sessions
    plus variance between them).
    """
    counts, means, variances = [], [], []
    for path, (train, _) in zip(aligned, starts, strict=True):
        if not len(train):
            continue
        position = read_valid_rows(path).position
        steps = np.zeros(len(position) + 1, dtype=np.int64)
        np.add.at(steps, train, 1)
        np.add.at(steps, train + window, -1)
        covered = position[np.cumsum(steps[:-1]) > 0]
        moments = []
        for name in features:
            column = pq.read_table(path, columns=[name])[name].to_numpy()[covered]
            moments.append((column.mean(dtype=np.float64), column.var(dtype=np.float64)))
        counts.append(len(covered))
        means.append([m for m, _ in moments])
        variances.append([v for _, v in moments])
    mean = np.average(means, axis=0, weights=counts)
    std = np.sqrt(np.average(variances + np.square(means - mean), axis=0, weights=counts))
    constant = [name for name, s in zip(features, std, strict=True) if not s > 1e-9]
    if constant:
        raise InputError(
            f"windows: {', '.join(constant)} never change(s) in the training frames, so nothing can be "
            "learned from it. Leave that keypoint out of keypoints."
        )
    return mean.astype(np.float32), std.astype(np.float32)
