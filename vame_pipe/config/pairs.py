"""Whether groups, subjects and pairs of sessions agree with each other."""

from __future__ import annotations

from collections.abc import Mapping

from vame_pipe.config.sections import Session
from vame_pipe.core.errors import listing


def problems(sessions: Mapping[str, Session]) -> list[str]:
    """Return the subjects that have several pairs, one line each."""
    pairs: dict[str, dict[str, str]] = {}
    for name, session in sessions.items():
        if session.pair is not None:
            pairs.setdefault(session.subject or name, {}).setdefault(session.pair, name)
    return [
        f"config: subject {subject} is in the pairs "
        f"{listing(f'{pair} (sessions.{session})' for pair, session in of_subject.items())}, but an animal "
        "belongs to one pair. Correct pair or subject."
        for subject, of_subject in pairs.items()
        if len(of_subject) > 1
    ]


def warnings(sessions: Mapping[str, Session]) -> list[str]:
    """Return what of a comparison of groups is probably a mistake, one line each."""
    grouped = {n: s for n, s in sessions.items() if s.group is not None}
    groups = _groups_of({name: s.subject or name for name, s in grouped.items()}, grouped)
    several = [subject for subject, names in groups.items() if len(names) > 1]
    found = []
    n_groups = len({session.group for session in grouped.values()})
    if n_groups > 2 and n_groups == len(groups) and not several:
        found.append(
            f"each of {n_groups} animals is in a group of its own: no difference can be tested, and the "
            "table of groups has rows of every two animals. Is that right? Give animals that were treated "
            "alike the same group."
        )
    if several and len(several) < len(groups):
        in_one = [subject for subject in groups if subject not in several]
        found.append(
            f"subject {listing(several)} is in several groups, so it is compared with itself; "
            f"{listing(in_one)} is in one group only and left out of such a comparison. Is that right? See "
            "group and subject."
        )
    pairs = _groups_of({name: s.pair for name, s in grouped.items() if s.pair}, grouped)
    alone = [f"{pair} ({', '.join(names)})" for pair, names in pairs.items() if len(names) == 1]
    if alone:
        found.append(
            f"pair {listing(alone)} is in one group only: a pair needs an animal in each of two groups and "
            "is left out of a paired comparison. Is that right? See pair and group."
        )
    return found


def _groups_of(key_of: Mapping[str, str], sessions: Mapping[str, Session]) -> dict[str, list[str]]:
    """Return the groups of each key, given the key of each session."""
    groups: dict[str, dict[str, None]] = {}
    for name, key in key_of.items():
        groups.setdefault(key, {})[str(sessions[name].group)] = None
    return {key: list(names) for key, names in groups.items()}
