"""What the configuration says of the sessions whose groups are compared."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from vame_pipe.core.errors import InputError


@dataclass(frozen=True)
class Member:
    """What the configuration says of a session: where it belongs, and its scale."""

    group: str | None = None
    subject: str | None = None
    pair: str | None = None
    px_per_cm: float | None = None

    def __post_init__(self) -> None:
        """Refuse a scale that is not a number above 0."""
        if self.px_per_cm is not None and not 0 < self.px_per_cm < math.inf:
            raise ValueError(self.px_per_cm)


def parse_members(text: str) -> dict[str, Member]:
    """Return where sessions belong, as the command line gives it in JSON.

    Raises
    ------
    InputError
        If it is not that.

    Examples
    --------
    >>> parse_members('{"m1": {"group": "control"}}')
    {'m1': Member(group='control', subject=None, pair=None, px_per_cm=None)}
    """
    try:
        content = {name: Member(**member) for name, member in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError):
        content = {}
    if not content:
        raise InputError(
            'groups: --sessions must be JSON like {"m1": {"group": "control", "subject": "mouse 1"}}, with '
            "one session or more."
        )
    return content
