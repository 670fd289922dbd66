"""Exceptions that end a command early."""

from collections.abc import Iterable


class InputError(ValueError):
    """Something in the user's files or settings that must be changed.

    Control characters and other unprintable ones, which come from damaged files, are escaped, so
    that each problem stays one readable line.

    Parameters
    ----------
    *problems : str
        One line each: what, where, what was found, what is allowed, what to do next.
    """

    def __init__(self, *problems: str):
        self.problems = [_printable(problem) for problem in problems]
        super().__init__("\n".join(self.problems))


class Interrupted(Exception):
    """A training was told to stop; its state is saved and it can go on."""


def shortened(text: str, length: int = 40) -> str:
    """Return the beginning of a text that may be long, with dots where it was cut."""
    return text if len(text) <= length else f"{text[: length - 3]}..."


def listing(names: Iterable[str], quote: str = "", limit: int = 6) -> str:
    """Return names with commas between; of many only the first ones and how many there are."""
    names = list(names)
    shown = [f"{quote}{shortened(name)}{quote}" for name in names[:limit]]
    if len(names) > limit:
        return f"{', '.join(shown)}, ... ({len(names)} in all)"
    return ", ".join(shown)


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
