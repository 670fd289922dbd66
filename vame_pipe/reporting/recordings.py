"""Tracking quality of the sessions, and the reasons for which they are flagged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pyarrow.parquet as pq

from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout
from vame_pipe.core.schemas import WindowsMetadata, read_record

MIN_VALID = 0.8
"""Smallest fraction of valid frames of a session that is not flagged."""
MAX_MISSING = 0.2
"""Largest fraction of frames in which a keypoint may be missing."""
MAX_OUTLIERS = 0.05
"""Largest fraction of frames in which a keypoint may jump."""
MAX_PLACEHOLDERS = 0.01
"""Largest fraction of frames in which a keypoint may be a value that stands for a missing point."""
MAX_FLIPPED = 0.005
"""Largest fraction of frames in which head and tail may seem swapped."""
MAX_SIZE_RATIO = 1.5
"""Largest factor between a body length and the median of all sessions, in either direction."""


@dataclass(frozen=True)
class KeypointQuality:
    """Fractions of the frames in which a keypoint has a fault.

    Attributes
    ----------
    missing : float
        Missing and not interpolated.
    outliers : float
        Far from its running median.
    placeholders : float
        At a value that stands for a missing point, such as (0, 0).
    """

    missing: float
    outliers: float
    placeholders: float


@dataclass(frozen=True)
class Recording:
    """One animal of a session.

    Attributes
    ----------
    session, individual : str
    label : str
        The session; if it has several animals, also the individual.
    use : {"train", "encode"}
        Whether models learned from the session or only encoded it.
    n_rows : int
        Frames on the analysis clock.
    minutes : float
    valid, flipped : float
        Fractions of the frames: valid; head and tail seem swapped.
    n_windows : int
        Training and validation windows.
    body_length_px : float
    keypoints : mapping of str to KeypointQuality
    mirrored : bool
        Whether left and right seem swapped, compared with other sessions.
    copies : tuple of str
        Other sessions that contain the same recording.
    flags : tuple of str
        Reasons to check the recording; empty if there are none.
    """

    session: str
    individual: str
    label: str
    use: Literal["train", "encode"]
    n_rows: int
    minutes: float
    valid: float
    flipped: float
    n_windows: int
    body_length_px: float
    keypoints: Mapping[str, KeypointQuality]
    mirrored: bool
    copies: tuple[str, ...]
    flags: tuple[str, ...] = ()

    @property
    def worst_keypoint(self) -> str:
        """The keypoint that is missing most often."""
        return max(self.keypoints, key=lambda name: self.keypoints[name].missing)


def read_recordings(layout: Layout, sessions: list[str]) -> list[Recording]:
    """Return the tracking quality of each animal of each session; flagged recordings come first.

    Raises
    ------
    InputError
        With every session that could not be aligned.
    """
    index = pq.read_table(
        layout.windows_folder.index, columns=["session", "individual"]
    ).to_pandas()
    n_windows = index.value_counts(["session", "individual"]).to_dict()
    trained = set(read_record(WindowsMetadata, layout.windows_folder.frames).sessions)
    faults = json.loads(layout.windows_folder.session_faults.read_text(encoding="utf-8"))
    recordings, problems = [], []
    for session in sessions:
        content = json.loads(layout.quality(session).read_text(encoding="utf-8"))
        problems += content.get("rejected", [])
        for individual, quality in content.get("individuals", {}).items():
            several = len(content["individuals"]) > 1
            recording = Recording(
                session=session,
                individual=individual,
                label=f"{session}, {individual}" if several else session,
                use="train" if session in trained else "encode",
                n_rows=quality["n_rows"],
                minutes=quality["n_rows"] / content["fps"] / 60,
                valid=quality["valid_fraction"],
                flipped=quality["flipped_fraction"],
                n_windows=n_windows.get((session, individual), 0),
                body_length_px=quality["body_length_px"],
                keypoints=_read_keypoints(quality["keypoints"]),
                mirrored=session in faults["mirrored"],
                copies=_find_copies(session, faults["same_recording"]),
            )
            recordings.append(recording)
    if problems:
        raise InputError(*problems)
    median = float(np.median([recording.body_length_px for recording in recordings]))
    flagged = [replace(r, flags=tuple(quality_flags(r, median))) for r in recordings]
    return sorted(flagged, key=lambda r: -len(r.flags))


def quality_flags(recording: Recording, median_length: float) -> list[str]:
    """Return the reasons to check a recording, in words; an empty list if there are none.

    Parameters
    ----------
    recording : Recording
    median_length : float
        Median body length of all recordings, px.
    """
    flags = []
    if recording.use == "train" and not recording.n_windows:
        flags.append("has no windows")
    if recording.valid < MIN_VALID:
        flags.append(f"{1 - recording.valid:.0%} of frames not valid")
    for name, quality in recording.keypoints.items():
        if quality.missing > MAX_MISSING:
            flags.append(f"{name} missing in {quality.missing:.0%}")
        if quality.outliers > MAX_OUTLIERS:
            flags.append(f"{name} jumps in {quality.outliers:.0%}")
        if quality.placeholders > MAX_PLACEHOLDERS:
            flags.append(f"{name} is a placeholder, such as (0, 0), in {quality.placeholders:.0%}")
    if recording.flipped > MAX_FLIPPED:
        flags.append(f"head and tail seem swapped in {recording.flipped:.1%}")
    if recording.mirrored:
        flags.append("left and right seem swapped, compared with other sessions")
    if recording.copies:
        flags.append(f"the same recording as {', '.join(recording.copies)}")
    ratio = recording.body_length_px / median_length
    if not 1 / MAX_SIZE_RATIO <= ratio <= MAX_SIZE_RATIO:
        flags.append(f"body length {ratio:.2g} x the median of all sessions")
    return flags


def _read_keypoints(content: dict[str, Any]) -> dict[str, KeypointQuality]:
    return {
        name: KeypointQuality(quality["missing"], quality["outliers"], quality["placeholders"])
        for name, quality in content.items()
    }


def _find_copies(session: str, groups: list[list[str]]) -> tuple[str, ...]:
    return tuple(
        other for group in groups if session in group for other in group if other != session
    )
