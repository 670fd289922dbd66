"""Whether a result is there and up to date: what it was made from, compared with what is there now."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout

State = Literal["done", "missing", "outdated"]
Compared = tuple[list[str], str | None]
"""What has changed since a result was made, and its fingerprint if others are made from it."""

NOT_YET = "not computed yet"
MADE_AGAIN = {
    "align": "session {} was aligned again",
    "train": "model {} was trained again",
    "fetch": "model {} was fetched again",
    "encode": "session {} was encoded again",
    "segment": "the motifs of model {} were found again",
    "describe": "the motifs of model {} were described again",
    "compare": "the models were compared again",
}
"""By stage: why what was made from an earlier result is outdated."""


@dataclass(frozen=True)
class Item:
    """One result of one stage.

    Attributes
    ----------
    stage : str
    name : str
        The session, the model, or both.
    state : {'done', 'missing', 'outdated'}
    causes : tuple of str
        Why it has to be computed; empty if it is done.
    fingerprint : str or None
        Of its content; None unless it is done and other results are made from it.
    """

    stage: str
    name: str
    state: State
    causes: tuple[str, ...] = ()
    fingerprint: str | None = None

    @property
    def is_done(self) -> bool:
        """Whether it is up to date."""
        return self.state == "done"


def find(
    layout: Layout,
    stage: str,
    name: str,
    outputs: Sequence[Path],
    causes: Iterable[str],
    compare: Callable[[Path], Compared],
) -> Item:
    """Return the state of a result that tells what it was made from.

    Parameters
    ----------
    layout : Layout
    stage, name : str
    outputs : sequence of Path
        The files of the result; the first one tells what it was made from.
    causes : iterable of str
        Why what it is made from has to be computed, see `causes_of`.
    compare : callable
        Reads the first file, and returns what has changed since it was made, and the fingerprint of the
        result. Raises InputError if the file is damaged.
    """
    changed: list[str] = []
    fingerprint = None
    if outputs[0].exists():
        try:
            changed, fingerprint = compare(outputs[0])
        except InputError as error:
            changed = error.problems
    item = find_item(layout, stage, name, outputs, [*causes, *changed])
    return dataclasses.replace(item, fingerprint=fingerprint) if item.is_done else item


def find_item(
    layout: Layout, stage: str, name: str, outputs: Sequence[Path], causes: Iterable[str]
) -> Item:
    """Return the state of one result.

    Parameters
    ----------
    layout : Layout
    stage, name : str
    outputs : sequence of Path
        The files of the result, the main one first.
    causes : iterable of str
        Why it has to be computed, apart from missing files.
    """
    causes = tuple(dict.fromkeys(causes))
    missing = [path for path in outputs if not path.exists()]
    if outputs[0] in missing:
        return Item(stage, name, "missing", causes or (NOT_YET,))
    lost = tuple(f"{path.relative_to(layout.root).as_posix()} is missing" for path in missing)
    return Item(stage, name, "outdated" if causes or lost else "done", causes + lost)


def causes_of(items: Iterable[Item]) -> list[str]:
    """Return why results have to be computed, and so all that is made from them."""
    return [cause for item in items for cause in item.causes]


def made_again(item: Item, before: str | None) -> list[str]:
    """Return one line if a result is not the one with this fingerprint.

    Examples
    --------
    >>> made_again(Item("encode", "vame/m1", "done", fingerprint="new"), "old")
    ['session m1 was encoded again']
    """
    if item.fingerprint in (None, before):  # one that is not done says itself why
        return []
    return [MADE_AGAIN[item.stage].format(item.name.rpartition("/")[2])]


def members(kind: str, before: Iterable[str], now: Iterable[str]) -> list[str]:
    """Return which sessions or models are new or were removed, or that their order changed.

    Examples
    --------
    >>> members("model", ["a", "b"], ["b", "c"])
    ['model c is new', 'model a was removed']
    >>> members("model", ["a", "b"], ["b", "a"])
    ['the order of the models changed']
    """
    before, now = dict.fromkeys(before), dict.fromkeys(now)
    if before.keys() == now.keys():
        return [] if list(before) == list(now) else [f"the order of the {kind}s changed"]
    new = [f"{kind} {name} is new" for name in now if name not in before]
    return new + [f"{kind} {name} was removed" for name in before if name not in now]


def made_from(kind: str, before: Mapping[str, str], now: Mapping[str, Item]) -> list[str]:
    """Return which sessions or models are new, were removed, or are others than before.

    Parameters
    ----------
    kind : {'session', 'model'}
    before : mapping of str to str
        Fingerprint of each one that a result was made from.
    now : mapping of str to Item
    """
    again = [made_again(now[name], found) for name, found in before.items() if name in now]
    return [*members(kind, before, now), *(line for lines in again for line in lines)]
