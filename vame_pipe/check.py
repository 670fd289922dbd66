"""What can be wrong with a configuration's files, found before any job starts."""

from __future__ import annotations

from collections.abc import Collection

from vame_pipe.config import Config, writable_problems
from vame_pipe.errors import InputError
from vame_pipe.poses import missing_keypoints, read_keypoints


def problems(config: Config, made: Collection[str] = ()) -> list[str]:
    """List the problems with pose files, keypoint names and the results folder, one line each.

    Parameters
    ----------
    config : Config
    made : collection of str
        Pose files that the workflow itself makes; they need not be there yet.
    """
    found = writable_problems(config.results)
    for name, session in config.sessions.items():
        if session.poses in made:
            continue
        try:
            available = read_keypoints(session.poses)
        except InputError as error:
            found += [f"session {name}: {line}" for line in error.problems]
        else:
            found += missing_keypoints(name, available, config.align, config.aliases)
    return found
