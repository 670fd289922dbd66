"""The windows that a model is trained on: an index into the valid frames of all sessions."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vame_pipe import store
from vame_pipe.errors import InputError

if TYPE_CHECKING:
    import torch

    from vame_pipe.settings import Windows

log = logging.getLogger(__name__)

FRAMES, INDEX, NORMALISER = "frames.parquet", "windows.parquet", "normaliser.json"
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
        Metadata of the files: features, length, future, fps, settings, fingerprint.
    """

    frames: np.ndarray
    train: np.ndarray
    test: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    meta: dict[str, Any]


def frames_of(seconds: float, fps: float) -> int:
    """Return how many frames a duration comes to."""
    return round(seconds * fps)


def split_frames(
    lengths: np.ndarray, window: int, test_fraction: float, rng: np.random.Generator
) -> np.ndarray:
    """Draw the test blocks of one session.

    Parameters
    ----------
    lengths : numpy.ndarray
        Length in frames of each run of valid frames.
    window : int
        Frames of one window, future included.
    test_fraction : float
        Share of the frames to hold out.
    rng : numpy.random.Generator

    Returns
    -------
    numpy.ndarray
        `(lengths.sum(),)` int8 over the runs end to end: 0 train, 1 test, -1 guard. Between frames
        of different splits in one run lie at least `window - 1` frames of guard.
    """
    total = int(lengths.sum())
    split = np.zeros(total, dtype=np.int8)
    wanted = round(test_fraction * total)
    longest = int(lengths.max(initial=0))
    # a session that cannot hold a test window, its guard and a training window is all training
    if longest < 3 * window - 1:
        return split
    block = int(np.clip(wanted, window, min(TEST_BLOCK_WINDOWS * window, longest - 2 * window + 1)))
    first = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    slots, homes = [], []
    for start, length in zip(first, lengths, strict=True):
        count = length // block
        if count:
            offset = rng.integers(length - count * block + 1)
            slots += [start + offset + i * block for i in range(count)]
            homes += [(start, start + length)] * count
    chosen = rng.choice(
        len(slots), size=min(max(1, round(wanted / block)), len(slots)), replace=False
    )
    for i in chosen:
        low, high = homes[i]
        guard = slice(max(low, slots[i] - window + 1), min(high, slots[i] + block + window - 1))
        split[guard] = np.where(split[guard] == 1, 1, -1)
        split[slots[i] : slots[i] + block] = 1
    return split


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
    """Write frames.parquet, windows.parquet and normaliser.json of all sessions.

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
        If features or fps disagree, or no window is left for training or testing.
    """
    metas = [store.read_metadata(path) for path in aligned]
    features, fps = _require_same(aligned, metas)
    length, future = frames_of(settings.length_s, fps), frames_of(settings.future_s, fps)
    window = length + future
    log.info("window: %d frames to encode and %d to predict, at %g fps", length, future, fps)

    pieces, offset = [], 0
    for path in aligned:
        session = path.stem
        table, run = _valid_table(path, features)
        # a seed of its own: adding a session moves no test block of another
        rng = np.random.default_rng([settings.seed, *session.encode()])
        split = split_frames(np.bincount(run), window, settings.test_fraction, rng)
        starts = [window_starts(split, run, window, value) for value in range(len(SPLITS))]
        if not sum(map(len, starts)):
            longest = np.bincount(run).max(initial=0)
            log.warning(
                "session %s gives no window: its longest run of valid frames is %d, a window takes %d; "
                "skipped",
                session,
                longest,
                window,
            )
        else:
            log.info("session %s: %d training and %d test windows", session, *map(len, starts))
        pieces.append((table, starts, offset))
        offset += len(run)
    index = _index_table(pieces)
    _require_windows(index, metas, window, fps)
    mean, std = _normaliser(pieces, features, window)

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
        fingerprint=store.fingerprint([m["fingerprint"] for m in metas], settings.model_dump()),
    )
    # a row group a session: one a run would double the size of a fragmented recording
    store.write_tables(
        out / FRAMES, [table for table, *_ in pieces], _frames_schema(features), meta
    )
    store.write_tables(out / INDEX, [index], INDEX_SCHEMA, meta)
    normaliser = {"features": features, "mean": mean.tolist(), "std": std.tolist()}
    store.write_json(out / NORMALISER, normaliser)


