"""Read a configuration, and report everything that is wrong with it at the same time."""

from __future__ import annotations

import copy
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from vame_pipe.config import consistency, yaml_file
from vame_pipe.config.configuration import Config
from vame_pipe.config.messages import explain, key_trail
from vame_pipe.config.motif_names import read_names
from vame_pipe.config.sections import Section
from vame_pipe.config.sheet import read_sheet
from vame_pipe.core import files
from vame_pipe.core.errors import InputError

Source = str | Path | Mapping[str, Any]
"""A YAML file, or its content."""

RUN_VARIABLE = "VAME_PIPE_CONFIG_DIGEST"
"""Environment variable by which the workflow tells its jobs the `digest` of its configuration."""
REPLACED = {"sessions", "models", "keypoints"}
"""A later file replaces the whole value of these keys. Other sections are merged key by key."""

AnySection = TypeVar("AnySection", bound=Section)


def load(*sources: Source) -> Config:
    """Read and validate a configuration, including its session sheet.

    Parameters
    ----------
    *sources : str, Path or mapping
        YAML files, or their content. Later ones take precedence, see `merge`.

    Raises
    ------
    InputError
        With every problem found, one line each.
    """
    config, problems = read(*sources)
    if problems or config is None:
        raise InputError(*problems)
    return config


def load_run(path: Path) -> Config:
    """Read the configuration that a run of the workflow wrote next to its results.

    Parameters
    ----------
    path : Path
        `Layout.config` of the results folder.

    Raises
    ------
    InputError
        If the file is missing or, within a job of the workflow, is not the configuration of this run.
    """
    wanted = os.environ.get(RUN_VARIABLE)
    config = load(path) if path.exists() else None
    if wanted and (config is None or config.digest != wanted):
        raise InputError(
            f"{path}: is not the configuration of this run. Either snakemake was started with --no-hooks, "
            "or the configuration was edited during the run. Run snakemake again, without --no-hooks."
        )
    if config is None:
        raise InputError(f"{path}: no such file. Run snakemake first.")
    return config


def read(*sources: Source) -> tuple[Config | None, list[str]]:
    """Read as much of a configuration as possible, see `load`.

    Returns
    -------
    config : Config or None
        Without the keys that are wrong, so that the files it names can be checked as well; None if too
        little is left.
    problems : list of str
        One line each.
    """
    contents, problems = [], []
    for source in sources:
        if isinstance(source, Mapping):
            contents.append(source)
        else:
            content, repeated = yaml_file.read(source)
            contents.append(content)
            problems += repeated
    raw = merge(*contents)
    if isinstance(raw.get("sessions"), str):
        try:
            raw["sessions"], found = read_sheet(raw["sessions"])
            problems += found
        except InputError as error:
            problems += error.problems
            raw["sessions"] = {}
    if isinstance(raw.get("motif_names"), str):
        try:
            raw["motif_names"], found = read_names(raw["motif_names"])
            problems += found
        except InputError as error:
            problems += error.problems
            raw["motif_names"] = []
    config, found = _validate(raw)
    problems += found
    if config is None:
        return None, problems
    # with other problems, the reason has been reported already
    if not problems and not (config.training_sessions if config.trains else config.analysed):
        problems.append(
            "config: every session has use: encode or is excluded, so there is nothing to train on. Set "
            "use: train for at least one session."
            if config.sessions and config.trains
            else "config: every session is excluded."
            if config.sessions
            else "config: sessions is empty. Add at least one recording."
        )
    return config, problems + consistency.problems(config)


def merge(*contents: Mapping[str, Any]) -> dict[str, Any]:
    """Merge configurations, the last one taking precedence.

    Sections are merged key by key. Sessions, models and keypoints are replaced: a user's recordings are
    not added to others. An empty key changes nothing, except for `keypoints`, of which null means all.

    Examples
    --------
    >>> demo = {"train": {"seed": 1, "beta": 2}, "models": {"a": {}}}
    >>> merge(demo, {"train": {"seed": 3}, "models": {"b": {}}})
    {'train': {'seed': 3, 'beta': 2}, 'models': {'b': {}}}
    """
    merged: dict[str, Any] = {}
    for content in contents:
        for key, value in content.items():
            if value is None and key in merged and key != "keypoints":
                continue
            before = merged.get(key)
            if isinstance(before, dict) and isinstance(value, dict) and key not in REPLACED:
                value = before | value
            merged[key] = value
    return copy.deepcopy(merged)


def _validate(raw: dict[str, Any]) -> tuple[Config | None, list[str]]:
    """Return the configuration without its invalid keys, and what is wrong with them."""
    problems: list[str] = []
    while True:
        try:
            return Config.model_validate(raw), problems
        except ValidationError as error:
            # keys that are missing after the invalid ones were removed are not new problems
            problems = problems or explain(error, "config", Config)
            if not _remove(raw, error):
                return None, problems


def _remove(raw: dict[str, Any], error: ValidationError) -> bool:
    """Remove invalid keys in place; return whether any were removed."""
    removed = False
    for item in error.errors():
        trail = key_trail(item)
        if item["type"] == "missing":  # the mapping without the key is removed
            trail.pop()
        *parents, last = trail or [""]
        node: Any = raw
        for part in parents:
            node = node.get(part) if isinstance(node, dict) else None
        if isinstance(node, dict) and last in node:
            del node[last]
            removed = True
    return removed


def parse(section: type[AnySection], text: str) -> AnySection:
    """Validate one section that was given as JSON on the command line.

    Raises
    ------
    InputError
        With every problem found, one line each.
    """
    try:
        return section.model_validate_json(text)
    except ValidationError as error:
        raise InputError(*explain(error, section.__name__.lower(), section)) from None


def write(config: Config, path: Path) -> None:
    """Write a configuration with every default; `load` of the file gives the same models."""
    files.write_text(path, yaml.safe_dump(config.resolved(), sort_keys=False))


def schema() -> str:
    """Return the JSON schema of config.yaml, as in workflow/schemas."""
    text = json.dumps(Config.model_json_schema(), indent=2)
    return re.sub(r"[ \t]+$", "", text, flags=re.M) + "\n"
