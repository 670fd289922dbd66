"""Speeds of an animal, and centimetres where the scale of a recording is known."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

import numpy as np

from vame_pipe.core.metadata import AlignedMetadata

CM = "cm"
SPEEDS = ("speed_forward", "speed_lateral", "speed_vertical")
"""Parts of the velocity of the centre; the last one in three dimensions only."""


def speed(features: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """Return the speed of the centre `(n_rows,)`; None if the recording was aligned without kinematics.

    Examples
    --------
    >>> speed({"speed_forward": np.array([3.0]), "speed_lateral": np.array([-4.0])}).tolist()
    [5.0]
    """
    parts = [features[name] for name in SPEEDS if name in features]
    return np.asarray(reduce(np.hypot, parts)) if parts else None


def cm_per_unit(meta: AlignedMetadata, individual: str, px_per_cm: float) -> float:
    """Return how many centimetres a unit of length of the features of an animal is.

    Parameters
    ----------
    meta : AlignedMetadata
    individual : str
    px_per_cm : float
        Scale of the session: pixels per centimetre (of 3D poses, units of the file).
    """
    length = meta.individuals[individual].body_length_px if meta.settings["scale"] else 1.0
    return length / px_per_cm
