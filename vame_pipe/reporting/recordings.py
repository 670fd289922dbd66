"""Tracking quality of the sessions, and the reasons for which they are flagged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pyarrow.parquet as pq

from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout
from vame_pipe.core.metadata import AlignedMetadata, WindowsMetadata, read_record
from vame_pipe.core.quality import TrackingQuality, read_faults, read_quality

MAX_MISSING = 0.2
"""Largest fraction of frames in which a keypoint may be missing."""
MAX_OUTLIERS = 0.05
"""Largest fraction of frames in which a keypoint may jump."""
MAX_PLACEHOLDERS = 0.01
"""Largest fraction of frames in which a keypoint may be a value that stands for a missing point."""
MAX_FLIPPED = 0.005
"""Largest fraction of frames in which head and tail may seem swapped."""
MIN_PARTNER_MISSING = 0.01
"""Smallest fraction of frames without a partner that is named as a reason for frames that are not valid."""
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
    length_ratio : float
        Body length, divided by the median of all recordings.
    excluded : str
        Why no model is trained on the session although it was meant for it; empty if it is not so.
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
    length_ratio: float = 1.0
    excluded: str = ""
    flags: tuple[str, ...] = ()

    @property
    def worst_keypoint(self) -> str:
        """The keypoint that is missing most often."""
        keypoints = self.quality.keypoints
        return max(keypoints, key=lambda name: keypoints[name].missing)


def read_recordings(layout: Layout, sessions: list[str], warn_valid: float) -> list[Recording]:
    """Return the tracking quality of each animal of each session; flagged recordings come first.

    Parameters
    ----------
    layout : Layout
    sessions : list of str
    warn_valid : float
        `qc.warn_valid` of the configuration.

    Raises
    ------
    InputError
        With every session that could not be aligned.
    """
    windows = layout.windows_folder
    index = pq.read_table(windows.index, columns=["session", "individual"]).to_pandas()
    n_windows = index.value_counts(["session", "individual"]).to_dict()
    meta = read_record(WindowsMetadata, windows.frames)
    trained = {*meta.sessions, *meta.excluded}
    faults = read_faults(windows.session_faults)
    recordings: list[Recording] = []
    problems: list[str] = []
    for session in sessions:
        try:
            found = read_quality(layout.quality(session))
            recorded = read_record(AlignedMetadata, layout.aligned(session)).recorded_fraction
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
                minutes=quality.n_rows * recorded / found.fps / 60,
                n_windows=n_windows.get((session, individual), 0),
                quality=of_recorded(quality, recorded),
                mirrored=session in faults.mirrored,
                copies=_find_copies(session, faults.same_recording),
                excluded=meta.excluded.get(session, ""),
            )
            for individual, quality in found.individuals.items()
        ]
    if problems:
        raise InputError(*problems)
    median = float(np.median([recording.quality.body_length_px for recording in recordings]))
    compared = [replace(r, length_ratio=r.quality.body_length_px / median) for r in recordings]
    flagged = [replace(r, flags=tuple(quality_flags(r, warn_valid))) for r in compared]
    return sorted(flagged, key=lambda r: -len(r.flags))


def of_recorded(quality: TrackingQuality, recorded: float) -> TrackingQuality:
    """Return the quality with its fractions taken of the frames in which the camera ran.

    Parameters
    ----------
    quality : TrackingQuality
    recorded : float
        Fraction of the frames in which it ran; below 1 only for a recording of several files.

    Examples
    --------
    >>> from vame_pipe.core.quality import KeypointQuality
    >>> nose = KeypointQuality(0.0, 0.1, 0.0, 0.0, 0.6, 0.0, 0.6)
    >>> half = TrackingQuality(100, 100, 0.4, 0.0, 0, 0, 0, 50.0, 0.2, None, {"nose": nose})
    >>> found = of_recorded(half, 0.5)
    >>> found.valid_fraction, found.keypoints["nose"].below_confidence
    (0.8, 0.2)
    >>> round(found.keypoints["nose"].missing, 3)
    0.2
    """
    if recorded == 1.0:
        return quality
    keypoints = {
        name: replace(
            found,
            placeholders=found.placeholders / recorded,
            below_confidence=found.below_confidence / recorded,
            outliers=found.outliers / recorded,
            interpolated=found.interpolated / recorded,
            missing=max(0.0, found.missing - (1 - recorded)) / recorded,
            exact_zeros=found.exact_zeros / recorded,
        )
        for name, found in quality.keypoints.items()
    }
    return replace(
        quality,
        valid_fraction=quality.valid_fraction / recorded,
        flipped_fraction=quality.flipped_fraction / recorded,
        partner_missing=quality.partner_missing / recorded,
        keypoints=keypoints,
    )


def quality_flags(recording: Recording, warn_valid: float) -> list[str]:
    """Return the reasons to check a recording, in words; an empty list if there are none.

    Parameters
    ----------
    recording : Recording
    warn_valid : float
        Smallest fraction of valid frames that is not flagged.
    """
    flags, found = [], recording.quality
    if recording.excluded:
        flags.append("left out of training")
    elif recording.use == "train" and not recording.n_windows:
        flags.append("has no windows")
    if found.valid_fraction < warn_valid:
        flags.append(f"{1 - found.valid_fraction:.0%} of frames not valid{_of_partner(found)}")
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
    ratio = recording.length_ratio
    if not 1 / MAX_SIZE_RATIO <= ratio <= MAX_SIZE_RATIO:
        flags.append(f"body length {ratio:.2g} x the median of all sessions")
    return flags


def _of_partner(found: TrackingQuality) -> str:
    """Return in how many of the frames only the partner is missing, in words; else an empty text."""
    if found.partner_missing < MIN_PARTNER_MISSING:
        return ""
    return f", {found.partner_missing:.0%} only because its partner is not tracked in them"


def _find_copies(session: str, groups: list[list[str]]) -> tuple[str, ...]:
    return tuple(
        other for group in groups if session in group for other in group if other != session
    )
