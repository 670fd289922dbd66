"""Numbers and lists in sentences."""

from __future__ import annotations

from collections.abc import Iterable


def counted(n: int, noun: str) -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> counted(1, "recording"), counted(1200, "recording")
    ('1 recording', '1,200 recordings')
    """
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def joined(names: Iterable[str]) -> str:
    """Return names as in a sentence.

    Examples
    --------
    >>> joined(["25"]), joined(["25", "30"]), joined(["25", "30", "60"])
    ('25', '25 and 30', '25, 30 and 60')
    """
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
