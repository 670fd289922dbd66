"""Choose the animals in a pose file, and find the columns of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vame_pipe.core.errors import InputError, did_you_mean, listing
from vame_pipe.poses.pose_table import COORDS, Column, PoseHeader

IMAGES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp")
UNIQUE = "single"
"""DeepLabCut's name for the individual of unique bodyparts, which exist once for any number of animals."""
ONLY = "id_0"
"""Name of the animal in a file that names none."""
MAX_ANIMALS = 50
"""Animals that are read of a file with fragmented tracks, unless they are selected."""


@dataclass(frozen=True)
class AnimalColumns:
    """The columns of one animal in the table of a file.

    Attributes
    ----------
    individual : str
        Name of the animal.
    columns : dict of str to dict of str to list of int
        For each keypoint, the columns of its x, y, z and likelihood.
    """

    individual: str
    columns: dict[str, dict[str, list[int]]]

    @property
    def coords(self) -> str:
        """`xyz` if any keypoint has z, else `xy`."""
        return "xyz" if any("z" in columns for columns in self.columns.values()) else "xy"

    @property
    def coordinates(self) -> list[int]:
        """Columns of the coordinates of all keypoints."""
        return [
            i for columns in self.columns.values() for c in self.coords for i in columns.get(c, [])
        ]


@dataclass(frozen=True)
class Choice:
    """The animals of a file to read.

    Attributes
    ----------
    individuals : list of str
    notes : list of str
        What is left out, one line each.
    """

    individuals: list[str]
    notes: list[str]


def choose(
    header: PoseHeader, path: Path, wanted: Sequence[str] | None, partial: bool = False
) -> Choice:
    """Return which animals of a file to read.

    Parameters
    ----------
    header : PoseHeader
    path : Path
    wanted : sequence of str, optional
        Names of animals; None: all of the file. Of more than `MAX_ANIMALS`, those that were tracked
        longest.
    partial : bool
        Some of the names may be missing: the file is one of several of a recording.

    Raises
    ------
    InputError
        If a name is not in the file, or the file contains labelled training frames.
    """
    _refuse_labelled_frames(header, path)
    found = individuals(header.columns)
    if wanted is not None:
        unknown = [name for name in dict.fromkeys(wanted) if name not in found]
        if unknown and not (partial and set(wanted) & set(found)):
            raise InputError(
                f"{path}: individuals {listing(unknown, chr(39))} are not in its file, which has: "
                f"{listing(found, limit=12)}. Set individuals to names from this list."
                f"{did_you_mean(unknown[0], found)}"
            )
        return Choice([name for name in found if name in wanted], [])
    notes = []
    animals = [name for name in found if name != UNIQUE] or found
    if header.format == "deeplabcut" and len(animals) < len(found):
        unique = dict.fromkeys(c.keypoint for c in header.columns if c.individual == UNIQUE)
        notes.append(
            f"unique bodyparts belong to no animal and are left out: {listing(unique, chr(39))}"
        )
    else:
        animals = found
    if header.tracked:
        never = [name for name in animals if header.tracked.get(name, 0) == 0]
        animals = [name for name in animals if name not in never] or animals
    if len(animals) > MAX_ANIMALS:
        by_length = sorted(animals, key=lambda name: -header.tracked.get(name, 0))
        longest = set(by_length[:MAX_ANIMALS])
        n_all = sum(header.tracked.values())
        share = sum(header.tracked.get(name, 0) for name in longest) / n_all if n_all else 0
        notes.append(
            f"contains {len(animals)} tracks; the {MAX_ANIMALS} longest are read, {share:.0%} of what was "
            "tracked. Join the tracks in the tracking program, or set individuals"
        )
        animals = [name for name in animals if name in longest]
    return Choice(animals, notes)


def individuals(columns: Sequence[Column]) -> list[str]:
    """Return the names of the animals that have columns with coordinates."""
    return list(dict.fromkeys(c.individual or ONLY for c in columns if c.coord in COORDS))


def columns_of(columns: Sequence[Column], chosen: Sequence[str]) -> list[int]:
    """Return the columns with coordinates and likelihood of some animals."""
    names = set(chosen)
    return [
        i for i, c in enumerate(columns) if c.coord in COORDS and (c.individual or ONLY) in names
    ]


def group_columns(columns: Sequence[Column]) -> list[AnimalColumns]:
    """Return the columns of each animal, by keypoint and coordinate."""
    animals: dict[str, dict[str, dict[str, list[int]]]] = {}
    for i, column in enumerate(columns):
        keypoints = animals.setdefault(column.individual or ONLY, {})
        keypoints.setdefault(column.keypoint, {}).setdefault(column.coord, []).append(i)
    return [AnimalColumns(name, found) for name, found in animals.items()]


def is_image(label: str) -> bool:
    """Return whether the label of a row is the name of an image."""
    return label.strip().lower().endswith(IMAGES) or label.strip().startswith("labeled-data")


def _refuse_labelled_frames(header: PoseHeader, path: Path) -> None:
    if is_image(header.first_label) and not any(c.coord == "likelihood" for c in header.columns):
        raise InputError(
            f"{path}: contains human-labelled training frames, not a recording: its rows are images and "
            "it has no likelihood. Use the output of DeepLabCut's analyze_videos."
        )
