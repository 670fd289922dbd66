"""Describe the motifs of a model: how the animal moves in each, typical bouts, grammar, names."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from vame_pipe.config.motif_names import MotifName
from vame_pipe.core import description as descriptions
from vame_pipe.core import files
from vame_pipe.core.description import Description, Motif
from vame_pipe.core.errors import InputError
from vame_pipe.core.folders import DescribedFolder
from vame_pipe.core.metadata import AlignedMetadata, read_record
from vame_pipe.core.source import DESCRIBE
from vame_pipe.motifs import grammar, names, profiles, recording, segmentation, skeleton
from vame_pipe.motifs.bouts import transitions, usage
from vame_pipe.motifs.profiles import Sums
from vame_pipe.motifs.recording import Folders, Recording
from vame_pipe.motifs.segmentation import Segmentation
from vame_pipe.motifs.typical import write_exemplars

log = logging.getLogger(__name__)

N_POSTURES = 5_000
"""Rows of all sessions from which distances between keypoints are measured, about."""

MOTIF_SCHEMA = pa.schema(
    [
        pa.field("motif", pa.int16()),
        pa.field("name", pa.string()),
        pa.field("members", pa.list_(pa.int16())),
        pa.field("n_rows", pa.int64()),
        pa.field("fraction", pa.float64()),
        pa.field("n_bouts", pa.int64()),
        pa.field("median_bout_s", pa.float64()),
        pa.field("n_sessions", pa.int64()),
        pa.field("stay", pa.float64()),
        pa.field("community_transitions", pa.int16()),
        pa.field("community_kinematics", pa.int16()),
    ]
)
"""Columns of motifs.parquet. `stay` is the probability that the next row has the same motif."""


@dataclass(frozen=True)
class Wishes:
    """What a person decides about the description.

    Attributes
    ----------
    model : str
        Name of the model.
    names : sequence of MotifName
        Of the motifs of this model.
    bones : sequence of sequence of str, or None
        Pairs of keypoints; None: near ones are joined.
    communities : int
        Groups into which the trees are cut.
    px_per_cm : mapping of str to float
        Scale of each session; empty if it is not known.
    """

    model: str
    names: Sequence[MotifName]
    bones: Sequence[Sequence[str]] | None
    communities: int
    px_per_cm: Mapping[str, float] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, Any]:
        """The keys of the configuration that they are, without the model."""
        return {
            "motif_names": [row.model_dump(exclude_none=True) for row in self.names],
            "skeleton": self.bones,
            "motifs.communities": self.communities,
            "px_per_cm": dict(self.px_per_cm),
        }


@dataclass(frozen=True)
class Part:
    """What is kept of one session, or of several.

    Attributes
    ----------
    sums : Sums
    bouts : pyarrow.Table
        Columns `bouts.BOUT_SCHEMA` and `distance`.
    usage, transitions : pyarrow.Table
    unit : str
        Unit of length of the movement.
    postures : numpy.ndarray
        `(n_rows, n_keypoints, n_axes)`, some rows of it.
    """

    sums: Sums
    bouts: pa.Table
    usage: pa.Table
    transitions: pa.Table
    unit: str
    postures: np.ndarray


def describe(folders: Folders, wishes: Wishes) -> None:
    """Write the description of the motifs of a model, and an animated picture of each.

    The sessions that the motifs were found in are described; those that were left out of training for bad
    tracking are not.

    Parameters
    ----------
    folders : Folders
    wishes : Wishes

    Raises
    ------
    InputError
        If files are missing or do not belong together, if names do not fit the motifs or the keypoints, or
        if sessions of an earlier run are among them, whose scale is not known as that of others is.
    """
    found = segmentation.load(folders.motifs)
    motifs = names.resolve(wishes.names, found.n_motifs, found.fingerprint)
    chosen = recording.find_sessions(folders, list(found.latents), found)
    meta = read_record(AlignedMetadata, chosen[0].aligned)
    bones = None if wishes.bones is None else _named_bones(wishes.bones, meta)
    stride = max(1, sum(session.n_rows for session in chosen) // N_POSTURES)
    scales = wishes.px_per_cm
    unknown = [name for name in found.latents if scales and name not in scales]
    if unknown:  # of an earlier run, as the configuration has the scale of all sessions or of none
        raise InputError(
            *(f"session {n}: no px_per_cm, but others have it. Run snakemake." for n in unknown)
        )
    read = (recording.read(folders, session, scales.get(session.name)) for session in chosen)
    part = _join([_summarise(each, found, motifs, stride) for each in read])
    if bones is None:
        bones = skeleton.nearest_tree(part.postures)
    description = _describe(part, motifs, found, meta, bones, wishes)
    folder = folders.motifs.described
    _write_tables(part, description, folder)
    template = names.template(found.n_motifs, wishes.names, wishes.model, found.fingerprint)
    files.write_text(folder.names, template)
    write_exemplars(part.bouts, description, folders, chosen)
    descriptions.write(description, folder.description)
    log.info("%d motifs of %d sessions described", len(motifs), len(chosen))


def _named_bones(pairs: Sequence[Sequence[str]], meta: AlignedMetadata) -> list[list[int]]:
    """Return pairs of indices, without the keypoints that alignment left out."""
    if meta.settings.get("drop_bad_keypoints") is not None:
        kept = [pair for pair in pairs if set(pair) <= set(meta.keypoints)]
        if len(kept) < len(pairs):
            log.warning("lines of the skeleton to keypoints that are left out are not drawn")
        pairs = kept
    return skeleton.named_bones(pairs, meta.keypoints)


def counts_as(motifs: Sequence[Motif], n_numbers: int) -> np.ndarray:
    """Return the number of the motif that each motif of the segmentation counts as, `(n_numbers,)`."""
    heads = np.empty(n_numbers, np.int64)
    for motif in motifs:
        heads[motif.members] = motif.number
    return heads


def _summarise(read: Recording, found: Segmentation, motifs: list[Motif], stride: int) -> Part:
    """Return what is kept of one session."""
    heads = counts_as(motifs, found.n_motifs)
    bouts = read.bouts(heads)
    spans = read.spans(bouts)
    numbers = np.array([motif.number for motif in motifs])
    motif = read.motif
    position = np.where(motif >= 0, np.searchsorted(numbers, heads[motif]), -1)
    of_bout = np.searchsorted(numbers, bouts["motif"].to_numpy())
    sums = profiles.sum_session(
        *(read.moved, position, np.column_stack([of_bout, spans]), read.meta.fps, len(motifs))
    )
    individuals = list(read.meta.individuals)
    used = usage(bouts, individuals, read.files.name, found.n_motifs)
    of_motifs = pa.array(np.isin(used["motif"].to_numpy(), numbers))
    distance = pa.array(read.distance(found, spans), from_pandas=True)
    return Part(
        sums=sums,
        bouts=bouts.append_column("distance", distance.cast(pa.float64())),
        usage=used.filter(of_motifs),
        transitions=transitions(bouts, individuals, read.files.name),
        unit=read.moved.unit,
        postures=read.moved.posture[read.valid][::stride],
    )


def _join(parts: Sequence[Part]) -> Part:
    """Return all sessions together."""
    return Part(
        sums=profiles.total(part.sums for part in parts),
        bouts=_concatenate(part.bouts for part in parts),
        usage=_concatenate(part.usage for part in parts),
        transitions=_concatenate(part.transitions for part in parts),
        unit=parts[0].unit,
        postures=np.concatenate([part.postures for part in parts]),
    )


def _concatenate(tables: Iterable[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables).unify_dictionaries().combine_chunks()


def _describe(
    part: Part,
    motifs: list[Motif],
    found: Segmentation,
    meta: AlignedMetadata,
    bones: list[list[int]],
    wishes: Wishes,
) -> Description:
    numbers, communities = [motif.number for motif in motifs], wishes.communities
    counts = _count_transitions(part.transitions, numbers)
    means = profiles.statistics(part.sums)
    vectors = np.stack([mean for mean, _ in means.values()], axis=1)
    return Description(
        segmentation=found.fingerprint,
        n_numbers=found.n_motifs,
        motifs=motifs,
        entropy_rate=grammar.entropy_rate(counts),
        trees={
            "transitions": grammar.tree(grammar.transition_distance(counts), communities),
            "kinematics": grammar.tree(grammar.profile_distance(vectors), communities),
        },
        keypoints=meta.keypoints,
        bones=bones,
        front=meta.keypoints.index(meta.settings["forward"]),
        unit=part.unit,
        fps=found.fps,
        settings=wishes.settings,
        stage_version=DESCRIBE,
    )


def _count_transitions(table: pa.Table, numbers: list[int]) -> np.ndarray:
    """Return how often each motif follows each other one, `(n_motifs, n_motifs)`."""
    source, target = (
        np.searchsorted(numbers, np.repeat(table[name].to_numpy(), table["count"].to_numpy()))
        for name in ("source", "target")
    )
    return grammar.transition_counts(source, target, len(numbers))


def _write_tables(part: Part, description: Description, folder: DescribedFolder) -> None:
    motifs, unit = description.motifs, description.unit
    numbers = [motif.number for motif in motifs]
    followed = names.with_names(part.transitions, motifs, "target")
    tables = {
        folder.motifs: _motif_table(part, description),
        folder.bouts: names.with_names(part.bouts, motifs),
        folder.usage: names.with_names(part.usage, motifs),
        folder.transitions: names.with_names(followed, motifs, "source"),
        folder.profiles: names.with_names(profiles.profile_table(part.sums, numbers, unit), motifs),
        folder.postures: profiles.posture_table(part.sums, numbers, description.keypoints),
    }
    for path, table in tables.items():
        files.write_tables(path, [table], table.schema, files.metadata())


def _motif_table(part: Part, description: Description) -> pa.Table:
    """Return one row per motif: names, usage, how long it lasts, communities."""
    used, bouts = part.usage.to_pandas(), part.bouts.to_pandas()
    left = part.transitions.to_pandas().groupby("source")["count"].sum()
    total = used["n_rows"].sum()
    rows = []
    for k, motif in enumerate(description.motifs):
        of_motif = used[used["motif"] == motif.number]
        duration = bouts.loc[bouts["motif"] == motif.number, "duration_s"]
        n_rows, n_bouts = int(of_motif["n_rows"].sum()), int(of_motif["n_bouts"].sum())
        stays, leaves = n_rows - n_bouts, int(left.get(motif.number, 0))
        rows.append(
            {
                "motif": motif.number,
                "name": motif.name,
                "members": motif.members,
                "n_rows": n_rows,
                "fraction": n_rows / total if total else 0.0,
                "n_bouts": n_bouts,
                "median_bout_s": float(duration.median()) if n_bouts else None,
                "n_sessions": int(
                    (of_motif.groupby("session", observed=True)["n_rows"].sum() > 0).sum()
                ),
                "stay": stays / (stays + leaves) if stays + leaves else None,
            }
            | {f"community_{name}": tree.communities[k] for name, tree in description.trees.items()}
        )
    return pa.Table.from_pylist(rows, schema=MOTIF_SCHEMA)
