"""Exceptions that end a command early."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

LEAVE_OUT = "Repair the recording, or leave it out"
"""What to do about a recording that cannot be aligned."""


class InputError(ValueError):
    """Invalid user input: files or settings that must be fixed.

    Control characters and other unprintable characters, which come from damaged files, are escaped, so
    that each problem is one readable line.

    Parameters
    ----------
    *problems : str
        One line each: what is wrong, where, what was found, what is allowed, what to do next.

    Examples
    --------
    >>> InputError("a.csv: is empty", "b.csv: no such file").problems
    ['a.csv: is empty', 'b.csv: no such file']
    """

    def __init__(self, *problems: str):
        self.problems = [_printable(problem) for problem in problems]
        super().__init__("\n".join(self.problems))


class Interrupted(Exception):
    """Training was interrupted; a checkpoint was saved, so it can be resumed."""


def shortened(text: str, length: int = 40) -> str:
    """Return a text, cut to a length; three dots show that it was cut.

    Examples
    --------
    >>> shortened("left_hind_paw", 9)
    'left_h...'
    """
    return text if len(text) <= length else f"{text[: length - 3]}..."


def listing(names: Iterable[str], quote: str = "", limit: int = 6) -> str:
    """Return comma-separated names; of many names the first ones and the total.

    Examples
    --------
    >>> listing(["nose", "spine", "tailbase"], quote="'", limit=2)
    "'nose', 'spine', ... (3 in all)"
    """
    names = list(names)
    shown = [f"{quote}{shortened(name)}{quote}" for name in names[:limit]]
    if len(names) > limit:
        return f"{', '.join(shown)}, ... ({len(names)} in all)"
    return ", ".join(shown)


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return a question about the most similar name, with a blank before it; empty if none is similar.

    Upper case, underscores, hyphens and blanks do not count.

    Examples
    --------
    >>> did_you_mean("TailBase", ["nose", "tail", "tail_base"])
    " Did you mean 'tail_base'?"
    >>> did_you_mean("belly", ["nose", "tail"])
    ''
    """
    spelled = {_plain(each): each for each in names}
    close = get_close_matches(_plain(name), spelled, n=1)
    return f" Did you mean '{shortened(spelled[close[0]])}'?" if close else ""


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name).casefold()


def _printable(text: str) -> str:
    """Return a text with unprintable characters escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
