"""The sessions of config.yaml: one recording each."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag, model_validator

from vame_pipe.config.section import NotNegative, Positive, Section
from vame_pipe.core.pose_formats import PoseFormat

Label = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


def _kind_of_poses(value: Any) -> str:
    return "[files]" if isinstance(value, list) else "[file]"


class Session(Section):
    """One recording."""

    poses: Annotated[
        Annotated[str, Tag("[file]")] | Annotated[list[str], Field(min_length=1), Tag("[files]")],
        Discriminator(_kind_of_poses),
    ]
    """Pose file, relative to the working directory; several if the camera began new files: [part1.csv,
    part2.csv], in the order of time."""
    fps: Positive | None = None
    """Frames per second of the recording; null: as in the pose file, if it stores them."""
    format: PoseFormat | None = None
    """Format of the pose file; null: recognised from its content."""
    individuals: Annotated[list[str], Field(min_length=1)] | None = None
    """Animals to use, by their names in the pose file; null: all."""
    group: str | None = None
    """Experimental group, if any."""
    subject: Label | None = None
    """Animal that was recorded, if it has several recordings: they are averaged before groups are compared.
    null: the session; of several animals in a recording, each is one."""
    pair: Label | None = None
    """What belongs together in different groups, for a paired comparison: a litter, or a matched pair.
    null: the subject, if it is in several groups."""
    video: (
        Annotated[
            Annotated[str, Tag("[file]")]
            | Annotated[list[str], Field(min_length=1), Tag("[files]")],
            Discriminator(_kind_of_poses),
        ]
        | None
    ) = None
    """Video from which the poses were tracked, relative to the working directory; of several pose files,
    one video or one per file. Needs the extra `video`, see docs/videos.md."""
    labels: str | None = None
    """Labels that a person gave to frames or bouts of this recording: CSV, or events of BORIS, relative to
    the working directory. The motifs are compared with them, see annotations.md."""
    use: Literal["train", "encode"] = "train"
    """train: models are trained on this recording; encode: it is only encoded, with models that are trained
    on the other recordings, and changes neither windows nor models."""
    starts_s: list[NotNegative] | None = None
    """For several pose files: seconds at which each of them begins, [0, 3600]. null: the frame numbers
    tell, if they go on from file to file; otherwise it is unknown how long the camera stopped, and no
    window crosses the join."""
    exclude: Label | None = None
    """Why the recording is left out; null: it is used. The report lists it with its reason."""
    px_per_cm: Positive | None = None
    """Scale: pixels per centimetre (of 3D poses, units of the file). Tracking quality, the movement in each
    motif and groups are then in cm and cm/s. For all sessions or for none."""
    metadata: dict[str, str] = Field(default={})
    """Additional metadata (the further columns of a sheet)."""

    @property
    def files(self) -> list[str]:
        """The pose files, in the order of time."""
        return [self.poses] if isinstance(self.poses, str) else self.poses

    @property
    def videos(self) -> list[str]:
        """The videos, in the order of time; empty without one."""
        return [self.video] if isinstance(self.video, str) else self.video or []

    @model_validator(mode="after")
    def _parts(self) -> Session:
        repeated = sorted({path for path in self.files if self.files.count(path) > 1})
        if repeated:
            raise ValueError(f"poses lists {', '.join(repeated)} twice: name each file once")
        if self.starts_s is not None and len(self.files) == 1:
            raise ValueError(
                "starts_s is for several pose files, but poses is one: remove starts_s"
            )
        if self.starts_s is not None and len(self.starts_s) != len(self.files):
            raise ValueError(
                f"starts_s has {len(self.starts_s)} values and poses {len(self.files)} files: give one "
                "start per file"
            )
        if len(self.videos) not in (0, 1, len(self.files)):
            raise ValueError(
                f"video has {len(self.videos)} files and poses {len(self.files)}: give one video in all or "
                "one per pose file"
            )
        return self
