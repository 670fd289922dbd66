"""Which comparisons with labels are there and up to date."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from vame_pipe.core import files, label_facts, source
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout
from vame_pipe.reporting.differences import versions
from vame_pipe.reporting.motif_status import Encoded
from vame_pipe.reporting.plan import Item, find_item

if TYPE_CHECKING:
    from vame_pipe.config.configuration import Config


def find_labelled(
    layout: Layout,
    model: str,
    config: Config,
    latents: Mapping[str, Encoded],
    inputs: Iterable[Item],
) -> list[Item]:
    """Return the state of the comparison of the motifs of a model with labels; nothing without labels.

    Parameters
    ----------
    layout : Layout
    model : str
    config : Config
    latents : mapping of str to Encoded
        Of every session.
    inputs : iterable of Item
        The description of its motifs, and the motifs of new sessions.
    """
    given = {name: each.labels for name, each in config.analysed.items() if each.labels}
    if not given:
        return []
    outputs = layout.motifs(model).labelled.outputs
    causes = [cause for item in inputs for cause in item.causes]
    if not causes and outputs[0].exists():
        try:
            facts = label_facts.read(outputs[0])
        except InputError as error:
            return [find_item(layout, "labels", model, outputs, error.problems)]
        causes = versions("comparison with labels", facts.stage_version, source.LABELS)
        causes += [
            f"session {name} has no labels now" for name in facts.labels if name not in given
        ]
        for name, path in given.items():
            if name not in facts.labels:
                causes.append(f"session {name} has labels now")
            elif Path(path).exists() and files.file_fingerprint(path) != facts.labels[name]:
                causes.append(f"{path} changed")
            elif latents[name].fingerprint not in (None, facts.latents[name]):
                causes.append(f"session {name} was encoded again")
    return [find_item(layout, "labels", model, outputs, causes)]
