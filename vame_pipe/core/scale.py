"""Speeds of an animal, and centimetres where the scale of a recording is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from vame_pipe.core.errors import InputError
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
    return np.asarray(np.linalg.norm(parts, axis=0)) if parts else None


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


def check_scales(px_per_cm: Mapping[str, float], sessions: Iterable[str]) -> None:
    """Check that all sessions have a scale, or none.

    Parameters
    ----------
    px_per_cm : mapping of str to float
        Scales that are known, by session.
    sessions : iterable of str
        Sessions whose lengths are put together.

    Raises
    ------
    InputError
        If some have one and others do not.

    Examples
    --------
    >>> check_scales({"a": 9.5}, ["a", "b"])
    Traceback (most recent call last):
    ...
    vame_pipe.core.errors.InputError: session b: px_per_cm is missing, but other sessions have it. Give it \
to every session, or to none.
    """
    sessions = list(sessions)
    without = [name for name in sessions if name not in px_per_cm]
    if without and len(without) < len(sessions):
        raise InputError(
            *(
                f"session {name}: px_per_cm is missing, but other sessions have it. Give it to every "
                "session, or to none."
                for name in without
            )
        )
