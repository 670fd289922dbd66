"""Which results of models that were trained elsewhere are there and up to date."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from vame_pipe.core import files, segmentation_facts
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout
from vame_pipe.reporting.items import Item, find_item
from vame_pipe.reporting.motif_status import find_labels
from vame_pipe.reporting.report_status import find_report
from vame_pipe.reporting.training_status import find_latents

if TYPE_CHECKING:
    from vame_pipe.config.configuration import Config
    from vame_pipe.config.external import External


def find_external(
    layout: Layout, config: Config, name: str, model: External, sessions: Mapping[str, Item]
) -> list[Item]:
    """Return the state of a fetched model, of latents and motifs of every session, and of the report.

    Parameters
    ----------
    layout : Layout
    config : Config
    name : str
    model : External
    sessions : mapping of str to Item
        The aligned sessions.
    """
    fetched = _find_model(layout, name, model)
    motifs = dataclasses.replace(fetched, stage="segment", fingerprint=_fingerprint(layout, name))
    items = [fetched]
    for session, aligned in sessions.items():
        latents = find_latents(layout, fetched, aligned, True)
        items += [latents, find_labels(layout, motifs, session, latents)]
    report = layout.external_report(name)
    return [*items, find_report(layout, config, report, {name: fetched}, sessions, items)]


def _find_model(layout: Layout, name: str, model: External) -> Item:
    """Return the state of a fetched model; its fingerprint is the SHA-256 of its file."""
    folder = layout.motifs(name)
    copies = [layout.model(name).weights, folder.segmentation, folder.settings]
    sources = [Path(path) for path in model.files]  # of a registered model at most the segmentation
    causes = [
        f"{path} changed"
        for path, copy in zip(sources, copies[len(copies) - len(sources) :], strict=True)
        if path.is_file() and copy.is_file() and _digest(path) != _digest(copy)
    ]
    item = find_item(layout, "fetch", name, copies, causes)
    return dataclasses.replace(item, fingerprint=_digest(copies[0])) if item.is_done else item


def _digest(path: Path) -> str:
    return files.file_fingerprint(path)


def _fingerprint(layout: Layout, name: str) -> str | None:
    """Return the fingerprint of a fetched segmentation, if it is there and intact."""
    try:
        return segmentation_facts.read(layout.motifs(name).settings).fingerprint
    except InputError:
        return None
