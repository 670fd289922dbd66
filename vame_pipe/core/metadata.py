"""Metadata of the Parquet files that the stages exchange, as typed records."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pyarrow as pa

from vame_pipe import __version__
from vame_pipe.core import files
from vame_pipe.core.errors import InputError
from vame_pipe.core.parts import Part
from vame_pipe.core.schemas import INDEX_FIELDS


@dataclass(frozen=True)
class AnimalFacts:
    """What later stages need to know about one animal of an aligned session.

    Attributes
    ----------
    body_length_px : float
        Median distance from `align.centre` to `align.forward`, pixels.
    flipped_fraction : float
        Fraction of frames in which the ends of the body axis seem to be swapped.
    longest_run : int
        Rows of its longest unbroken stretch of valid rows.
    """

    body_length_px: float
    flipped_fraction: float
    longest_run: int


@dataclass(frozen=True)
class AlignedMetadata:
    """Metadata of an aligned session.

    Attributes
    ----------
    session : str
    settings : dict
        Section `align` of the configuration, and `keypoints`: each with the names it may have in the files.
    features, keypoints : list of str
    fps : float
        Rows per second.
    individuals : dict of str to AnimalFacts
    fingerprint : str
        SHA-256 of the rows and the settings, so it changes whenever the content changes.
    poses_digest : str
        SHA-256 of the pose file; of several files, of their SHA-256.
    source : str
        Name of the pose file; of several files, with ` + ` between them.
    source_fps : float
        Frames per second of the recording.
    stage_version : int
        See `core.source`.
    parts : list of Part
        The pose files.
    format : str or None
        Format of the pose file; None if it was recognised from its content.
    selected : list of str or None
        Animals that the configuration selects; None: all of the pose file.
    starts_s : list of float or None
        Seconds at which the configuration says that each of several pose files begins.
    """

    KIND: ClassVar[str] = "an aligned recording"

    session: str
    settings: dict[str, Any]
    features: list[str]
    keypoints: list[str]
    fps: float
    individuals: dict[str, AnimalFacts]
    fingerprint: str
    poses_digest: str
    source: str
    source_fps: float
    stage_version: int
    parts: list[Part] = field(default_factory=list)
    format: str | None = None
    starts_s: list[float] | None = None
    selected: list[str] | None = None

    @property
    def longest_run(self) -> int:
        """Rows of the longest unbroken stretch of valid rows of any animal."""
        return max(animal.longest_run for animal in self.individuals.values())

    @property
    def recorded_fraction(self) -> float:
        """Fraction of the time steps in which the camera ran: below 1 if it stopped between two files."""
        if not self.parts:
            return 1.0
        n_frames = self.parts[-1].end - self.parts[0].first_frame
        return sum(part.n_frames for part in self.parts) / n_frames


@dataclass(frozen=True)
class WindowsMetadata:
    """Metadata of the frames and of the window index.

    Attributes
    ----------
    settings : dict
        Section `windows` of the configuration.
    align : dict
        `settings` of the aligned sessions.
    features, keypoints : list of str
    aligned : dict of str to str
        For each training session the `fingerprint` of its aligned file.
    fps : float
        Rows per second.
    length, future : int
        Frames of a window that are encoded, and that are predicted after them.
    mean, std : list of float
        The normaliser, one value per feature, see `windows.data.WindowData`.
    stage_version : int
        See `core.source`.
    body_lengths : list of float
        `body_length_px` of each animal of each training session; empty if unknown.
    source_rates : list of float
        Frames per second at which training sessions were recorded, each rate once; empty if unknown.
    min_valid : float or None
        `qc.min_valid` of the configuration.
    excluded : dict of str to str
        Why a recording that was meant for training is left out, by session; they are not in `aligned`.
    """

    KIND: ClassVar[str] = "a file of the training windows"

    settings: dict[str, Any]
    align: dict[str, Any]
    features: list[str]
    keypoints: list[str]
    aligned: dict[str, str]
    fps: float
    length: int
    future: int
    mean: list[float]
    std: list[float]
    stage_version: int
    body_lengths: list[float] = field(default_factory=list)
    source_rates: list[float] = field(default_factory=list)
    min_valid: float | None = None
    excluded: dict[str, str] = field(default_factory=dict)

    @property
    def sessions(self) -> list[str]:
        """Names of the training sessions."""
        return list(self.aligned)


@dataclass(frozen=True)
class LatentsMetadata:
    """Metadata of the latents of one session, encoded by one model.

    Attributes
    ----------
    model_fingerprint : str
        SHA-256 of the model file.
    aligned_fingerprint : str
        `fingerprint` of the aligned session.
    fingerprint : str
        SHA-256 of both and of `stage_version`.
    length : int
        Frames of a window.
    fps : float
        Rows per second.
    posterior_std : list of float
        Average posterior standard deviation of each dimension over the windows of the session.
    stage_version : int
        See `core.source`.
    """

    KIND: ClassVar[str] = "a file of latents"

    model_fingerprint: str
    aligned_fingerprint: str
    fingerprint: str
    length: int
    fps: float
    posterior_std: list[float]
    stage_version: int


@dataclass(frozen=True)
class QualityMetadata:
    """Metadata of the table of the tracking quality.

    Attributes
    ----------
    settings : dict
        Section `qc` of the configuration.
    aligned : dict of str to str
        For each session the `fingerprint` of its aligned file.
    px_per_cm : dict of str to float
        Scale of each session; empty if it is not known.
    excluded : dict of str to str
        Why the configuration leaves sessions out.
    stage_version : int
        See `core.source`.
    groups : dict of str to str
        Experimental group of the sessions that have one.
    """

    KIND: ClassVar[str] = "a table of the tracking quality"

    settings: dict[str, Any]
    aligned: dict[str, str]
    px_per_cm: dict[str, float]
    excluded: dict[str, str]
    stage_version: int
    groups: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ComparisonMetadata:
    """Metadata of the comparison of models and of the similarity of their latents.

    Attributes
    ----------
    models : dict of str to str
        For each model the SHA-256 of its file.
    aligned : dict of str to str
        For each training session the `fingerprint` of its aligned file.
    stage_version : int
        See `core.source`.
    """

    KIND: ClassVar[str] = "a comparison of models"

    models: dict[str, str]
    aligned: dict[str, str]
    stage_version: int


@dataclass(frozen=True)
class MotifsMetadata:
    """Metadata of the motifs of one session.

    Attributes
    ----------
    segmentation_fingerprint : str
        `fingerprint` of the segmentation that assigned the motifs.
    latents_fingerprint : str
        `fingerprint` of the latents of the session.
    stage_version : int
        See `core.source`.
    """

    KIND: ClassVar[str] = "a file of motifs"

    segmentation_fingerprint: str
    latents_fingerprint: str
    stage_version: int


Record = TypeVar(
    "Record",
    AlignedMetadata,
    WindowsMetadata,
    LatentsMetadata,
    MotifsMetadata,
    QualityMetadata,
    ComparisonMetadata,
)


def write_rejection(path: str | Path, problems: list[str]) -> None:
    """Write a file without rows in place of one that cannot be made; `read_record` raises its problems.

    Parameters
    ----------
    path : str or Path
    problems : list of str
        Why the file cannot be made, one line each.
    """
    files.write_tables(path, [], pa.schema(INDEX_FIELDS), files.metadata(rejected=problems))


def rejection(path: str | Path) -> list[str]:
    """Return why a file could not be made, one line each; nothing if it was made, or is not there."""
    return list(files.read_metadata(path).get("rejected", [])) if Path(path).exists() else []


def to_metadata(record: Record) -> dict[str, Any]:
    """Return a record as the metadata that `files.write_tables` stores."""
    return files.metadata(**dataclasses.asdict(record))


def read_record(kind: type[Record], path: str | Path) -> Record:
    """Return the metadata of a file as a typed record.

    Raises
    ------
    InputError
        If the file is missing, corrupt, of another kind or of another version. For a recording that could
        not be aligned or encoded: the reasons, one line each.
    """
    content = files.read_metadata(path)
    if "rejected" in content:
        raise InputError(*content["rejected"])
    try:
        values = {f.name: content[f.name] for f in dataclasses.fields(kind) if f.name in content}
        if kind is AlignedMetadata:
            animals = values["individuals"].items()
            values["individuals"] = {name: AnimalFacts(**facts) for name, facts in animals}
            values["parts"] = [Part(**part) for part in values.get("parts", [])]
        return kind(**values)
    except (AttributeError, KeyError, TypeError):
        raise InputError(
            f"{path}: expected {kind.KIND} of vame_pipe {__version__}, found another kind of file or one "
            f"of another version (written by vame_pipe {content.get('package_version')}). Check the path; "
            "if it is right, delete the file and run the workflow again."
        ) from None
