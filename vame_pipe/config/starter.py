"""A configuration for a folder of pose files: which recordings there are, and settings that suit them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from vame_pipe.alignment.session import align_usable
from vame_pipe.config.sections import Align, Quantile
from vame_pipe.config.starter_files import (
    choose_files,
    find_files,
    folder_columns,
    session_names,
)
from vame_pipe.config.starter_windows import WindowChoice, choose_windows
from vame_pipe.core.errors import InputError, listing
from vame_pipe.poses.keypoint_names import words
from vame_pipe.poses.readers import read_poses
from vame_pipe.poses.suggestion import QUANTILE, axis_by_name
from vame_pipe.poses.summary import FileSummary, summarise
from vame_pipe.poses.video_rate import VideoFacts, video_facts, video_of

log = logging.getLogger(__name__)

MAX_LENGTH_ERROR = 0.01
"""Fraction by which the frames of a video and of its poses may differ in number."""
MIN_SHARED = 0.5
"""Fraction of the usual keypoints that a recording must have to belong to the others."""

Value = TypeVar("Value")


@dataclass(frozen=True)
class StarterSession:
    """A recording of the new configuration.

    Attributes
    ----------
    name : str
    summary : FileSummary
    fps : float
    fps_from : str
        `file`; `video`, or `other video` if the video has another number of frames; `option`.
    group : str or None
    metadata : dict of str to str
    exclude : str or None
        Why it cannot be aligned.
    longest : int
        Time steps of the longest run of valid ones of an animal.
    """

    name: str
    summary: FileSummary
    fps: float
    fps_from: str
    group: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    exclude: str | None = None
    longest: int = 0


@dataclass(frozen=True)
class Starter:
    """A configuration for some recordings.

    Attributes
    ----------
    sessions : list of StarterSession
    keypoints : dict of str to list of str
        Keypoints to use, each with its names in the files.
    dropped : dict of str to str
        Keypoints that are not used, and why.
    align : Align
    by_name : bool
        Whether the body axis was found by names.
    skipped : list of str
        Files that are not used, and why.
    windows : WindowChoice
    mirrored : list of str
        Sessions in which left and right are swapped, unless they are so in all.
    """

    sessions: list[StarterSession]
    keypoints: dict[str, list[str]]
    dropped: dict[str, str]
    align: Align
    by_name: bool
    skipped: list[str]
    windows: WindowChoice
    mirrored: list[str]


def make_starter(paths: Sequence[Path], fps: float | None = None) -> Starter:
    """Return a configuration for pose files and folders of them.

    Parameters
    ----------
    paths : sequence of Path
    fps : float, optional
        Frames per second of recordings for which neither the file nor a video of the same length tells.

    Raises
    ------
    InputError
        If there is no pose file, if a frame rate is unknown, or if no recording can be aligned.
    """
    files = find_files(paths)
    chosen, skipped = choose_files(files)
    summaries = []
    for versions in chosen:
        found, reasons = _first_usable(versions)
        skipped += reasons
        summaries += [found] if found else []
    summaries, others = _alike(summaries)
    skipped += others
    if not summaries:
        shown = "; ".join(skipped[:3]) or "there are none"
        raise InputError(f"{listing(map(str, paths))}: no usable pose file: {shown.rstrip('.')}.")
    sessions = _sessions(summaries, fps)
    keypoints, dropped = shared_keypoints(summaries)
    settings, by_name = _axis(summaries, keypoints)
    rates = {session.fps for session in sessions}
    if len(rates) > 1:
        settings = settings.model_copy(update={"fps": min(rates)})
    sessions, settings = _checked(sessions, settings, keypoints)
    windows = choose_windows(
        [s.longest for s in sessions if not s.exclude], settings.fps or max(rates)
    )
    mirrored, all_are = _mirrored(sessions)
    if all_are:
        settings, mirrored = settings.model_copy(update={"camera": "below"}), []
    return Starter(sessions, keypoints, dropped, settings, by_name, skipped, windows, mirrored)


def _first_usable(versions: Sequence[Path]) -> tuple[FileSummary | None, list[str]]:
    """Return the first file of a recording that can be used, and why the others are not."""
    used, reasons = None, []
    for path in versions:
        if used is not None:
            reasons.append(f"{path}: the same recording as {used.path.name}, by its name")
            continue
        try:
            summary, _ = summarise(path)  # the poses of all files can be too large for the memory
        except InputError as error:
            reasons += error.problems
            continue
        if summary.suggestion.centre is None:
            reasons.append(f"{path}: has fewer than two usable keypoints of an animal")
        else:
            used = summary
    return used, reasons


def _alike(summaries: Sequence[FileSummary]) -> tuple[list[FileSummary], list[str]]:
    """Return the recordings with the keypoints and dimensions that most have, and why not the others."""
    if not summaries:
        return [], []
    kinds = [(frozenset(_by_words(s)), s.dimensions) for s in summaries]
    frames: Counter[tuple[frozenset[tuple[str, ...]], int]] = Counter()
    for kind, each in zip(kinds, summaries, strict=True):
        frames[kind] += each.n_frames
    counts = Counter(kinds)
    usual, dimensions = max(kinds, key=lambda kind: (counts[kind], frames[kind]))
    alike, others = [], []
    for summary, (found, n) in zip(summaries, kinds, strict=True):
        if n == dimensions and len(found & usual) >= max(2, MIN_SHARED * len(usual)):
            alike.append(summary)
        elif n != dimensions:
            others.append(
                f"{summary.path}: has {n} dimensions, but most of the files have {dimensions}. Make a "
                "configuration for it in another folder"
            )
        else:
            names = listing([point.name for point in summary.keypoints])
            others.append(f"{summary.path}: has other keypoints than most of the files: {names}")
    return alike, others


def _by_words(summary: FileSummary) -> dict[tuple[str, ...], str]:
    """Return the keypoints of a file by the words of their names; those with the same words by the name."""
    names = [point.name for point in summary.keypoints]
    counts = Counter(map(words, names))
    return {words(name) if counts[words(name)] == 1 else (name,): name for name in names}


def _sessions(summaries: Sequence[FileSummary], fps: float | None) -> list[StarterSession]:
    """Return the recordings with their names, frame rates and groups."""
    rates = [_frame_rate(summary, fps) for summary in summaries]
    unknown = [s.path.name for s, rate in zip(summaries, rates, strict=True) if rate is None]
    if unknown:
        raise InputError(
            f"frame rate unknown for {listing(unknown, limit=3)}: neither the file nor a video next to it "
            "tells. Give it with --fps NUMBER."
        )
    names = session_names([summary.path for summary in summaries])
    folders = folder_columns([summary.path for summary in summaries])
    sessions = []
    for summary, rate, name, columns in zip(summaries, rates, names, folders, strict=True):
        if rate is not None:
            group = columns[0] if columns else None
            metadata = {f"folder_{i}": value for i, value in enumerate(columns[1:], 2)}
            sessions.append(StarterSession(name, summary, *rate, group, metadata))
    return sessions


def _frame_rate(summary: FileSummary, given: float | None) -> tuple[float, str] | None:
    """Return the frame rate of a recording and where it is from; None if it is unknown.

    A video with another number of frames may be of another recording, or have another rate than the one
    that was tracked. It only counts if no rate is given.
    """
    if summary.fps is not None:
        return summary.fps, "file"
    video = video_of(summary.path)
    found = video_facts(video) if video else None
    if found is not None and _is_as_long(found, summary):
        return round(found.fps, 3), "video"
    if given is not None:
        return given, "option"
    return None if found is None else (round(found.fps, 3), "other video")


def _is_as_long(video: VideoFacts, summary: FileSummary) -> bool:
    """Return whether a video has as many frames as poses, about; so if its header does not tell."""
    n_poses = summary.first_frame + summary.n_frames
    return not video.n_frames or abs(n_poses / video.n_frames - 1) <= MAX_LENGTH_ERROR


def shared_keypoints(
    summaries: Sequence[FileSummary],
) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Return the keypoints that all recordings have, with their names in them, and why not the others."""
    spelled = [_by_words(summary) for summary in summaries]
    common = [key for key in spelled[0] if all(key in each for each in spelled)]
    keypoints, dropped = {}, {}
    for key in dict.fromkeys(key for each in spelled for key in each):
        names = [each[key] for each in spelled if key in each]
        name = _most_common(names)
        if key not in common:
            dropped[name] = "not in all files"
            continue
        reasons = [
            summary.suggestion.leave_out[each[key]]
            for summary, each in zip(summaries, spelled, strict=True)
            if each[key] in summary.suggestion.leave_out
        ]
        if len(reasons) > len(summaries) / 2:
            dropped[name] = _most_common(reasons)
        else:
            keypoints[name] = list(dict.fromkeys(names))
    return keypoints, dropped


