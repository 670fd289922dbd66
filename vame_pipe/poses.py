"""Read pose files into one validated contract."""

from __future__ import annotations

import csv
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from vame_pipe.errors import InputError

if TYPE_CHECKING:
    from vame_pipe.settings import Align

log = logging.getLogger(__name__)

HDF5 = {".h5", ".hdf5"}
DLC_ROWS = "three header rows: scorer, bodyparts, coords"


@dataclass(frozen=True)
class Poses:
    """The tracked keypoints of one individual in one recording.

    Attributes
    ----------
    position : numpy.ndarray
        `(n_frames, n_keypoints, 2)`, float64, pixels, x to the right, y down; NaN where missing.
    confidence : numpy.ndarray
        `(n_frames, n_keypoints)`, float64, 0 to 1; 0 where missing.
    keypoints : tuple of str
        Names, in the order of the second axis.
    fps : float
        Frames per second.
    source : str
        Name of the file read, for messages.
    first_frame : int
        Number of the video frame of the first row; the others follow one by one.
    individual : str

    Raises
    ------
    InputError
        At construction, if shapes disagree, names repeat, nothing is tracked or a coordinate is
        infinite.
    """

    position: np.ndarray
    confidence: np.ndarray
    keypoints: tuple[str, ...]
    fps: float
    source: str
    first_frame: int = 0
    individual: str = "id_0"

    def __post_init__(self) -> None:
        n_frames, n_keypoints = self.confidence.shape
        if self.position.shape != (n_frames, n_keypoints, 2) or n_keypoints != len(self.keypoints):
            raise InputError(
                f"{self.source}: positions {self.position.shape}, confidence "
                f"{self.confidence.shape} and {len(self.keypoints)} keypoint names do not fit; "
                "expected (n_frames, n_keypoints, 2) and (n_frames, n_keypoints)."
            )
        repeated = sorted({k for k in self.keypoints if self.keypoints.count(k) > 1})
        if repeated:
            raise InputError(f"{self.source}: keypoint(s) {_quoted(repeated)} occur twice.")
        if n_frames == 0:
            raise InputError(f"{self.source}: has a header but no frames.")
        infinite = np.isinf(self.position)
        if infinite.any():
            frame, keypoint, axis = np.argwhere(infinite)[0]
            raise InputError(
                f"{self.source}: {'xy'[axis]} of keypoint '{self.keypoints[keypoint]}' is infinite "
                f"in frame {self.first_frame + frame} ({int(infinite.sum())} such values). "
                "Empty those cells or export the file again."
            )
        if np.isnan(self.position).all():
            raise InputError(f"{self.source}: every coordinate is missing (NaN). Track it again.")
        confidence = self.confidence
        if np.nanmin(confidence) < 0 or np.nanmax(confidence) > 1:
            raise InputError(
                f"{self.source}: confidence runs from {np.nanmin(confidence):g} to "
                f"{np.nanmax(confidence):g}, expected 0 to 1. Is it a DeepLabCut file?"
            )


def read_poses(path: str | Path, fps: float) -> Poses:
    """Read a DeepLabCut file of a single animal (CSV or HDF5).

    Parameters
    ----------
    path : str or Path
        `.csv`, `.h5` or `.hdf5`, as DeepLabCut or LightningPose write it.
    fps : float
        Frames per second of the video; the file does not say.

    Raises
    ------
    InputError
        If it is no such file, or what it holds cannot be used.
    """
    path = Path(path)
    _require_file(path)
    frame = _read_hdf5(path) if path.suffix.lower() in HDF5 else _read_csv(path)
    return _to_poses(frame, fps, path.name)


def read_keypoints(path: str | Path) -> list[str]:
    """Return the names of the keypoints of a pose file, reading its header where possible."""
    path = Path(path)
    _require_file(path)
    hdf5 = path.suffix.lower() in HDF5
    columns = list(_read_hdf5(path, stop=1).columns) if hdf5 else _csv_columns(path)
    return list(dict.fromkeys(name for name, _ in columns))


