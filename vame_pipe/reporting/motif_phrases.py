"""What the animal does in a motif, in a few words, where its profile is clearly unlike those of others."""

from __future__ import annotations

from collections.abc import Mapping

CLEAR = 1.0
"""Standard deviations over motifs from which a measure is clearly unlike that of the other motifs."""
STILL, SIDEWAYS = 0.15, 0.5
"""Speed as a part of the fastest motif's below which an animal is still; turning to one side, as a part of
that to either side, from which the side is named."""


def phrase(values: Mapping[str, float], scores: Mapping[str, float], fastest: float) -> str:
    """Return what the animal does in a motif, empty if nothing is clear.

    Parameters
    ----------
    values, scores : mapping of str to float
        Mean of each measure, and its distance from the mean of all motifs, standard deviations over motifs.
        Measures that are not known are missing.
    fastest : float
        Speed of the fastest motif.

    Examples
    --------
    >>> values = {"speed": 2.0, "speed_forward": 1.9, "turning": 80.0, "turn_rate": -70.0}
    >>> phrase(values, {"speed": 1.3, "turning": 1.5, "turn_rate": -1.4}, fastest=2.0)
    'fast, turns left'
    """
    found = []
    speed, turning = scores.get("speed", 0.0), scores.get("turning", 0.0)
    if "speed" in values and speed < 0 and values["speed"] < STILL * fastest:
        found.append("still")
    elif speed > CLEAR:
        found.append("fast")
    if turning > CLEAR:
        rate, either = values.get("turn_rate", 0.0), values["turning"]
        side = (
            "turns" if abs(rate) < SIDEWAYS * either else f"turns {'right' if rate > 0 else 'left'}"
        )
        found.append(side)
    elif speed > CLEAR and turning < 0 and values.get("speed_forward", 0.0) > 0:
        found.append("straight ahead")
    length = scores.get("elongation", 0.0)
    if abs(length) > CLEAR:
        found.append("long body" if length > 0 else "short body")
    if scores.get("height", 0.0) > CLEAR:
        found.append("high")
    return ", ".join(found)
