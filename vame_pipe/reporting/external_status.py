"""Which results of models that were trained elsewhere are there and up to date."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from vame_pipe.core import files, segmentation_facts
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout
from vame_pipe.reporting.motif_status import Encoded, Segmentation, find_labels
from vame_pipe.reporting.plan import Item, find_item

if TYPE_CHECKING:
    from vame_pipe.config.configuration import Config
    from vame_pipe.config.external import External


def find_external(
    layout: Layout,
    config: Config,
    encoded: Callable[[str, Item, str | None, str], Encoded],
) -> list[Item]:
    """Return the state of the fetched models, of latents and motifs of every session, and of the reports.

    Parameters
    ----------
    layout : Layout
    config : Config
    encoded : callable
        Returns the latents of a session, given the name, the state and the SHA-256 of a model, and the
        session.
    """
    items = []
    for name, model in config.external.items():
        fetched, digest = _find_model(layout, name, model)
        segmentation = Segmentation(fetched, _fingerprint(layout, name))
        latents = {session: encoded(name, fetched, digest, session) for session in config.analysed}
        found = [fetched, *(each.item for each in latents.values())]
        found += [
            find_labels(layout, name, session, segmentation, each)
            for session, each in latents.items()
        ]
        causes = [cause for item in found for cause in item.causes]
        report = layout.external_report(name)
        items += [*found, find_item(layout, "report", report.name, [report], causes)]
    return items


def _find_model(layout: Layout, name: str, model: External) -> tuple[Item, str | None]:
    """Return the state of a fetched model, and the SHA-256 of its file if it is there."""
    folder = layout.motifs(name)
    copies = [layout.model(name).weights, folder.segmentation, folder.settings]
    if model.is_registered:  # its files are where the segmentation was given, if it was
        copies = copies[len(copies) - len(model.files) :]
    causes = [
        f"{path} changed"
        for path, copy in zip(model.files, copies, strict=True)
        if Path(path).is_file() and copy.is_file() and _digest(Path(path)) != _digest(copy)
    ]
    outputs = [layout.model(name).weights, folder.segmentation, folder.settings]
    item = find_item(layout, "fetch", name, outputs, causes)
    return item, _digest(outputs[0]) if outputs[0].is_file() else None


def _digest(path: Path) -> str:
    return files.file_fingerprint(path)


def _fingerprint(layout: Layout, name: str) -> str | None:
    """Return the fingerprint of a fetched segmentation, if it is there and intact."""
    try:
        return segmentation_facts.read(layout.motifs(name).settings).fingerprint
    except InputError:
        return None
