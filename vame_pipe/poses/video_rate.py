"""The frame rate of a video, from the first bytes of an AVI or MP4 file."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import BinaryIO

SUFFIXES = (".mp4", ".m4v", ".mov", ".avi")
CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl"}
MAX_FPS = 100_000
"""A higher rate is of a damaged file."""
AFTER_NAME = re.compile(r"[^A-Za-z0-9]|DLC|DeepCut")
"""What follows the name of the video in that of a pose file; m1.mp4 is not the video of m10.csv."""


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


def frame_rate(video: Path) -> float | None:
    """Return the frames per second of a video; None if its first bytes do not tell."""
    try:
        with video.open("rb") as file:
            start = file.read(36)
            if start[:4] == b"RIFF" and start[8:12] == b"AVI ":
                period_us = struct.unpack("<I", start[32:36])[0]
                rate = 1e6 / period_us if period_us else 0.0
            else:
                rate = _mp4_rate(file, video.stat().st_size)
    except (OSError, struct.error):
        return None
    return rate if 0 < rate < MAX_FPS else None


def _mp4_rate(file: BinaryIO, end: int) -> float:
    """Return frames per second of the first video track of an MP4 file; 0 if there is none."""
    rate, timescale, is_video = 0.0, 0, False
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
                return 0.0
            if kind in CONTAINERS:
                stack += [(position + size, end)]
                position, end = position + header, position + size
                continue
            if kind == b"mdhd":
                timescale = struct.unpack(">I", _field(file, position + header, 12, 20))[0]
            elif kind == b"hdlr":
                file.seek(position + header + 8)
                is_video = file.read(4) == b"vide"
            elif kind == b"stts" and is_video and timescale and not rate:
                file.seek(position + header + 8)
                _, duration = struct.unpack(">II", file.read(8))
                rate = timescale / duration if duration else 0.0
            position += size
    return rate


def _field(file: BinaryIO, position: int, offset: int, long_offset: int) -> bytes:
    """Return four bytes of a box, whose first byte tells which of two layouts it has."""
    file.seek(position)
    version = file.read(1)[0]
    file.seek(position + (long_offset if version == 1 else offset))
    return file.read(4)
