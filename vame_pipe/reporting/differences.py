"""Settings and versions that differ from those that a result was made with, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def versions(stage: str, before: int, now: int) -> list[str]:
    """Return one line if the version of a stage differs."""
    return [] if before == now else [f"{stage} of vame_pipe changed (version {before} to {now})"]


def changes(prefix: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return the values that differ, one line each."""
    return [
        f"{prefix}{key} was {shown(before.get(key))}, is {shown(value)}"
        for key, value in now.items()
        if before.get(key) != value
    ]


def scale_changes(
    before: Mapping[str, float], now: Mapping[str, float], sessions: Iterable[str]
) -> list[str]:
    """Return the scales that differ, one line for each session.

    Parameters
    ----------
    before, now : mapping of str to float
        `px_per_cm` by session: of all sessions, or of none.
    sessions : iterable of str
        Sessions that there are now; one that is new, or was removed, has no other scale than before.

    Examples
    --------
    >>> scale_changes({"a": 9.0, "b": 9.0, "old": 9.0}, {"a": 9.0, "b": 8.5, "new": 9.0}, ["a", "b", "new"])
    ['session b: px_per_cm was 9.0, is 8.5']
    """
    both = [name for name in sessions if name in before or not before]
    key = "px_per_cm"
    lines = (changes(f"session {n}: ", {key: before.get(n)}, {key: now.get(n)}) for n in both)
    return [line for each in lines for line in each]


def shown(value: Any) -> str:
    """Return a setting as text, much as in config.yaml.

    Examples
    --------
    >>> shown(None), shown(True), shown(0.25)
    ('not set', 'true', '0.25')
    >>> shown({"nose": ["nose"], "tail": ["Tail", "tail_base"]})
    '[nose, tail (Tail or tail_base)]'
    >>> shown({"sex": "f"}), shown({})
    ('{sex: f}', '{}')
    """
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict) and value and all(isinstance(v, list) for v in value.values()):
        names = (k if v == [k] else f"{k} ({' or '.join(v)})" for k, v in value.items())
        return f"[{', '.join(names)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{k}: {shown(v)}' for k, v in value.items())}}}"
    return str(value)
