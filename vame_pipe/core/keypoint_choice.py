"""Which keypoints the alignment uses, if badly tracked ones are left out of all sessions."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from vame_pipe.core import files
from vame_pipe.core.errors import InputError


@dataclass(frozen=True)
class KeypointChoice:
    """The keypoints to use, as in results/keypoints.json.

    Attributes
    ----------
    kept : dict of str to list of str, optional
        Keypoints to use, each with the names that it can have in the files; None: all of a file.
    dropped : list of str
        Keypoints that are left out of all sessions.
    missing : dict of str to float
        For each keypoint, the fraction of the frames with an animal in which it has no usable point.
    """

    kept: dict[str, list[str]] | None
    dropped: list[str]
    missing: dict[str, float]


def write(choice: KeypointChoice, path: Path) -> None:
    """Write a choice as JSON, atomically."""
    files.write_json(path, dataclasses.asdict(choice))


def read(path: Path) -> KeypointChoice:
    """Return the choice in a file.

    Raises
    ------
    InputError
        If the file is missing or damaged.
    """
    try:
        return KeypointChoice(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, TypeError, ValueError):
        raise InputError(
            f"{path}: is missing, or is no list of keypoints to use. Delete it and run the workflow again."
        ) from None
