"""Which keypoints are joined by a line in pictures of the animal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse.csgraph import minimum_spanning_tree

from vame_pipe.core.errors import InputError, listing


def nearest_tree(postures: np.ndarray) -> list[list[int]]:
    """Return pairs of keypoints that join all of them with lines as short as possible.

    It is the minimum spanning tree of the median distances.

    Parameters
    ----------
    postures : numpy.ndarray
        `(n_rows, n_keypoints, n_axes)`.

    Examples
    --------
    >>> nearest_tree(np.array([[[0, 0], [4, 0], [1, 0]]]))
    [[0, 2], [1, 2]]
    """
    n_keypoints = postures.shape[1]
    distance = np.zeros((n_keypoints, n_keypoints))
    for i in range(n_keypoints):
        for j in range(i + 1, n_keypoints):
            between = np.linalg.norm(postures[:, i] - postures[:, j], axis=1)
            # a distance of 0 would count as no connection
            distance[i, j] = max(float(np.median(between)), 1e-6) if len(between) else 1.0
    found = minimum_spanning_tree(distance).tocoo()
    return sorted(sorted(pair) for pair in zip(found.row.tolist(), found.col.tolist(), strict=True))


def named_bones(pairs: Sequence[Sequence[str]], keypoints: Sequence[str]) -> list[list[int]]:
    """Return pairs of names as pairs of indices.

    Raises
    ------
    InputError
        With every name that is not among the keypoints.
    """
    unknown = dict.fromkeys(name for pair in pairs for name in pair if name not in keypoints)
    if unknown:
        raise InputError(
            *(
                f"skeleton: keypoint '{name}' is not in the recordings, which have: "
                f"{listing(keypoints, quote=chr(39), limit=50)}. Correct the name."
                for name in unknown
            )
        )
    return [[keypoints.index(name) for name in pair] for pair in pairs]
