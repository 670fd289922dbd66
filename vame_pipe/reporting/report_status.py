"""Whether a report is there and up to date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vame_pipe.core import source
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout
from vame_pipe.reporting.current import read_facts
from vame_pipe.reporting.differences import versions
from vame_pipe.reporting.items import Compared, Item, causes_of, find, made_again, made_from

if TYPE_CHECKING:
    from vame_pipe.config.configuration import Config


def find_report(
    layout: Layout,
    config: Config,
    report: Path,
    models: Mapping[str, Item],
    sessions: Mapping[str, Item],
    inputs: Sequence[Item],
    comparison: Item | None = None,
) -> Item:
    """Return the state of a report.

    Parameters
    ----------
    layout : Layout
    config : Config
        Any change of it makes the report again: a line says so if there is no other cause.
    report : Path
    models, sessions : mapping of str to Item
        That the report is on, by name.
    inputs : sequence of Item
        All that it is made from.
    comparison : Item, optional
        Of the models.
    """

    def compare(path: Path) -> Compared:
        facts = read_facts(path)
        if facts is None:
            raise InputError(f"{path.name} is of another version")
        causes = versions("report", facts.stage_version, source.REPORT)
        causes += made_from("model", facts.models, models)
        causes += made_from("session", facts.aligned, sessions)
        causes += made_again(comparison, facts.comparison) if comparison else []
        if facts.config != config.digest and not causes and not causes_of(inputs):
            causes.append("the configuration changed")
        return causes, None

    return find(layout, "report", report.name, [report], causes_of(inputs), compare)
