"""Which motif follows which: transitions, their entropy rate, and the tree of motifs that are alike."""

from __future__ import annotations

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from vame_pipe.core.description import Tree


def transition_counts(source: np.ndarray, target: np.ndarray, n_motifs: int) -> np.ndarray:
    """Return how often each motif follows each other one, `(n_motifs, n_motifs)` int64, source first.

    Parameters
    ----------
    source, target : numpy.ndarray
        `(n_transitions,)` int.
    n_motifs : int
    """
    counts = np.bincount(source * n_motifs + target, minlength=n_motifs**2)
    return counts.reshape(n_motifs, n_motifs)


def probabilities(counts: np.ndarray) -> np.ndarray:
    """Return the probability of each next motif, `(n_motifs, n_motifs)`; a row of zeros if there is none.

    Examples
    --------
    >>> probabilities(np.array([[0, 3, 1], [0, 0, 0], [2, 0, 0]])).tolist()
    [[0.0, 0.75, 0.25], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    """
    total = counts.sum(axis=1, keepdims=True)
    return counts / np.maximum(total, 1)


def entropy_rate(counts: np.ndarray) -> float | None:
    """Return how uncertain the next motif is if the present one is known, bits per transition.

    0: each motif is always followed by the same one; the logarithm of n - 1 to base 2: any other motif of n
    follows with the same probability. A motif counts as often as it is left.

    Parameters
    ----------
    counts : numpy.ndarray
        Result of `transition_counts`.

    Returns
    -------
    float or None
        None if there is no transition.

    Examples
    --------
    >>> entropy_rate(np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]))
    1.0
    """
    if not counts.sum():
        return None
    chance = probabilities(counts)
    logarithm = np.log2(chance, out=np.zeros_like(chance), where=chance > 0)
    weight = counts.sum(axis=1) / counts.sum()
    return float(abs(weight @ (chance * logarithm).sum(axis=1)))


def transition_distance(counts: np.ndarray) -> np.ndarray:
    """Return how rarely two motifs follow one another, `(n_motifs, n_motifs)`, from 0 to 1, symmetric.

    It is 1 minus the mean of the probabilities of both directions.

    Parameters
    ----------
    counts : numpy.ndarray
        Result of `transition_counts`.
    """
    chance = probabilities(counts)
    distance = 1 - (chance + chance.T) / 2
    np.fill_diagonal(distance, 0)
    return distance


def profile_distance(means: np.ndarray) -> np.ndarray:
    """Return how differently the animal moves in two motifs, `(n_motifs, n_motifs)`.

    It is the Euclidean distance of their profiles, each measure in units of its standard deviation over
    motifs. What is not known of a motif counts as the mean of the others.

    Parameters
    ----------
    means : numpy.ndarray
        `(n_motifs, n_measures)`, NaN where not known.
    """
    known = np.isfinite(means)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, means, 0).sum(axis=0) / count
    centred = np.where(known, means - mean, 0)
    spread = np.sqrt((centred**2).sum(axis=0) / count)
    scaled = centred / np.where(spread > 1e-12, spread, 1)
    return np.linalg.norm(scaled[:, None] - scaled[None], axis=2)


def tree(distance: np.ndarray, n_communities: int) -> Tree:
    """Return the tree that average linkage makes, cut into communities.

    Parameters
    ----------
    distance : numpy.ndarray
        `(n_motifs, n_motifs)`, symmetric, zeros on the diagonal.
    n_communities : int
        Most communities; they are numbered by their first motif.

    Examples
    --------
    >>> near = np.array([[0, 9, 1], [9, 0, 9], [1, 9, 0]])
    >>> tree(near, 2).communities
    [0, 1, 0]
    """
    if len(distance) < 2:
        return Tree([], [0] * len(distance))
    joined = linkage(squareform(distance, checks=False), method="average")
    group = fcluster(joined, n_communities, criterion="maxclust")
    _, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(first))
    return Tree(joined.tolist(), order[inverse].tolist())