def _axis(summaries: Sequence[FileSummary], keypoints: dict[str, list[str]]) -> tuple[Align, bool]:
    """Return the section `align`, and whether the body axis was found by names."""
    known = {alias: name for name, aliases in keypoints.items() for alias in aliases}
    votes = [
        (known[str(s.suggestion.centre)], known[str(s.suggestion.forward)], s.suggestion.by_name)
        for s in summaries
        if s.suggestion.centre in known and s.suggestion.forward in known
    ]
    named = axis_by_name(list(keypoints))
    if votes:
        centre, forward, by_name = _most_common(votes)
    elif named:
        (centre, forward), by_name = named, True
    else:
        raise InputError(
            f"no two keypoints are usable in all files as a body axis; common ones: "
            f"{listing(list(keypoints))}. Give fewer files, or write config.yaml by hand."
        )
    threshold = _most_common([summary.suggestion.min_confidence for summary in summaries])
    confidence = Quantile(quantile=QUANTILE) if threshold is None else threshold
    return Align(centre=centre, forward=forward, min_confidence=confidence), by_name


def _checked(
    sessions: list[StarterSession], settings: Align, keypoints: dict[str, list[str]]
) -> tuple[list[StarterSession], Align]:
    """Return the recordings with the reasons why some cannot be aligned, and settings that suit them.

    Raises
    ------
    InputError
        If none can be aligned.
    """
    choices = [settings, settings.model_copy(update={"head_fixed": True})]
    for choice in choices:
        checked = [_try_to_align(session, choice, keypoints) for session in sessions]
        if any(session.exclude is None for session in checked):
            return checked, choice
    raise InputError(*(f"{each.summary.path}: {each.exclude}" for each in checked[:3]))


def _try_to_align(
    session: StarterSession, settings: Align, keypoints: dict[str, list[str]]
) -> StarterSession:
    """Return the recording with its longest run, or excluded if no animal of it can be aligned."""
    try:
        poses = read_poses(session.summary.path, session.fps)
        aligned, _ = align_usable(poses, settings, keypoints)
    except InputError as error:
        return replace(session, exclude=" ".join(error.problems))
    runs = [animal.run[animal.valid] for animal in aligned.values()]
    return replace(session, longest=max(int(np.bincount(run).max(initial=0)) for run in runs))


def _mirrored(sessions: Sequence[StarterSession]) -> tuple[list[str], bool]:
    """Return the sessions in which left and right are swapped, and whether that is so in all."""
    sides = {s.name: s.summary.suggestion.camera for s in sessions if not s.exclude}
    below = [name for name, side in sides.items() if side == "below"]
    return below, bool(below) and "above" not in sides.values()


def _most_common(values: Sequence[Value]) -> Value:
    return Counter(values).most_common(1)[0][0]
