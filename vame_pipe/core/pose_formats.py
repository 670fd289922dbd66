"""The names of the pose formats, for the configuration, the command line and the readers."""

from __future__ import annotations

from typing import Literal, get_args

PoseFormat = Literal[
    "deeplabcut", "anipose", "sleap", "sleap-analysis", "sleap-anipose", "nwb", "movement", "jabs"
]
POSE_FORMATS: tuple[PoseFormat, ...] = get_args(PoseFormat)
"""As a user can name them; the readers are in `poses.readers` and `poses.hdf5_formats`."""
