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
        `(n_frames, n_keypoints, 2)` float64, image coordinates in pixels; NaN where missing.
    confidence : numpy.ndarray
        `(n_frames, n_keypoints)` float64, 0 or more; 0 where missing. Scales differ between trackers.
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
        If shapes do not match, keypoint names are duplicated, no point is tracked, or a confidence is
        negative or not finite.
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
        if self.position.shape != (n_frames, n_keypoints, 2) or n_keypoints != len(self.keypoints):
            raise InputError(
                f"{self.source}: the shapes of position {self.position.shape} and confidence "
                f"{self.confidence.shape} and the number of keypoint names ({len(self.keypoints)}) are "
                "inconsistent; expected (n_frames, n_keypoints, 2) and (n_frames, n_keypoints)."
            )
        repeated = sorted({k for k in self.keypoints if self.keypoints.count(k) > 1})
        if repeated:
            names = listing(repeated, "'")
            raise InputError(f"{self.source}: keypoint names are duplicated: {names}.")
        if n_frames == 0:
            raise InputError(f"{self.source}: contains no frames.")
        usable = [i for i, name in enumerate(self.keypoints) if name not in self.faults]
        if usable and np.isnan(self.position[:, usable]).all():
            raise InputError(
                f"{self.source}: every coordinate is missing (NaN). Track the video again."
            )
        if not (np.isfinite(self.confidence) & (self.confidence >= 0)).all():
            raise InputError(
                f"{self.source}: confidence must be 0 or more and finite, but ranges from "
                f"{self.confidence.min():g} to {self.confidence.max():g}."
            )
