"""In how many pieces the animals of a recording were tracked."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vame_pipe.core.quality import Fragments
from vame_pipe.poses.contract import Poses


def fragments(animals: Mapping[str, Poses], n_recorded: int | None = None) -> Fragments:
    """Return in how many pieces the animals of a recording were tracked.

    Parameters
    ----------
    animals : dict of str to Poses
        What `read_poses` returns: at least one animal, all with the same frames.
    n_recorded : int, optional
        Frames in which the camera ran, if it stopped between two files; default: all.

    Examples
    --------
    >>> position = np.ones((10, 1, 2))
    >>> position[[2, 3, 9]] = np.nan
    >>> poses = Poses(position, np.ones((10, 1)), ("nose",), fps=10, source="example")
    >>> fragments({"id_0": poses})
    Fragments(n_fragments=2, longest_s=0.5, covered_fraction=0.7)
    """
    n_fragments, longest = 0, 0.0
    covered = np.zeros(len(next(iter(animals.values())).position), dtype=bool)
    for poses in animals.values():
        there = ~np.isnan(poses.position[..., 0]).all(axis=1)
        covered |= there
        step = np.diff(there.astype(np.int8), prepend=0, append=0)
        length = np.flatnonzero(step < 0) - np.flatnonzero(step > 0)
        n_fragments += len(length)
        longest = max(longest, float(length.max(initial=0)) / poses.fps)
    return Fragments(n_fragments, longest, float(covered.sum() / (n_recorded or len(covered))))
