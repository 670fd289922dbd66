"""The windows that a model is trained on: an index into the valid frames of all sessions."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vame_pipe import store
from vame_pipe.consistency import compare_sessions
from vame_pipe.errors import InputError

if TYPE_CHECKING:
    import torch

    from vame_pipe.settings import Windows

log = logging.getLogger(__name__)

FRAMES, INDEX, NORMALISER = "frames.parquet", "windows.parquet", "normaliser.json"
QUALITY = "quality.json"
TEST_BLOCK_WINDOWS = 4
"""Length of a test block in windows: long enough to hold many, short enough to draw several."""
SPLITS = ("train", "test")

INDEX_SCHEMA = pa.schema(
    [
        store.INDEX_FIELDS[0],
        store.INDEX_FIELDS[1],
        pa.field("start", pa.int64()),
        pa.field("row", pa.int64()),
        pa.field("split", pa.dictionary(pa.int32(), pa.string())),
    ]
)


@dataclass(frozen=True)
class WindowData:
    """What the windows stage wrote, ready for training.

    Attributes
    ----------
    frames : numpy.ndarray
        `(n_frames, n_features)` float32, normalised.
    train, test : numpy.ndarray
        int32, the row of `frames` at which each window starts.
    mean, std : numpy.ndarray
        `(n_features,)` float32, of the frames in training windows.
    meta : dict
        Metadata of the files: features, length, future, fps, settings.
    fingerprint : str
        SHA-256 of all of it: of what a model is trained on, not of what it was made from.
    """

    frames: np.ndarray
    train: np.ndarray
    test: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    meta: dict[str, Any]
    fingerprint: str


def frames_of(seconds: float, fps: float) -> int:
    """Return how many frames a duration comes to."""
    return round(seconds * fps)


def split_frames(
    lengths: np.ndarray, window: int, test_fraction: float, rng: np.random.Generator
) -> np.ndarray:
    """Draw the test blocks of one session.

    A single block lies at an end of a run, where it costs the fewest training windows; of several, those
    in runs too short for three lie at the ends of these.

    Parameters
    ----------
    lengths : numpy.ndarray
        Length in frames of each run of valid frames.
    window : int
        Frames of one window, future included.
    test_fraction : float
        Fraction of the frames to hold out.
    rng : numpy.random.Generator

    Returns
    -------
    numpy.ndarray
        `(lengths.sum(),)` int8 over the runs end to end: 0 train, 1 test, -1 guard. Between frames
        of different splits in one run lie at least `window - 1` frames of guard. All 0 where no run can
        hold a test window, its guard and a training window, see `draw_sessions`.
    """
    total = int(lengths.sum())
    split = np.zeros(total, dtype=np.int8)
    wanted = round(test_fraction * total)
    longest = int(lengths.max(initial=0))
    if longest < min_splittable(window):
        return split
    block = int(np.clip(wanted, window, min(TEST_BLOCK_WINDOWS * window, longest - 2 * window + 1)))
    n_blocks = max(1, round(wanted / block))
    slots, homes = [], []
    for start, length in zip(np.cumsum(lengths) - lengths, lengths, strict=True):
        count = length // block
        ends = [start, start + length - block]
        if n_blocks == 1:
            offsets = ends if length >= block + 2 * window - 1 else []
        elif count <= 2:
            offsets = ends[:count]
        else:
            offset = rng.integers(length - count * block + 1)
            offsets = [start + offset + i * block for i in range(count)]
        slots += offsets
        homes += [(start, start + length)] * len(offsets)
    for i in rng.choice(len(slots), size=min(n_blocks, len(slots)), replace=False):
        low, high = homes[i]
        guard = slice(max(low, slots[i] - window + 1), min(high, slots[i] + block + window - 1))
        split[guard] = np.where(split[guard] == 1, 1, -1)
        split[slots[i] : slots[i] + block] = 1
    return split


def min_splittable(window: int) -> int:
    """Return the frames of a run that holds a test window, its guard and a training window."""
    return 3 * window - 1


def draw_sessions(
    sessions: list[str], test_fraction: float, seed: int, has_train: bool, has_test: bool
) -> list[str]:
    """Return those of some sessions that are held out as a whole.

    They are too short for a test block of their own. Whether one is held out does not depend on the
    others, unless there would be nothing to train on, or to test on, at all.

    Parameters
    ----------
    sessions : list of str
        Sessions that have windows and are too short to be split.
    test_fraction : float
    seed : int
    has_train, has_test : bool
        Whether other sessions have training windows, test windows.
    """
    draws = {s: np.random.default_rng([seed, *s.encode()]).random() for s in sessions}
    order = sorted(sessions, key=draws.__getitem__)
    n_drawn = sum(draws[s] < test_fraction for s in sessions)
    if not has_test:
        n_drawn = max(n_drawn, 1)
    if not has_train:
        n_drawn = min(n_drawn, len(order) - 1)
    return order[: max(n_drawn, 0)]


def window_starts(split: np.ndarray, run: np.ndarray, window: int, value: int) -> np.ndarray:
    """Return the first rows of all windows that lie in one run and one split.

    Parameters
    ----------
    split : numpy.ndarray
        `(n_frames,)`, the split of each frame.
    run : numpy.ndarray
        `(n_frames,)`, the number of each frame's run.
    window : int
        Frames of a window.
    value : int
        The split wanted.
    """
    if len(split) < window:
        return np.empty(0, np.int64)
    inside = np.concatenate([[0], np.cumsum(split == value)])
    whole = inside[window:] - inside[:-window] == window
    return np.flatnonzero(whole & (run[window - 1 :] == run[: len(run) - window + 1]))


def valid_runs(valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of the valid rows and, for each, the number of its run."""
    rows = np.flatnonzero(valid)
    return rows, np.cumsum(np.diff(rows, prepend=rows[:1]) > 1)


