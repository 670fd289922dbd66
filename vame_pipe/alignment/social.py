"""Where another animal of the session is and how it moves, seen from the animal.

Pure functions of tracks. Ahead and right are those of the focal animal; "nose" is `align.forward` and
"tail" `align.centre`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from vame_pipe.alignment.geometry import norm
from vame_pipe.alignment.kinematics import difference
from vame_pipe.core.errors import InputError, listing

if TYPE_CHECKING:
    from vame_pipe.alignment.track import Track

NAMES = (
    *("partner_forward", "partner_lateral", "partner_heading_cos", "partner_heading_sin"),
    *("partner_log_nose_nose", "partner_log_nose_tail", "partner_log_tail_nose"),
    *("partner_log_nearest", "partner_approach"),
    *("partner_speed_forward", "partner_speed_lateral"),
    *("partner_bearing_cos", "partner_bearing_sin"),
)
"""Columns that `features` returns."""
MIN_DISTANCE = 0.01
"""Body lengths, added to a distance before its logarithm."""


def features(focal: Track, others: list[Track], scale: bool) -> np.ndarray:
    """Return the features of the partner, `(n_rows, 13)` in the order of `NAMES`.

    Parameters
    ----------
    focal : Track
        The animal from which the partner is seen.
    others : list of Track
        Its possible partners; in each row the one whose centre is nearest is the partner.
    scale : bool
        Lengths are in body lengths of the focal animal; false: in the unit of the positions.

    Returns
    -------
    numpy.ndarray
        NaN where no partner is known.
    """
    others = [on_floor_of(focal, other) for other in others]
    offsets = [norm(_centre(other) - _centre(focal)) for other in others]
    distance = np.stack([np.where(np.isnan(offset), np.inf, offset) for offset in offsets])
    nearest = distance.argmin(axis=0)
    values = np.full((len(NAMES), len(nearest)), np.nan)
    for i, other in enumerate(others):
        np.copyto(values, seen(focal, other, scale), where=nearest == i)
    return values.T


def on_floor_of(focal: Track, other: Track) -> Track:
    """Return another animal with its heights measured from where those of the focal animal are.

    Each animal has a floor of its own, the lowest of its keypoints.
    """
    lift = (other.quality.floor or 0.0) - (focal.quality.floor or 0.0)
    if lift == 0.0:
        return other
    position = other.position.copy(order="K")
    position[..., 2] += lift
    return replace(other, position=position)


def seen(focal: Track, partner: Track, scale: bool) -> np.ndarray:
    """Return the features of one partner, `(13, n_rows)` in the order of `NAMES`.

    Parameters
    ----------
    focal, partner : Track
        Both with the same rows and the same floor.
    scale : bool
        Lengths are in body lengths of the focal animal; false: in the unit of the positions.
    """
    unit = focal.body_length if scale else 1.0
    offset = (_centre(partner) - _centre(focal)) / unit
    velocity = difference(_centre(partner), focal.fps) / unit
    nose, partner_nose = _nose(focal), _nose(partner)
    between = (
        *(norm(partner_nose - nose), norm(_centre(partner) - nose)),
        *(norm(partner_nose - _centre(focal)), smallest_distance(focal.position, partner.position)),
    )
    added = MIN_DISTANCE * focal.body_length / unit
    position = turned(offset, focal.heading)
    apart = np.hypot(*position)
    with np.errstate(invalid="ignore"):  # no bearing if one is exactly above the other
        bearing = position / apart
    return np.stack(
        [
            *position,
            *turned(partner.heading, focal.heading),
            *(np.log(distance / unit + added) for distance in between),
            -difference(norm(offset), focal.fps),
            *turned(velocity, focal.heading),
            *bearing,
        ]
    )


def turned(vectors: np.ndarray, heading: np.ndarray) -> np.ndarray:
    """Return the parts of vectors `(n, 2 or 3)` ahead and to the right of a heading, `(2, n)`.

    Examples
    --------
    A step to the right in the image, of an animal that looks down in it, is one to its left:

    >>> turned(np.array([[2.0, 0.0]]), np.array([[0.0, 1.0]])).tolist()
    [[0.0], [-2.0]]
    """
    cos, sin = heading.T
    x, y = vectors[:, 0], vectors[:, 1]
    return np.stack([cos * x + sin * y, cos * y - sin * x])


def smallest_distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the smallest distance between any known keypoints of two animals, `(n_rows,)`.

    Parameters
    ----------
    one, other : numpy.ndarray
        `(n_rows, n_keypoints, 2 or 3)`, NaN where missing.

    Returns
    -------
    numpy.ndarray
        NaN where one of them has no known keypoint.
    """
    smallest = np.full(len(one), np.nan)
    for i in range(one.shape[1]):
        for j in range(other.shape[1]):
            np.fmin(smallest, norm(one[:, i] - other[:, j]), out=smallest)
    return smallest


def require_partners(tracks: dict[str, Track], partner: str | None) -> None:
    """Check that there are partners on the same clock.

    Raises
    ------
    InputError
        If there is only one animal, if none has the name of the partner, or if their frames differ.
    """
    names = listing(list(tracks), "'")
    if len(tracks) < 2:
        raise InputError(
            f"there is only one animal ({names}), but align.social needs two or more. Set align.social to "
            "false."
        )
    if partner is not None and partner not in tracks:
        raise InputError(
            f"align.partner '{partner}' is not among the animals: {names}. Set it to one of these, or to "
            "null for the nearest one."
        )
    first = next(iter(tracks.values()))
    for track in tracks.values():
        if not np.array_equal(track.time_s, first.time_s):
            raise InputError(
                f"the animals {names} are not tracked in the same frames, but align.social needs that. "
                "Export all of them for the whole video."
            )


def partners(name: str, tracks: dict[str, Track], partner: str | None) -> list[Track]:
    """Return the possible partners of an animal: the named one, or all others; so for the named one."""
    if partner is not None and partner != name:
        return [tracks[partner]]
    return [track for other, track in tracks.items() if other != name]


def _centre(track: Track) -> np.ndarray:
    return track.position[:, track.selected.centre]


def _nose(track: Track) -> np.ndarray:
    return track.position[:, track.selected.forward]
