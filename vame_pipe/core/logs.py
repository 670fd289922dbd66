"""Log files of the commands."""

from __future__ import annotations

import logging
from pathlib import Path

from vame_pipe.core.errors import InputError


class Once(logging.Filter):
    """Lets each message pass once: `init` reads a file twice, and an animal after the other."""

    def __init__(self) -> None:
        """Start without any message."""
        super().__init__()
        self._seen: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the message of a record is new."""
        message = record.getMessage()
        is_new = message not in self._seen
        self._seen.add(message)
        return is_new


def log_file(path: Path) -> logging.FileHandler:
    """Return a handler that appends to a file.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(path, mode="a", encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{path}: the log file cannot be written ({error.strerror}). Choose a folder with "
            "write permission."
        ) from None
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s: %(message)s"))
    return handler
