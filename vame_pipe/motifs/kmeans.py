"""K-means with several starts side by side: a method by itself, and the start of the other one."""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK = 2**16
"""Rows whose distances are computed at the same time."""
MAX_START_ROWS = 10_000
"""Rows that the starts are compared on; the best one is then refined on all rows."""
TOLERANCE = 1e-4
"""Relative improvement of the squared distance below which iterations stop."""


def kmeans(values: Tensor, n: int, seed: int, n_starts: int = 50, max_iter: int = 100) -> Tensor:
    """Return the centres of the best of several runs of k-means.

    Each start draws its centres with k-means++ from a sample of the rows, and all starts iterate side
    by side on that sample. The one with the smallest squared distance goes on with all rows.

    Parameters
    ----------
    values : Tensor
        `(n_rows, n_dims)`, finite.
    n : int
        Number of centres. If there are fewer distinct rows, some centres coincide.
    seed : int
    n_starts, max_iter : int

    Returns
    -------
    Tensor
        `(n, n_dims)`.
    """
    if not len(values):
        raise ValueError("k-means needs at least one row")
    generator = torch.Generator().manual_seed(seed)
    sample = values
    if len(values) > MAX_START_ROWS:
        chosen = torch.randperm(len(values), generator=generator)[:MAX_START_ROWS]
        sample = values[chosen.sort().values]
    centres = torch.stack([_draw_centres(sample, n, generator) for _ in range(n_starts)])
    centres, cost = _iterate(sample, centres, max_iter)
    best = centres[int(cost.argmin())]
    if len(sample) == len(values):
        return best
    return _iterate(values, best[None], max_iter)[0][0]


def nearest(values: Tensor, centres: Tensor) -> Tensor:
    """Return the index of the nearest centre of each row, `(n_rows,)` int64."""
    offset = centres.square().sum(dim=1)
    blocks = [(offset - 2 * (block @ centres.T)).argmin(dim=1) for block in values.split(BLOCK)]
    return torch.cat(blocks)


def _draw_centres(values: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """Draw centres with k-means++: each new one in proportion to its squared distance to the others."""
    row = int(torch.randint(len(values), (1,), generator=generator))
    centres = [values[row]]
    distance = (values - values[row]).square().sum(dim=1)
    for _ in range(n - 1):
        total = distance.cumsum(0)
        drawn = torch.rand(1, generator=generator, dtype=total.dtype) * total[-1]
        row = min(int(torch.searchsorted(total, drawn, right=True)), len(values) - 1)
        centres.append(values[row])
        distance = torch.minimum(distance, (values - values[row]).square().sum(dim=1))
    return torch.stack(centres)


def _iterate(values: Tensor, centres: Tensor, max_iter: int) -> tuple[Tensor, Tensor]:
    """Run Lloyd's iterations from several starts.

    Parameters
    ----------
    values : Tensor
        `(n_rows, n_dims)`.
    centres : Tensor
        `(n_starts, n, n_dims)`.
    max_iter : int

    Returns
    -------
    centres : Tensor
        `(n_starts, n, n_dims)`.
    cost : Tensor
        `(n_starts,)`, the mean squared distance to the nearest centre.
    """
    n_starts = len(centres)
    centres = centres.clone()
    square = float(values.double().square().sum()) / len(values)
    cost = torch.full((n_starts,), float("inf"), dtype=torch.float64)
    moving = torch.arange(n_starts)
    for _ in range(max_iter):
        sums, counts, distance = _assign(values, centres[moving])
        new = square + distance / len(values)
        used = counts > 0
        centres[moving] = torch.where(
            used[..., None], sums / counts.clamp(min=1)[..., None], centres[moving]
        )
        improved = cost[moving] - new > TOLERANCE * new
        cost[moving] = new
        moving = moving[improved]
        if not len(moving):
            break
    return centres, cost


def _assign(values: Tensor, centres: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return, per start, the sum of the rows of each centre, their number, and the squared distance.

    The distance leaves out the squares of the rows, which do not depend on the centres.
    """
    n_starts, n, n_dims = centres.shape
    flat = centres.reshape(-1, n_dims)
    offset = flat.square().sum(dim=1)
    sums = torch.zeros(n_starts, n, n_dims, dtype=values.dtype)
    counts = torch.zeros(n_starts, n, dtype=values.dtype)
    total = torch.zeros(n_starts, dtype=torch.float64)
    for block in values.split(max(1, BLOCK // n_starts)):
        distance = torch.addmm(offset, block, flat.T, alpha=-2).view(len(block), n_starts, n)
        smallest, index = distance.min(dim=2)
        total += smallest.double().sum(dim=0)
        chosen = torch.zeros(n_starts, n, len(block), dtype=values.dtype)
        chosen.scatter_(1, index.T[:, None], 1.0)
        sums += (chosen.reshape(-1, len(block)) @ block).view(n_starts, n, n_dims)
        counts += chosen.sum(dim=2)
    return sums, counts, total
