"""Motifs that people named, and motifs that count as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from vame_pipe.config.motif_names import MotifName, conflicts, unknown_numbers
from vame_pipe.core.description import Motif
from vame_pipe.core.errors import InputError
from vame_pipe.motifs.bouts import BOUT_SCHEMA

TEMPLATE_COLUMNS = ("motif", "name", "merge_into", "model", "segmentation")


def resolve(
    rows: Sequence[MotifName], n_motifs: int, segmentation: str, where: str = "motif_names"
) -> list[Motif]:
    """Return the motifs, in the order of their numbers, without those that are merged into another.

    Parameters
    ----------
    rows : sequence of MotifName
        The names of the motifs of one model.
    n_motifs : int
        Number of motifs of the segmentation.
    segmentation : str
        Fingerprint of the segmentation.
    where : str
        What messages begin with.

    Raises
    ------
    InputError
        With every motif that does not exist, every contradiction, and names of an earlier segmentation.

    Examples
    --------
    >>> rows = [MotifName(motif=0, merge_into=2), MotifName(motif=2, name="walk")]
    >>> [(motif.label, motif.members) for motif in resolve(rows, 3, "")]
    [('1', [1]), ('2 walk', [0, 2])]
    """
    problems = [*conflicts(rows), *unknown_numbers(rows, n_motifs)]
    others = {row.segmentation for row in rows if row.segmentation} - {tag(segmentation)}
    if others:
        problems.append(
            f"the names are of segmentation {', '.join(sorted(others))}, but the motifs were found again "
            f"({tag(segmentation)}), and their numbers mean something else. Look at the clips, correct the "
            "table, and remove or replace its column `segmentation`."
        )
    if problems:
        raise InputError(*(f"{where}: {problem}" for problem in problems))
    into = {row.motif: row.merge_into for row in rows if row.merge_into is not None}
    members: dict[int, list[int]] = {}
    for number in range(n_motifs):
        head = number
        while head in into:
            head = into[head]
        members.setdefault(head, []).append(number)
    names = {row.motif: row.name for row in rows}
    return [Motif(head, names.get(head), members[head]) for head in sorted(members)]


def tag(segmentation: str) -> str:
    """Return what stands for a segmentation in a table of names.

    Examples
    --------
    >>> tag("0123456789")
    'seg-01234567'
    """
    return f"seg-{segmentation[:8]}"  # with letters, so that a spreadsheet takes it for text


def merge_bouts(bouts: pa.Table, counts_as: np.ndarray) -> pa.Table:
    """Return bouts of merged motifs: neighbours that count as the same motif are one bout.

    Parameters
    ----------
    bouts : pyarrow.Table
        Result of `bouts.find_bouts`.
    counts_as : numpy.ndarray
        `(n_motifs,)` int, the number of the motif that each motif counts as.

    Returns
    -------
    pyarrow.Table
        Columns `bouts.BOUT_SCHEMA`. The bouts of an animal are numbered again from 0.
    """
    motif = counts_as[bouts["motif"].to_numpy()]
    animal = bouts["individual"].combine_chunks().indices.to_numpy()
    start, end = bouts["start_row"].to_numpy(), bouts["end_row"].to_numpy()
    touches = (animal[1:] == animal[:-1]) & (start[1:] == end[:-1] + 1)
    begins = np.append(True, ~touches | (motif[1:] != motif[:-1]))[: len(motif)]
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(motif)) - 1 if len(first) else first
    of_animal = np.flatnonzero(np.diff(animal[first], prepend=-1))
    number = np.arange(len(first)) - np.repeat(of_animal, np.diff(np.append(of_animal, len(first))))
    duration = bouts["duration_s"].to_numpy()
    duration = np.add.reduceat(duration, first) if len(first) else duration
    opening, closing = bouts.take(pa.array(first)), bouts.take(pa.array(last))
    columns = {name: opening[name] for name in BOUT_SCHEMA.names}
    columns |= {name: closing[name] for name in ("end_row", "end_frame", "end_s")}
    columns |= {"bout": pa.array(number), "motif": pa.array(motif[first])}
    return pa.table(columns | {"duration_s": pa.array(duration)}).cast(BOUT_SCHEMA)


def with_names(table: pa.Table, motifs: Sequence[Motif], column: str = "motif") -> pa.Table:
    """Return a table with a column of names after a column of motif numbers.

    Parameters
    ----------
    table : pyarrow.Table
    motifs : sequence of Motif
    column : str
        The column of numbers; the new one is `name` after `motif`, else `{column}_name`.
    """
    names = {motif.number: motif.name for motif in motifs}
    values = [names[number] for number in table[column].to_pylist()]
    index = table.column_names.index(column)
    title = "name" if column == "motif" else f"{column}_name"
    return table.add_column(index + 1, pa.field(title, pa.string()), pa.array(values, pa.string()))


def template(n_motifs: int, rows: Sequence[MotifName], model: str, segmentation: str) -> str:
    """Return a table of names (CSV) to fill in, with the names that are known already.

    Parameters
    ----------
    n_motifs : int
    rows : sequence of MotifName
    model : str
        Name of the model.
    segmentation : str
        Fingerprint of the segmentation.
    """
    known = {row.motif: row for row in rows}
    table = []
    for number in range(n_motifs):
        row = known.get(number, MotifName(motif=number))
        table.append([number, row.name, row.merge_into, model, tag(segmentation)])
    return str(pd.DataFrame(table, columns=TEMPLATE_COLUMNS, dtype=object).to_csv(index=False))
