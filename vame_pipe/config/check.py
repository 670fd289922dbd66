"""What can be wrong with a configuration and its files, found before any job starts."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from vame_pipe.config import loading
from vame_pipe.config.loading import Config
from vame_pipe.core.errors import InputError
from vame_pipe.poses.readers import missing_keypoints, read_keypoints

MAX_AHEAD_S = 1.0
"""An alignment takes longer, and its results are dated later than that."""


def load(source: str | Path | dict, generated: Mapping[str, Sequence[str]]) -> Config:
    """Return the configuration after looking at the files that it names.

    Parameters
    ----------
    source : str, Path or dict
        A YAML file, or its content.
    generated : mapping of str to sequence of str
        Pose files that the workflow itself makes, and their keypoints; they need not be there yet.

    Raises
    ------
    InputError
        With every problem of settings, pose files, keypoint names and the results folder, one line
        each.
    """
    settings, problems = loading.read(source)
    if settings is not None:
        problems += loading.writable_problems(settings.results)
        for name, session in settings.sessions.items():
            try:
                available = list(generated.get(session.poses) or read_keypoints(session.poses))
            except InputError as error:
                problems += [f"session {name}: {line}" for line in error.problems]
            else:
                problems += _time_stamp_problems(name, session.poses)
                lines = missing_keypoints(available, settings.align, settings.aliases)
                problems += [f"session {name}: {line}" for line in lines]
    if problems:
        raise InputError(*dict.fromkeys(problems))
    return settings


def _time_stamp_problems(session: str, poses: str) -> list[str]:
    """Return one line if a pose file is dated in the future: Snakemake takes results for older than it."""
    path = Path(poses)
    ahead = path.stat().st_mtime - time.time() if path.exists() else 0.0
    if ahead <= MAX_AHEAD_S:
        return []
    return [
        f"session {session}: {poses}: its time stamp is {ahead / 60:.1f} minutes in the future, so that "
        f"results would count as older than it. Set it to now: touch {shlex.quote(poses)}"
    ]
