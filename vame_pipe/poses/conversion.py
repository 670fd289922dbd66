"""Convert the table of one animal in a pose file to validated `Poses`, whatever the format."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import NoReturn

import numpy as np

from vame_pipe.core.errors import InputError, listing, shortened
from vame_pipe.poses.animals import AnimalColumns
from vame_pipe.poses.contract import Poses
from vame_pipe.poses.pose_table import COORDS, PoseTable

log = logging.getLogger(__name__)

MAX_COORDINATE = 1e7
"""Pixels or the unit of 3D poses; no image is that large."""


def to_poses(
    table: PoseTable, animal: AnimalColumns, frame: np.ndarray, fps: float, source: str
) -> Poses:
    """Return the poses of an animal; frames without a row are missing.

    Parameters
    ----------
    table : PoseTable
    animal : AnimalColumns
    frame : numpy.ndarray
        `(n_rows,)` int64, frame number of each row, increasing.
    fps : float
        Frames per second.
    source : str
        Name of the file, for messages.

    Raises
    ------
    InputError
        If every keypoint has a fault.
    """
    names, coords = tuple(animal.columns), animal.coords
    n_frames = int(frame[-1] - frame[0]) + 1
    rows = slice(None) if n_frames == len(frame) else frame - frame[0]
    # each coordinate is contiguous along time, which makes everything that follows faster
    position = np.full((len(names), len(coords), n_frames), np.nan)
    confidence = np.zeros((len(names), n_frames))
    faults: dict[str, str] = {}
    for k, (name, columns) in enumerate(animal.columns.items()):
        fault = header_fault(name, columns, coords) or _cell_fault(name, columns, table, frame)
        if fault is None:
            values = {c: table.values[:, i[0]] for c, i in columns.items()}
            fault = _value_fault(name, values, frame)
        if fault is not None:
            faults[name] = f"{source}: {fault}"
            continue
        missing = np.isnan(values["x"])
        for coord in coords[1:]:
            missing |= np.isnan(values[coord])
        for axis, coord in enumerate(coords):
            position[k, axis, rows] = np.where(missing, np.nan, values[coord])
        # a position without a score is trusted, one with a negative score is not
        score = np.maximum(values["likelihood"], 0) if "likelihood" in values else np.nan
        confidence[k, rows] = np.where(missing, 0, score)
    if len(faults) == len(names):
        _refuse_all(faults, table, animal.coordinates, source)
    return Poses(
        position=position.transpose(2, 0, 1),
        confidence=confidence.T,
        keypoints=names,
        fps=fps,
        source=source,
        first_frame=int(frame[0]),
        individual=animal.individual,
        faults=faults,
    )


def header_fault(name: str, columns: dict[str, list[int]], coords: str) -> str | None:
    """Return which column of a keypoint is missing or there twice; None: no such fault.

    Parameters
    ----------
    name : str
    columns : dict of str to list of int
        As in `AnimalColumns`.
    coords : str
        Coordinates that it should have, `xy` or `xyz`.

    Examples
    --------
    >>> header_fault("nose", {"x": [0, 4], "y": [1]}, "xy")
    "keypoint 'nose' has 2 columns x. Keep one of them."
    """
    shown = shortened(name)
    missing = [c for c in coords if c not in columns]
    if missing:
        return (
            f"keypoint '{shown}' has no column {' and '.join(missing)}. Remove it from keypoints or "
            "re-export the file."
        )
    repeated = [c for c in COORDS if len(columns.get(c, [])) > 1]
    if repeated:
        n_columns = len(columns[repeated[0]])
        return f"keypoint '{shown}' has {n_columns} columns {repeated[0]}. Keep one of them."
    return None


def _cell_fault(
    name: str, columns: dict[str, list[int]], table: PoseTable, frame: np.ndarray
) -> str | None:
    """Return which cell of a keypoint is not a number; None: all are."""
    for coord in COORDS:
        for i in columns.get(coord, []):
            if i in table.not_numbers:
                row, text = table.not_numbers[i]
                return (
                    f"{coord} of keypoint '{shortened(name)}' is {shortened(text)!r} in frame "
                    f"{frame[row]}, which is not a number. Clear such cells or re-export the file."
                )
    return None


def _value_fault(name: str, values: dict[str, np.ndarray], frame: np.ndarray) -> str | None:
    """Return what is wrong with the numbers of a keypoint; None: nothing."""
    shown = shortened(name)
    for coord, column in values.items():
        limit = math.inf if coord == "likelihood" else MAX_COORDINATE
        if not np.fmax.reduce(np.abs(column)) > limit and not np.isinf(column).any():
            continue
        wrong = np.isinf(column) | (np.abs(column) > limit)
        row, n_wrong = int(np.argmax(wrong)), int(wrong.sum())
        size = f"{column[row]:.3g}, which is too large for a pixel coordinate,"
        what = "infinite" if np.isinf(column[row]) else size
        more = f" ({n_wrong} such values)" if n_wrong > 1 else ""
        return (
            f"{coord} of keypoint '{shown}' is {what} in frame {frame[row]}{more}. Clear such cells or "
            "re-export the file."
        )
    return None


def _refuse_all(
    faults: dict[str, str], table: PoseTable, coordinates: list[int], source: str
) -> NoReturn:
    """Refuse a file whose keypoints all have faults."""
    if not table.not_numbers and np.isnan(table.values[:, coordinates]).all():
        raise InputError(f"{source}: every coordinate is missing (NaN). Track the video again.")
    more = f" (All {len(faults)} keypoints have faults.)" if len(faults) > 1 else ""
    raise InputError(next(iter(faults.values())) + more)


def log_confidence(
    animals: Sequence[AnimalColumns], poses: Mapping[str, Poses], source: str
) -> None:
    """Log which keypoints of a file have no likelihood, and a scale that exceeds 1.

    Parameters
    ----------
    animals : sequence of AnimalColumns
    poses : mapping of str to Poses
        Of each of them, by its name.
    source : str
        Name of the file.
    """
    without: dict[tuple[str, ...], list[str]] = {}
    for animal in animals:
        faults = poses[animal.individual].faults
        names = [n for n, c in animal.columns.items() if "likelihood" not in c and n not in faults]
        if names:
            without.setdefault(tuple(names), []).append(animal.individual)
    for keypoints, names in without.items():
        log.warning(
            "%s: no likelihood for %s%s; all their tracked points are trusted",
            source,
            listing(keypoints, "'"),
            " of " + listing(names, "'") if len(animals) > 1 else "",
        )
    scales = [np.fmax.reduce(each.confidence, axis=None) for each in poses.values()]
    highest = np.fmax.reduce(scales)
    if highest > 1:
        log.info(
            "%s: confidence ranges up to %.3g; align.min_confidence is on this scale",
            *(source, highest),
        )
