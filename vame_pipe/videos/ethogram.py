"""A video of a session with the motifs of its animals below the picture."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq
from PIL import Image, ImageColor, ImageDraw
from tqdm import tqdm

from vame_pipe.core import description
from vame_pipe.core.colours import NO_MOTIF, motif_colour
from vame_pipe.core.description import Description
from vame_pipe.core.errors import InputError, listing
from vame_pipe.core.layout import Layout
from vame_pipe.core.metadata import MotifsMetadata, read_record
from vame_pipe.videos import drawing, video_file
from vame_pipe.videos.filmed import Filmed, Tracks, find_filmed, read_tracks
from vame_pipe.videos.matching import Placement

if TYPE_CHECKING:
    from vame_pipe.config.sections import Session

log = logging.getLogger(__name__)

MIN_WIDTH, MAX_WIDTH = 480, 960
"""Pixels; the picture of the video is made larger or smaller if need be."""
BAR_PX, WORDS_PX = 16, 20
"""Height of the coloured bar of an animal, and of the words above it and of the time below all."""
AROUND_S = 10.0
"""Seconds before and after the present that the bars show."""


@dataclass(frozen=True)
class Labels:
    """The motifs of one animal over time.

    Attributes
    ----------
    time_s : numpy.ndarray
        `(n_rows,)`, ascending.
    position : numpy.ndarray
        `(n_rows,)` int, position in `Description.motifs`, -1 without a motif.
    fps : float
        Rows per second.
    """

    time_s: np.ndarray
    position: np.ndarray
    fps: float

    def at(self, time_s: np.ndarray) -> np.ndarray:
        """Return the position of the motif at some times, `(n,)` int; -1 without, -2 outside the rows.

        Examples
        --------
        >>> labels = Labels(np.array([0.0, 0.5, 1.0]), np.array([3, -1, 4]), 2.0)
        >>> labels.at(np.array([-0.5, 0.1, 0.6, 1.1, 1.4])).tolist()
        [-2, 3, -1, 4, -2]
        """
        after = np.searchsorted(self.time_s, time_s).clip(1, len(self.time_s) - 1)
        nearer = time_s - self.time_s[after - 1] <= self.time_s[after] - time_s
        row = after - nearer
        known = np.abs(self.time_s[row] - time_s) <= 0.5 / self.fps + 1e-9
        return np.where(known, self.position[row], -2)


def require_video(sessions: Mapping[str, Session], name: str) -> Session:
    """Return a session that names a video.

    Raises
    ------
    InputError
        If there is no such session, or if it names no video.
    """
    if name not in sessions:
        raise InputError(
            f"session {name}: is not in the configuration, which has: {listing(sessions)}. Correct "
            "--session."
        )
    if not sessions[name].videos:
        raise InputError(
            f"session {name}: names no video. Set sessions.{name}.video and run snakemake."
        )
    return sessions[name]


def write_ethogram(
    name: str,
    source: Session,
    layout: Layout,
    model: str,
    out: Path,
    span_s: tuple[float, float] = (0.0, np.inf),
) -> int:
    """Write a video of a session with its motifs below; return the number of pictures.

    Parameters
    ----------
    name : str
    source : Session
        As in the configuration; names a video.
    layout : Layout
        The results folder, with the motifs of the session.
    model : str
    out : Path
        MP4 file.
    span_s : (float, float)
        The part of the recording to show, seconds.

    Raises
    ------
    InputError
        If a video cannot be read or does not fit, if the motifs are missing or of another segmentation, or
        if no picture is in the span.
    """
    filmed = find_filmed(name, source, layout)
    for note in filmed.notes:
        log.warning("session %s: %s", name, note)
    tracks = read_tracks(filmed, layout)
    facts = description.read(layout.motifs(model).described.description)
    labels = read_labels(filmed, layout.motifs(model).session(name), facts)
    fps = filmed.meta.source_fps
    steps = [
        (placement, number, frame)
        for placement in filmed.placements
        for number, frame in _in_span(placement, fps, span_s)
    ]
    if not steps:
        low, high = filmed.meta.parts[0].first_frame / fps, filmed.meta.parts[-1].end / fps
        raise InputError(
            f"session {name}: no picture between {span_s[0]:g} and {span_s[1]:g} s. The poses go from "
            f"{low:.2f} to {high:.2f} s; correct --start-s and --stop-s."
        )
    video = steps[0][0].video
    width = 2 * round(min(max(video.width, MIN_WIDTH), MAX_WIDTH) / 2)
    page = Page(width, 2 * round(video.height * width / video.width / 2), list(labels))
    with video_file.writer(out, video.fps, width, page.total_height) as add:
        for picture, frame in tqdm(_decoded(steps), total=len(steps), unit="frame", disable=None):
            add(np.asarray(_draw(page, picture, frame, fps, labels, tracks, facts)))
    return len(steps)


def read_labels(filmed: Filmed, path: Path, facts: Description) -> dict[str, Labels]:
    """Return the motifs of each animal of a session.

    Raises
    ------
    InputError
        If the file is missing, or of another segmentation than the description.
    """
    if read_record(MotifsMetadata, path).segmentation_fingerprint != facts.segmentation:
        raise InputError(f"{path}: is of another segmentation than its description. Run snakemake.")
    table = pq.read_table(path, columns=["individual", "time_s", "motif"]).to_pandas()
    position = np.array([*facts.position, -1])
    return {
        str(name): Labels(
            rows["time_s"].to_numpy(),
            position[rows["motif"].fillna(-1).to_numpy().astype(int)],
            filmed.meta.fps,
        )
        for name, rows in table.groupby("individual", observed=True, sort=False)
    }


@dataclass(frozen=True)
class Page:
    """The sizes of what is drawn, pixels.

    Attributes
    ----------
    width, height : int
        Of the picture of the video, even numbers.
    individuals : list of str
    """

    width: int
    height: int
    individuals: list[str]

    @property
    def total_height(self) -> int:
        """Of the whole, an even number."""
        return self.height + len(self.individuals) * (WORDS_PX + BAR_PX) + WORDS_PX

    def top_of(self, animal: int) -> int:
        """Return where the words of an animal begin."""
        return self.height + animal * (WORDS_PX + BAR_PX)


def _in_span(
    placement: Placement, fps: float, span_s: tuple[float, float]
) -> list[tuple[int, float]]:
    """Return number and frame of the pictures of a pose file that are in a span of time."""
    numbers = np.arange(placement.video.n_frames)
    frames = placement.frames(numbers)
    inside = (frames / fps >= span_s[0]) & (frames / fps <= span_s[1])  # not of NaN
    return list(zip(numbers[inside].tolist(), frames[inside].tolist(), strict=True))


def _decoded(
    steps: Sequence[tuple[Placement, int, float]],
) -> Iterator[tuple[np.ndarray | None, float]]:
    """Yield the picture of each step; None for one that cannot be decoded."""
    begin = 0
    while begin < len(steps):
        placement, first, _ = steps[begin]
        end = begin
        while end < len(steps) and steps[end][0] is placement:
            end += 1
        frames = {number: frame for _, number, frame in steps[begin:end]}
        for number, picture in video_file.pictures(placement.video, first, steps[end - 1][1]):
            for lost in range(first, number):
                yield None, frames[lost]
            yield picture, frames[number]
            first = number + 1
        for lost in range(first, steps[end - 1][1] + 1):
            yield None, frames[lost]
        begin = end


def _draw(
    page: Page,
    picture: np.ndarray | None,
    frame: float,
    fps: float,
    labels: dict[str, Labels],
    tracks: Tracks,
    facts: Description,
) -> Image.Image:
    """Return one picture: the video with the animals, and a bar of motifs per animal."""
    drawn = Image.new("RGB", (page.width, page.total_height), "#FFFFFF")
    draw = ImageDraw.Draw(drawn)
    size = (page.width, page.height)
    shown = Image.new("RGB", size) if picture is None else Image.fromarray(picture).resize(size)
    scale = 1.0 if picture is None else page.width / picture.shape[1]
    now = frame / fps
    shades = np.array([*(_rgb(motif_colour(m.number)) for m in facts.motifs), _rgb("#FFFFFF")])
    shades = np.concatenate([shades, [_rgb(NO_MOTIF)]])  # -2: outside, -1: without a motif
    times = now + AROUND_S * (2 * (np.arange(page.width) + 0.5) / page.width - 1)
    for k, (individual, motifs) in enumerate(labels.items()):
        current = int(motifs.at(np.array([now]))[0])
        words = facts.motifs[current].label if current >= 0 else "-"
        colour = motif_colour(facts.motifs[current].number) if current >= 0 else NO_MOTIF
        points = tracks.points(individual, np.array([round(frame)]))[0]
        drawing.draw_animal(shown, points * scale, facts.bones, facts.front, colour)
        top = page.top_of(k)
        drawing.write_words(draw, 4, top + WORDS_PX / 2, f"{individual}: {words}")
        row = shades[motifs.at(times)].astype(np.uint8)
        bar = np.broadcast_to(row, (BAR_PX, page.width, 3))
        drawn.paste(Image.fromarray(np.ascontiguousarray(bar)), (0, top + WORDS_PX))
        now_line = [(page.width / 2, top + WORDS_PX + edge) for edge in (0, BAR_PX)]
        draw.line(now_line, "#000000", 2)
    drawn.paste(shown, (0, 0))
    ends = (4, f"-{AROUND_S:g} s"), (page.width / 2 - 24, f"{now:.2f} s")
    for left, text in (*ends, (page.width - 44, f"+{AROUND_S:g} s")):
        drawing.write_words(draw, left, page.total_height - WORDS_PX / 2, text)
    return drawn


def _rgb(colour: str) -> tuple[int, ...]:
    return ImageColor.getrgb(colour)
