"""The frame number of each row of a pose file, from its row labels."""

from __future__ import annotations

import logging
import math

import numpy as np

from vame_pipe.core.errors import InputError, shortened

log = logging.getLogger(__name__)

MAX_SPARSITY = 10
"""Frames per row, at most."""


def frame_numbers(labels: np.ndarray, source: str) -> np.ndarray:
    """Return the frame number of each row, `(n_rows,)` int64, at least two rows.

    Parameters
    ----------
    labels : numpy.ndarray
        `(n_rows,)` float64 or str, the first column of the file.
    source : str
        Name of the file, for messages.

    Raises
    ------
    InputError
        If the labels are not increasing frame numbers, or too many frames have no row.
    """
    number = labels if labels.dtype.kind == "f" else _as_numbers(labels)
    _require_increasing(number, labels, source)
    step, span = np.diff(number), int(number[-1] - number[0]) + 1
    regular = step[:-1] if len(step) > 1 else step  # the last row can be the end of the video
    smallest = int(regular.min())
    found = f"{len(number)} rows for frames {number[0]:.0f} to {number[-1]:.0f}"
    if smallest > 1 and (regular % smallest != 0).any():
        steps = ", ".join(f"{s:.0f}" for s in step[:4])
        raise InputError(
            f"{source}: its first column looks like a clock instead of frame numbers: {found}, in "
            f"steps of {steps}, ... Number the rows by frames, or re-export the file unmodified."
        )
    if span > MAX_SPARSITY * len(number):
        every = f", one every {smallest} frames" if smallest > 1 else ""
        raise InputError(
            f"{source}: {found}{every}: too many frames are missing for a recording, or the first column "
            f"is a clock. At least one frame in {MAX_SPARSITY} must have a row."
        )
    n_missing = span - len(number)
    if smallest > 1:
        log.warning(
            "%s: has one row every %d frames; the %d frames without a row are treated as missing. Check "
            "that its first column contains frame numbers",
            *(source, smallest, n_missing),
        )
    elif n_missing:
        what = (
            "1 frame has no row and is"
            if n_missing == 1
            else f"{n_missing} frames have no row and are"
        )
        log.warning("%s: %s treated as missing", source, what)
    return number.astype(np.int64)


def _require_increasing(number: np.ndarray, labels: np.ndarray, source: str) -> None:
    wrong = ~np.isfinite(number) | (number != np.round(number)) | (np.abs(number) > 2**53)
    wrong[0] |= number[0] < 0
    wrong[1:] |= ~(np.diff(number, prepend=np.nan)[1:] > 0)
    if wrong.any():
        row = int(np.argmax(wrong))
        before = f"after {_shown(labels[row - 1])} comes" if row else "it begins with"
        raise InputError(
            f"{source}: its first column must contain increasing frame numbers, but {before} "
            f"{_shown(labels[row])} (row {row + 1} of {len(labels)}). Re-export the file unmodified."
        )


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
