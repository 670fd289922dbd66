"""Check a configuration and the files it names before any job starts."""

from __future__ import annotations

import os
import shlex
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vame_pipe.config import loading, pairs
from vame_pipe.config.configuration import Config
from vame_pipe.config.loading import Source
from vame_pipe.config.sections import Session
from vame_pipe.core.errors import InputError, did_you_mean, listing
from vame_pipe.core.layout import Layout
from vame_pipe.motifs.label_file import read_labels
from vame_pipe.poses.animals import AnimalColumns, individuals
from vame_pipe.poses.conversion import header_fault
from vame_pipe.poses.keypoint_names import missing_keypoints
from vame_pipe.poses.readers import (
    NO_FPS,
    animal_columns,
    common_keypoints,
    frame_rate,
    read_header,
)

MAX_FPS = 2000
"""Frames per second that hardly any camera reaches."""
MAX_AHEAD_S = 1.0
"""How far in the future the time stamp of a pose file may be: less than an alignment takes."""


def load(*sources: Source, generated: Mapping[str, Sequence[str]]) -> Config:
    """Load the configuration and check the files it names.

    Parameters
    ----------
    *sources : str, Path or mapping
        YAML files, or their content; later ones take precedence.
    generated : mapping of str to sequence of str
        Pose files that the workflow itself makes, mapped to their keypoints; they need not exist yet.

    Raises
    ------
    InputError
        With every problem of settings, pose files, keypoint names and the results folder, one line
        each.
    """
    config, problems = loading.read(*sources)
    if config is not None:
        problems += writable_problems(config.results)
        solid: dict[str, bool] = {}
        for name, session in config.analysed.items():
            read = _read_headers(session, generated)
            found_animals = [one for file in read.animals.values() for one in file]
            if found_animals:
                solid[name] = any(one.coords == "xyz" for one in found_animals)
            found = _session_problems(session, config, generated, read)
            found += _label_problems(name, session)
            if any(f"sessions.{name}.fps" in line for line in problems):
                found = [line for line in found if NO_FPS not in line]  # the setting is wrong
            problems += [f"session {name}: {line}" for line in found]
        problems += _dimension_problems(solid)
    if problems or config is None:
        raise InputError(*dict.fromkeys(problems))
    found = [
        f"models.{name}: {line}"
        for name, model in config.external.items()
        for line in model.file_problems()
    ]
    if found:
        raise InputError(*found)
    return config


@dataclass(frozen=True)
class _Headers:
    """What the headers of the files of a session tell.

    Attributes
    ----------
    animals : dict of str to list of AnimalColumns
        Animals of each file that can be read.
    all_animals : set of str
        Also those that are not selected.
    problems : list of str
    """

    animals: dict[str, list[AnimalColumns]]
    all_animals: set[str]
    problems: list[str]


def _read_headers(session: Session, generated: Mapping[str, Sequence[str]]) -> _Headers:
    """Return the animals in the files of a session, and what is wrong with their headers."""
    found = _Headers({}, set(), [])
    for path in session.files:
        if generated.get(path):
            continue
        try:
            header = read_header(path, session.format)
            several = len(session.files) > 1
            found.animals[path] = animal_columns(header, Path(path), session.individuals, several)
            found.all_animals.update(individuals(header.columns))
            frame_rate(header, Path(path), session.fps)
        except InputError as error:
            found.problems.extend(error.problems)
    return found


def _session_problems(
    session: Session, config: Config, generated: Mapping[str, Sequence[str]], read: _Headers
) -> list[str]:
    """Return what is wrong with the files of a session, one line each."""
    problems = list(read.problems)
    for path in session.files:
        available = list(generated.get(path, [])) or common_keypoints(read.animals.get(path, []))
        if available:
            problems += _time_stamp_problems(path)
            problems += missing_keypoints(available, config.align, config.aliases)
            problems += _skeleton_problems(available, config, path)
            problems += _column_problems(read.animals.get(path, []), session, config, path)
    several = len(session.files) > 1
    unknown = [
        name for name in session.individuals or [] if several and name not in read.all_animals
    ]
    if unknown and not problems:
        problems.append(
            f"individuals {listing(unknown, chr(39))} are in none of its files, which have: "
            f"{listing(sorted(read.all_animals), limit=12)}. Set individuals to names from this list."
        )
    if not problems and read.animals:
        problems += _partner_problems(read, config)
    problems += [
        f"video {video}: no such file. Check the path; it is relative to the working directory."
        for video in session.videos
        if not Path(video).is_file()
    ]
    return problems


def _column_problems(
    animals: list[AnimalColumns], session: Session, config: Config, path: str
) -> list[str]:
    """Return one line for each used keypoint without or with several columns of a coordinate.

    An animal with such a fault is left out if others have none, unless animals are selected.
    """
    names = (
        None if config.aliases is None else {n for each in config.aliases.values() for n in each}
    )
    if config.align.drop_bad_keypoints is not None:
        names = set(config.align.body_axis)  # others may be left out
    found = [
        [
            f"{path}: {fault}"
            for name, columns in one.columns.items()
            if names is None or name in names
            if (fault := header_fault(name, columns, one.coords))
        ]
        for one in animals
    ]
    if session.individuals is None and not all(found):
        return []
    return list(dict.fromkeys(line for lines in found for line in lines))


