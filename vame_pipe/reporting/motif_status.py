"""Which motifs, and which results that are made from them, are there and up to date."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from vame_pipe.core import description, files, group_facts, label_facts, segmentation_facts, source
from vame_pipe.core.layout import Layout
from vame_pipe.core.metadata import MotifsMetadata, read_record
from vame_pipe.reporting.differences import changes, scale_changes, versions
from vame_pipe.reporting.items import (
    Compared,
    Item,
    causes_of,
    find,
    made_again,
    made_from,
    members,
)
from vame_pipe.reporting.training_status import used
from vame_pipe.reporting.video_status import find_clips

if TYPE_CHECKING:
    from vame_pipe.config.configuration import Config


def find_motifs(
    layout: Layout, config: Config, model: str, latents: Mapping[str, Item]
) -> list[Item]:
    """Return the state of all that is made from the latents of a model.

    Parameters
    ----------
    layout : Layout
    config : Config
    model : str
    latents : mapping of str to Item
        Of every session.
    """
    trained_on = {name: latents[name] for name in config.training_sessions}
    motifs = find_segmentation(layout, config, model, trained_on)
    described = find_description(layout, config, motifs)
    labels = {
        name: find_labels(layout, motifs, name, latents[name])
        for name in latents
        if name not in trained_on
    }
    groups = find_groups(layout, config, motifs, latents, [described, *labels.values()])
    inputs = [described, *(labels[name] for name in config.labelled if name in labels)]
    labelled = find_labelled(layout, config, motifs, latents, inputs)
    clips = find_clips(layout, config, described)
    return [motifs, described, *clips, *labels.values(), groups, *labelled]


def find_segmentation(
    layout: Layout, config: Config, model: str, latents: Mapping[str, Item]
) -> Item:
    """Return the state of the segmentation of the latents of the training sessions."""

    folder = layout.motifs(model)

    def compare(path: Path) -> Compared:
        if not folder.settings.exists():  # listed as missing
            return [], None
        facts = segmentation_facts.read(folder.settings)
        causes = versions("segmentation", facts.stage_version, source.SEGMENT)
        causes += changes("motifs.", facts.settings, config.motifs.for_segmentation())
        causes += made_from("session", facts.latents, used(layout, latents))
        return causes, facts.fingerprint

    outputs = [*folder.outputs, *map(folder.session, latents)]
    return find(layout, "segment", model, outputs, causes_of(latents.values()), compare)


def find_labels(layout: Layout, motifs: Item, session: str, latents: Item) -> Item:
    """Return the state of the motifs of a new session.

    Parameters
    ----------
    layout : Layout
    motifs : Item
        The segmentation.
    session : str
    latents : Item
        Of the session.
    """

    def compare(path: Path) -> Compared:
        meta = read_record(MotifsMetadata, path)
        causes = versions("segmentation", meta.stage_version, source.SEGMENT)
        causes += made_again(motifs, meta.segmentation_fingerprint)
        return causes + made_again(latents, meta.latents_fingerprint), None

    folder = layout.motifs(motifs.name)
    outputs = [folder.session(session), folder.bouts_of(session), folder.usage_of(session)]
    name = f"{motifs.name}/{session}"
    return find(layout, "label", name, outputs, causes_of([motifs, latents]), compare)


def find_description(layout: Layout, config: Config, motifs: Item) -> Item:
    """Return the state of the description of the motifs of a segmentation."""

    def compare(path: Path) -> Compared:
        facts = description.read(path)
        causes = versions("description", facts.stage_version, source.DESCRIBE)
        causes += made_again(motifs, facts.segmentation)
        causes += _renamed(config, motifs.name, facts.settings["motif_names"])
        now = {
            "skeleton": config.skeleton,
            "motifs.communities": config.motifs.communities,
        }
        causes += changes("", facts.settings, now)
        sessions = config.training_sessions
        causes += scale_changes(facts.settings["px_per_cm"], config.scales(sessions), sessions)
        return causes, files.file_fingerprint(path)

    folder = layout.motifs(motifs.name)
    outputs = [*folder.described.outputs, folder.clips]
    return find(layout, "describe", motifs.name, outputs, motifs.causes, compare)


def _renamed(config: Config, model: str, before: list[dict[str, object]]) -> list[str]:
    """Return one line if the names of motifs are not those of the configuration."""
    now = [row.model_dump(exclude_none=True) for row in config.names_of(model)]
    return [] if before == now else [f"the names of the motifs of model {model} changed"]


def find_groups(
    layout: Layout,
    config: Config,
    motifs: Item,
    latents: Mapping[str, Item],
    inputs: Iterable[Item],
) -> Item:
    """Return the state of the comparison of groups.

    Parameters
    ----------
    layout : Layout
    config : Config
    motifs : Item
        The segmentation.
    latents : mapping of str to Item
        Of every session.
    inputs : iterable of Item
        The description of the motifs, and the motifs of new sessions.
    """

    def compare(path: Path) -> Compared:
        facts = group_facts.read(path)
        causes = versions("comparison of groups", facts.stage_version, source.GROUPS)
        causes += made_again(motifs, facts.segmentation)
        causes += _renamed(config, motifs.name, facts.motif_names)
        causes += members("session", facts.sessions, latents)
        for name in [n for n in facts.sessions if n in latents]:
            now = config.analysed[name].model_dump(
                include={"group", "subject", "pair", "px_per_cm"}
            )
            causes += changes(f"session {name}: ", facts.sessions[name], now)
            causes += made_again(latents[name], facts.labels.get(name))
        return causes, None

    outputs = layout.groups(motifs.name).outputs
    return find(layout, "groups", motifs.name, outputs, causes_of(inputs), compare)


def find_labelled(
    layout: Layout,
    config: Config,
    motifs: Item,
    latents: Mapping[str, Item],
    inputs: Iterable[Item],
) -> list[Item]:
    """Return the state of the comparison with labels; nothing without labels.

    Parameters
    ----------
    layout, config, motifs, latents
        As for `find_groups`.
    inputs : iterable of Item
        The description of the motifs, and the motifs of new sessions that have labels.
    """
    given = {
        name: session.model_dump(include={"labels", "subject"})
        for name, session in config.labelled.items()
    }

    def compare(path: Path) -> Compared:
        facts = label_facts.read(path)
        causes = versions("comparison with labels", facts.stage_version, source.LABELS)
        causes += made_again(motifs, facts.segmentation)
        causes += [f"session {n} has no labels now" for n in facts.sessions if n not in given]
        for name, now in given.items():
            if name not in facts.sessions:
                causes.append(f"session {name} has labels now")
                continue
            causes += changes(f"session {name}: ", facts.sessions[name], now)
            labels = Path(now["labels"])
            if labels.exists() and files.file_fingerprint(labels) != facts.labels[name]:
                causes.append(f"{labels} changed")
            causes += made_again(latents[name], facts.latents.get(name))
        return causes, None

    outputs = layout.motifs(motifs.name).labelled.outputs
    causes = causes_of(inputs)
    return [find(layout, "labels", motifs.name, outputs, causes, compare)] if given else []
