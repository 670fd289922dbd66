"""Leave keypoints that are badly tracked out of all sessions."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from vame_pipe.alignment.egocentric import select_keypoints
from vame_pipe.alignment.recorded import read_recorded
from vame_pipe.alignment.track import find_unreliable
from vame_pipe.core import keypoint_choice
from vame_pipe.core.errors import InputError, did_you_mean, listing
from vame_pipe.core.keypoint_choice import KeypointChoice

if TYPE_CHECKING:
    from vame_pipe.config.sections import Align, Session
    from vame_pipe.poses.contract import Poses

log = logging.getLogger(__name__)


def choose_keypoints(
    sessions: dict[str, Session],
    settings: Align,
    keypoints: dict[str, list[str]] | None,
    out: Path,
) -> None:
    """Write which keypoints to use: those that are not missing too often, in all sessions together.

    Parameters
    ----------
    sessions : dict of str to Session
        The recordings that decide, by name. One that cannot be read does not count; aligning it says why.
    settings : Align
        Its `drop_bad_keypoints` is the largest fraction of frames in which a keypoint may be missing.
        Keypoints of the body axis are always used.
    keypoints : dict of str to list of str, optional
        Keypoints of the configuration, each with the names that it can have in the file; None: all of a
        file.
    out : Path
        results/keypoints.json.

    Raises
    ------
    InputError
        If `min_confidence` names a keypoint that is in no file.
    """
    missing: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for name, source in sessions.items():
        try:
            animals, _ = read_recorded(source, settings.max_gap_s)
            for poses in animals.values():
                count_missing(poses, settings, keypoints, missing, seen)
        except InputError as error:
            log.info("session %s does not count: %s", name, error)
    fractions = {name: missing[name] / max(1, seen[name]) for name in seen}
    named = settings.named_keypoints.get("min_confidence", [])
    unknown = [name for name in named if seen and name not in seen]
    if unknown:
        raise InputError(
            f"align.min_confidence names {listing(unknown, chr(39))}, but the keypoints are: "
            f"{listing(list(seen))}. Rename or remove it.{did_you_mean(unknown[0], seen)}"
        )
    keypoint_choice.write(choose(fractions, settings, keypoints), out)


def count_missing(
    poses: Poses,
    settings: Align,
    keypoints: dict[str, list[str]] | None,
    missing: Counter[str],
    seen: Counter[str],
) -> None:
    """Add the frames in which each keypoint is missing, and those in which the animal is seen at all.

    Raises
    ------
    InputError
        If a keypoint is not in the file.
    """
    selected = select_keypoints(poses, settings, keypoints)
    lost = find_unreliable(selected, settings).lost
    present = ~lost.all(axis=1)
    for name, column in zip(selected.names, lost.T, strict=True):
        missing[name] += int(column[present].sum())
        seen[name] += int(present.sum())


def choose(
    missing: dict[str, float], settings: Align, keypoints: dict[str, list[str]] | None
) -> KeypointChoice:
    """Return which keypoints to use, given the fraction of frames in which each is missing.

    Examples
    --------
    >>> from vame_pipe.config.sections import Align
    >>> settings = Align(centre="tail", forward="nose", drop_bad_keypoints=0.5)
    >>> choice = choose({"tail": 0.1, "nose": 0.6, "ear": 0.7, "paw": 0.4}, settings, None)
    >>> choice.dropped, choice.kept
    (['ear'], {'tail': ['tail'], 'nose': ['nose'], 'paw': ['paw']})
    """
    limit = 1.0 if settings.drop_bad_keypoints is None else settings.drop_bad_keypoints
    bad = [name for name, fraction in missing.items() if fraction > limit]
    dropped = []
    for name in bad:
        found = f"missing in {missing[name]:.0%} of the frames (align.drop_bad_keypoints {limit:g})"
        if name in settings.body_axis:
            log.warning(
                "keypoint '%s' is %s, but the body axis needs it. Choose another one.", name, found
            )
        else:
            dropped.append(name)
            log.warning("keypoint '%s' is left out of all sessions: %s", name, found)
    if not dropped:
        return KeypointChoice(keypoints, [], missing)
    all_names = keypoints or {name: [name] for name in missing}
    kept = {name: names for name, names in all_names.items() if name not in dropped}
    return KeypointChoice(kept, dropped, missing)
