"""The most typical bouts of each motif, and the skeleton of the animal during them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from vame_pipe.motifs.bouts import BOUT_SCHEMA
from vame_pipe.motifs.movement import Movement
from vame_pipe.motifs.segmentation import Segmentation

N_EXEMPLARS = 4
"""Typical bouts of each motif."""
MAX_CLIP_S, CONTEXT_S, MAX_FPS = 2.0, 0.25, 30
"""Seconds of a bout that a clip shows, seconds before and after them, and pictures per second."""

EXEMPLAR_SCHEMA = pa.schema(
    [pa.field("motif", pa.int16()), pa.field("rank", pa.int16())]
    + [field for field in BOUT_SCHEMA if field.name != "motif"]
    + [pa.field("distance", pa.float64())]
)
"""Columns of the exemplars: the bout of each rank, the most typical one first."""
SKELETON_SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.int16()) for name in ("motif", "rank", "step")),
        pa.field("time_s", pa.float64()),
        pa.field("inside", pa.bool_()),
        pa.field("keypoint", pa.string()),
        *(pa.field(letter, pa.float32()) for letter in "xyz"),
    ]
)
"""Columns of the skeletons: `time_s` from the first row of the bout, `inside` whether the row is in the
bout; positions where the animal is at the origin and faces along x at the start of the bout; z is null in
2D."""


@dataclass(frozen=True)
class Clip:
    """The skeleton of an animal during a bout.

    Attributes
    ----------
    time_s : numpy.ndarray
        `(n_steps,)`, from the first row of the bout.
    inside : numpy.ndarray
        `(n_steps,)` bool, whether the row is in the bout.
    points : numpy.ndarray
        `(n_steps, n_keypoints, n_axes)`, x ahead and y to the right of the animal at the start of the bout.
    """

    time_s: np.ndarray
    inside: np.ndarray
    points: np.ndarray


def distances(segmentation: Segmentation, values: np.ndarray, motif: np.ndarray) -> np.ndarray:
    """Return the distance of each latent vector from the centre of its motif, `(n_rows,)`.

    With a hidden Markov model the unit is the standard deviation of the motif (Mahalanobis distance), else
    the scale of the latents.

    Parameters
    ----------
    segmentation : Segmentation
    values : numpy.ndarray
        `(n_rows, n_dims)`, latent vectors.
    motif : numpy.ndarray
        `(n_rows,)` int.
    """
    arrays = segmentation.arrays
    residual = (values - arrays["offset"]) / arrays["scale"] - arrays["mean"][motif]
    if "covariance" in arrays:
        factors = np.linalg.cholesky(arrays["covariance"])
        for k, factor in enumerate(factors):
            chosen = motif == k if len(factors) > 1 else slice(None)
            residual[chosen] = np.linalg.solve(factor, residual[chosen].T).T
    return np.linalg.norm(residual, axis=1)


def bout_distances(position: np.ndarray, distance: np.ndarray, bouts: np.ndarray) -> np.ndarray:
    """Return the root mean square of the distances of the rows of each bout, `(n_bouts,)`.

    Parameters
    ----------
    position : numpy.ndarray
        `(n_rows,)` int, ascending: where in the file the rows are.
    distance : numpy.ndarray
        `(n_rows,)`.
    bouts : numpy.ndarray
        `(n_bouts, 2)` int, first and last position of each bout.

    Returns
    -------
    numpy.ndarray
        NaN for a bout without a row.
    """
    total = np.append(0, np.cumsum(distance**2))
    low = np.searchsorted(position, bouts[:, 0])
    high = np.searchsorted(position, bouts[:, 1], side="right")
    with np.errstate(invalid="ignore"):
        return np.sqrt(
            np.maximum(total[high] - total[low], 0) / np.where(high > low, high - low, np.nan)
        )


def choose(
    session: np.ndarray, duration: np.ndarray, distance: np.ndarray, n: int = N_EXEMPLARS
) -> np.ndarray:
    """Return the most typical bouts of one motif, `(at most n,)` int, indices.

    A bout is typical if it is near to the centre of the motif. Bouts shorter than half of all bouts of the
    motif do not count, unless too few are left. Each session gives its best bout before any gives a second
    one.

    Parameters
    ----------
    session : numpy.ndarray
        `(n_bouts,)` int.
    duration : numpy.ndarray
        `(n_bouts,)`, seconds.
    distance : numpy.ndarray
        `(n_bouts,)`, result of `bout_distances`.
    n : int

    Examples
    --------
    >>> choose(np.array([0, 0, 1]), np.ones(3), np.array([0.1, 0.2, 0.3]), n=2).tolist()
    [0, 2]
    """
    candidates = np.flatnonzero(np.isfinite(distance))
    if not len(candidates):
        return candidates
    lengths = np.sort(duration[candidates])
    shortest = min(float(np.median(lengths)), lengths[-n:][0])
    candidates = candidates[duration[candidates] >= shortest]
    order = candidates[np.argsort(distance[candidates], kind="stable")]
    # how many bouts of the same session are better
    turn = np.zeros(len(order), int)
    for name in np.unique(session[order]):
        own = session[order] == name
        turn[own] = np.arange(own.sum())
    return order[np.argsort(turn, kind="stable")][:n]


def clip(moved: Movement, run: np.ndarray, first: int, last: int, fps: float) -> Clip:
    """Return the skeleton of an animal during a bout, and shortly before and after it.

    Alignment holds the animal in place. Its speed and turning rate put it back on its way: the animal is at
    the origin and faces along x at the start of the bout.

    Parameters
    ----------
    moved : Movement
        The session that the bout is in.
    run : numpy.ndarray
        `(n_rows,)` int, number of the unbroken stretch of rows of one animal that each row is in, -1 if it
        is not valid.
    first, last : int
        Positions of the first and last row of the bout.
    fps : float
        Rows per second.
    """
    context, longest = round(CONTEXT_S * fps), max(1, round(MAX_CLIP_S * fps))
    shown_last = min(last, first + longest - 1)
    low, high = max(first - context, 0), min(shown_last + context, len(run) - 1)
    same = np.flatnonzero(run[low : high + 1] == run[first]) + low
    rows = np.arange(same[0], same[-1] + 1)
    points = moved.posture[rows].copy()
    if moved.velocity is not None and moved.turn_rate is not None:
        points[:, :, :2] = _on_its_way(
            points[:, :, :2], moved.velocity[rows], moved.turn_rate[rows], fps, first - rows[0]
        )
    step = max(1, int(np.ceil(fps / MAX_FPS - 1e-9)))
    kept = rows[(first - rows[0]) % step :: step]
    return Clip((kept - first) / fps, (kept >= first) & (kept <= last), points[kept - rows[0]])


def _on_its_way(
    points: np.ndarray, velocity: np.ndarray, turn_rate: np.ndarray, fps: float, origin: int
) -> np.ndarray:
    """Return points of the animal's own frame where they were, relative to its pose in one row.

    Parameters
    ----------
    points : numpy.ndarray
        `(n_rows, n_keypoints, 2)`, x ahead, y to the right.
    velocity : numpy.ndarray
        `(n_rows, 2)`, forward and to the right, units per second.
    turn_rate : numpy.ndarray
        `(n_rows,)`, radians per second, positive to the right.
    fps : float
    origin : int
        The row.
    """

    def integral(rate: np.ndarray) -> np.ndarray:
        """From the row `origin`, with the mean rate between neighbours."""
        path = np.append(0, np.cumsum((rate[1:] + rate[:-1]) / 2)) / fps
        return path - path[origin]

    heading = np.exp(1j * integral(turn_rate))
    path = integral((velocity[:, 0] + 1j * velocity[:, 1]) * heading)
    placed = (points[..., 0] + 1j * points[..., 1]) * heading[:, None] + path[:, None]
    return np.stack([placed.real, placed.imag], axis=-1)


def skeleton_rows(clip: Clip, motif: int, rank: int, keypoints: list[str]) -> pa.Table:
    """Return a clip as rows of the table of skeletons."""
    n_steps, n_keypoints, n_axes = clip.points.shape
    n_rows = n_steps * n_keypoints
    flat = clip.points.reshape(n_rows, n_axes).astype(np.float32)
    columns = {
        "motif": np.full(n_rows, motif, np.int16),
        "rank": np.full(n_rows, rank, np.int16),
        "step": np.repeat(np.arange(n_steps, dtype=np.int16), n_keypoints),
        "time_s": np.repeat(clip.time_s, n_keypoints),
        "inside": np.repeat(clip.inside, n_keypoints),
        "keypoint": pa.array(keypoints * n_steps),
        "x": flat[:, 0],
        "y": flat[:, 1],
        "z": flat[:, 2] if n_axes == 3 else pa.nulls(n_rows, pa.float32()),
    }
    return pa.table(columns).cast(SKELETON_SCHEMA)
