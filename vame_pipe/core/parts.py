"""Where the pose files of a recording lie on its time axis."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """One pose file of a recording, and where it lies on the time axis of the recording.

    Attributes
    ----------
    source : str
        Name of the file.
    first_frame : int
        Its first frame: subtract it from `frame` to get the frame of a video that begins with the file.
    n_frames : int
    """

    source: str
    first_frame: int
    n_frames: int

    @property
    def end(self) -> int:
        """The frame after its last one."""
        return self.first_frame + self.n_frames
