"""Tracking quality of the sessions, and the reasons for which they are flagged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pyarrow.parquet as pq

from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout
from vame_pipe.core.metadata import WindowsMetadata, read_record
from vame_pipe.core.quality import TrackingQuality, read_faults, read_quality

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
class Recording:
    """One animal of a session.

    Attributes
    ----------
    session, individual : str
    label : str
        The session; if it has several animals, also the individual.
    use : {"train", "encode"}
        Whether models learned from the session or only encoded it.
    minutes : float
    n_windows : int
        Training and validation windows.
    quality : TrackingQuality
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
    minutes: float
    n_windows: int
    quality: TrackingQuality
    mirrored: bool
    copies: tuple[str, ...]
    flags: tuple[str, ...] = ()

    @property
    def worst_keypoint(self) -> str:
        """The keypoint that is missing most often."""
        keypoints = self.quality.keypoints
        return max(keypoints, key=lambda name: keypoints[name].missing)


def read_recordings(layout: Layout, sessions: list[str]) -> list[Recording]:
    """Return the tracking quality of each animal of each session; flagged recordings come first.

    Raises
    ------
    InputError
        With every session that could not be aligned.
    """
    windows = layout.windows_folder
    index = pq.read_table(windows.index, columns=["session", "individual"]).to_pandas()
    n_windows = index.value_counts(["session", "individual"]).to_dict()
    trained = set(read_record(WindowsMetadata, windows.frames).sessions)
    faults = read_faults(windows.session_faults)
    recordings: list[Recording] = []
    problems: list[str] = []
    for session in sessions:
        try:
            found = read_quality(layout.quality(session))
        except InputError as error:
            problems += error.problems
            continue
        several = len(found.individuals) > 1
        recordings += [
            Recording(
                session=session,
                individual=individual,
                label=f"{session}, {individual}" if several else session,
                use="train" if session in trained else "encode",
                minutes=quality.n_rows / found.fps / 60,
                n_windows=n_windows.get((session, individual), 0),
                quality=quality,
                mirrored=session in faults.mirrored,
                copies=_find_copies(session, faults.same_recording),
            )
            for individual, quality in found.individuals.items()
        ]
    if problems:
        raise InputError(*problems)
    median = float(np.median([recording.quality.body_length_px for recording in recordings]))
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
    flags, found = [], recording.quality
    if recording.use == "train" and not recording.n_windows:
        flags.append("has no windows")
    if found.valid_fraction < MIN_VALID:
        flags.append(f"{1 - found.valid_fraction:.0%} of frames not valid")
    for name, quality in found.keypoints.items():
        if quality.missing > MAX_MISSING:
            flags.append(f"{name} missing in {quality.missing:.0%}")
        if quality.outliers > MAX_OUTLIERS:
            flags.append(f"{name} jumps in {quality.outliers:.0%}")
        if quality.placeholders > MAX_PLACEHOLDERS:
            flags.append(f"{name} is a placeholder, such as (0, 0), in {quality.placeholders:.0%}")
    if found.flipped_fraction > MAX_FLIPPED:
        flags.append(f"head and tail seem swapped in {found.flipped_fraction:.1%}")
    if recording.mirrored:
        flags.append("left and right seem swapped, compared with other sessions")
    if recording.copies:
        flags.append(f"the same recording as {', '.join(recording.copies)}")
    ratio = found.body_length_px / median_length
    if not 1 / MAX_SIZE_RATIO <= ratio <= MAX_SIZE_RATIO:
        flags.append(f"body length {ratio:.2g} x the median of all sessions")
    return flags


def _find_copies(session: str, groups: list[list[str]]) -> tuple[str, ...]:
    return tuple(
        other for group in groups if session in group for other in group if other != session
    )
