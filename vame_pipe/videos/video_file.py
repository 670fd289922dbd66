"""Read and write the pictures of videos with PyAV, the extra `video`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from vame_pipe.core import files
from vame_pipe.core.clip_facts import has_library
from vame_pipe.core.errors import InputError

ENCODER = {"crf": "23", "preset": "veryfast", "movflags": "+faststart"}
"""Options of the H.264 encoder: visually good, fast, and players can start before all is loaded."""


@dataclass(frozen=True)
class VideoFacts:
    """A video, and when each of its pictures is shown.

    Attributes
    ----------
    path : Path
    fps : float
        Pictures per second, as the file says.
    width, height : int
        Pixels.
    stamps : numpy.ndarray
        `(n_frames,)` int64, ascending: time stamps of the pictures, in the unit of the file.
    has_stamps : bool
        Whether the stamps tell which picture is which; otherwise pictures are counted from the first.
    quarter_turns : int
        How often each stored picture is turned to the left before it is shown, as the file says.
    """

    path: Path
    fps: float
    width: int
    height: int
    stamps: np.ndarray = field(repr=False)
    has_stamps: bool = True
    quarter_turns: int = 0

    @property
    def n_frames(self) -> int:
        """Number of pictures."""
        return len(self.stamps)


def require_library() -> None:
    """Check that videos can be read.

    Raises
    ------
    InputError
        If PyAV is not installed.
    """
    if not has_library():
        raise InputError(
            "videos cannot be read, because PyAV is not installed. Run: pip install 'vame_pipe[video]'"
        )


def read_facts(path: Path) -> VideoFacts:
    """Return the number of pictures of a video and their times; only the first one is decoded.

    Parameters
    ----------
    path : Path

    Raises
    ------
    InputError
        If the file is missing, is no video, is damaged or has no picture.
    """
    with _open(path) as container:
        stream = container.streams.video[0]
        packets = [
            (packet.pts, packet.dts)
            for packet in container.demux(stream)
            if packet.size and not packet.is_discard
        ]
        rate, codec = stream.average_rate or stream.guessed_rate, stream.codec_context
        # AVI stores the order of decoding only
        in_order = container.format.name != "avi" or not codec.has_b_frames
        container.seek(0)
        turned = next((frame.rotation for frame in container.decode(stream)), 0) // 90 % 4
        width, height = (codec.height, codec.width) if turned % 2 else (codec.width, codec.height)
    if not packets or not rate:
        raise InputError(f"video {path}: contains no pictures. Copy it again from the camera.")
    stamps = [dts if pts is None else pts for pts, dts in packets]
    known = in_order and None not in stamps and len(set(stamps)) == len(stamps)
    numbers = np.array(sorted(stamps) if known else range(len(stamps)), np.int64)
    return VideoFacts(path, float(rate), width, height, numbers, known, turned)


def pictures(video: VideoFacts, first: int, last: int) -> Iterator[tuple[int, np.ndarray]]:
    """Yield number and picture, `(height, width, 3)` uint8 RGB, of each picture from first to last.

    A picture that cannot be decoded is left out.

    Parameters
    ----------
    video : VideoFacts
    first, last : int
        Numbers of pictures, from 0; both are included.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    with _open(video.path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        if video.has_stamps and first:
            container.seek(int(video.stamps[first]), stream=stream)
        for count, frame in enumerate(container.decode(stream)):
            number = count
            if video.has_stamps:
                number = int(np.searchsorted(video.stamps, frame.pts))
            if number > last:
                return
            if number >= first:
                yield number, np.rot90(frame.to_ndarray(format="rgb24"), video.quarter_turns)


@contextmanager
def writer(
    path: Path, fps: float, width: int, height: int
) -> Iterator[Callable[[np.ndarray], None]]:
    """Write a video (H.264 in MP4), atomically; yields the function that takes the next picture.

    Parameters
    ----------
    path : Path
    fps : float
        Pictures per second.
    width, height : int
        Pixels, even numbers.
    """
    import av

    with files.atomic(path) as temporary, av.open(str(temporary), "w", format="mp4") as container:
        rate = Fraction(fps).limit_denominator(1001)
        stream = container.add_stream("libx264", rate=rate, options=ENCODER)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"

        def add(picture: np.ndarray) -> None:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(stream.encode(frame))

        yield add
        container.mux(stream.encode())


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    """Open a video to read it; errors of the library become one line."""
    require_library()
    import av

    if not path.is_file():
        raise InputError(
            f"video {path}: no such file. Check the path; it is relative to the working directory."
        )
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            videos = container.streams.video
            if not videos or videos[0].codec_context is None:
                raise InputError(
                    f"video {path}: has no pictures that can be decoded. Give the video of the recording."
                )
            yield container
    except (av.error.FFmpegError, OSError) as error:
        raise InputError(
            f"video {path}: cannot be read ({error.strerror}); it is damaged or not a video. Copy it again "
            "from the camera."
        ) from None
