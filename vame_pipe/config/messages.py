"""Messages about wrong settings: one line each, with the key, what was found and what is allowed."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from vame_pipe.config.sections import RENAMED, Section
from vame_pipe.core.errors import did_you_mean


def explain(error: ValidationError, where: str, root: type[Section]) -> list[str]:
    """Convert pydantic's report into messages, one line per problem.

    Parameters
    ----------
    error : pydantic.ValidationError
    where : str
        What the messages begin with.
    root : type of Section
        The section that was validated.
    """
    lines = [f"{where}: {_explain(item, root)}" for item in error.errors()]
    return list(dict.fromkeys(lines))


def key_trail(item: ErrorDetails) -> list[str | int]:
    """Return the keys that lead to a problem, without the names of types that pydantic adds."""
    return [part for part in item["loc"] if not str(part).startswith("[")]


def rename(old: str, key: str) -> str | None:
    """Return what to do about a key of an earlier version; None if it is not one.

    Parameters
    ----------
    old : str
        The key with its section: `align.smooth`.
    key : str
        What the user wrote, with all the keys that lead there.
    """
    if old not in RENAMED:
        return None
    parents, _, _ = key.rpartition(".")
    new = f"{parents}.{RENAMED[old]}" if parents else RENAMED[old]
    return f"{key} is now {new}. Rename it."


def _explain(item: ErrorDetails, root: type[Section]) -> str:
    trail = key_trail(item)
    path, found, kind = ".".join(map(str, trail)), item["input"], item["type"]
    if kind == "missing":
        return f"{path} is missing. Add it."
    if kind == "string_type" and isinstance(found, int | float | datetime.date):
        as_type = f"YAML reads {found!s} as a {_yaml_kind(found)}"
        return f"{path}: {as_type}, but text is needed. Put it in quotes."
    if kind == "extra_forbidden":
        section = _enclosing(root, trail)
        renamed = rename(f"{section.__name__.lower()}.{trail[-1]}", path)
        return renamed or f"{path} is not a known key. {_suggest(str(trail[-1]), section)}"
    if kind == "string_pattern_mismatch":
        return (
            f"{path}: names may contain only letters, digits, '.', '_' and '-', and must not start with "
            f"'.' or '-'. Found {found!r}. Rename it."
        )
    message = item["msg"].removeprefix("Value error, ")
    if kind in {"model_type", "dict_type"}:
        message = "must be a mapping, KEY: value"
    shown = "" if isinstance(found, dict) else f" Found {found!r}."
    return f"{path}{': ' if path else ''}{message}.{shown}"


def _yaml_kind(value: float | datetime.date) -> str:
    if isinstance(value, bool):
        return "truth value"
    return "number" if isinstance(value, int | float) else "date"


def _enclosing(root: type[Section], trail: Sequence[str | int]) -> type[Section]:
    """Return the section that the last key of a trail belongs to."""
    section = root
    for key in trail[:-1]:
        field = section.model_fields.get(str(key))
        if field is not None:
            section = next(iter(_sections(field.annotation)), section)
    return section


def _sections(annotation: Any) -> list[type[Section]]:
    """Return the sections that occur in the type of a key, such as Session in dict[Name, Session]."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [section for part in get_args(annotation) for section in _sections(part)]


def _suggest(key: str, section: type[Section]) -> str:
    allowed = f"Allowed: {', '.join(section.model_fields)}."
    return did_you_mean(key, section.model_fields).strip() or allowed
