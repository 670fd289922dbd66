"""Permutation tests, effect sizes and bootstrap intervals of differences between groups.

Each row of a table of values is one test, each column one subject. Angles are in degrees, and their means
and differences are those on the circle.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import factorial, prod

import numpy as np
from scipy import stats

N_RESAMPLES = 9_999
"""Permutations, if there are more distinct ones than that; otherwise each is used once."""
N_BOOTSTRAP = 2_000
"""Samples of the bootstrap."""
CONFIDENCE = 0.95
"""Of the interval."""
ALPHA = 0.05
"""False discovery rate below which a difference counts as found."""
SEED = 1
"""Of permutations and bootstrap: the same data always have the same p and the same interval."""
BATCH = 2_000_000
"""Numbers of permuted tables that are held at once, about."""
DECIMALS = 10
"""Of a statistic; the values it is made of are at most 1, or angles in degrees."""


@dataclass(frozen=True)
class Effect:
    """How far the second of two groups differs from the first, `(n_tests,)` each; NaN where unknown.

    Attributes
    ----------
    difference : numpy.ndarray
        Mean of the second group minus mean of the first; of pairs, the mean difference.
    low, high : numpy.ndarray
        Bootstrap interval of the difference; NaN with one subject in a group.
    size : numpy.ndarray
        Hedges' g: the difference in standard deviations within the groups (of pairs: of the differences),
        corrected for small numbers. NaN for angles.
    """

    difference: np.ndarray
    low: np.ndarray
    high: np.ndarray
    size: np.ndarray


def centre(values: np.ndarray, circular: bool = False) -> np.ndarray:
    """Return the mean over the last axis; of angles, that on the circle.

    Examples
    --------
    >>> centre(np.array([1.0, 3.0])).item(), round(centre(np.array([350.0, 30.0]), True).item(), 6)
    (2.0, 10.0)
    """
    if not circular:
        return np.asarray(values.mean(axis=-1))
    return np.degrees(np.angle(np.exp(1j * np.radians(values)).mean(axis=-1)))


def wrap(angle: np.ndarray) -> np.ndarray:
    """Return angles between -180 and 180 degrees.

    Examples
    --------
    >>> wrap(np.array([190.0, -10.0])).tolist()
    [-170.0, -10.0]
    """
    return (angle + 180) % 360 - 180


def smallest_p(sizes: Sequence[int], paired: bool) -> float:
    """Return the smallest p that a test of these groups can have; 1 if a group has a single subject.

    Parameters
    ----------
    sizes : sequence of int
        Subjects of each group; of a paired design, the number of pairs for each group.
    paired : bool

    Examples
    --------
    >>> round(smallest_p([2, 2], paired=False), 3), smallest_p([3, 3], paired=True)
    (0.333, 0.25)
    """
    if min(sizes) < 2:
        return 1.0
    if paired:
        arrangements = factorial(len(sizes)) ** sizes[0]
        alike = factorial(len(sizes))
    else:
        arrangements = factorial(sum(sizes)) // prod(factorial(size) for size in sizes)
        alike = prod(factorial(count) for count in Counter(sizes).values())
    if arrangements > N_RESAMPLES:
        return 1 / (N_RESAMPLES + 1)
    return alike / arrangements


def enough_subjects(n_tests: int, paired: bool, n_groups: int = 2) -> int:
    """Return how many subjects (or pairs) each group needs, so that one difference of many can be found.

    Parameters
    ----------
    n_tests : int
        Tests that are corrected together.
    paired : bool
    n_groups : int

    Examples
    --------
    >>> enough_subjects(1, paired=False), enough_subjects(6, paired=False), enough_subjects(6, paired=True)
    (4, 5, 8)
    """
    size = 2
    while smallest_p([size] * n_groups, paired) * n_tests > ALPHA and size < 100:
        size += 1
    return size


def permutation_p(groups: Sequence[np.ndarray], paired: bool, circular: bool = False) -> np.ndarray:
    """Return the p of the hypothesis that it makes no difference to which group a subject belongs.

    The statistic is the distance of the means; of more than two groups, the sum of the squares of the
    distances of their means from the mean of all subjects, each as often as the group has subjects. With
    few subjects, every distinct permutation is used once; with more, p = (b + 1) / (n + 1), where b of n
    random permutations have a statistic as large as that of the data.

    Parameters
    ----------
    groups : sequence of numpy.ndarray
        `(n_tests, n_subjects)` of each group, without NaN; of a paired design, a column of each group
        is one pair.
    paired : bool
        Values are exchanged within pairs only.
    circular : bool
        Whether values are angles, degrees.

    Returns
    -------
    numpy.ndarray
        `(n_tests,)`; NaN if a group has a single subject.

    Examples
    --------
    Two of the six ways to divide four subjects have the largest difference:

    >>> permutation_p([np.array([[1.0, 2.0]]), np.array([[8.0, 9.0]])], paired=False).round(3).tolist()
    [0.333]
    """
    if min(values.shape[-1] for values in groups) < 2:
        return np.full(len(groups[0]), np.nan)
    if not circular:  # for `_statistic`, which rounds so that equal ones are equal to the last bit
        every = np.concatenate(groups, axis=-1)
        middle = every.mean(axis=-1, keepdims=True)
        largest = np.abs(every - middle).max(axis=-1, keepdims=True)
        groups = [(values - middle) / np.where(largest > 0, largest, 1) for values in groups]
    size = sum(values.size for values in groups)
    with np.errstate(divide="ignore", invalid="ignore"):
        result = stats.permutation_test(
            groups,
            _statistic(circular),
            permutation_type="samples" if paired else "independent",
            vectorized=True,
            n_resamples=N_RESAMPLES,
            batch=max(1, BATCH // size),
            alternative="greater",
            axis=-1,
            rng=np.random.default_rng(SEED),
        )
    return np.atleast_1d(result.pvalue)


def _statistic(circular: bool) -> Callable[..., np.ndarray]:
    """Return the statistic of `permutation_p`, which is not negative."""

    def distance(*groups: np.ndarray, axis: int) -> np.ndarray:
        means = [centre(values, circular) for values in groups]
        if len(groups) == 2:
            gap = means[1] - means[0]
            return np.abs(wrap(gap) if circular else gap).round(DECIMALS)
        middle = centre(np.concatenate(groups, axis=-1), circular)
        gaps = [wrap(mean - middle) if circular else mean - middle for mean in means]
        weights = [values.shape[-1] for values in groups]
        squares = sum((n * gap**2 for n, gap in zip(weights, gaps, strict=True)), np.zeros(()))
        return squares.round(DECIMALS)

    return distance


def effect(first: np.ndarray, second: np.ndarray, paired: bool, circular: bool = False) -> Effect:
    """Return how far the second of two groups differs from the first, with bootstrap intervals.

    Parameters
    ----------
    first, second : numpy.ndarray
        `(n_tests, n_subjects)`, without NaN; of a paired design, a column of both is one pair.
    paired : bool
    circular : bool
        Whether values are angles, degrees.

    Examples
    --------
    >>> found = effect(np.array([[1.0, 2.0, 3.0]]), np.array([[5.0, 6.0, 7.0]]), paired=False)
    >>> found.difference.tolist(), found.size.round(2).tolist()
    ([4.0], [3.2])
    """
    if paired:
        gaps = second - first
        samples = [wrap(gaps) if circular else gaps]
    else:
        samples = [first, second]
    observed = _gap(*samples, circular=circular, axis=-1)
    unknown = np.full(observed.shape, np.nan)
    if min(values.shape[-1] for values in samples) < 2:
        return Effect(observed, unknown, unknown, unknown)
    if circular:  # turned so that the difference is 0, far from where the circle is cut
        samples[-1] = wrap(samples[-1] - observed[:, None])
    interval = stats.bootstrap(
        samples,
        lambda *resampled, axis: _gap(*resampled, circular=circular, axis=axis),
        n_resamples=N_BOOTSTRAP,
        batch=max(1, BATCH // sum(values.size for values in samples)),
        vectorized=True,
        axis=-1,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    shift = observed if circular else 0.0
    size = unknown if circular else _hedges(samples, observed)
    return Effect(observed, interval.low + shift, interval.high + shift, size)


def _gap(*samples: np.ndarray, circular: bool, axis: int) -> np.ndarray:
    """Return the difference of the means of two samples, or the mean of the differences of pairs."""
    means = [centre(values, circular) for values in samples]
    if len(means) == 1:
        return means[0]
    return wrap(means[1] - means[0]) if circular else means[1] - means[0]


def _hedges(samples: Sequence[np.ndarray], difference: np.ndarray) -> np.ndarray:
    """Return Hedges' g; NaN without variation, and if that is not known."""
    freedom = sum(values.shape[-1] - 1 for values in samples)
    squares = sum(values.var(axis=-1) * values.shape[-1] for values in samples)
    spread = np.sqrt(squares / freedom)
    scale = max(float(np.abs(values).max(initial=0)) for values in samples)
    known = spread > 1e-12 * scale
    known &= freedom > 1
    standardised = np.divide(difference, spread, out=np.full_like(difference, np.nan), where=known)
    return standardised * (1 - 3 / (4 * freedom - 1))


def false_discovery(p: np.ndarray) -> np.ndarray:
    """Return q, p corrected after Benjamini and Hochberg; NaN stays and does not count.

    Examples
    --------
    >>> false_discovery(np.array([0.01, np.nan, 0.04])).round(3).tolist()
    [0.02, nan, 0.04]
    """
    q = np.full(p.shape, np.nan)
    known = np.isfinite(p)
    if known.any():
        q[known] = stats.false_discovery_control(p[known])
    return q
