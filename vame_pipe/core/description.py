"""What is known of the motifs of a model besides their numbers: description.json."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vame_pipe.core.facts_file import FactsFile


@dataclass(frozen=True)
class Motif:
    """A motif, or several that count as one.

    Attributes
    ----------
    number : int
        Number of the motif; of several that count as one, the number of the one they are merged into.
    name : str or None
        What a person calls it.
    members : list of int
        Numbers of the motifs that count as this one, itself included, ascending.
    """

    number: int
    name: str | None
    members: list[int]

    @property
    def label(self) -> str:
        """The number, and the name if there is one.

        Examples
        --------
        >>> Motif(7, "rear", [5, 7]).label
        '7 rear'
        """
        return str(self.number) if self.name is None else f"{self.number} {self.name}"


@dataclass(frozen=True)
class Tree:
    """Motifs that are alike, joined step by step (average linkage).

    Attributes
    ----------
    linkage : list of list of float
        `(n_motifs - 1, 4)`: as `scipy.cluster.hierarchy.linkage` returns it.
    communities : list of int
        `(n_motifs,)`: the group of each motif, from 0.
    """

    linkage: list[list[float]]
    communities: list[int]


@dataclass(frozen=True)
class Description:
    """What is known of the motifs of a model.

    Attributes
    ----------
    segmentation : str
        `fingerprint` of the segmentation.
    n_numbers : int
        Motifs of the segmentation, merged ones included.
    motifs : list of Motif
        In the order of their numbers, without those that are merged into another.
    entropy_rate : float or None
        Bits per transition from one motif to another; None if there is no transition.
    trees : dict of str to Tree
        By what is compared: `transitions` and `kinematics`.
    keypoints : list of str
    bones : list of list of int
        Pairs of indices of keypoints that are joined by a line.
    front : int
        Index of the keypoint at the front of the animal.
    unit : str
        Unit of length of the movement.
    fps : float
        Rows per second.
    settings : dict
        What it was made with: `motif_names`, `skeleton`, `motifs.communities` and the `px_per_cm` of
        sessions, as in the configuration.
    stage_version : int
        See `core.source`.
    """

    segmentation: str
    n_numbers: int
    motifs: list[Motif]
    entropy_rate: float | None
    trees: dict[str, Tree]
    keypoints: list[str]
    bones: list[list[int]]
    front: int
    unit: str
    fps: float
    settings: dict[str, Any]
    stage_version: int

    @property
    def counts_as(self) -> list[int]:
        """For each motif number of the segmentation, the number of the motif that it counts as."""
        return [self.motifs[position].number for position in self.position]

    @property
    def position(self) -> list[int]:
        """For each motif number of the segmentation, the position in `motifs` of what it counts as."""
        of_number = {k: i for i, motif in enumerate(self.motifs) for k in motif.members}
        return [of_number[number] for number in range(self.n_numbers)]


def _make(
    motifs: list[dict[str, Any]], trees: dict[str, dict[str, Any]], **rest: Any
) -> Description:
    return Description(
        motifs=[Motif(**motif) for motif in motifs],
        trees={name: Tree(**tree) for name, tree in trees.items()},
        **rest,
    )


_FILE = FactsFile(_make, 1, "a description of motifs", "vame-pipe describe")
write, read = _FILE.write, _FILE.read
