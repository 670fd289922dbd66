"""What a segmentation into motifs was made from: segmentation.json."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vame_pipe.core.facts_file import FactsFile


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


def _make(**content: Any) -> SegmentationFacts:
    if None in content.values():
        raise ValueError("every fact is known")
    return SegmentationFacts(**content)


_FILE = FactsFile(_make, 2, "the settings of a segmentation", "vame-pipe segment")
write, read = _FILE.write, _FILE.read
