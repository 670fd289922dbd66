"""Animated pictures (GIF) of the most typical bouts of a motif, drawn as skeletons."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageColor, ImageDraw

from vame_pipe.core import files
from vame_pipe.motifs.exemplars import Clip

PANEL_PX, SHARPNESS = 180, 2
"""Width and height of the picture of one bout, and how much larger it is drawn before it is reduced."""
MARGIN = 0.1
"""Part of a picture that stays empty at each side."""
BACKGROUND, OUTSIDE, FLOOR = "#FFFFFF", "#A8A8A8", "#D8D8D8"
"""Colour of the page, of the animal before and after the bout, and of the marks on the floor."""
N_SHADES = 12
"""Shades between the page and each colour."""
DOT_PX, FRONT_PX = 2.2, 4.0
"""Radius of a keypoint, and of the one at the front of the animal."""


def write_gif(
    clips: Sequence[Clip], bones: Sequence[Sequence[int]], front: int, colour: str, path: Path
) -> None:
    """Write clips side by side as one animated picture, atomically.

    Parameters
    ----------
    clips : sequence of Clip
        One or more. Shorter ones wait at their end for the longest. Of three axes, x and y are drawn.
    bones : sequence of (int, int)
        Pairs of keypoints that are joined by a line.
    front : int
        The keypoint at the front of the animal, which is drawn larger.
    colour : str
        Colour of the animal during the bout, as #RRGGBB.
    path : Path
    """
    width, n_steps = view_width(clips), max(len(clip.points) for clip in clips)
    palette = _palette([colour, OUTSIDE, FLOOR])
    pictures = [
        _picture(clips, width, step, bones, front, colour).quantize(
            palette=palette, dither=Image.Dither.NONE
        )
        for step in range(n_steps)
    ]
    longest = max(clips, key=lambda clip: len(clip.points))
    step_s = np.median(np.diff(longest.time_s)) if n_steps > 1 else 0.1
    # a GIF counts hundredths of a second, and viewers play less than 2 of them at another speed
    duration = max(20, 10 * round(100 * float(step_s)))
    with files.atomic(path) as temporary:
        pictures[0].save(
            temporary,
            format="GIF",
            save_all=True,
            append_images=pictures[1:],
            duration=duration,
            loop=0,
            optimize=False,
        )


def view_width(clips: Sequence[Clip]) -> float:
    """Return the width of the part of the floor that every picture shows, in the unit of the points."""
    sizes = [np.ptp(clip.points[..., :2], axis=1).max() for clip in clips]
    return max(float(max(sizes)) / (1 - 2 * MARGIN), 1e-6)


def _palette(colours: Sequence[str]) -> Image.Image:
    """Return shades from the page to each colour, as `Image.quantize` takes them."""
    page = np.array(ImageColor.getrgb(BACKGROUND))
    steps = np.linspace(0, 1, N_SHADES)[:, None]
    shades = [page + steps * (np.array(ImageColor.getrgb(c)) - page) for c in colours]
    palette = Image.new("P", (1, 1))
    palette.putpalette(np.rint(np.concatenate(shades)).astype(int).ravel().tolist())
    return palette


def _picture(
    clips: Sequence[Clip],
    width: float,
    step: int,
    bones: Sequence[Sequence[int]],
    front: int,
    colour: str,
) -> Image.Image:
    """Return one picture of all clips side by side; each follows its animal over marks on the floor."""
    size = PANEL_PX * SHARPNESS
    picture = Image.new("RGB", (size * len(clips), size), BACKGROUND)
    for number, clip in enumerate(clips):
        now = min(step, len(clip.points) - 1)
        points = clip.points[now, :, :2]
        centre = (points.min(axis=0) + points.max(axis=0)) / 2
        panel = Image.new("RGB", (size, size), BACKGROUND)
        _draw_floor(ImageDraw.Draw(panel), centre, width)
        shade = colour if clip.inside[now] else OUTSIDE
        _draw_animal(ImageDraw.Draw(panel), _on_panel(points, centre, width), bones, front, shade)
        picture.paste(panel, (size * number, 0))
    return picture.reduce(SHARPNESS)


def _on_panel(points: np.ndarray, centre: np.ndarray, width: float) -> np.ndarray:
    """Return where points `(n, 2)` are drawn: what is ahead goes up, what is to the right goes right."""
    size = PANEL_PX * SHARPNESS
    ahead, right = ((points - centre) * size / width).T
    return np.stack([size / 2 + right, size / 2 - ahead], axis=1)


def _draw_floor(draw: ImageDraw.ImageDraw, centre: np.ndarray, width: float) -> None:
    """Draw marks at half the width of the picture, so that one sees the animal move."""
    gap = width / 2
    first = np.floor((centre - width / 2) / gap) * gap
    marks = np.stack(np.meshgrid(*(first[:, None] + gap * np.arange(4))), axis=-1).reshape(-1, 2)
    for x, y in _on_panel(marks, centre, width).tolist():
        arm = 4 * SHARPNESS
        draw.line([(x - arm, y), (x + arm, y)], fill=FLOOR, width=SHARPNESS)
        draw.line([(x, y - arm), (x, y + arm)], fill=FLOOR, width=SHARPNESS)


def _draw_animal(
    draw: ImageDraw.ImageDraw,
    places: np.ndarray,
    bones: Sequence[Sequence[int]],
    front: int,
    shade: str,
) -> None:
    for i, j in bones:
        draw.line([tuple(places[i]), tuple(places[j])], fill=shade, width=2 * SHARPNESS)
    for k, (x, y) in enumerate(places.tolist()):
        radius = (FRONT_PX if k == front else DOT_PX) * SHARPNESS
        draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=shade)
