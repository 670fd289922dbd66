"""Colours can be told apart."""

import numpy as np
import pytest

from vame_pipe.core.colours import MOTIF_COLOURS, NO_MOTIF

# Machado et al. 2009, severity 1
VISION = {
    "trichromat": np.eye(3),
    "protanope": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranope": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
}
XYZ = [
    [0.4124564, 0.3575761, 0.180438],
    [0.212673, 0.715152, 0.072175],
    [0.019334, 0.119192, 0.950304],
]


def lab(shades, vision):
    """CIELAB of colours as they are seen."""
    rgb = np.array([[int(text[i : i + 2], 16) / 255 for i in (1, 3, 5)] for text in shades])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.transpose(VISION[vision]), 0, 1)
    f = np.cbrt(seen @ np.transpose(XYZ) / [0.95047, 1, 1.08883])
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])])


def ciede2000(one, other):
    """The difference between two colours as people judge it (Sharma et al. 2005)."""
    mean = (np.hypot(*one[1:]) + np.hypot(*other[1:])) / 2
    stretch = 1.5 - np.sqrt(mean**7 / (mean**7 + 25.0**7)) / 2
    (c1, h1), (c2, h2) = (
        (np.hypot(a * stretch, b), np.degrees(np.arctan2(b, a * stretch)) % 360)
        for _, a, b in (one, other)
    )
    turn = (h2 - h1 + 180) % 360 - 180
    lightness, chroma, hue = (one[0] + other[0]) / 2, (c1 + c2) / 2, (h1 + turn / 2) % 360
    waves = ((-0.17, 1, -30), (0.24, 2, 0), (0.32, 3, 6), (-0.2, 4, -63))
    weight = 1 + sum(w * np.cos(np.radians(k * hue + shift)) for w, k, shift in waves)
    square = (lightness - 50) ** 2
    parts = (
        (other[0] - one[0]) / (1 + 0.015 * square / np.sqrt(20 + square)),
        (c2 - c1) / (1 + 0.045 * chroma),
        2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2)) / (1 + 0.015 * chroma * weight),
    )
    bend = np.sin(np.radians(60 * np.exp(-(((hue - 275) / 25) ** 2))))
    bend *= -2 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7))
    return np.sqrt(sum(part**2 for part in parts) + bend * parts[1] * parts[2])


def test_the_measure_is_that_of_the_publication():
    """A pair of its table 1."""
    one, other = np.array([50, 2.6772, -79.7751]), np.array([50, 0, -82.7485])
    assert ciede2000(one, other) == pytest.approx(2.0425, abs=1e-4)


@pytest.mark.parametrize(
    ("vision", "of_15", "of_20", "of_30"),
    [("trichromat", 19, 17, 13), ("protanope", 10, 8, 6.5), ("deuteranope", 10, 8, 6.5)],
)
def test_thirty_colours_can_be_told_apart_also_by_the_colour_blind(vision, of_15, of_20, of_30):
    shades = lab([*MOTIF_COLOURS, NO_MOTIF, "#FFFFFF"], vision)
    distance = ciede2000(shades[:, :, None], shades[:, None, :])
    distance[np.diag_indices(len(distance))] = np.inf
    assert distance[:15, :15].min() > of_15
    assert distance[:20, :20].min() > of_20
    assert distance[:30, :30].min() > of_30
    assert distance[:30, 30:].min() > 6
