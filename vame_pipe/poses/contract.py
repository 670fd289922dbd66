"""What every reader of pose files returns: the validated poses of one animal."""

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
        `(n_frames, n_keypoints, 2)`, float64, pixels, x to the right, y down; NaN where missing.
    confidence : numpy.ndarray
        `(n_frames, n_keypoints)`, float64, 0 or more; 0 where missing. Scales differ between
        trackers.
    keypoints : tuple of str
        Names, in the order of the second axis.
    fps : float
        Frames per second.
    source : str
        Name of the file read, for messages.
    first_frame : int
        Number of the video frame of the first row; the others follow one by one.
    individual : str
        Name of the animal.
    faults : dict of str to str
        Why keypoints cannot be used, one line each; their positions are NaN. Nothing is wrong as
        long as such a keypoint is left out.

    Raises
    ------
    InputError
        At construction, if shapes disagree, names repeat or nothing is tracked.
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
                f"{self.source}: positions {self.position.shape}, confidence "
                f"{self.confidence.shape} and {len(self.keypoints)} keypoint names do not fit; "
                "expected (n_frames, n_keypoints, 2) and (n_frames, n_keypoints)."
            )
        repeated = sorted({k for k in self.keypoints if self.keypoints.count(k) > 1})
        if repeated:
            raise InputError(
                f"{self.source}: keypoint(s) {listing(repeated, chr(39))} occur twice."
            )
        if n_frames == 0:
            raise InputError(f"{self.source}: has a header but no frames.")
        usable = [i for i, name in enumerate(self.keypoints) if name not in self.faults]
        if usable and np.isnan(self.position[:, usable]).all():
            raise InputError(f"{self.source}: every coordinate is missing (NaN). Track it again.")
        if not (np.isfinite(self.confidence) & (self.confidence >= 0)).all():
            raise InputError(
                f"{self.source}: confidence must be 0 or more and finite, found "
                f"{self.confidence.min():g} to {self.confidence.max():g}."
            )
