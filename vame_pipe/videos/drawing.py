"""Draw animals and words into pictures of videos."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

HALO = "#FFFFFF"
"""Colour of the margin of lines, so that they are seen on every background."""
LINE_PX, DOT_PX, FRONT_PX = 3, 3, 5
"""Width of a line, radius of a keypoint, and of the one at the front of the animal."""
MARGIN, MIN_BODY_LENGTHS, MIN_PX = 1.3, 2.5, 32
"""A square around an animal is so much wider than what it moves through, at least so many body lengths
and pixels wide."""
TEXT_PX = 13


@dataclass(frozen=True)
class View:
    """A square of a picture.

    Attributes
    ----------
    left, top, side : float
        Pixels.
    """

    left: float
    top: float
    side: float

    def cut(self, picture: np.ndarray, size: int) -> Image.Image:
        """Return the square, black where there is no picture.

        Parameters
        ----------
        picture : numpy.ndarray
            `(height, width, 3)` uint8.
        size : int
            Width and height of the result, pixels.
        """
        pad = max(0, math.ceil(max(-self.left, -self.top)))
        if pad:
            picture = np.pad(picture, ((pad, pad), (pad, pad), (0, 0)))
        left, top = self.left + pad, self.top + pad
        return Image.fromarray(picture).resize(
            (size, size), Image.Resampling.BILINEAR, (left, top, left + self.side, top + self.side)
        )

    def place(self, points: np.ndarray, size: int) -> np.ndarray:
        """Return where points of the picture are in the result of `cut`, same shape."""
        return (points - [self.left, self.top]) * size / self.side


def view_of(points: np.ndarray, body_length: float, width: int, height: int) -> View:
    """Return the square that an animal is in for some time; without points the whole picture.

    Parameters
    ----------
    points : numpy.ndarray
        `(n, n_keypoints, 2)`, pixels, NaN where missing.
    body_length : float
        Pixels.
    width, height : int
        Of the picture.

    Examples
    --------
    >>> view_of(np.array([[[100.0, 50.0], [140.0, 50.0]]]), 40, 640, 480)
    View(left=70.0, top=0.0, side=100.0)
    """
    known = points[np.isfinite(points).all(axis=2)]
    side, centre = float(max(width, height)), np.array([width, height]) / 2
    if len(known):
        low, high = known.min(axis=0), known.max(axis=0)
        wanted = max(MARGIN * float((high - low).max()), MIN_BODY_LENGTHS * body_length, MIN_PX)
        if wanted < side:
            side, centre = wanted, (low + high) / 2
    left, top = (
        min(max(middle - side / 2, 0.0), extent - side) if side <= extent else (extent - side) / 2
        for middle, extent in zip(centre.tolist(), (width, height), strict=True)
    )
    return View(left, top, side)


def draw_animal(
    picture: Image.Image,
    points: np.ndarray,
    bones: Sequence[Sequence[int]],
    front: int,
    colour: str,
) -> None:
    """Draw the skeleton of an animal into a picture; points that are missing are not drawn.

    Parameters
    ----------
    picture : Image.Image
    points : numpy.ndarray
        `(n_keypoints, 2)`, pixels.
    bones : sequence of (int, int)
        Pairs of keypoints that are joined by a line.
    front : int
        The keypoint that is drawn larger.
    colour : str
    """
    draw, known = ImageDraw.Draw(picture), np.isfinite(points).all(axis=1)
    for halo, shade in ((1, HALO), (0, colour)):
        for i, j in bones:
            if known[i] and known[j]:
                ends = [tuple(points[i].tolist()), tuple(points[j].tolist())]
                draw.line(ends, fill=shade, width=LINE_PX + 2 * halo)
        for k in np.flatnonzero(known):
            (x, y), radius = points[k].tolist(), (FRONT_PX if k == front else DOT_PX) + halo
            draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=shade)


def write_words(draw: ImageDraw.ImageDraw, left: float, middle: float, text: str) -> None:
    """Write black text; its vertical centre is given."""
    draw.text(
        (left, middle), text, fill="#000000", font=ImageFont.load_default(TEXT_PX), anchor="lm"
    )
