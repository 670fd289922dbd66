"""What a segmentation into motifs was made from: segmentation.json."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vame_pipe import __version__
from vame_pipe.core import files
from vame_pipe.core.errors import InputError

FORMAT_VERSION = 2


@dataclass(frozen=True)
class SegmentationFacts:
    """What a segmentation was made from, without its arrays.

    Attributes
    ----------
    fingerprint : str
        SHA-256 of the arrays and of all the rest.
    n_motifs : int
        Number of motifs; smaller than the number asked for if the data do not support that.
    reason_for_n : str
        Why that number was asked for, one sentence.
    method : str
        hmm or kmeans.
    lag : int
        Rows after the centre of a window at which the window's motif is placed.
    fps : float
        Rows per second.
    model_fingerprint : str
        SHA-256 of the model file.
    latents : dict of str to str
        For each training session the `fingerprint` of its latents.
    settings : dict
        Section `motifs` of the configuration.
    stage_version : int
        See `core.source`.
    """

    fingerprint: str
    n_motifs: int
    reason_for_n: str
    method: str
    lag: int
    fps: float
    model_fingerprint: str
    latents: dict[str, str]
    settings: dict[str, Any]
    stage_version: int


def write(facts: SegmentationFacts, path: Path) -> None:
    """Write segmentation.json, atomically."""
    versions = {"format_version": FORMAT_VERSION, "package_version": __version__}
    files.write_json(path, versions | dataclasses.asdict(facts))


def read(path: Path) -> SegmentationFacts:
    """Return what a segmentation was made from.

    Raises
    ------
    InputError
        If the file is missing, damaged or of another version.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version = content["format_version"]
        facts = {
            field.name: content.get(field.name) for field in dataclasses.fields(SegmentationFacts)
        }
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}). Run vame-pipe segment first."
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _damaged(path) from None
    if version != FORMAT_VERSION:
        raise InputError(
            f"{path}: has format {version}, this version of vame_pipe reads format {FORMAT_VERSION}. Run "
            "vame-pipe segment again."
        )
    if None in facts.values():
        raise _damaged(path)
    return SegmentationFacts(**facts)


def _damaged(path: Path) -> InputError:
    return InputError(
        f"{path}: is damaged, or not the settings of a segmentation. Delete it and run snakemake."
    )
