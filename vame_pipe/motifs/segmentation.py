"""The segmentation of the latent space: how a latent vector gets a motif, saved without pickle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vame_pipe.core import files, segmentation_facts
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import MotifFolder
from vame_pipe.core.segmentation_facts import SegmentationFacts

KMEANS_ARRAYS = ("offset", "scale", "mean")
HMM_ARRAYS = (*KMEANS_ARRAYS, "start", "transition", "covariance", "temper")
"""The arrays of segmentation.npz."""
FACTS = (
    *("method", "lag", "fps", "model_fingerprint", "latents"),
    *("settings", "stage_version", "reason_for_n"),
)
"""The attributes of a segmentation that are not arrays."""


@dataclass(frozen=True)
class Segmentation:
    """What assigns motifs to latent vectors.

    Attributes
    ----------
    arrays : dict of str to numpy.ndarray
        `offset`, `scale` `(n_dims,)`: what is subtracted from latents, and what they are divided by.
        `mean (n_motifs, n_dims)`: the centre of each motif. With the method hmm also `start (n_motifs,)`,
        `transition (n_motifs, n_motifs)`, `covariance (1, n_dims, n_dims)` and `temper ()`, see `hmm.HMM`.
    method : str
        hmm or kmeans.
    lag : int
        Rows after the centre of a window at which the window's motif is placed, see `timing.find_lag`.
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
    reason_for_n : str
        Why this number of motifs was asked for, one sentence.
    """

    arrays: dict[str, np.ndarray]
    method: str
    lag: int
    fps: float
    model_fingerprint: str
    latents: dict[str, str]
    settings: dict[str, Any]
    stage_version: int
    reason_for_n: str

    @property
    def n_motifs(self) -> int:
        """Number of motifs."""
        return len(self.arrays["mean"])

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all of it."""
        arrays = {
            name: [list(array.shape), files.array_fingerprint(array)]
            for name, array in self.arrays.items()
        }
        return files.fingerprint(arrays, {name: getattr(self, name) for name in FACTS})

    @property
    def facts(self) -> SegmentationFacts:
        """What segmentation.json holds of it."""
        values = {name: getattr(self, name) for name in FACTS}
        return SegmentationFacts(fingerprint=self.fingerprint, n_motifs=self.n_motifs, **values)


def save(segmentation: Segmentation, folder: MotifFolder) -> None:
    """Write segmentation.npz and segmentation.json, each atomically."""
    with files.atomic(folder.segmentation) as path, path.open("wb") as file:
        np.savez(file, allow_pickle=False, **segmentation.arrays)
    segmentation_facts.write(segmentation.facts, folder.settings)


def load(folder: MotifFolder) -> Segmentation:
    """Read a segmentation; never runs code from it.

    Raises
    ------
    InputError
        If a file is missing or damaged, is no segmentation, is of another version, or if the two files do
        not belong together.
    """
    facts = segmentation_facts.read(folder.settings)
    arrays = _read_arrays(folder)
    found = Segmentation(arrays, **{name: getattr(facts, name) for name in FACTS})
    expected = KMEANS_ARRAYS if found.method == "kmeans" else HMM_ARRAYS
    intact = set(arrays) == set(expected) and facts == found.facts
    if not intact:
        raise InputError(
            f"{folder.root}: segmentation.npz and segmentation.json do not belong together, or one of them "
            "was changed. Delete both and run snakemake, or copy both from one results folder."
        )
    return found


def _read_arrays(folder: MotifFolder) -> dict[str, np.ndarray]:
    try:
        with np.load(folder.segmentation, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise InputError(
            f"{folder.segmentation}: no such file. Run vame-pipe segment first."
        ) from None
    except Exception:  # a damaged archive can raise nearly any of them
        raise InputError(
            f"{folder.segmentation}: is damaged, or not a segmentation. Delete it and run snakemake."
        ) from None
