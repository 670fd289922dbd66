"""Which picture of a video shows which frame of the poses."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vame_pipe.core.errors import InputError
from vame_pipe.core.parts import Part
from vame_pipe.videos.video_file import VideoFacts

RATE_TOLERANCE = 0.01
"""Fraction by which the rate of a video may differ from that of its poses, as 30 does from 29.97."""
DURATION_TOLERANCE, SHORT_S = 0.005, 0.1
"""Fraction by which the duration of a video of another rate may differ from that of its poses, and the
seconds by which it may differ in any case."""


@dataclass(frozen=True)
class Placement:
    """The pictures of a video that show the frames of one pose file.

    Attributes
    ----------
    video : VideoFacts
    start, end : int
        First frame of the pose file on the time axis of the recording, and the one after its last.
    first : float
        Number of the picture that shows the frame `start`.
    ratio : float
        Pictures per frame.
    notes : tuple of str
        In what the video and the poses differ, one line each.
    """

    video: VideoFacts
    start: int
    end: int
    first: float
    ratio: float
    notes: tuple[str, ...] = ()

    def pictures(self, frames: np.ndarray) -> np.ndarray:
        """Return the number of the picture of each frame of the recording, `(n,)` int; -1 without one.

        Parameters
        ----------
        frames : numpy.ndarray
            `(n,)` int.
        """
        number = np.rint(self.first + (frames - self.start) * self.ratio).astype(np.int64)
        shown = (frames >= self.start) & (frames < self.end)
        return np.where(shown & (number >= 0) & (number < self.video.n_frames), number, -1)

    def frames(self, numbers: np.ndarray) -> np.ndarray:
        """Return the frame of the recording that each picture shows, `(n,)` float; NaN without one.

        Parameters
        ----------
        numbers : numpy.ndarray
            `(n,)` int, numbers of pictures.
        """
        frame = self.start + (numbers - self.first) / self.ratio
        return np.where((frame > self.start - 0.5) & (frame < self.end - 0.5), frame, np.nan)


def place(
    videos: Sequence[VideoFacts], parts: Sequence[Part], numbered_from: Sequence[int], fps: float
) -> list[Placement]:
    """Return where the pictures of each pose file are, one placement per file.

    Parameters
    ----------
    videos : sequence of VideoFacts
        One in all, or one per pose file.
    parts : sequence of Part
    numbered_from : sequence of int
        Number of the first frame in each pose file itself.
    fps : float
        Frames per second of the poses.

    Raises
    ------
    InputError
        With one line per video that cannot be the one of its poses.

    Examples
    --------
    >>> from pathlib import Path
    >>> video = VideoFacts(Path("a.mp4"), 30.0, 64, 48, np.arange(290))
    >>> (found,) = place([video], [Part("a.csv", 0, 300)], [0], 30.0)
    >>> found.notes[0].partition(". ")[0]
    'video a.mp4: has 290 frames, but the poses in a.csv go on to frame 299'
    >>> found.pictures(np.array([0, 289, 290])).tolist()
    [0, 289, -1]
    """
    if len(videos) == 1 and len(parts) > 1:
        return _place_one(videos[0], parts, fps)
    placed, problems = [], []
    for i, (video, part, number) in enumerate(zip(videos, parts, numbered_from, strict=True)):
        try:
            # a later file whose numbers go on has a video of its own, which begins with it
            goes_on = i > 0 and number == part.first_frame
            placed.append(_place(video, part, 0 if goes_on else number, fps))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(*problems)
    return placed


def _place(video: VideoFacts, part: Part, number: int, fps: float) -> Placement:
    """Return where the pictures of a pose file are, whose first frame has a number in the video."""
    first, ratio = _begin(video, part, number, fps)
    notes = _differences(video, part, number, first, fps) if ratio == 1 else _rates(video, fps)
    return Placement(video, part.first_frame, part.end, first * ratio, ratio, tuple(notes))


def _begin(video: VideoFacts, part: Part, number: int, fps: float) -> tuple[int, float]:
    """Return the frame of the poses that the video begins with, and its pictures per frame."""
    n, end, count, where = part.n_frames, number + part.n_frames, video.n_frames, video.path
    if count == n:  # also of a video that begins with the poses
        return 0, 1.0
    if count != end and not _same_rate(video, fps):
        ratio = video.fps / fps
        for first in (number, 0):
            if _fits(count, (first + n) * ratio, video.fps):
                return first, ratio
        raise InputError(
            f"video {where}: has {count} frames at {video.fps:g} fps ({count / video.fps:.2f} s), the "
            f"poses in {part.source} {n} at {fps:g} fps ({n / fps:.2f} s): neither the number nor "
            "the duration fits. Give the video of these poses, or correct fps."
        )
    if number and count < end and (count > n or count <= number):
        raise InputError(
            f"video {where}: has {count} frames, the poses in {part.source} have the numbers {number} to "
            f"{end - 1}: it is unknown which of them it shows. Give the whole video."
        )
    return number, 1.0


def _same_rate(video: VideoFacts, fps: float) -> bool:
    return abs(video.fps / fps - 1) <= RATE_TOLERANCE


def _rates(video: VideoFacts, fps: float) -> list[str]:
    """Return how a video of another rate is used."""
    return [
        f"video {video.path}: has {video.fps:g} fps, its poses {fps:g}; the durations agree, so its "
        "pictures are found by their time."
    ]


def _differences(video: VideoFacts, part: Part, number: int, first: int, fps: float) -> list[str]:
    """Return in what a video differs from its poses, if there is one picture per frame."""
    where, count, n = f"video {video.path}", video.n_frames, part.n_frames
    notes = []
    if first != number:
        notes.append(
            f"{where}: begins with the poses in {part.source}, whose first frame has the number {number}: "
            f"shifted by {number} frames."
        )
    if not _same_rate(video, fps):
        notes.append(
            f"{where}: says {video.fps:g} fps, its poses {fps:g}; the number of frames is the same, so "
            "they are taken one by one."
        )
    lost = first + n - count
    if lost > 0:
        notes.append(
            f"{where}: has {count} frames, but the poses in {part.source} go on to frame {first + n - 1}. "
            f"The last {lost} frames ({lost / fps:.2f} s) have no picture; if frames are missing before "
            "the end, pictures are late."
        )
    if lost < 0:
        notes.append(
            f"{where}: goes on for {-lost} frames ({-lost / fps:.2f} s) after the last pose in "
            f"{part.source}."
        )
    return notes


def _fits(count: int, expected: float, fps: float) -> bool:
    """Return whether a number of pictures is that of a duration."""
    return abs(count - expected) <= max(DURATION_TOLERANCE * expected, SHORT_S * fps)


def _place_one(video: VideoFacts, parts: Sequence[Part], fps: float) -> list[Placement]:
    """Return where the pictures of each pose file are in the only video of all of them."""
    total = sum(part.n_frames for part in parts)
    begin, end = parts[0].first_frame, parts[-1].end
    has_gaps = end - begin != total
    if has_gaps and video.n_frames == total:  # the video has no pause where the time axis has one
        before = itertools.accumulate((part.n_frames for part in parts), initial=0)
        whole = _place(video, Part("all files", 0, total), 0, fps)
        return [
            Placement(video, part.first_frame, part.end, first, 1.0, whole.notes)
            for part, first in zip(parts, before, strict=False)
        ]
    if has_gaps and video.n_frames not in (end, end - begin):
        raise InputError(
            f"video {video.path}: has {video.n_frames} frames, the {len(parts)} pose files together "
            f"{total}, with gaps: it is unknown where each begins. Give one video per pose file."
        )
    whole = _place(video, Part("all files", begin, end - begin), begin, fps)
    return [
        Placement(
            video,
            part.first_frame,
            part.end,
            whole.first + (part.first_frame - begin) * whole.ratio,
            whole.ratio,
            whole.notes,
        )
        for part in parts
    ]
