"""What the configuration says of the sessions whose groups are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vame_pipe.config.sections import Session


@dataclass(frozen=True)
class Member:
    """What the configuration says of a session: where it belongs, and its scale."""

    group: str | None = None
    subject: str | None = None
    pair: str | None = None
    px_per_cm: float | None = None


def members_of(sessions: Mapping[str, Session]) -> dict[str, Member]:
    """Return where sessions belong.

    Examples
    --------
    >>> members_of({"m1": Session(poses="m1.csv", group="control")})
    {'m1': Member(group='control', subject=None, pair=None, px_per_cm=None)}
    """
    return {
        name: Member(session.group, session.subject, session.pair, session.px_per_cm)
        for name, session in sessions.items()
    }
