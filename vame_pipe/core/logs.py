"""Log files of the commands."""

from __future__ import annotations

import logging
from pathlib import Path

from vame_pipe.core.errors import InputError


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
