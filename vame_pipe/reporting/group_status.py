"""Which comparisons of groups are there and up to date."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from vame_pipe.core import group_facts, source
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout
from vame_pipe.reporting.differences import changes, versions
from vame_pipe.reporting.motif_status import Encoded
from vame_pipe.reporting.plan import Item, find_item

if TYPE_CHECKING:
    from vame_pipe.config.configuration import Config


def find_groups(
    layout: Layout,
    model: str,
    config: Config,
    latents: Mapping[str, Encoded],
    inputs: Iterable[Item],
) -> Item:
    """Return the state of the comparison of groups by the motifs of a model.

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
    outputs = layout.groups(model).outputs
    causes = [cause for item in inputs for cause in item.causes]
    if not causes and outputs[0].exists():
        try:
            facts = group_facts.read(outputs[0])
        except InputError as error:
            return find_item(layout, "groups", model, outputs, error.problems)
        causes = versions("comparison of groups", facts.stage_version, source.GROUPS)
        names = [row.model_dump(exclude_none=True) for row in config.names_of(model)]
        if facts.motif_names != names:
            causes.append(f"the names of the motifs of model {model} changed")
        causes += [f"session {name} was removed" for name in facts.sessions if name not in latents]
        for name, session in config.analysed.items():
            if name not in facts.sessions:
                causes.append(f"session {name} is new")
                continue
            now = session.model_dump(include={"group", "subject", "pair"})
            causes += changes(f"session {name}: ", facts.sessions[name], now)
            if latents[name].fingerprint not in (None, facts.labels.get(name)):
                causes.append(f"session {name} was encoded again")
    return find_item(layout, "groups", model, outputs, causes)