def build(aligned: list[Path], settings: Windows, out: Path) -> None:
    """Write frames.parquet, windows.parquet, normaliser.json and quality.json of all sessions.

    Parameters
    ----------
    aligned : list of Path
        results/aligned/{session}.parquet, one a session.
    settings : Windows
    out : Path
        Folder to write to.

    Raises
    ------
    InputError
        If a recording was refused, features, fps or settings disagree, or no window is left for training
        or testing.
    """
    metas = [store.read_metadata(path) for path in aligned]
    require_aligned(metas)
    features, fps = _require_same(aligned, metas)
    length, future = frames_of(settings.length_s, fps), frames_of(settings.future_s, fps)
    window = length + future
    log.info("window: %d frames to encode and %d to predict, at %g fps", length, future, fps)

    starts = _draw_windows(aligned, window, settings)
    _require_windows(starts, metas, window, fps)
    mean, std = _normaliser(aligned, starts, features, window)

    meta = store.metadata(
        settings=settings.model_dump(),
        features=features,
        fps=fps,
        length=length,
        future=future,
        align=metas[0]["settings"],
        keypoints=metas[0]["keypoints"],
        sessions=[path.stem for path in aligned],
        mean=mean.tolist(),
        std=std.tolist(),
    )
    quality = compare_sessions(aligned, metas, features, fps)
    # a row group a session: one a run would double the size of a fragmented recording
    frames = (_valid_table(path, _frames_schema(features)) for path in aligned)
    store.write_tables(out / FRAMES, frames, _frames_schema(features), meta)
    store.write_tables(out / INDEX, _index_tables(aligned, starts), INDEX_SCHEMA, meta)
    normaliser = {"features": features, "mean": mean.tolist(), "std": std.tolist()}
    store.write_json(out / NORMALISER, normaliser)
    store.write_json(out / QUALITY, quality)


