"""Folders below the results folder that have the same files for every model, a part of the layout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class Below:
    """An attribute of a record of folders that is a path below one of them.

    Parameters
    ----------
    name : str
        Of the file or folder.
    folder : str
        Name of the attribute of the record that holds the folder.

    Examples
    --------
    >>> WindowsFolder(Path("results/windows")).frames.as_posix()
    'results/windows/frames.parquet'
    """

    def __init__(self, name: str, folder: str = "root") -> None:
        self._name, self._folder = name, folder

    def __get__(self, record: object, kind: type) -> Path:
        folder: Path = getattr(record, self._folder)
        return folder / self._name


@dataclass(frozen=True)
class WindowsFolder:
    """The files of the training windows."""

    root: Path

    frames = Below("frames.parquet")
    """Every valid frame of the training sessions."""
    index = Below("windows.parquet")
    """One row per window."""
    session_faults = Below("session_faults.json")
    """Mirrored sessions and recordings that are given twice."""


@dataclass(frozen=True)
class DescribedFolder:
    """What the motifs of one model are: tables in which merged motifs count as one."""

    root: Path

    description = Below("description.json")
    """Names, tree, entropy rate, skeleton."""
    names = Below("motif_names.csv")
    """A table of names to copy and fill in."""
    motifs = Below("motifs.parquet")
    """One row per motif."""
    bouts = Below("bouts.parquet")
    """One row per bout, with its distance from the centre of the motif."""
    usage = Below("usage.parquet")
    """One row per animal and motif."""
    transitions = Below("transitions.parquet")
    """One row per animal and pair of motifs that follow one another."""
    profiles = Below("profiles.parquet")
    """One row per motif and measure of movement."""
    postures = Below("postures.parquet")
    """Mean posture over a bout of each motif."""
    exemplars = Below("exemplars.parquet")
    """The most typical bouts of each motif."""
    skeletons = Below("skeletons.parquet")
    """Keypoints during these bouts."""

    @property
    def outputs(self) -> list[Path]:
        """The files that the rule `describe` declares, the description first."""
        return [
            *(self.description, self.names, self.motifs, self.bouts, self.usage),
            *(self.transitions, self.profiles, self.postures, self.exemplars, self.skeletons),
        ]


@dataclass(frozen=True)
class LabelFolder:
    """How far the motifs of one model hold what people labelled."""

    root: Path

    facts = Below("labels.json")
    """What was compared, and how far it agrees."""
    behaviours = Below("behaviours.parquet")
    """One row per representation and behaviour."""
    confusion = Below("confusion.parquet")
    """One row per representation, motif and behaviour."""

    @property
    def outputs(self) -> list[Path]:
        """The files that the rule `compare_labels` declares, the facts first."""
        return [self.facts, self.behaviours, self.confusion]


@dataclass(frozen=True)
class VideoFolder:
    """Clips of the motifs of one model."""

    root: Path

    facts = Below("videos.json")
    """What the clips were cut from, and which motifs have some."""
    clips = Below("clips.csv")
    """One row per clip."""
    videos = Below("videos.csv")
    """One row per video or problem."""

    def grid(self, motif: int) -> Path:
        """Clips of a motif side by side.

        Examples
        --------
        >>> VideoFolder(Path("videos")).grid(7).as_posix()
        'videos/motif_07.mp4'
        """
        return self.root / f"motif_{motif:02d}.mp4"

    def clip(self, motif: int, number: int) -> Path:
        """One clip of a motif, from 1."""
        return self.root / f"motif_{motif:02d}_{number}.mp4"


@dataclass(frozen=True)
class GroupFolder:
    """How groups differ in the motifs of one model.

    Attributes
    ----------
    tables, figures : Path
        Folders.
    """

    tables: Path
    figures: Path

    facts = Below("groups.json", "tables")
    """Groups, findings in words, and a text for the methods section of a paper."""
    groups = Below("groups.parquet", "tables")
    """One row per measure, motif and two groups; a CSV of the same name is next to it."""
    subjects = Below("subjects.parquet", "tables")
    """One row per subject and measure; a CSV of the same name is next to it."""
    usage = Below("usage.svg", "figures")
    """Every motif by group, each subject as a point."""
    volcano = Below("volcano.svg", "figures")
    """Effect against q."""
    transitions = Below("transitions.svg", "figures")
    """Differences of the transitions."""
    fingerprint = Below("fingerprint.svg", "figures")
    """Usage of all motifs by each subject."""
    map = Below("map.svg", "figures")
    """Subjects in a plane: near ones use the motifs alike."""

    @property
    def plots(self) -> list[Path]:
        """The figures, in the order of the report."""
        return [self.usage, self.volcano, self.transitions, self.fingerprint, self.map]

    @property
    def outputs(self) -> list[Path]:
        """The files that the rule `groups` declares, the facts first."""
        tables = [self.groups, self.subjects]
        return [self.facts, *tables, *(path.with_suffix(".csv") for path in tables), *self.plots]
