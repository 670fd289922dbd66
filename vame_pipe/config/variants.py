"""The variants that one entry of `models` stands for: grids of settings and seeds."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

GRID, SEEDS = "grid", "seeds"
SHORT = {
    "zdims": "z",
    "seed": "s",
    "learning_rate": "lr",
    "batch_size": "batch",
    "hidden_size_layer_1": "hidden",
    "hidden_size_rec": "rec",
    "hidden_size_pred": "pred",
}
"""How names of variants say a key; all others in full."""


def expand(name: str, entry: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the variants of an entry, each a mapping of what differs from `model` and `train`.

    A variant's name depends on its own settings alone: neither a value more in a grid nor another order
    of its keys renames any.
    `{grid: {zdims: [8, 16]}, seeds: [1, 2]}` of `vame` gives vame-z8-s1, vame-z8-s2, vame-z16-s1,
    vame-z16-s2.
    """
    fixed = {key: value for key, value in entry.items() if key not in (GRID, SEEDS)}
    axes = entry.get(GRID, {}) | ({"seed": entry[SEEDS]} if SEEDS in entry else {})
    axes = {key: axes[key] for key in sorted(axes, key=_place)}
    variants = {}
    for values in itertools.product(*axes.values()):
        point = dict(zip(axes, values, strict=True))
        variants["-".join([name, *map(label, point, point.values())])] = fixed | point
    return variants


def with_types(entry: dict[str, Any], coerce: Callable[[str, Any], Any]) -> dict[str, Any]:
    """Return an entry with the values of its grid as `coerce(key, value)` returns them."""
    grid = entry.get(GRID)
    if not isinstance(grid, dict):
        return entry
    typed = {
        key: [coerce(key, value) for value in values] if isinstance(values, list) else values
        for key, values in grid.items()
    }
    return entry | {GRID: typed}


def _place(key: str) -> tuple[bool, int, str]:
    """Sort a key into its place in names: short ones, others by the alphabet, the seed last."""
    return key == "seed", [*SHORT, key].index(key), key


def label(key: str, value: object) -> str:
    """Return the part of a variant's name that says a setting, in letters, digits, '.', '_', '-'."""
    said = f"{value:g}" if isinstance(value, float) else str(value).lower()
    return SHORT.get(key, key) + said.replace("+", "")


def problems(name: str, entry: dict[str, Any], allowed: list[str]) -> list[str]:
    """List what is wrong with an entry, one line each.

    Parameters
    ----------
    name : str
    entry : dict
    allowed : list of str
        Keys of `model` and `train`.
    """
    found = [
        f"config: models.{name}.{key} is not a key of model or train. Allowed: "
        f"{', '.join([*allowed, GRID, SEEDS])}."
        for key in entry
        if key not in (*allowed, GRID, SEEDS)
    ]
    grid = entry.get(GRID, {})
    if not isinstance(grid, dict) or not (grid or GRID not in entry):
        return [
            *found,
            f"config: models.{name}.grid must be a mapping, KEY: [values]. Found {grid!r}.",
        ]
    found += [
        f"config: models.{name}.grid.{key} is not a key of model or train. Allowed: "
        f"{', '.join(allowed)}."
        for key in grid
        if key not in allowed
    ]
    axes = {f"grid.{key}": values for key, values in grid.items()}
    if SEEDS in entry:
        axes[SEEDS] = entry[SEEDS]
    for axis, values in axes.items():
        distinct = isinstance(values, list) and len({label("", v) for v in values}) == len(values)
        if not distinct or not values or any(isinstance(v, list | dict) for v in values):
            found.append(
                f"config: models.{name}.{axis} must list different values. Found {values!r}."
            )
    twice = [key for key in grid if key in entry or (key == "seed" and SEEDS in entry)]
    if SEEDS in entry and "seed" in entry:
        twice.append("seed")
    found += [
        f"config: models.{name}: {key} is given twice, also in grid or seeds. Remove one."
        for key in twice
    ]
    return found