def _partner_problems(read: _Headers, config: Config) -> list[str]:
    """Return one line if a session has no partner for align.social."""
    names = list(dict.fromkeys(one.individual for file in read.animals.values() for one in file))
    settings = config.align
    if settings.social and len(names) < 2:
        return [
            f"there is only one animal ({listing(names, chr(39))}), but align.social needs two or more. "
            "Set align.social to false."
        ]
    if settings.partner is not None and settings.partner not in names:
        return [
            f"align.partner '{settings.partner}' is not among the animals: {listing(names, chr(39))}. "
            "Set it to one of these, or to null for the nearest one."
        ]
    return []


def _dimension_problems(solid: Mapping[str, bool]) -> list[str]:
    """Return one line if some sessions are 3D and others 2D."""
    three, two = ([name for name in solid if solid[name] == is_solid] for is_solid in (True, False))
    if not three or not two:
        return []
    return [
        f"sessions: {listing(three, limit=3)} {'is' if len(three) == 1 else 'are'} 3D, but "
        f"{listing(two, limit=3)} {'is' if len(two) == 1 else 'are'} 2D, and models learn from one kind. "
        'Make a configuration for each kind, or leave sessions out (exclude: "...").'
    ]


def _label_problems(name: str, session: Session) -> list[str]:
    """Return what is wrong with the label file of a session, as far as it tells without the poses."""
    try:
        if session.labels is not None:
            read_labels(Path(session.labels), name)
    except InputError as error:
        return error.problems
    return []


def _skeleton_problems(available: Sequence[str], config: Config, path: str) -> list[str]:
    """Return one line if the skeleton has names that are not among the keypoints of a file."""
    names = dict.fromkeys(name for pair in config.skeleton or [] for name in pair)
    unknown = [name for name in names if config.aliases is None and name not in available]
    if not unknown:
        return []
    return [
        f"skeleton: {listing(unknown, quote=chr(39))} not in {path}, which has: {', '.join(available)}. "
        "Correct the names, or set keypoints to those that all files have."
        f"{did_you_mean(unknown[0], available)}"
    ]


def _time_stamp_problems(poses: str) -> list[str]:
    """Return one line if a pose file is dated in the future: its results would always seem outdated."""
    path = Path(poses)
    ahead = path.stat().st_mtime - time.time() if path.exists() else 0.0
    if ahead <= MAX_AHEAD_S:
        return []
    return [
        f"{poses}: its time stamp is {ahead / 60:.1f} minutes in the future, so that its results would "
        f"always seem older. Set it to the current time: touch {shlex.quote(poses)}"
    ]


def writable_problems(results: str | Path) -> list[str]:
    """Return one line if the results folder cannot be created or written; leaves nothing behind."""
    folder = Path(results)
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return []
    except OSError as error:
        return [
            f"config: results folder '{results}' is not writable ({os.strerror(error.errno or 0)} "
            f"at {folder}). Set results to a writable folder."
        ]


def excluded(config: Config) -> list[str]:
    """Return the sessions that are left out, with the reason of each, one line each.

    Parameters
    ----------
    config : Config
    """
    return [f"session {name} is excluded: {reason}" for name, reason in config.excluded.items()]


def warnings(config: Config, on_cluster: bool) -> list[str]:
    """Return what a user should know before a run starts, one line each.

    Parameters
    ----------
    config : Config
    on_cluster : bool
        Jobs run on other machines.
    """
    found = []
    if on_cluster and not (config.mlflow.tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")):
        found.append(
            f"MLflow's store is a SQLite file in {Layout(Path(config.results)).mlflow}, which is safe on a "
            "single node only. For jobs on several nodes set mlflow.tracking_uri or MLFLOW_TRACKING_URI to "
            "a server."
        )
    found += [
        f"session {name}: fps is {session.fps:g}. Is that right? It is the number of frames per second."
        for name, session in config.analysed.items()
        if session.fps is not None and session.fps > MAX_FPS
    ]
    found += pairs.warnings(config.analysed)
    labelled = [name for name, session in config.analysed.items() if session.labels]
    if labelled and not config.variants:
        found.append(
            f"the labels of {listing(labelled, limit=3)} are not compared with motifs: that needs the "
            "training windows of a model that is trained here."
        )
    aligned = Layout(Path(config.results)).aligned_folder
    others = sorted({path.stem for path in aligned.glob("*.parquet")} - config.sessions.keys())
    if others:
        count = "one session" if len(others) == 1 else f"{len(others)} sessions"
        found.append(
            f"{config.results} also holds {count} of an earlier run ({listing(others, limit=3)}), which "
            "may have been encoded with other models. Delete their files, or use a separate results folder "
            "for each set of recordings."
        )
    return found
