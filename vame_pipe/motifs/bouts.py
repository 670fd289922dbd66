"""Bouts of motifs, how often each motif is used, and which follows which."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from vame_pipe.core.schemas import INDEX_FIELDS

NAMES = INDEX_FIELDS[:2]
BOUT_SCHEMA = pa.schema(
    [
        *NAMES,
        pa.field("bout", pa.int32()),
        pa.field("motif", pa.int16()),
        *(pa.field(name, pa.int64()) for name in ("start_row", "end_row")),
        *(pa.field(name, pa.int64()) for name in ("start_frame", "end_frame")),
        *(pa.field(name, pa.float64()) for name in ("start_s", "end_s", "duration_s")),
    ]
)
"""Columns of the bouts; `end_...` is the last row of the bout, `duration_s` counts every row of it."""
USAGE_SCHEMA = pa.schema(
    [
        *NAMES,
        pa.field("motif", pa.int16()),
        pa.field("n_rows", pa.int64()),
        pa.field("fraction", pa.float64()),
        pa.field("n_bouts", pa.int64()),
        pa.field("median_bout_s", pa.float64()),
    ]
)
"""Columns of the usage: every motif of every animal. `fraction` is of the rows that have a motif."""
TRANSITION_SCHEMA = pa.schema(
    [
        *NAMES,
        pa.field("source", pa.int16()),
        pa.field("target", pa.int16()),
        pa.field("count", pa.int64()),
    ]
)
"""Columns of the transitions: pairs of motifs whose bouts touch, if there is one or more."""


def find_bouts(labels: pa.Table, fps: float) -> pa.Table:
    """Return the bouts of one session.

    Parameters
    ----------
    labels : pyarrow.Table
        Columns `schemas.MOTIF_FIELDS`, the animals one after the other.
    fps : float
        Rows per second.
    """
    known = labels.filter(labels["motif"].is_valid()).combine_chunks()
    animal = known["individual"].combine_chunks().indices.to_numpy()
    bout = known["bout"].to_numpy()
    begins = (np.diff(bout, prepend=-1) != 0) | (np.diff(animal, prepend=-1) != 0)
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(known)) - 1 if len(first) else first
    start, end = known.take(pa.array(first)), known.take(pa.array(last))
    columns = [
        *(start[name] for name in ("session", "individual", "bout", "motif")),
        *(table[name] for name in ("row", "frame") for table in (start, end)),
        *(table["time_s"] for table in (start, end)),
        pa.array((last - first + 1) / fps),
    ]
    return pa.Table.from_arrays(columns, names=BOUT_SCHEMA.names).cast(BOUT_SCHEMA)


def usage(bouts: pa.Table, individuals: list[str], session: str, n_motifs: int) -> pa.Table:
    """Return how much each animal of a session uses each motif, also those that it never uses.

    Parameters
    ----------
    bouts : pyarrow.Table
        Result of `find_bouts`.
    individuals : list of str
    session : str
    n_motifs : int
    """
    rows = []
    for individual, motif, of_animal in _by_animal(bouts, individuals):
        n_rows = of_animal["end_row"].to_numpy() - of_animal["start_row"].to_numpy() + 1
        duration = of_animal["duration_s"].to_numpy()
        total = int(n_rows.sum())
        for k in range(n_motifs):
            chosen = motif == k
            used = int(n_rows[chosen].sum())
            rows.append(
                {
                    "session": session,
                    "individual": individual,
                    "motif": k,
                    "n_rows": used,
                    "fraction": used / total if total else 0.0,
                    "n_bouts": int(chosen.sum()),
                    "median_bout_s": float(np.median(duration[chosen])) if used else None,
                }
            )
    return pa.Table.from_pylist(rows, schema=USAGE_SCHEMA)


def transitions(bouts: pa.Table, individuals: list[str], session: str) -> pa.Table:
    """Return how often a bout of one motif is followed, in the next row, by a bout of another.

    Parameters
    ----------
    bouts : pyarrow.Table
        Result of `find_bouts`.
    individuals : list of str
    session : str
    """
    rows = []
    for individual, motif, of_animal in _by_animal(bouts, individuals):
        touches = of_animal["start_row"].to_numpy()[1:] == of_animal["end_row"].to_numpy()[:-1] + 1
        pairs = np.stack([motif[:-1], motif[1:]], axis=1)[touches]
        for (source, target), count in zip(
            *np.unique(pairs, axis=0, return_counts=True), strict=True
        ):
            rows.append(
                {
                    "session": session,
                    "individual": individual,
                    "source": int(source),
                    "target": int(target),
                    "count": int(count),
                }
            )
    return pa.Table.from_pylist(rows, schema=TRANSITION_SCHEMA)


def _by_animal(
    bouts: pa.Table, individuals: Iterable[str]
) -> Iterator[tuple[str, np.ndarray, pa.Table]]:
    """Yield each animal, the motifs of its bouts `(n_bouts,)`, and its bouts."""
    names = np.array(bouts["individual"].to_pylist(), object)
    for individual in individuals:
        of_animal = bouts.filter(pa.array(names == individual, pa.bool_()))
        yield individual, of_animal["motif"].to_numpy().astype(np.int64), of_animal
