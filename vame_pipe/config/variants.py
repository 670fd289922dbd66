"""Expand one entry of `models` into variants: grids of settings, and seeds."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from vame_pipe.config.messages import rename
from vame_pipe.config.sections import Model, Train

GRID, SEEDS = "grid", "seeds"
ABBREVIATIONS = {
    "zdims": "z",
    "seed": "s",
    "learning_rate": "lr",
    "batch_size": "batch",
    "hidden_size_layer_1": "hidden",
    "hidden_size_rec": "rec",
    "hidden_size_pred": "pred",
}
"""Short forms of keys in the names of variants; all other keys are written in full."""


def expand(name: str, entry: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the variants of an entry, each a mapping of what differs from `model` and `train`.

    The name of a variant depends only on its own settings: adding a value to a grid or reordering keys
    renames no variant.

    Examples
    --------
    >>> list(expand("vame", {"grid": {"zdims": [8, 16]}, "seeds": [1, 2]}))
    ['vame-z8-s1', 'vame-z8-s2', 'vame-z16-s1', 'vame-z16-s2']
    """
    fixed = {key: value for key, value in entry.items() if key not in (GRID, SEEDS)}
    axes = entry.get(GRID, {}) | ({"seed": entry[SEEDS]} if SEEDS in entry else {})
    axes = {key: axes[key] for key in sorted(axes, key=_order)}
    variants = {}
    for values in itertools.product(*axes.values()):
        point = dict(zip(axes, values, strict=True))
        variants["-".join([name, *map(label, point, point.values())])] = fixed | point
    return variants


def with_types(entry: dict[str, Any], convert: Callable[[str, Any], Any]) -> dict[str, Any]:
    """Return an entry with the values of its grid as `convert(key, value)` returns them."""
    grid = entry.get(GRID)
    if not isinstance(grid, dict):
        return entry
    typed = {
        key: [convert(key, value) for value in values] if isinstance(values, list) else values
        for key, values in grid.items()
    }
    return entry | {GRID: typed}


def _order(key: str) -> tuple[bool, int, str]:
    """Sort key for settings in names: abbreviated ones first, then alphabetical, the seed last."""
    return key == "seed", [*ABBREVIATIONS, key].index(key), key


def label(key: str, value: object) -> str:
    """Return the part of a variant's name that encodes one setting.

    Examples
    --------
    >>> label("learning_rate", 1e-4), label("anneal_function", "linear")
    ('lr0.0001', 'anneal_functionlinear')
    """
    text = f"{value:g}" if isinstance(value, float) else str(value).lower()
    return ABBREVIATIONS.get(key, key) + text.replace("+", "")


def problems(name: str, entry: dict[str, Any]) -> list[str]:
    """Return what is wrong with an entry of `models`, one line each."""
    where = f"models.{name}"
    found = _unknown_keys(where, entry, [GRID, SEEDS])
    grid = entry.get(GRID, {})
    if not isinstance(grid, dict) or not (grid or GRID not in entry):
        return [
            *found,
            f"config: {where}.grid must be a mapping, KEY: [values]. Found {grid!r}.",
        ]
    found += _unknown_keys(f"{where}.{GRID}", grid, [])
    axes = {f"{GRID}.{key}": values for key, values in grid.items()}
    if SEEDS in entry:
        axes[SEEDS] = entry[SEEDS]
    found += [
        f"config: {where}.{axis} must be a list of distinct values. Found {values!r}."
        for axis, values in axes.items()
        if not _are_distinct(values)
    ]
    return found + [
        f"config: {where}: {key} is set both directly and in grid or seeds. Remove one."
        for key in _set_twice(entry, grid)
    ]


def _unknown_keys(where: str, content: dict[str, Any], more: list[str]) -> list[str]:
    """Return one line per key that belongs to neither `model` nor `train` nor to `more`."""
    allowed = [*Model.model_fields, *Train.model_fields, *more]
    lines = []
    for key in content:
        if key not in allowed:
            line = rename(f"train.{key}", f"{where}.{key}")
            unknown = (
                f"{where}.{key} is not a key of model or train. Allowed: {', '.join(allowed)}."
            )
            lines.append(f"config: {line or unknown}")
    return lines


def _are_distinct(values: object) -> bool:
    if not isinstance(values, list) or not values:
        return False
    if any(isinstance(value, list | dict) for value in values):
        return False
    return len({label("", value) for value in values}) == len(values)


def _set_twice(entry: dict[str, Any], grid: dict[str, Any]) -> list[str]:
    keys = [key for key in grid if key in entry or (key == "seed" and SEEDS in entry)]
    return [*keys, "seed"] if SEEDS in entry and "seed" in entry else keys