def missing_keypoints(
    session: str, available: list[str], settings: Align, aliases: dict[str, list[str]] | None
) -> list[str]:
    """Name the keypoints of the configuration that a file lacks, one line each.

    That centre and forward are among the keypoints to use, if these are named, the configuration checks.
    """
    has = f"which has: {', '.join(available)}"
    problems = []
    for name, known in (aliases or {}).items():
        found = [a for a in known if a in available]
        if not found:
            shown = "' or '".join(known)
            problems.append(
                f"session {session}: keypoint '{shown}' is not in its file, {has}. "
                "Set keypoints to names of these."
            )
        elif len(found) > 1:
            problems.append(
                f"session {session}: keypoint '{name}' is in its file more than once, as "
                f"{' and '.join(found)}. Keep one name in keypoints.{name}."
            )
    for key in ("centre", "forward"):
        name = getattr(settings, key)
        if aliases is None and name not in available:
            problems.append(
                f"session {session}: keypoint '{name}' is not in its file, {has}. "
                f"Set align.{key} to one of these."
            )
    return list(dict.fromkeys(problems))


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise InputError(
            f"{path}: no such file. Check the path; it is relative to the working directory."
        )
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty. Export it again.")
    if path.suffix.lower() not in {".csv", *HDF5}:
        raise InputError(
            f"{path}: '{path.suffix}' is not a format that is read here. Use DeepLabCut's .csv or .h5."
        )