def require_aligned(metas: list[dict[str, Any]]) -> None:
    """Raise InputError with the reasons why recordings could not be aligned, if some could not.

    Parameters
    ----------
    metas : list of dict
        Metadata of results/aligned/{session}.parquet.
    """
    refused = [line for meta in metas for line in meta.get("refused", [])]
    if refused:
        raise InputError(*refused)


def load(folder: Path) -> WindowData:
    """Read what `build` wrote."""
    meta = store.read_metadata(folder / FRAMES)
    mean, std = (np.array(meta[name], np.float32) for name in ("mean", "std"))
    # a row group at a time: no second copy of the frames
    with pq.ParquetFile(folder / FRAMES) as file:
        frames = np.empty((file.metadata.num_rows, len(mean)), np.float32)
        offset = 0
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=meta["features"])
            part = frames[offset : offset + len(table)]
            for i, name in enumerate(meta["features"]):
                part[:, i] = normalise(table[name].to_numpy(), mean[i], std[i])
            offset += len(table)
    starts: dict[str, list[np.ndarray]] = {name: [] for name in SPLITS}
    with pq.ParquetFile(folder / INDEX) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=["row", "split"])
            rows = table["row"].to_numpy().astype(np.int32)
            for name in SPLITS:
                starts[name].append(rows[pc.equal(table["split"], name).to_numpy()])
    train, test = (np.concatenate(starts[name]) for name in SPLITS)
    return WindowData(
        *(frames, train, test, mean, std, meta),
        fingerprint=_fingerprint(meta, frames, train, test, mean, std),
    )


def _fingerprint(meta: dict[str, Any], *arrays: np.ndarray) -> str:
    described = {name: meta[name] for name in ("features", "length", "future", "fps", "align")}
    return store.fingerprint(described, *(store.array_fingerprint(array) for array in arrays))


