"""How far a new recording resembles the training sessions of a model: record and file."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from vame_pipe.core import files
from vame_pipe.core.errors import InputError


@dataclass(frozen=True)
class Novelty:
    """How far a recording resembles the training sessions of a model, as in {session}.novelty.json.

    Attributes
    ----------
    session : str
    n_windows : int
        Windows of the recording.
    beyond_p99 : float or None
        Fraction of them that are reconstructed worse than 99 % of the validation windows; None if there are
        no windows, or if the model file does not hold that percentile.
    body_length_px : dict of str to float
        By individual.
    body_length_ratio : dict of str to float
        To the median body length of the training sessions, by individual; empty if that is unknown.
    source_fps : float
        Frames per second of the recording.
    training_fps : list of float
        Frames per second of the training sessions; empty if unknown.
    feature_shift : dict of str to float
        By feature: mean of the recording minus mean of the training sessions, in standard deviations of the
        training sessions. Empty if the recording has no valid frame.
    reasons : list of str
        Why the recording does not resemble the training sessions; empty if it does, or if nothing is known.
    known : bool
        Whether the model file describes its training sessions.
    latents_fingerprint : str
        `fingerprint` of the latents that it was computed from.
    stage_version : int
        See `core.source`.
    """

    session: str
    n_windows: int
    beyond_p99: float | None
    body_length_px: dict[str, float]
    body_length_ratio: dict[str, float]
    source_fps: float
    training_fps: list[float]
    feature_shift: dict[str, float]
    reasons: list[str]
    known: bool
    latents_fingerprint: str
    stage_version: int

    @property
    def largest_shifts(self) -> list[tuple[str, float]]:
        """The three features that are shifted most, with their shifts."""
        return sorted(self.feature_shift.items(), key=lambda item: -abs(item[1]))[:3]


def write(record: Novelty, path: Path) -> None:
    """Write a record as JSON, atomically."""
    files.write_json(path, dataclasses.asdict(record))


def write_rejection(session: str, problems: list[str], path: Path) -> None:
    """Write why there is no record of a session; `read` raises the reasons."""
    files.write_json(path, {"session": session, "rejected": problems})


def read(path: Path) -> Novelty:
    """Return the record of a session.

    Raises
    ------
    InputError
        If the file is missing, damaged or of another version. For a recording that could not be encoded:
        the reasons, one line each.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if "rejected" not in content:
            return Novelty(**content)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file. Run the workflow first.") from None
    except (ValueError, TypeError):
        raise InputError(
            f"{path}: cannot be read; it is damaged or of another version of vame_pipe. Delete it and run "
            "the workflow again."
        ) from None
    raise InputError(*content["rejected"])
