"""How the animal moves in each motif: speeds, turning, posture, height.

Everything is computed from aligned features. Sums are added up over sessions, so that one session at a time
is in memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from vame_pipe.motifs.movement import Movement, units

N_PHASES = 5
"""Postures that a bout is shown by, from its first row to its last."""

PROFILE_SCHEMA = pa.schema(
    [
        pa.field("motif", pa.int16()),
        pa.field("measure", pa.string()),
        pa.field("unit", pa.string()),
        pa.field("mean", pa.float64()),
        pa.field("spread", pa.float64()),
    ]
)
"""Columns of the profiles. `spread` is the standard deviation, of angles the circular one; both are null
where nothing is known."""
POSTURE_SCHEMA = pa.schema(
    [
        pa.field("motif", pa.int16()),
        pa.field("phase", pa.float64()),
        pa.field("keypoint", pa.string()),
        *(pa.field(letter, pa.float64()) for letter in "xyz"),
    ]
)
"""Columns of the mean postures. `phase` is 0 at the first row of a bout and 1 at its last; z is null in
2D."""


@dataclass(frozen=True)
class Sums:
    """Sums over the rows and bouts of each motif.

    Attributes
    ----------
    linear : dict of str to numpy.ndarray
        `(3, n_motifs)`: number, sum and sum of squares, over rows; of `heading_change` over bouts.
    angles : dict of str to numpy.ndarray
        `(2, n_motifs)` complex: sum of the vectors, and sum of their lengths.
    postures : numpy.ndarray
        `(n_motifs, N_PHASES, n_keypoints, n_axes)`, over bouts.
    n_bouts : numpy.ndarray
        `(n_motifs,)` int.
    """

    linear: dict[str, np.ndarray]
    angles: dict[str, np.ndarray]
    postures: np.ndarray
    n_bouts: np.ndarray


def sum_session(
    moved: Movement, motif: np.ndarray, bouts: np.ndarray, fps: float, n_motifs: int
) -> Sums:
    """Return the sums of one session.

    Parameters
    ----------
    moved : Movement
    motif : numpy.ndarray
        `(n_rows,)` int, -1 without a motif.
    bouts : numpy.ndarray
        `(n_bouts, 3)` int: motif, first row and last row (positions in the file).
    fps : float
        Rows per second.
    n_motifs : int
    """
    known = np.flatnonzero(motif >= 0)
    of_row, of_bout = motif[known], bouts[:, 0]

    def add(weights: np.ndarray, groups: np.ndarray) -> np.ndarray:
        return np.bincount(groups, weights, minlength=n_motifs)

    def powers(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
        finite = np.isfinite(values)
        return np.stack([add(values[finite] ** power, groups[finite]) for power in range(3)])

    linear = {name: powers(values[known], of_row) for name, values in moved.linear.items()}
    angles = {}
    if moved.velocity is not None and moved.turn_rate is not None:
        ahead, right = np.nan_to_num(moved.velocity[known]).T
        angles["direction"] = _vectors(ahead + 1j * right, of_row, n_motifs)
        path = np.append(0, np.cumsum(np.nan_to_num(moved.turn_rate))) / fps
        change = path[bouts[:, 2] + 1] - path[bouts[:, 1]]
        # a sum of turning, not an angle: 270 degrees to the right are not 90 to the left
        linear["heading_change"] = powers(np.degrees(change), of_bout)
    phases = np.linspace(0, 1, N_PHASES)
    rows = np.rint(bouts[:, 1:2] + phases * (bouts[:, 2:3] - bouts[:, 1:2])).astype(np.int64)
    postures = np.zeros((n_motifs, N_PHASES, *moved.posture.shape[1:]))
    np.add.at(postures, of_bout, moved.posture[rows])
    return Sums(linear, angles, postures, np.bincount(of_bout, minlength=n_motifs))


def _vectors(vectors: np.ndarray, groups: np.ndarray, n_motifs: int) -> np.ndarray:
    """Return the sum of complex vectors of each group, and the sum of their lengths."""
    sums = np.zeros((2, n_motifs), complex)
    np.add.at(sums[0], groups, vectors)
    np.add.at(sums[1], groups, np.abs(vectors))
    return sums


def total(sums: Iterable[Sums]) -> Sums:
    """Return the sums of all sessions together."""
    first, *others = sums
    result = first
    for each in others:
        result = Sums(
            {name: result.linear[name] + each.linear[name] for name in result.linear},
            {name: result.angles[name] + each.angles[name] for name in result.angles},
            result.postures + each.postures,
            result.n_bouts + each.n_bouts,
        )
    return result


def circular(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean direction and the circular standard deviation, degrees.

    Parameters
    ----------
    sums : numpy.ndarray
        `(2, n_motifs)` complex: sum of the vectors, and sum of their lengths.

    Returns
    -------
    mean, spread : numpy.ndarray
        `(n_motifs,)`; NaN without a vector, or if the vectors cancel out.

    Examples
    --------
    The mean of 350 and 30 degrees is 10 degrees:

    >>> vectors = np.exp(1j * np.radians([350, 30]))
    >>> mean, _ = circular(np.array([[vectors.sum()], [2]]))
    >>> round(float(mean[0]), 6)
    10.0
    """
    length = np.abs(sums[0])
    with np.errstate(divide="ignore", invalid="ignore"):
        resultant = np.minimum(length / sums[1].real, 1.0)
        mean = np.where(resultant > 1e-9, np.degrees(np.angle(sums[0])), np.nan)
        spread = np.degrees(np.sqrt(-2 * np.log(resultant)))
    return mean, np.where(np.isfinite(mean), spread, np.nan)


def statistics(sums: Sums) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the mean and the spread `(n_motifs,)` of each measure; NaN of a motif without rows."""
    found = {name: circular(values) for name, values in sums.angles.items()}
    for name, (count, first, second) in sums.linear.items():
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = first / count
            spread = np.sqrt(np.maximum(second / count - mean**2, 0))
        found[name] = (mean, spread)
    return found


def profile_table(sums: Sums, numbers: list[int], unit: str) -> pa.Table:
    """Return the profiles of all motifs.

    Parameters
    ----------
    sums : Sums
    numbers : list of int
        Number of each motif.
    unit : str
        Unit of length.
    """
    found = statistics(sums)
    rows = [
        {"motif": number, "measure": measure, "unit": unit_}
        | {"mean": _or_none(found[measure][0][k]), "spread": _or_none(found[measure][1][k])}
        for k, number in enumerate(numbers)
        for measure, unit_ in units(unit).items()
        if measure in found
    ]
    return pa.Table.from_pylist(rows, schema=PROFILE_SCHEMA)


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def posture_table(sums: Sums, numbers: list[int], keypoints: list[str]) -> pa.Table:
    """Return the mean postures over a bout of all motifs that have one.

    Parameters
    ----------
    sums : Sums
    numbers : list of int
        Number of each motif.
    keypoints : list of str
    """
    rows = []
    for k, number in enumerate(numbers):
        if not sums.n_bouts[k]:
            continue
        mean = sums.postures[k] / sums.n_bouts[k]
        for phase, points in zip(np.linspace(0, 1, N_PHASES).tolist(), mean, strict=True):
            for name, point in zip(keypoints, points.tolist(), strict=True):
                place = dict(zip("xyz", point, strict=False))
                rows.append({"motif": number, "phase": phase, "keypoint": name} | place)
    return pa.Table.from_pylist(rows, schema=POSTURE_SCHEMA)
