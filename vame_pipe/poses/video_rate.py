"""The frame rate and the length of a video, from the header of an AVI or MP4 file."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

SUFFIXES = (".mp4", ".m4v", ".mov", ".avi")
CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl"}
MAX_FPS = 100_000
"""A higher rate is of a damaged file."""
MAX_ENTRIES = 2**20
"""Entries of the table of times that are read, at most."""
AFTER_NAME = re.compile(r"[^A-Za-z0-9]|DLC|DeepCut")
"""What follows the name of the video in that of a pose file; m1.mp4 is not the video of m10.csv."""


@dataclass(frozen=True)
class VideoFacts:
    """What the header of a video tells.

    Attributes
    ----------
    fps : float
        Frames per second.
    n_frames : int
        0 if it does not tell.
    """

    fps: float
    n_frames: int


def video_of(poses: Path) -> Path | None:
    """Return the video next to a pose file that its name begins with; None if there is none."""
    videos = [
        path
        for path in sorted(poses.parent.iterdir())
        if path.suffix.lower() in SUFFIXES
        and poses.name.startswith(path.stem)
        and AFTER_NAME.match(poses.name, len(path.stem))
    ]
    return max(videos, key=lambda path: len(path.stem), default=None)


def video_facts(video: Path) -> VideoFacts | None:
    """Return the frame rate and the length of a video; None if its header does not tell the rate."""
    try:
        with video.open("rb") as file:
            start = file.read(52)
            if start[:4] == b"RIFF" and start[8:12] == b"AVI ":
                period_us, n_frames = struct.unpack("<I12xI", start[32:52])
                found = VideoFacts(1e6 / period_us if period_us else 0.0, n_frames)
            else:
                found = _mp4_facts(file, video.stat().st_size)
    except (OSError, struct.error):
        return None
    return found if 0 < found.fps < MAX_FPS else None


def _mp4_facts(file: BinaryIO, end: int) -> VideoFacts:
    """Return what the first video track of an MP4 file tells; a rate of 0 if there is none."""
    found, timescale, is_video = VideoFacts(0.0, 0), 0, False
    stack = [(0, end)]
    while stack:
        position, end = stack.pop()
        while position + 8 <= end:
            file.seek(position)
            size, kind = struct.unpack(">I4s", file.read(8))
            header = 8
            if size == 1:
                size, header = struct.unpack(">Q", file.read(8))[0], 16
            size = end - position if size == 0 else min(size, end - position)
            if size < header:
                return VideoFacts(0.0, 0)
            if kind in CONTAINERS:
                stack += [(position + size, end)]
                position, end = position + header, position + size
                continue
            if kind == b"mdhd":
                timescale = struct.unpack(">I", _field(file, position + header, 12, 20))[0]
            elif kind == b"hdlr":
                file.seek(position + header + 8)
                is_video = file.read(4) == b"vide"
            elif kind == b"stts" and is_video and timescale and not found.fps:
                file.seek(position + header)
                found = _read_times(file.read(min(size - header, 8 + 8 * MAX_ENTRIES)), timescale)
            position += size
    return found


def _read_times(table: bytes, timescale: int) -> VideoFacts:
    """Return the rate of the first frames and the number of all, given for how many each duration holds."""
    n_entries = min(struct.unpack_from(">I", table, 4)[0], (len(table) - 8) // 8)
    entries = list(struct.iter_unpack(">II", table[8 : 8 + 8 * n_entries]))
    duration = entries[0][1] if entries else 0
    return VideoFacts(timescale / duration if duration else 0.0, sum(n for n, _ in entries))


def _field(file: BinaryIO, position: int, offset: int, long_offset: int) -> bytes:
    """Return four bytes of a box, whose first byte tells which of two layouts it has."""
    file.seek(position)
    version = file.read(1)[0]
    file.seek(position + (long_offset if version == 1 else offset))
    return file.read(4)
