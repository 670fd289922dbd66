"""Which segmentations, and which motifs of new sessions, are there and up to date."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vame_pipe.core import segmentation_facts, source
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout
from vame_pipe.core.metadata import MotifsMetadata, read_record
from vame_pipe.reporting.differences import changes, versions
from vame_pipe.reporting.plan import Item, find_item

if TYPE_CHECKING:
    from vame_pipe.config.sections import Motifs


@dataclass(frozen=True)
class Segmentation:
    """The segmentation of the latents of one model, and its fingerprint if it is there."""

    item: Item
    fingerprint: str | None = None


@dataclass(frozen=True)
class Encoded:
    """The latents of one session by one model, and their fingerprint if they are there."""

    item: Item
    fingerprint: str | None = None


def find_segmentation(
    layout: Layout, model: str, settings: Motifs, latents: Mapping[str, Encoded]
) -> Segmentation:
    """Return the state of the segmentation of a model.

    Parameters
    ----------
    layout : Layout
    model : str
    settings : Motifs
    latents : mapping of str to Encoded
        The training sessions.
    """
    folder = layout.motifs(model)
    outputs = [*folder.outputs, *map(folder.session, latents)]
    causes = [cause for encoded in latents.values() for cause in encoded.item.causes]
    if not folder.settings.exists():
        return Segmentation(find_item(layout, "segment", model, outputs, causes))
    try:
        facts = segmentation_facts.read(folder.settings)
    except InputError as error:
        return Segmentation(find_item(layout, "segment", model, outputs, causes or error.problems))
    causes += versions("segmentation", facts.stage_version, source.SEGMENT)
    causes += changes("motifs.", facts.settings, settings.for_segmentation())
    causes += [
        f"session {session} was encoded again"
        for session, fingerprint in facts.latents.items()
        if session in latents
        and latents[session].item.state == "done"
        and latents[session].fingerprint != fingerprint
    ]
    item = find_item(layout, "segment", model, outputs, causes)
    return Segmentation(item, facts.fingerprint)


def find_labels(
    layout: Layout, model: str, session: str, segmentation: Segmentation, encoded: Encoded
) -> Item:
    """Return the state of the motifs of a new session."""
    folder = layout.motifs(model)
    outputs = [folder.session(session), folder.bouts_of(session), folder.usage_of(session)]
    causes = [*segmentation.item.causes, *encoded.item.causes]
    if not causes and outputs[0].exists():
        try:
            meta = read_record(MotifsMetadata, outputs[0])
        except InputError as error:
            causes = error.problems
        else:
            causes = versions("segmentation", meta.stage_version, source.SEGMENT)
            if meta.segmentation_fingerprint != segmentation.fingerprint:
                causes.append(f"the motifs of model {model} were found again")
            if meta.latents_fingerprint != encoded.fingerprint:
                causes.append(f"session {session} was encoded again")
    return find_item(layout, "label", f"{model}/{session}", outputs, causes)


def find_all_labels(
    layout: Layout,
    segmentations: Mapping[str, Segmentation],
    latents: Mapping[str, Mapping[str, Encoded]],
    trained_on: Collection[str],
) -> list[Item]:
    """Return the state of the motifs of all sessions that no model was trained on.

    Parameters
    ----------
    layout : Layout
    segmentations : mapping of str to Segmentation
        By model.
    latents : mapping of str to mapping
        By model and session.
    trained_on : collection of str
        Training sessions.
    """
    return [
        find_labels(layout, model, session, segmentations[model], encoded)
        for model, sessions in latents.items()
        for session, encoded in sessions.items()
        if session not in trained_on
    ]