def _csv_columns(path: Path) -> list[tuple[str, str]]:
    """Return (keypoint, coordinate) of each column but the first, from the three header rows."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for _, row in zip(range(4), csv.reader(file), strict=False)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: is not a text file ({error}). Export it again as CSV.") from None
    first = ",".join(rows[0]).strip().lower() if rows else ""
    if first.startswith(("<!doctype", "<html", "<?xml", "<head")):
        raise InputError(
            f"{path}: is a web page (HTML), not a CSV. Download the file itself, not its page."
        )
    heads = [row[0].strip().lower() if row else "" for row in rows]
    if "individuals" in heads[:3]:
        raise InputError(
            f"{path}: has an 'individuals' row: several animals are not read yet. Export one file "
            "an animal."
        )
    if heads[:3] != ["scorer", "bodyparts", "coords"]:
        raise InputError(
            f"{path}: is not a DeepLabCut CSV: expected {DLC_ROWS}; the first cells found are "
            f"{', '.join(repr(h[:30]) for h in heads[:3])}. Export it from DeepLabCut with its header."
        )
    if not all(cell.strip() for cell in rows[0]) or (
        len(rows) > 3 and rows[3] and _is_image(rows[3][0])
    ):
        raise InputError(_labelled_message(path))
    if len(rows[0]) != len(rows[1]) or len(rows[1]) != len(rows[2]):
        raise InputError(
            f"{path}: header rows have {[len(r) for r in rows[:3]]} cells, not as many."
        )
    return list(zip(rows[1][1:], (c.strip().lower() for c in rows[2][1:]), strict=True))


def _read_csv(path: Path) -> pd.DataFrame:
    columns = _csv_columns(path)
    try:
        frame = pd.read_csv(path, header=None, skiprows=3, encoding="utf-8-sig", low_memory=False)
    except pd.errors.EmptyDataError:
        raise InputError(f"{path}: has a header but no frames.") from None
    except pd.errors.ParserError as error:
        raise InputError(
            f"{path}: {str(error).strip()}. The file is damaged, export it again."
        ) from None
    cells = _last_line(path).count(",") + 1
    if frame.shape[1] != len(columns) + 1 or cells != frame.shape[1]:
        raise InputError(
            f"{path}: its last line has {cells} cells, its header {len(columns) + 1}: the file is "
            "truncated. Export it again."
        )
    frame = frame.set_index(0)
    frame.columns = pd.MultiIndex.from_tuples(columns)
    return frame


def _last_line(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - 2**20))
        return file.read().rstrip(b"\r\n").rsplit(b"\n", 1)[-1].decode("utf-8", "replace")


def _read_hdf5(path: Path, stop: int | None = None) -> pd.DataFrame:
    try:
        frame = pd.read_hdf(path, stop=stop)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        # PyTables puts HDF5's own account of the trouble in a stack of lines
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = next((line for line in lines if "truncated" in line), (lines or [""])[-1])
        raise InputError(
            f"{path}: cannot be read as DeepLabCut HDF5 ({reason[:120]}). "
            "It may be truncated or of another program; export it again."
        ) from None
    names = list(frame.columns.names) if isinstance(frame, pd.DataFrame) else []
    if "individuals" in names:
        raise InputError(
            f"{path}: has several animals, which are not read yet. Export one file an animal."
        )
    if names != ["scorer", "bodyparts", "coords"]:
        raise InputError(
            f"{path}: is not a DeepLabCut HDF5 file: expected column levels scorer, bodyparts, "
            f"coords, found {names}."
        )
    if len(frame) and (isinstance(frame.index, pd.MultiIndex) or _is_image(str(frame.index[0]))):
        raise InputError(_labelled_message(path))
    frame.columns = pd.MultiIndex.from_tuples(
        [(body, str(coord).lower()) for _, body, coord in frame.columns]
    )
    return frame


def _is_image(cell: str) -> bool:
    return cell.strip().lower().endswith((".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")) or (
        cell.strip().startswith("labeled-data")
    )


def _labelled_message(path: Path) -> str:
    return (
        f"{path}: holds human-labelled training frames (its rows are images), not a recording. Give "
        "the file that DeepLabCut's analyze_videos wrote for the video."
    )


def _to_poses(frame: pd.DataFrame, fps: float, source: str) -> Poses:
    keypoints = list(dict.fromkeys(name for name, _ in frame.columns))
    if not frame.columns.is_unique:
        twice = sorted({name for name, _ in frame.columns[frame.columns.duplicated()]})
        raise InputError(f"{source}: keypoint(s) {_quoted(twice)} occur twice.")
    if "z" in {coord for _, coord in frame.columns}:
        raise InputError(
            f"{source}: has a third dimension (z), which is not read yet. Give the 2D file."
        )
    for name in keypoints:
        lacking = [c for c in "xy" if (name, c) not in frame.columns]
        if lacking:
            raise InputError(f"{source}: keypoint '{name}' has no column {' and '.join(lacking)}.")
    textual = [c for c in frame.columns if not pd.api.types.is_numeric_dtype(frame[c])]
    if textual:
        column = frame[textual[0]]
        bad = column[pd.to_numeric(column, errors="coerce").isna() & column.notna()]
        raise InputError(
            f"{source}: {textual[0][1]} of keypoint '{textual[0][0]}' holds {bad.iloc[0]!r} in frame "
            f"{bad.index[0]}, not a number. Empty such cells or export the file again."
        )
    frame = _every_frame(frame, source)
    position = np.stack([frame[[(k, c) for k in keypoints]].to_numpy(float) for c in "xy"], axis=2)
    missing = np.isnan(position).any(axis=2)
    position[missing] = np.nan
    without = [k for k in keypoints if (k, "likelihood") not in frame.columns]
    if without:
        log.warning(
            "%s: no likelihood for %s; taken as fully confident wherever there is a position",
            source,
            _quoted(without),
        )
    confidence = np.ones(missing.shape)
    for i, name in enumerate(keypoints):
        if name not in without:  # an empty cell beside a position says nothing: not trusted
            confidence[:, i] = np.nan_to_num(frame[(name, "likelihood")].to_numpy(float), nan=0.0)
    confidence[missing] = 0.0
    return Poses(position, confidence, tuple(keypoints), fps, source, int(frame.index[0]))


def _every_frame(frame: pd.DataFrame, source: str) -> pd.DataFrame:
    """Return the table with a row for every frame from the first to the last."""
    if len(frame) == 0:
        raise InputError(f"{source}: has a header but no frames.")
    index = pd.to_numeric(pd.Series(frame.index), errors="coerce").to_numpy(float)
    if np.isnan(index).any() or (index != np.round(index)).any() or (np.diff(index) <= 0).any():
        raise InputError(
            f"{source}: its first column is not a rising count of frames. Export it again as it was."
        )
    frame.index = index.astype(np.int64)
    span = int(index[-1] - index[0]) + 1
    if span > 10 * len(frame):
        raise InputError(
            f"{source}: {len(frame)} rows for frames {index[0]:.0f} to {index[-1]:.0f}: too sparse for "
            "a recording."
        )
    if span != len(frame):
        log.warning("%s: %d frames have no row; taken as missing", source, span - len(frame))
        frame = frame.reindex(np.arange(int(index[0]), int(index[-1]) + 1))
    return frame


def _quoted(names: list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
