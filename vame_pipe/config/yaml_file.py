"""Read YAML files without two habits of YAML: keys that turn into numbers, and silent duplicates."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from vame_pipe.core.errors import InputError


class _TextKeys(yaml.SafeLoader):
    """A safe loader that keeps keys as text: a session 007 or 2024-03-05 is a name."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        self.flatten_mapping(node)
        content: dict[Hashable, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    "while reading a mapping", node.start_mark, "a key is not text", key.start_mark
                )
            content[key.value] = self.construct_object(value, deep=True)
        return content


def read(path: str | Path) -> tuple[dict[str, Any], list[str]]:
    """Read a YAML file with a mapping at its top.

    Returns
    -------
    content : dict
        With every key as the text that is in the file.
    problems : list of str
        One line per duplicate key. PyYAML accepts them silently and keeps the last value.

    Raises
    ------
    InputError
        If the file cannot be read, or is not a mapping.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        # safe loaders, which run no code; that of libyaml takes half the time
        root = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        repeated = _repeated_keys(root, str(path))  # before a merge key (<<) is filled in
        content = _TextKeys("").construct_document(root) if root else None
    except FileNotFoundError:
        raise InputError(
            f"config file {path}: no such file. Go to the folder that has it, or write one with "
            "`vame-pipe init FOLDER_OF_POSE_FILES`."
        ) from None
    except yaml.MarkedYAMLError as error:
        raise InputError(f"config file {path}{_reason(error, text)}") from None
    except (OSError, ValueError, yaml.YAMLError) as error:  # not UTF-8; no date, as 2026-13-45
        reason = " ".join(str(error).split())
        raise InputError(f"config file {path}: cannot be read ({reason})") from None
    if not isinstance(content, dict):
        raise InputError(f"config file {path}: expected a mapping of settings, found {content!r}")
    return content, repeated


def _reason(error: yaml.MarkedYAMLError, text: str) -> str:
    """Return where a text is not YAML, and why."""
    mark = error.problem_mark
    if mark is None:
        return f": is not YAML ({error.problem})."
    line = text.splitlines()[mark.line : mark.line + 1]
    if line and line[0][mark.column : mark.column + 1] == "\t":
        return f", line {mark.line + 1}: has a tab, which YAML does not allow here. Replace it by blanks."
    return f", line {mark.line + 1}, column {mark.column + 1}: is not YAML ({error.problem})."


def _repeated_keys(node: yaml.Node | None, path: str, trail: str = "") -> list[str]:
    """Return one line per key that occurs twice in a mapping at or below a node."""
    problems = []
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            name = f"{trail}.{key.value}" if trail else str(key.value)
            if name in seen:
                problems.append(
                    f"config file {path}, line {key.start_mark.line + 1}: {name} occurs twice. Rename or "
                    "remove one."
                )
            seen.add(name)
            problems += _repeated_keys(value, path, name)
    elif isinstance(node, yaml.SequenceNode):
        for child in node.value:
            problems += _repeated_keys(child, path, trail)
    return problems
