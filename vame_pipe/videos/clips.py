"""Clips of each motif, cut from the videos of the sessions."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageDraw

from vame_pipe.core import clip_facts, description, files
from vame_pipe.core.clip_facts import ClipFacts, has_library
from vame_pipe.core.colours import motif_colour
from vame_pipe.core.description import Description, Motif
from vame_pipe.core.errors import InputError
from vame_pipe.core.folders import VideoFolder
from vame_pipe.core.layout import Layout
from vame_pipe.core.source import VIDEOS
from vame_pipe.motifs.typical import choose_all
from vame_pipe.videos import drawing, video_file
from vame_pipe.videos.filmed import Filmed, find_filmed, read_tracks
from vame_pipe.videos.video_file import VideoFacts

if TYPE_CHECKING:
    from vame_pipe.config.sections import Session

log = logging.getLogger(__name__)

MAX_CLIP_S, CONTEXT_S, MAX_FPS = 3.0, 0.5, 30.0
"""Seconds of a bout that a clip shows, seconds before and after them, and pictures per second."""
PANEL_PX, CAPTION_PX, HEAD_PX, FRAME_PX = 320, 22, 26, 6
"""Width and height of the picture of one bout, height of the words below it and above the grid, and width
of the frame that shows when the animal is in the bout."""
OUTSIDE = "#A8A8A8"
"""Colour of the animal and of the frame before and after the bout."""
SESSION_COLUMNS = ["session", "video", "n_frames", "fps", "note"]
CLIP_COLUMNS = ["file", "motif", "name", "rank", "session", "individual", "start_s", "duration_s"]


@dataclass(frozen=True)
class Clip:
    """Some seconds of a video around a bout.

    Attributes
    ----------
    bout : dict
        Row of the table of bouts.
    video : VideoFacts
    fps : float
        Pictures of the clip per second.
    numbers : numpy.ndarray
        `(n,)` int, ascending: the picture of the video that each picture of the clip shows.
    inside : numpy.ndarray
        `(n,)` bool, whether the picture is in the bout.
    points : numpy.ndarray
        `(n, n_keypoints, 2)`, pixels of the video, NaN where missing.
    view : drawing.View
        What of the video is shown.
    """

    bout: dict[str, Any]
    video: VideoFacts
    fps: float
    numbers: np.ndarray
    inside: np.ndarray
    points: np.ndarray
    view: drawing.View

    @property
    def caption(self) -> str:
        """Where the bout is."""
        return f"{self.bout['session']}, {self.bout['individual']}, {self.bout['start_s']:.1f} s"


def write_videos(layout: Layout, model: str, sessions: Mapping[str, Session], out: Path) -> None:
    """Write clips of the most typical bouts of each motif, and a grid of them per motif.

    What cannot be cut is a warning, and a row of videos.csv: no other result is worse for it.

    Parameters
    ----------
    layout : Layout
        The results folder; the motifs are described.
    model : str
    sessions : mapping of str to Session
        Sessions that name a video.
    out : Path
        Folder: `motif_NN.mp4` for each motif, `motif_NN_R.mp4` for each of its bouts, clips.csv,
        videos.csv and videos.json.
    """
    found, rows, notes = _find(layout, sessions)
    folder, target = layout.motifs(model).described, VideoFolder(out)
    facts = description.read(folder.description)
    clips = _plan(pq.read_table(folder.bouts), facts, found, layout)
    written = []
    for motif in facts.motifs:
        own = [clip for clip in clips if clip.bout["motif"] == motif.number]
        written += _write_motif(own, motif, facts, target)
    for path, table, columns in (
        (target.clips, written, CLIP_COLUMNS),
        (target.videos, rows, SESSION_COLUMNS),
    ):
        files.write_text(path, pd.DataFrame(table, columns=columns).to_csv(index=False))
    made = ClipFacts(
        motifs=sorted({int(row["motif"]) for row in written}),
        notes=notes,
        sessions={name: source.videos for name, source in sessions.items()},
        has_library=has_library(),
        description=files.file_fingerprint(folder.description),
        stage_version=VIDEOS,
    )
    clip_facts.write(made, target.facts)
    log.info("%d clips of %d motifs cut from the videos", len(written), len(facts.motifs))


def _find(
    layout: Layout, sessions: Mapping[str, Session]
) -> tuple[list[Filmed], list[dict[str, Any]], list[str]]:
    """Return the sessions whose videos fit, a row per video or problem, and the problems in words."""
    found: list[Filmed] = []
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    try:
        video_file.require_library()
    except InputError as error:
        log.warning("%s", error)
        return [], [{"note": str(error)}], error.problems
    for name, source in sessions.items():
        try:
            filmed = find_filmed(name, source, layout)
        except InputError as error:
            for line in error.problems:
                log.warning("%s No clips are cut from it.", line)
                rows.append({"session": name, "note": line})
            notes += error.problems
            continue
        found.append(filmed)
        of_videos = [f"session {name}: {note}" for note in filmed.notes]
        for note in of_videos:
            log.warning("%s", note)
        notes += of_videos
        for placement in filmed.placements:
            video, note = placement.video, " ".join(placement.notes)
            shown = {"video": str(video.path), "n_frames": video.n_frames, "fps": video.fps}
            rows.append({"session": name, **shown, "note": note})
    return found, rows, notes


def _plan(
    bouts: pa.Table, facts: Description, found: Sequence[Filmed], layout: Layout
) -> list[Clip]:
    """Return the clips of all motifs; of each motif its most typical bouts that a video shows."""
    names = np.array(bouts["session"].to_pylist(), object)
    ends = [bouts[name].to_numpy() for name in ("start_frame", "end_frame")]
    part, shown = np.full(len(bouts), -1), np.zeros(len(bouts), bool)
    for filmed in found:
        own = names == filmed.name
        first, last = (filmed.placement_of(end[own]) for end in ends)
        part[own], shown[own] = first, (first >= 0) & (first == last)
    numbers = [motif.number for motif in facts.motifs]
    chosen = choose_all(bouts.filter(pa.array(shown)).combine_chunks(), numbers).to_pylist()
    clips = []
    for filmed in found:
        rows = [row for row in chosen if row["session"] == filmed.name]
        if rows:
            try:
                clips += _cut(rows, filmed, layout)
            except InputError as error:
                for line in error.problems:
                    log.warning("%s", line)
    return sorted(clips, key=lambda clip: (clip.bout["motif"], clip.bout["rank"]))


def _cut(rows: Sequence[dict[str, Any]], filmed: Filmed, layout: Layout) -> list[Clip]:
    """Return the clips of some bouts of one session."""
    tracks, meta = read_tracks(filmed, layout), filmed.meta
    fps, clips = min(meta.source_fps, MAX_FPS), []
    for row in rows:
        start, end = int(row["start_frame"]), int(row["end_frame"])
        length = min((end - start + 1) / meta.source_fps, MAX_CLIP_S)
        time_s = np.arange(round(-CONTEXT_S * fps), round((length + CONTEXT_S) * fps)) / fps
        frames = start + np.rint(time_s * meta.source_fps).astype(np.int64)
        placement = filmed.placements[filmed.placement_of(np.array([start]))[0]]
        numbers = placement.pictures(frames)
        frames, numbers = frames[numbers >= 0], numbers[numbers >= 0]
        individual = str(row["individual"])
        points, video = tracks.points(individual, frames), placement.video
        size = meta.individuals[individual].body_length_px
        view = drawing.view_of(points, size, video.width, video.height)
        inside = (frames >= start) & (frames <= end)
        clips.append(Clip(dict(row), video, fps, numbers, inside, points, view))
    return clips


def _write_motif(
    clips: Sequence[Clip], motif: Motif, facts: Description, out: VideoFolder
) -> list[dict[str, Any]]:
    """Write the clips of one motif and their grid; return the rows of the table of clips."""
    colour, rows, drawn = motif_colour(motif.number), [], []
    for number, clip in enumerate(clips, start=1):
        try:
            panels = _draw(clip, facts, colour)
        except InputError as error:  # the video is damaged here
            log.warning("%s", error)
            continue
        path = out.clip(motif.number, number)
        _write([panels], f"motif {motif.label}", clip.fps, path)
        drawn.append((panels, clip.fps))
        row = {name: clip.bout.get(name) for name in CLIP_COLUMNS if name in clip.bout}
        rows.append(row | {"file": path.name, "name": motif.name})
    if drawn:
        fps = max(rate for _, rate in drawn)
        panels_of_all = [_at_rate(panels, rate, fps) for panels, rate in drawn]
        _write(panels_of_all, f"motif {motif.label}", fps, out.grid(motif.number))
    return rows


def _at_rate(panels: list[Image.Image], rate: float, fps: float) -> list[Image.Image]:
    """Return pictures of one rate at another."""
    n = round(len(panels) * fps / rate)
    return [panels[min(int(i * rate / fps), len(panels) - 1)] for i in range(n)]


def _draw(clip: Clip, facts: Description, colour: str) -> list[Image.Image]:
    """Return the pictures of a clip, with the animal drawn in and words below."""
    wanted = set(clip.numbers.tolist())
    cut: dict[int, Image.Image] = {}
    found = video_file.pictures(clip.video, int(clip.numbers[0]), int(clip.numbers[-1]))
    for number, picture in found:
        if number in wanted:
            cut[number] = clip.view.cut(picture, PANEL_PX)
    panels = []
    for k, number in enumerate(clip.numbers.tolist()):
        shade = colour if clip.inside[k] else OUTSIDE
        panel = Image.new("RGB", (PANEL_PX, PANEL_PX + CAPTION_PX), "#FFFFFF")
        if number in cut:  # not of a damaged picture
            shown = cut[number].copy()
            points = clip.view.place(clip.points[k], PANEL_PX)
            drawing.draw_animal(shown, points, facts.bones, facts.front, shade)
            panel.paste(shown, (0, 0))
        draw = ImageDraw.Draw(panel)
        draw.rectangle((0, 0, PANEL_PX - 1, PANEL_PX - 1), outline=shade, width=FRAME_PX)
        drawing.write_words(draw, FRAME_PX, PANEL_PX + CAPTION_PX / 2, clip.caption)
        panels.append(panel)
    return panels


def _write(panels: Sequence[list[Image.Image]], head: str, fps: float, path: Path) -> None:
    """Write clips next to each other, two in a row; shorter ones wait at their end for the longest."""
    n_columns = min(2, len(panels))
    width, height = PANEL_PX * n_columns, PANEL_PX + CAPTION_PX
    n_rows = -(-len(panels) // n_columns)
    with video_file.writer(path, fps, width, HEAD_PX + height * n_rows) as add:
        for step in range(max(map(len, panels))):
            picture = Image.new("RGB", (width, HEAD_PX + height * n_rows), "#FFFFFF")
            drawing.write_words(ImageDraw.Draw(picture), FRAME_PX, HEAD_PX / 2, head)
            for k, shown in enumerate(panels):
                corner = (PANEL_PX * (k % n_columns), HEAD_PX + height * (k // n_columns))
                picture.paste(shown[min(step, len(shown) - 1)], corner)
            add(np.asarray(picture))
