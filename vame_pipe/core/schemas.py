"""Columns and metadata of the Parquet files that the stages exchange."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from vame_pipe.core import files
from vame_pipe.core.errors import InputError

_NAME = pa.dictionary(pa.int32(), pa.string())

INDEX_FIELDS = [
    pa.field("session", _NAME),
    pa.field("individual", _NAME),
    pa.field("row", pa.int64()),
    pa.field("frame", pa.int64()),
    pa.field("time_s", pa.float64()),
    pa.field("run", pa.int32()),
]
"""Columns that tell where a row belongs, of aligned files, frames and latents.

`row` is the step of the analysis clock, `frame` the nearest video frame, `time_s` the time from the start
of the video, `run` the unbroken stretch of valid rows of one animal (-1: not valid). `(individual, row)` is
unique in a session.
"""

SPLITS = ("train", "val")

WINDOW_SCHEMA = pa.schema(
    [
        pa.field("session", _NAME),
        pa.field("individual", _NAME),
        pa.field("start", pa.int64()),  # row
        pa.field("offset", pa.int64()),  # into the frames of all sessions
        pa.field("split", _NAME),
    ]
)


def feature_fields(names: list[str]) -> list[pa.Field]:
    """Return the fields of float32 columns."""
    return [pa.field(name, pa.float32()) for name in names]


def latent_names(zdims: int) -> list[str]:
    """Return the names of the columns of a latent vector: z_00, z_01, ..."""
    return [f"z_{i:02d}" for i in range(zdims)]


def latent_columns(path: str | Path) -> list[str]:
    """Return the names of the columns of the latent vectors in a file."""
    return [name for name in pa.parquet.read_schema(path).names if name.startswith("z_")]


def index_columns(
    session: str, individual: str, row: Any, frame: Any, time_s: Any, run: Any
) -> list[pa.Array]:
    """Return the columns of `INDEX_FIELDS` for rows of one session and individual."""
    codes = pa.array(np.zeros(len(row), np.int32))
    return [
        pa.DictionaryArray.from_arrays(codes, pa.array([session])),
        pa.DictionaryArray.from_arrays(codes, pa.array([individual])),
        pa.array(row, pa.int64()),
        pa.array(frame, pa.int64()),
        pa.array(time_s, pa.float64()),
        pa.array(run, pa.int32()),
    ]


@dataclass(frozen=True)
class AnimalFacts:
    """What is known of one animal of an aligned session."""

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
        The section `align` of the configuration and `keypoints`, the names in the files.
    features, keypoints : list of str
    fps : float
        Rows per second.
    individuals : dict of str to AnimalFacts
    fingerprint : str
        SHA-256 of the rows and of the settings, so that it changes with the content.
    poses_digest : str
        SHA-256 of the pose file.
    source : str
        Name of the pose file.
    group : str or None
    metadata : dict of str to str
        Further columns of the session sheet.
    stage_version : int
    """

    session: str
    settings: dict[str, Any]
    features: list[str]
    keypoints: list[str]
    fps: float
    individuals: dict[str, AnimalFacts]
    fingerprint: str
    poses_digest: str
    source: str
    group: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    stage_version: int = 0

    @property
    def longest_run(self) -> int:
        """Frames of the longest unbroken stretch of valid frames of any animal."""
        return max(animal.longest_run for animal in self.individuals.values())


@dataclass(frozen=True)
class WindowsMetadata:
    """Metadata of the frames and of the index of windows.

    Attributes
    ----------
    settings : dict
        The section `windows` of the configuration.
    align : dict
        `settings` of the aligned sessions.
    features, keypoints, sessions : list of str
    fps : float
    length, future : int
        Frames of a window that are encoded, and that are predicted.
    mean, std : list of float
        The normaliser, one value per feature.
    stage_version : int
    """

    settings: dict[str, Any]
    align: dict[str, Any]
    features: list[str]
    keypoints: list[str]
    sessions: list[str]
    fps: float
    length: int
    future: int
    mean: list[float]
    std: list[float]
    stage_version: int = 0


@dataclass(frozen=True)
class LatentsMetadata:
    """Metadata of the latents of one session by one model.

    Attributes
    ----------
    model_fingerprint, aligned_fingerprint : str
        SHA-256 of the model file; `fingerprint` of the aligned session.
    fingerprint : str
        SHA-256 of both and of the stage's version.
    length : int
        Frames of a window.
    fps : float
    posterior_std : list of float
        Average posterior standard deviation of each dimension over the windows of the session.
    stage_version : int
    """

    model_fingerprint: str
    aligned_fingerprint: str
    fingerprint: str
    length: int
    fps: float
    posterior_std: list[float]
    stage_version: int = 0


Record = TypeVar("Record", AlignedMetadata, WindowsMetadata, LatentsMetadata)


def to_metadata(record: Record) -> dict[str, Any]:
    """Return a record as the JSON content that `files.write_tables` stores."""
    return files.metadata(**dataclasses.asdict(record))


def read_record(kind: type[Record], path: str | Path) -> Record:
    """Return the metadata of a file as a typed record.

    Raises
    ------
    InputError
        If the file is missing, damaged, of another format or of another kind. For a recording that could
        not be aligned: the reasons why.
    """
    content = files.read_metadata(path)
    if "rejected" in content:
        raise InputError(*content["rejected"])
    names = {f.name for f in dataclasses.fields(kind)}
    missing = sorted(names - content.keys())
    if missing:
        raise InputError(
            f"{path}: its metadata has no {', '.join(missing)}, so it is not {kind.__name__}. "
            "Run the workflow again."
        )
    values = {name: content[name] for name in names}
    if kind is AlignedMetadata:
        animals = values["individuals"].items()
        values["individuals"] = {name: AnimalFacts(**facts) for name, facts in animals}
    return kind(**values)
