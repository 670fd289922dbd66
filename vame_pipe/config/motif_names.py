"""Names that people give to motifs, and motifs that are to count as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints, TypeAdapter, ValidationError

from vame_pipe.config.messages import explain
from vame_pipe.config.sections import Name, Section
from vame_pipe.config.spreadsheet import TOO_MANY_CELLS, read_spreadsheet
from vame_pipe.core.errors import InputError


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("contains a line break or another control character: remove it")
    return text


class MotifName(Section):
    """The name of a motif, or the motif that it is counted as."""

    motif: Annotated[int, Field(ge=0)]
    """Number of the motif."""
    name: (
        Annotated[
            str,
            StringConstraints(strip_whitespace=True, min_length=1, max_length=80),
            AfterValidator(_printable),
        ]
        | None
    ) = None
    """What the animal does; any characters."""
    merge_into: Annotated[int, Field(ge=0)] | None = None
    """Number of the motif that this one is counted as."""
    model: Name | None = None
    """Model whose motif it is; needed if there are several models."""
    segmentation: Annotated[str, StringConstraints(pattern=r"^seg-[0-9a-f]{8}$")] | None = None
    """The segmentation that the names were given for, as in described/motif_names.csv: names are refused if
    the motifs were found again since then."""


def read_names(path: str | Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Read a table of names (CSV, or TSV by its ending) into what config.yaml holds under `motif_names`.

    Returns
    -------
    rows : list of dict
        The rows without problems.
    problems : list of str
        One line each.

    Raises
    ------
    InputError
        If the file cannot be read, or a column is missing, unknown or occurs twice.
    """
    table = read_spreadsheet(Path(path), "motif names")
    known = list(MotifName.model_fields)
    faults = ["column motif is missing"] if "motif" not in table.columns else []
    faults += [f"column '{column}' is unknown" for column in table.columns if column not in known]
    faults += table.column_faults
    if faults:
        allowed = f"Allowed: {', '.join(known)}."
        raise InputError(*(f"motif names {path}: {fault}. {allowed}" for fault in faults))
    rows, problems = [], []
    for where, cells in table.rows:
        if not cells:
            problems.append(f"{where}: {TOO_MANY_CELLS}")
            continue
        try:
            rows.append(MotifName.model_validate(cells).model_dump(exclude_none=True))
        except ValidationError as error:
            problems += explain(error, where, MotifName)
    return rows, problems


def parse_names(text: str) -> list[MotifName]:
    """Return the names of the motifs of one model that were given as JSON on the command line.

    Raises
    ------
    InputError
        With every problem found, one line each.
    """
    try:
        return TypeAdapter(list[MotifName]).validate_json(text)
    except ValidationError as error:
        raise InputError(*explain(error, "motif names", MotifName)) from None


def problems(rows: Sequence[MotifName], models: Mapping[str, int | None]) -> list[str]:
    """Return what is wrong with the names of the motifs of all models, one line each.

    Parameters
    ----------
    rows : sequence of MotifName
    models : mapping of str to int or None
        For each model the largest number of motifs that it can have, if it is known.
    """
    found = []
    for name in dict.fromkeys(row.model for row in rows):
        if name is not None and name not in models:
            found.append(
                f"config: motif_names: there is no model {name}. Models: {', '.join(models)}."
            )
    if len(models) > 1 and any(row.model is None for row in rows):
        found.append(
            f"config: motif_names: there are {len(models)} models, and a motif number means something else "
            "in each of them. Add a column `model`."
        )
    for model, most in models.items():
        named = names_of(rows, model)
        lines = conflicts(named) + ([] if most is None else unknown_numbers(named, most))
        found += [f"config: motif_names: {line}" for line in lines]
    return list(dict.fromkeys(found))


def names_of(rows: Sequence[MotifName], model: str) -> list[MotifName]:
    """Return the rows of one model: its own, and those of no model in particular."""
    return [row for row in rows if row.model in (None, model)]


def unknown_numbers(rows: Sequence[MotifName], n_motifs: int) -> list[str]:
    """Return the numbers of motifs that do not exist, one line each.

    Examples
    --------
    >>> unknown_numbers([MotifName(motif=15, merge_into=3)], 15)
    ['motif 15 does not exist: the motifs are 0 to 14. Correct the number.']
    """
    return [
        f"{column} {number} does not exist: the motifs are 0 to {n_motifs - 1}. Correct the number."
        for row in rows
        for column, number in (("motif", row.motif), ("merge_into", row.merge_into))
        if number is not None and number >= n_motifs
    ]


def conflicts(rows: Sequence[MotifName]) -> list[str]:
    """Return where the names of the motifs of one model contradict each other, one line each.

    Examples
    --------
    >>> conflicts([MotifName(motif=1, merge_into=2), MotifName(motif=2, merge_into=1)])
    ['motif 1 is merged into itself (1 -> 2 -> 1). Clear merge_into of one of them.']
    """
    numbers = [row.motif for row in rows]
    found = [
        f"motif {motif} occurs twice. Remove one of its lines."
        for motif in dict.fromkeys(numbers)
        if numbers.count(motif) > 1
    ]
    into = {row.motif: row.merge_into for row in rows if row.merge_into is not None}
    circles: set[frozenset[int]] = set()
    for motif in into:
        way = [motif]
        while way[-1] in into and way[-1] not in way[:-1]:
            way.append(into[way[-1]])
        circle = frozenset(way)
        if way[-1] == motif and len(way) > 1 and circle not in circles:
            circles.add(circle)
            found.append(
                f"motif {motif} is merged into itself ({' -> '.join(map(str, way))}). Clear merge_into of "
                "one of them."
            )
    named: dict[str, int] = {}
    for row in rows:
        if row.name is None or row.motif in into:
            continue
        if named.setdefault(row.name, row.motif) != row.motif:
            found.append(
                f"motifs {named[row.name]} and {row.motif} are both named '{row.name}'. Use two names, or "
                f"set merge_into of motif {row.motif} to {named[row.name]}, so that both count as one."
            )
    return found
