"""Names of keypoints: spellings of the same one, ends of a body axis, names that are not in a file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vame_pipe.core.errors import did_you_mean, listing

if TYPE_CHECKING:
    from vame_pipe.config.sections import Align

SIDES = {"l": "left", "r": "right"}
PAIRED = "ear|eye|hip|paw|wing|hand|foot|knee|shoulder|elbow|wrist|ankle"
SYNONYMS = {
    "snout": "nose",
    "centre": "center",
    "cent": "center",
    "centroid": "center",
    "tailroot": "tailbase",
    "tailstart": "tailbase",
    "basetail": "tailbase",
}
TAIL_BASES = {"base", "root", "start", "proximal", "begin"}
FORWARD = ("nose", "head", "neck", "thorax")
"""Words of keypoints at the front of an animal, the best first."""
CENTRE = (
    *("tailbase", "butt", "hip", "rump", "abdomen", "tail", "center", "body"),
    *("thorax", "back", "spine", "neck"),
)
"""Words of keypoints behind it, the best first."""
OBJECTS = {
    *("object", "corner", "arena", "cage", "box", "spout", "tube", "port", "feeder"),
    *("joystick", "lever", "pedal", "wheel", "led"),
}
"""Words of keypoints that are on no animal."""
NOT_AXIS = OBJECTS | {"left", "right", "tip", "end", "paw", "leg", "hand", "foot", "finger", "ear"}
"""Words of keypoints that end no body axis."""


def words(name: str) -> tuple[str, ...]:
    """Return the words of the name of a keypoint in a common spelling, sorted.

    Names of the same keypoint in other spellings have the same words.

    Examples
    --------
    >>> words("LeftEar"), words("ear_l"), words("leftear"), words("earL")
    (('ear', 'left'), ('ear', 'left'), ('ear', 'left'), ('ear', 'left'))
    >>> words("Tail_base"), words("Butt/Proximal Tail"), words("Snout"), words("bodycentre")
    (('tailbase',), ('butt', 'tailbase'), ('nose',), ('body', 'center'))
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)  # at a change of case
    found: list[str] = []
    for word in re.findall(r"[a-z]+|\d+", spaced.lower()):
        word = SYNONYMS.get(SIDES.get(word, word), SIDES.get(word, word))
        if match := re.fullmatch(rf"({PAIRED})([lr])", word):
            found += [match[1], SIDES[match[2]]]
        elif match := re.fullmatch(r"(left|right|body|head)([a-z]{3,})", word):
            found += [match[1], SYNONYMS.get(match[2], match[2])]
        else:
            found.append(word)
    if "tail" in found and TAIL_BASES & set(found):
        found = [word for word in found if word not in TAIL_BASES | {"tail"}] + ["tailbase"]
    return tuple(sorted(found))


def end_of_axis(names: Sequence[str], wanted: Sequence[str], taken: str = "") -> str | None:
    """Return the keypoint whose name has the first of some words; None if there is none.

    Parameters
    ----------
    names : sequence of str
    wanted : sequence of str
        `FORWARD` or `CENTRE`.
    taken : str
        A name that is not available.

    Examples
    --------
    >>> names = ["left_ear", "Snout", "spine_2", "tail_tip", "TailBase"]
    >>> end_of_axis(names, FORWARD), end_of_axis(names, CENTRE)
    ('Snout', 'TailBase')
    """
    candidates = [
        (name, set(words(name)))
        for name in names
        if name != taken and not NOT_AXIS & set(words(name))
    ]
    for word in wanted:
        matching = [(len(found), name) for name, found in candidates if word in found]
        if matching:
            return min(matching, key=lambda each: each[0])[1]  # the plainest name
    return None


def missing_keypoints(
    available: list[str], settings: Align, aliases: dict[str, list[str]] | None
) -> list[str]:
    """Return configured keypoints that are missing from a file or ambiguous, one message each.

    The configuration makes sure that centre and forward are among the keypoints to use.

    Parameters
    ----------
    available : list of str
        Names of the keypoints in the file.
    settings : Align
        Names the keypoints of the body axis.
    aliases : dict of str to list of str, optional
        Keypoints to use, each with the names that it can have in the file; None: all of the file.
    """
    has = f"which has: {listing(available, limit=12)}"
    problems = []
    for name, names in (aliases or {}).items():
        found = [n for n in names if n in available]
        if not found:
            shown = "' or '".join(names)
            similar = [question for n in names if (question := did_you_mean(n, available))]
            problems.append(
                f"keypoint '{shown}' is not in its file, {has}. Set keypoints to names from this list."
                f"{''.join(similar[:1])}"
            )
        elif len(found) > 1:
            problems.append(
                f"keypoint '{name}' matches several names in its file: {' and '.join(found)}. Keep one "
                f"of them in keypoints.{name}."
            )
    for key, names in settings.named_keypoints.items():
        problems += [
            f"keypoint '{name}' is not in its file, {has}. Set align.{key} to one of these."
            f"{did_you_mean(name, available)}"
            for name in names
            if aliases is None and name not in available
        ]
    return list(dict.fromkeys(problems))
