"""The names of the pose formats, for the configuration, the command line and the readers."""

from __future__ import annotations

from typing import Literal, get_args

PoseFormat = Literal["deeplabcut"]
POSE_FORMATS: tuple[PoseFormat, ...] = get_args(PoseFormat)
"""In the order in which the content of a file is compared with them."""