def normalise(frames: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Z-score features: the one place that does, for training and export alike."""
    return (frames - mean) / std


def gather(frames: torch.Tensor, starts: torch.Tensor, length: int) -> torch.Tensor:
    """Return windows `(n, length, n_features)` that begin at rows `starts` `(n,)` of `frames`."""
    import torch

    return frames[starts[:, None] + torch.arange(length, device=frames.device)]


def _require_same(aligned: list[Path], metas: list[dict]) -> tuple[list[str], float]:
    problems = []
    first = metas[0]
    for path, meta in zip(aligned, metas, strict=True):
        if set(meta["features"]) != set(first["features"]):
            extra = set(meta["features"]) ^ set(first["features"])
            problems.append(
                f"session {path.stem}: its features differ from those of {aligned[0].stem} in "
                f"{', '.join(sorted(extra))}. Set keypoints to those that all sessions have (as NAME: "
                "[names in the files] where the files name them differently)."
            )
        if meta["fps"] != first["fps"]:
            problems.append(
                f"session {path.stem}: {meta['fps']:g} fps, {aligned[0].stem} has {first['fps']:g}. "
                "Set align.fps."
            )
        if meta["settings"] != first["settings"]:
            problems.append(
                f"session {path.stem}: was aligned with other settings than {aligned[0].stem}. Delete "
                f"{path} and run again."
            )
    if problems:
        raise InputError(*problems)
    return first["features"], first["fps"]


def _draw_windows(aligned: list[Path], window: int, settings: Windows) -> list[list[np.ndarray]]:
    """Return, for each session, the first rows among the valid ones of its windows of each split."""
    starts: dict[str, list[np.ndarray]] = {}
    short = []
    for path in aligned:
        session, (_, run) = path.stem, _valid_rows(path)
        lengths = np.bincount(run)
        # a seed of its own: adding a session moves no test block of another
        rng = np.random.default_rng([settings.seed, *session.encode()])
        split = split_frames(lengths, window, settings.test_fraction, rng)
        # int32: the starts of all sessions are held at once
        starts[session] = [
            window_starts(split, run, window, value).astype(np.int32)
            for value in range(len(SPLITS))
        ]
        longest = int(lengths.max(initial=0))
        if window <= longest < min_splittable(window):
            short.append(session)
        elif longest < window:
            log.warning(
                "session %s has no window: its longest run of valid frames is %d, a window takes %d",
                *(session, longest, window),
            )
    others = [split for session, split in starts.items() if session not in short]
    has_train, has_test = (any(len(split[i]) for split in others) for i in range(len(SPLITS)))
    for session in draw_sessions(short, settings.test_fraction, settings.seed, has_train, has_test):
        starts[session].reverse()
        log.info("session %s is too short for a test block: all of it is held out", session)
    for session, of_session in starts.items():
        log.info("session %s: %d training and %d test windows", session, *map(len, of_session))
    return list(starts.values())


def _valid_rows(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of a session's valid frames and the run of each."""
    return valid_runs(pq.read_table(path, columns=["valid"])["valid"].to_numpy())


def _valid_table(path: Path, schema: pa.Schema) -> pa.Table:
    """Return a session's valid frames."""
    rows, _ = _valid_rows(path)
    return pq.read_table(path, columns=schema.names).take(pa.array(rows)).cast(schema)


def _frames_schema(features: list[str]) -> pa.Schema:
    return pa.schema([*store.INDEX_FIELDS, *(pa.field(name, pa.float32()) for name in features)])


def _index_tables(aligned: list[Path], starts: list[list[np.ndarray]]) -> Iterator[pa.Table]:
    """Yield the windows of each session."""
    offset = 0
    for path, of_splits in zip(aligned, starts, strict=True):
        rows = np.concatenate(of_splits)
        split = np.repeat(np.arange(len(SPLITS), dtype=np.int32), [len(s) for s in of_splits])
        order = np.argsort(rows, kind="stable")
        frames = _valid_table(path, pa.schema(store.INDEX_FIELDS[:3]))
        columns = [
            *frames.take(pa.array(rows[order])).columns,
            pa.array(rows[order] + np.int64(offset)),
            pa.DictionaryArray.from_arrays(split[order], list(SPLITS)),
        ]
        yield pa.Table.from_arrays(columns, schema=INDEX_SCHEMA)
        offset += len(frames)


def _require_windows(
    starts: list[list[np.ndarray]], metas: list[dict], window: int, fps: float
) -> None:
    longest = max(meta["longest_run"] for meta in metas)
    found = (
        f"a window takes {window} frames ({window / fps:.2f} s: windows.length_s + windows.future_s), the "
        f"longest run of valid frames in any session is {longest}"
    )
    counts = [sum(map(len, of_split)) for of_split in zip(*starts, strict=True)]
    if not any(counts):
        raise InputError(
            f"windows: no window in any of {len(metas)} session(s): {found}. Shorten the window, or "
            "raise align.max_gap_s, lower align.min_confidence or leave out badly tracked keypoints."
        )
    for name, count in zip(SPLITS, counts, strict=True):
        if not count:
            raise InputError(
                f"windows: no {name} window: {found}, and a test block with its guards needs "
                f"{3 * window - 1}. Add longer recordings or shorten the window."
            )


def _normaliser(
    aligned: list[Path], starts: list[list[np.ndarray]], features: list[str], window: int
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation per feature over the frames that training windows cover.

    A session and a feature at a time; the sessions' moments are put together as groups are in an
    analysis of variance.
    """
    counts, means, variances = [], [], []
    for path, (train, _) in zip(aligned, starts, strict=True):
        if not len(train):
            continue
        rows, _ = _valid_rows(path)
        steps = np.zeros(len(rows) + 1, dtype=np.int64)
        np.add.at(steps, train, 1)
        np.add.at(steps, train + window, -1)
        covered = rows[np.cumsum(steps[:-1]) > 0]
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
