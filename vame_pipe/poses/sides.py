"""Whether left and right are where a camera above the animal sees them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from vame_pipe.poses.keypoint_names import words

Camera = Literal["above", "below"]

MIN_AGREEING = 0.8
"""Fraction of the frames that must agree: the tracker sometimes swaps left and right, or head and tail."""
MIN_APART = 0.05
"""Body lengths that left and right keypoints must lie apart sideways; less can be chance."""


def camera_side(
    position: np.ndarray, names: Sequence[str], centre: str, forward: str
) -> Camera | None:
    """Return from where an animal is seen, by its keypoints with left and right in their names.

    Seen from above, the animal's left is to the left of the direction in which it looks. If it is to the
    right, the camera is below, or the video is mirrored: both are set right by `align.camera: below`.

    Parameters
    ----------
    position : numpy.ndarray
        `(n_frames, n_keypoints, 2)`, pixels, y down, NaN where missing.
    names : sequence of str
    centre, forward : str
        Back and front of the body axis.

    Returns
    -------
    str or None
        None if no pair of keypoints tells, or if frames disagree.

    Examples
    --------
    >>> names = ["tail", "nose", "left_ear", "right_ear"]
    >>> above = np.array([[[0, 0], [10, 0], [8, -3], [8, 3]]], float)  # looks to the right; y is down
    >>> camera_side(above, names, "tail", "nose"), camera_side(above * [1, -1], names, "tail", "nose")
    ('above', 'below')
    """
    pairs = _pairs(names)
    if not pairs:
        return None
    left, right = (position[:, [names.index(pair[i]) for pair in pairs]] for i in (0, 1))
    axis = (position[:, names.index(forward)] - position[:, names.index(centre)])[:, None]
    apart = right - left
    with np.errstate(divide="ignore", invalid="ignore"):
        # body lengths to the right, from the left keypoint of a pair to its right one
        sideways = (axis[..., 0] * apart[..., 1] - axis[..., 1] * apart[..., 0]) / np.square(
            axis
        ).sum(axis=2)
    sideways = sideways[np.isfinite(sideways)]
    if not len(sideways) or abs(np.median(sideways)) < MIN_APART:
        return None
    to_right = float((sideways > 0).mean())
    if max(to_right, 1 - to_right) < MIN_AGREEING:
        return None
    return "above" if to_right > 0.5 else "below"


def _pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return the keypoints of which there is a left and a right one."""
    by_words = {words(name): name for name in names}
    pairs = []
    for found, name in by_words.items():
        if "left" in found and "right" not in found:
            other = tuple(sorted("right" if word == "left" else word for word in found))
            pairs += [(name, by_words[other])] if other in by_words else []
    return pairs
