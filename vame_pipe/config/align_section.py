"""The section `align` of config.yaml: how poses are cleaned and converted to the animal's own frame."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, FiniteFloat, Tag, model_validator

from vame_pipe.config.section import Keypoint, NotNegative, Positive, Section
from vame_pipe.core.errors import did_you_mean

DEFAULT_CONFIDENCE = 0.6
"""Smallest confidence of a point that is used."""


class Quantile(Section):
    """A confidence threshold that depends on each keypoint."""

    quantile: Annotated[FiniteFloat, Field(ge=0, lt=1)]
    """Fraction of each keypoint's points, those with the lowest confidence, that count as missing."""


def _kind_of_confidence(value: Any) -> str:
    return "[quantile]" if isinstance(value, dict | Quantile) else "[number]"


def _kind_of_confidences(value: Any) -> str:
    """Tell thresholds of keypoints from one for all, also if `quantile` is misspelt."""
    if isinstance(value, dict) and not (
        len(value) == 1 and get_close_matches(str(*value), ["quantile"], cutoff=0.8)
    ):
        return "[keypoints]"
    return _kind_of_confidence(value)


def _kind_of_axis(value: Any) -> str:
    return "[keypoints]" if isinstance(value, list) else "[word]"


def _kind_of_floor(value: Any) -> str:
    return "[word]" if isinstance(value, str) else "[number]"


Threshold = Annotated[
    Annotated[NotNegative, Tag("[number]")] | Annotated[Quantile, Tag("[quantile]")],
    Discriminator(_kind_of_confidence),
]


class Align(Section):
    """How poses are cleaned and converted to the animal's own frame of reference."""

    centre: Keypoint
    """Keypoint that becomes the origin of every frame, e.g. the tail base."""
    forward: Keypoint
    """Keypoint that lies on the positive x axis in every frame (unless axis is set), e.g. the nose."""
    axis: (
        Annotated[
            Annotated[list[Keypoint], Field(min_length=2), Tag("[keypoints]")]
            | Annotated[Literal["rigid"], Tag("[word]")],
            Discriminator(_kind_of_axis),
        ]
        | None
    ) = None
    """What points ahead: null, the direction from centre to forward; a list of keypoints along the body,
    from back to front: the line through them (least squares); rigid: the rotation that fits all keypoints
    best to the median posture."""
    camera: Literal["above", "below"] = "above"
    """Where the camera is. below: left and right are swapped back, so that they are the animal's."""
    floor: Annotated[
        Annotated[FiniteFloat, Tag("[number]")] | Annotated[Literal["auto"], Tag("[word]")],
        Discriminator(_kind_of_floor),
    ] = "auto"
    """Height of the floor in 3D recordings, in the unit of the file; heights are relative to it. auto: the
    median of the lowest hundredth of all heights."""
    min_confidence: Annotated[
        Annotated[NotNegative, Tag("[number]")]
        | Annotated[Quantile, Tag("[quantile]")]
        | Annotated[dict[Keypoint, Threshold], Tag("[keypoints]")],
        Discriminator(_kind_of_confidences),
    ] = DEFAULT_CONFIDENCE
    """Points below this confidence count as missing: a number on the scale of the tracker, or
    {quantile: 0.1} for the tenth of each keypoint's points with the lowest confidence, or a threshold per
    keypoint, such as {nose: 0.9, tail: {quantile: 0.1}, default: 0.6}; default is 0.6 if it is not set.
    Points without a score are kept."""
    drop_bad_keypoints: Annotated[FiniteFloat, Field(gt=0, lt=1)] | None = None
    """Leave out of all sessions the keypoints that have no usable point in more than this fraction of the
    frames of the training sessions. Those of the body axis stay. The report says what is left out. null:
    keep all."""
    max_gap_s: NotNegative = 0.25
    """Gaps up to this many seconds are interpolated; frames in longer gaps are invalid. The same holds for
    stretches in which head and tail are swapped."""
    outlier_threshold: Positive | None = 8.0
    """A point counts as missing if its distance from the running median of its keypoint is more than this
    many times the 90th percentile of that distance, and more than a quarter of the body length; null: keep
    all."""
    smooth_s: Positive | None = 0.17
    """Savitzky-Golay window in seconds (second order); null: no smoothing."""
    scale: bool = True
    """Divide by the session's median body length (centre to forward); false: pixels, or the unit of a 3D
    file."""
    kinematics: bool = True
    """Add the movement that alignment removes: speeds, turning rate, log speeds."""
    social: bool = False
    """Add where another animal of the session is and how it moves, seen from this animal; rows without
    another animal are then not valid. Needs two or more animals."""
    partner: Keypoint | None = None
    """Name of the animal that is the partner of all others, if social is true; null: in each frame the
    nearest animal."""
    head_fixed: bool = False
    """The animal is held in place, so a body axis that never moves is accepted."""
    fps: Positive | None = None
    """Resample every session to this many frames per second; null: all sessions must have the same rate."""

    @model_validator(mode="after")
    def _fits_together(self) -> Align:
        if self.centre == self.forward:
            raise ValueError(
                f"centre and forward are both '{self.centre}': set two different keypoints"
            )
        if isinstance(self.axis, list) and len(set(self.axis)) < len(self.axis):
            raise ValueError("axis lists a keypoint twice: remove one")
        if self.partner is not None and not self.social:
            raise ValueError("partner is set, but social is false: set social to true")
        return self

    @property
    def body_axis(self) -> list[str]:
        """The keypoints without which there is no body axis."""
        return [self.centre, self.forward, *(self.axis if isinstance(self.axis, list) else [])]

    @property
    def named_keypoints(self) -> dict[str, list[str]]:
        """The keypoints that each setting names, by setting."""
        named = {"centre": [self.centre], "forward": [self.forward]}
        if isinstance(self.axis, list):
            named["axis"] = self.axis
        if isinstance(self.min_confidence, dict):
            named["min_confidence"] = [k for k in self.min_confidence if k != "default"]
        return named

    def axis_problems(self, keypoints: Collection[str]) -> list[str]:
        """Return one line for each keypoint in the settings that is not among the keypoints to use."""
        named = self.named_keypoints
        if self.drop_bad_keypoints is not None:
            named.pop("min_confidence", None)  # it may name one that is left out
        return [
            f"align.{key} '{name}' is not in keypoints, which has: {', '.join(keypoints)}. Set it to one "
            f"of these.{did_you_mean(name, keypoints)}"
            for key, names in named.items()
            for name in names
            if name not in keypoints
        ]
