"""Which descriptions of motifs are there and up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vame_pipe.core import description, source
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout
from vame_pipe.reporting.differences import changes, versions
from vame_pipe.reporting.motif_status import Segmentation
from vame_pipe.reporting.plan import Item, find_item

if TYPE_CHECKING:
    from vame_pipe.config.configuration import Config


def find_description(
    layout: Layout, model: str, config: Config, segmentation: Segmentation
) -> Item:
    """Return the state of the description of the motifs of a model.

    Parameters
    ----------
    layout : Layout
    model : str
    config : Config
    segmentation : Segmentation
    """
    folder = layout.motifs(model)
    outputs, causes = folder.described.outputs, list(segmentation.item.causes)
    if not causes and outputs[0].exists():
        try:
            facts = description.read(outputs[0])
        except InputError as error:
            return find_item(layout, "describe", model, outputs, error.problems)
        causes = versions("description", facts.stage_version, source.DESCRIBE)
        if facts.segmentation != segmentation.fingerprint:
            causes.append(f"the motifs of model {model} were found again")
        names = [row.model_dump(exclude_none=True) for row in config.names_of(model)]
        if facts.settings["motif_names"] != names:
            causes.append(f"the names of the motifs of model {model} changed")
        now = {"skeleton": config.skeleton, "motifs.communities": config.motifs.communities}
        causes += changes("", facts.settings, now)
    return find_item(layout, "describe", model, [*outputs, folder.clips], causes)
