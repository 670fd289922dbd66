"""The validated poses of one animal, which every reader of pose files returns.

Image coordinates, used in the whole package: pixels, x to the right and y down. On the screen, a positive
angle turns clockwise. So with the camera above the animal, a positive turn rate is a right turn, and a
positive lateral speed or coordinate points to the animal's right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from vame_pipe.core.errors import InputError, listing


@dataclass(frozen=True)
class Poses:
    """The tracked keypoints of one individual in one recording.

    Attributes
    ----------
    position : numpy.ndarray
        `(n_frames, n_keypoints, dimensions)` float64; NaN where missing. With 2 dimensions, image
        coordinates in pixels; with 3, in the unit of the file.
    confidence : numpy.ndarray
        `(n_frames, n_keypoints)` float64, 0 or more; NaN where the tracker gave no score: such points are
        trusted. 0 or NaN where the position is missing. Scales differ between trackers.
    keypoints : tuple of str
        Names, in the order of the second axis.
    fps : float
        Frames per second.
    source : str
        Name of the file, for messages.
    first_frame : int
        Video frame number of the first row; rows are consecutive frames.
    individual : str
        Name of the animal.
    faults : dict of str to str
        Why keypoints are unusable, one line each; their positions are NaN. A fault matters only if its
        keypoint is used.

    Raises
    ------
    InputError
        If shapes do not match, keypoint names are duplicated or empty, no point is tracked, or a
        confidence is negative or infinite.
    """

    position: np.ndarray
    confidence: np.ndarray
    keypoints: tuple[str, ...]
    fps: float
    source: str
    first_frame: int = 0
    individual: str = "id_0"
    faults: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n_frames, n_keypoints = self.confidence.shape
        shapes = [(n_frames, n_keypoints, dimensions) for dimensions in (2, 3)]
        if self.position.shape not in shapes or n_keypoints != len(self.keypoints):
            raise InputError(
                f"{self.source}: the shapes of position {self.position.shape} and confidence "
                f"{self.confidence.shape} and the number of keypoint names ({len(self.keypoints)}) are "
                "inconsistent; expected (n_frames, n_keypoints, 2 or 3) and (n_frames, n_keypoints)."
            )
        repeated = sorted({k for k in self.keypoints if self.keypoints.count(k) > 1})
        if repeated:
            names = listing(repeated, "'")
            raise InputError(f"{self.source}: keypoint names are duplicated: {names}.")
        if not all(self.keypoints):
            raise InputError(
                f"{self.source}: a keypoint has no name. Name it in the tracking program."
            )
        if n_frames == 0:
            raise InputError(f"{self.source}: contains no frames.")
        usable = [i for i, name in enumerate(self.keypoints) if name not in self.faults]
        if usable and all(np.isnan(self.position[:, i]).all() for i in usable):
            raise InputError(
                f"{self.source}: every coordinate is missing (NaN). Track the video again."
            )
        # fmin and fmax skip NaN, without an array as large as the confidence
        lowest = np.fmin.reduce(self.confidence, axis=None, initial=np.nan)
        highest = np.fmax.reduce(self.confidence, axis=None, initial=np.nan)
        if lowest < 0 or highest == np.inf:
            raise InputError(
                f"{self.source}: confidence must be 0 or more and finite, but ranges from "
                f"{lowest:g} to {highest:g}."
            )

    @property
    def dimensions(self) -> int:
        """Coordinates per point: 2 or 3."""
        return int(self.position.shape[2])
