"""Read pose files into one validated contract."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from vame_pipe.core.errors import InputError, listing, shortened
from vame_pipe.poses import dlc_csv, hdf5_process
from vame_pipe.poses.contract import Poses
from vame_pipe.poses.pose_table import PoseHeader, PoseTable

if TYPE_CHECKING:
    from vame_pipe.config.sections import Align

log = logging.getLogger(__name__)

HDF5 = {".h5", ".hdf5"}
IMAGES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp")
UNIQUE = "single"
"""What DeepLabCut calls the individual of bodyparts that exist once, whatever the number of animals."""
MAX_COORDINATE = 1e7
"""Pixels; no image is as large."""
MAX_SPARSITY = 10
"""Frames for each row, at most."""


def read_poses(
    path: str | Path, fps: float | None = None, format: str | None = None
) -> dict[str, Poses]:
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
    table = _reader(path).read_table(path)
    if fps is None:
        raise InputError(f"{path}: its format stores no frame rate. Set fps.")
    poses = _to_poses(table, _Selection.of(table.header, path), fps, path.name)
    return {poses.individual: poses}


def read_keypoints(path: str | Path) -> list[str]:
    """Return the names of the keypoints of a pose file, reading its header where possible."""
    path = Path(path)
    _require_file(path)
    return list(_Selection.of(_reader(path).read_header(path), path).columns)


def missing_keypoints(
    available: list[str], settings: Align, aliases: dict[str, list[str]] | None
) -> list[str]:
    """Name the keypoints of the configuration that a file lacks, one line each.

    That centre and forward are among the keypoints to use, if these are named, the configuration checks.
    """
    has = f"which has: {listing(available, limit=12)}"
    problems = []
    for name, known in (aliases or {}).items():
        found = [a for a in known if a in available]
        if not found:
            shown = "' or '".join(known)
            problems.append(
                f"keypoint '{shown}' is not in its file, {has}. Set keypoints to names of these."
            )
        elif len(found) > 1:
            problems.append(
                f"keypoint '{name}' is in its file more than once, as "
                f"{' and '.join(found)}. Keep one name in keypoints.{name}."
            )
    for key in ("centre", "forward"):
        name = getattr(settings, key)
        if aliases is None and name not in available:
            problems.append(
                f"keypoint '{name}' is not in its file, {has}. Set align.{key} to one of these."
            )
    return list(dict.fromkeys(problems))


def _require_file(path: Path) -> None:
    if path.suffix.lower() not in {".csv", *HDF5}:
        raise InputError(
            f"{path}: '{path.suffix}' is not a format that is read here. Use DeepLabCut's .csv or .h5."
        )
    try:
        if not path.is_file():
            raise InputError(
                f"{path}: no such file. Check the path; it is relative to the working directory."
            )
        with path.open("rb") as file:
            is_empty = not file.read(1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}). Check the path.") from None
    if is_empty:
        raise InputError(f"{path}: the file is empty. Export it again.")


def _reader(path: Path) -> ModuleType:
    return hdf5_process if path.suffix.lower() in HDF5 else dlc_csv


@dataclass(frozen=True)
class _Selection:
    """The columns of the one animal of a file.

    Attributes
    ----------
    individual : str
        Its name; empty if the file has none.
    columns : dict of str to dict of str to list of int
        Of each keypoint, where its x, y and likelihood are.
    is_time_lapse : bool
        The rows are images.
    unique : list of str
        Keypoints of the file that DeepLabCut tracked apart from the animal.
    """

    individual: str
    columns: dict[str, dict[str, list[int]]]
    is_time_lapse: bool
    unique: list[str]

    @property
    def coordinates(self) -> list[int]:
        """Where x and y of all keypoints are."""
        return [i for columns in self.columns.values() for c in "xy" for i in columns.get(c, [])]

    @classmethod
    def of(cls, header: PoseHeader, path: Path) -> _Selection:
        coords = {column.coord for column in header.columns}
        is_time_lapse = _is_image(header.first_label)
        if is_time_lapse and "likelihood" not in coords:
            raise InputError(
                f"{path}: holds human-labelled training frames: its rows are images and it has no "
                "likelihood. Give the file that DeepLabCut's analyze_videos wrote for the video."
            )
        if "z" in coords:
            raise InputError(
                f"{path}: has a third dimension (z), which is not read yet. Give the 2D file."
            )
        individuals = list(dict.fromkeys(column.individual for column in header.columns))
        animals = [name for name in individuals if name != UNIQUE] or individuals
        if len(animals) > 1:
            raise InputError(
                f"{path}: has several animals ({listing(animals)}), which are not read yet. Export "
                "one file per animal."
            )
        columns: dict[str, dict[str, list[int]]] = {}
        for i, column in enumerate(header.columns):
            columns.setdefault(column.keypoint, {}).setdefault(column.coord, []).append(i)
        unique = [c.keypoint for c in header.columns if c.individual != animals[0]]
        return cls(animals[0], columns, is_time_lapse, list(dict.fromkeys(unique)))


def _is_image(label: str) -> bool:
    return label.strip().lower().endswith(IMAGES) or label.strip().startswith("labeled-data")


def _to_poses(table: PoseTable, selection: _Selection, fps: float, source: str) -> Poses:
    if selection.unique:
        log.warning(
            "%s: %s taken as keypoints of the animal, although tracked apart from it (unique bodyparts): "
            "leave out of keypoints what is an object",
            source,
            listing(selection.unique, "'"),
        )
    if len(table.values) == 0:
        raise InputError(f"{source}: has a header but no frames.")
    if len(table.values) == 1:
        raise InputError(
            f"{source}: has one frame only. Give the file of a whole video, a row for each frame."
        )
    if selection.is_time_lapse:
        log.warning("%s: its rows are images; taken as frames 0, 1, 2, ... in their order", source)
        frame = np.arange(len(table.values))
    else:
        frame = _frame_numbers(table.labels, source)
    names = tuple(selection.columns)
    n_frames = int(frame[-1] - frame[0]) + 1
    rows = slice(None) if n_frames == len(frame) else frame - frame[0]
    # one contiguous plane for each keypoint and coordinate: what follows walks along the frames
    position = np.full((len(names), 2, n_frames), np.nan)
    confidence = np.zeros((len(names), n_frames))
    faults = {}
    for k, (name, columns) in enumerate(selection.columns.items()):
        fault = _column_fault(name, columns, table, frame)
        if fault is None:
            values = {c: table.values[:, i[0]] for c, i in columns.items() if c in _COORDS}
            fault = _value_fault(name, values, frame)
        if fault is None:
            missing = np.isnan(values["x"]) | np.isnan(values["y"])
            for axis, coord in enumerate("xy"):
                position[k, axis, rows] = np.where(missing, np.nan, values[coord])
            if "likelihood" in values:
                # an empty cell beside a position says nothing, and below 0 is less: not trusted
                trusted = ~missing & (values["likelihood"] > 0)
                confidence[k, rows] = np.where(trusted, values["likelihood"], 0.0)
            else:
                confidence[k, rows] = ~missing
        else:
            faults[name] = f"{source}: {fault}"
    if len(faults) == len(names):
        _refuse_all(faults, table, selection.coordinates, source)
    _log_confidence(selection, confidence, faults, source)
    return Poses(
        position.transpose(2, 0, 1),
        confidence.T,
        names,
        fps,
        source,
        int(frame[0]),
        selection.individual or "id_0",
        faults,
    )


_COORDS = ("x", "y", "likelihood")


def _column_fault(
    name: str, columns: dict[str, list[int]], table: PoseTable, frame: np.ndarray
) -> str | None:
    """Say what is wrong with the columns of a keypoint, if anything is."""
    shown = shortened(name)
    lacking = [c for c in "xy" if c not in columns]
    if lacking:
        return (
            f"keypoint '{shown}' has no column {' and '.join(lacking)}. Leave it out of keypoints or "
            "export the file again."
        )
    twice = [c for c in _COORDS if len(columns.get(c, [])) > 1]
    if twice:
        return (
            f"keypoint '{shown}' has {len(columns[twice[0]])} columns {twice[0]}; its columns occur "
            "twice. Keep one of each."
        )
    for coord in _COORDS:
        for i in columns.get(coord, []):
            if i in table.not_numbers:
                row, text = table.not_numbers[i]
                return (
                    f"{coord} of keypoint '{shown}' holds {shortened(text)!r} in frame {frame[row]}, not "
                    "a number. Empty such cells or export the file again."
                )
    return None


def _value_fault(name: str, values: dict[str, np.ndarray], frame: np.ndarray) -> str | None:
    """Say what is wrong with the numbers of a keypoint, if anything is."""
    shown = shortened(name)
    for coord, column in values.items():
        limit = math.inf if coord == "likelihood" else MAX_COORDINATE
        if not np.fmax.reduce(np.abs(column)) > limit and not np.isinf(column).any():
            continue
        wrong = np.isinf(column) | (np.abs(column) > limit)
        row = int(np.argmax(wrong))
        what = "infinite" if np.isinf(column[row]) else f"{column[row]:.3g}, which is no pixel,"
        return (
            f"{coord} of keypoint '{shown}' is {what} in frame {frame[row]} ({int(wrong.sum())} such "
            "values). Empty those cells or export the file again."
        )
    if (np.isnan(values["x"]) | np.isnan(values["y"])).all():
        return (
            f"every coordinate of keypoint '{shown}' is missing (NaN). Leave it out of keypoints."
        )
    return None


def _refuse_all(
    faults: dict[str, str], table: PoseTable, places: list[int], source: str
) -> NoReturn:
    """Refuse a file whose keypoints all have faults."""
    if not table.not_numbers and np.isnan(table.values[:, places]).all():
        raise InputError(f"{source}: every coordinate is missing (NaN). Track it again.")
    more = f" (All {len(faults)} keypoints have faults.)" if len(faults) > 1 else ""
    raise InputError(next(iter(faults.values())) + more)


def _log_confidence(
    selection: _Selection, confidence: np.ndarray, faults: dict[str, str], source: str
) -> None:
    without = [
        name
        for name, columns in selection.columns.items()
        if "likelihood" not in columns and name not in faults
    ]
    if without:
        log.warning(
            "%s: no likelihood for %s; taken as fully confident wherever there is a position",
            source,
            listing(without, "'"),
        )
    highest = confidence.max()
    if highest > 1:
        log.info("%s: confidence goes up to %.3g; thresholds are on this scale", source, highest)


def _frame_numbers(labels: np.ndarray, source: str) -> np.ndarray:
    """Return the number of the frame of each row, int64.

    Raises
    ------
    InputError
        If the labels of the rows do not count frames.
    """
    number = labels if labels.dtype.kind == "f" else _as_numbers(labels)
    wrong = ~np.isfinite(number) | (number != np.round(number)) | (np.abs(number) > 2**53)
    wrong[0] |= number[0] < 0
    wrong[1:] |= ~(np.diff(number, prepend=np.nan)[1:] > 0)
    if wrong.any():
        row = int(np.argmax(wrong))
        before = f"after {_shown(labels[row - 1])} comes" if row else "it begins with"
        raise InputError(
            f"{source}: its first column is not a rising count of frames: {before} "
            f"{_shown(labels[row])} (row {row + 1} of {len(labels)}). Export it again as it was."
        )
    step, span = np.diff(number), int(number[-1] - number[0]) + 1
    regular = step[:-1] if len(step) > 1 else step  # the last frame of a video may end the count
    smallest = int(regular.min())
    found = f"{len(number)} rows for frames {number[0]:.0f} to {number[-1]:.0f}"
    if smallest > 1 and (regular % smallest != 0).any():
        steps = ", ".join(f"{s:.0f}" for s in step[:4])
        raise InputError(
            f"{source}: its first column looks like a clock and not a count of frames: {found}, in "
            f"steps of {steps}, ... Number the rows by frames, or export the file again as it was."
        )
    if span > MAX_SPARSITY * len(number):
        every = f", one every {smallest} frames" if smallest > 1 else ""
        raise InputError(
            f"{source}: {found}{every}: too sparse for a recording, or its first column is a clock. "
            f"At least one frame in {MAX_SPARSITY} must have a row."
        )
    if smallest > 1:
        log.warning(
            "%s: has a row every %d frames; the %d frames without a row are missing. Is its first "
            "column a count of frames?",
            source,
            smallest,
            span - len(number),
        )
    elif span != len(number):
        log.warning("%s: %d frames have no row; taken as missing", source, span - len(number))
    return number.astype(np.int64)


def _as_numbers(labels: np.ndarray) -> np.ndarray:
    def number(label: str) -> float:
        try:
            return float(label)
        except ValueError:
            return math.nan

    return np.array([number(label) for label in labels])


def _shown(label: object) -> str:
    if isinstance(label, float):
        return "an empty cell" if math.isnan(label) else f"{label:.15g}"
    return repr(shortened(str(label))) if str(label).strip() else "an empty cell"