def load(folder: Path) -> WindowData:
    """Read what `build` wrote."""
    meta = store.read_metadata(folder / FRAMES)
    mean, std = (np.array(meta[name], np.float32) for name in ("mean", "std"))
    # a column at a time: no second copy of the frames
    with pq.ParquetFile(folder / FRAMES) as file:
        frames = np.empty((file.metadata.num_rows, len(mean)), np.float32)
        for i, name in enumerate(meta["features"]):
            column = file.read(columns=[name])[name].to_numpy()
            frames[:, i] = normalise(column, mean[i], std[i])
    index = pq.read_table(folder / INDEX, columns=["row", "split"])
    rows = index["row"].cast(pa.int32()).to_numpy()
    split = {name: pc.equal(index["split"], name).to_numpy() for name in SPLITS}
    return WindowData(frames, rows[split["train"]], rows[split["test"]], mean, std, meta)


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
    if problems:
        raise InputError(*problems)
    return first["features"], first["fps"]


def _valid_table(path: Path, features: list[str]) -> tuple[pa.Table, np.ndarray]:
    """Return a session's valid frames and the run of each."""
    table = pq.read_table(path)
    rows, run = valid_runs(table["valid"].to_numpy())
    columns = [field.name for field in store.INDEX_FIELDS] + features
    table = table.select(columns).take(pa.array(rows)).combine_chunks()
    return table.cast(_frames_schema(features)), run


def _frames_schema(features: list[str]) -> pa.Schema:
    return pa.schema([*store.INDEX_FIELDS, *(pa.field(name, pa.float32()) for name in features)])


def _index_table(pieces: list[tuple[pa.Table, list[np.ndarray], int]]) -> pa.Table:
    tables = []
    for table, starts, offset in pieces:
        rows = np.concatenate(starts)
        split = np.repeat(np.arange(len(SPLITS), dtype=np.int32), [len(s) for s in starts])
        order = np.argsort(rows, kind="stable")
        taken = table.select(["session", "individual", "frame"]).take(pa.array(rows[order]))
        columns = [
            *taken.columns,
            pa.array(rows[order] + offset),
            pa.DictionaryArray.from_arrays(split[order], list(SPLITS)),
        ]
        tables.append(pa.Table.from_arrays(columns, schema=INDEX_SCHEMA))
    return pa.concat_tables(tables).unify_dictionaries()


def _require_windows(index: pa.Table, metas: list[dict], window: int, fps: float) -> None:
    longest = max(meta["longest_run"] for meta in metas)
    found = (
        f"a window takes {window} frames ({window / fps:.2f} s: windows.length_s + windows.future_s), the "
        f"longest run of valid frames in any session is {longest}"
    )
    if len(index) == 0:
        raise InputError(
            f"windows: no window in any of {len(metas)} session(s): {found}. Shorten the window, or "
            "raise align.max_gap_s, lower align.min_confidence or leave out badly tracked keypoints."
        )
    for name in SPLITS:
        if not pc.any(pc.equal(index["split"], name)).as_py():
            raise InputError(
                f"windows: no {name} window: {found}, and a test block with its guards needs "
                f"{3 * window - 1}. Add longer recordings or shorten the window."
            )


def _normaliser(
    pieces: list[tuple[pa.Table, list[np.ndarray], int]], features: list[str], window: int
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation per feature over the frames that training windows cover."""
    covered = []
    for table, (train, _), _ in pieces:
        steps = np.zeros(len(table) + 1, dtype=np.int64)
        np.add.at(steps, train, 1)
        np.add.at(steps, train + window, -1)
        covered.append(np.cumsum(steps[:-1]) > 0)
    mean, std = [], []
    for name in features:
        column = np.concatenate(
            [t[name].to_numpy()[c] for (t, _, _), c in zip(pieces, covered, strict=True)]
        ).astype(np.float64)
        mean.append(column.mean())
        std.append(column.std())
    constant = [name for name, s in zip(features, std, strict=True) if not s > 1e-9]
    if constant:
        raise InputError(
            f"windows: {', '.join(constant)} never change(s) in the training frames, so nothing can be "
            "learned from it. Leave that keypoint out of keypoints."
        )
    return np.array(mean, np.float32), np.array(std, np.float32)
