"""Records of facts as JSON, which tell what a result was made from and what came of it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from vame_pipe import __version__
from vame_pipe.core import files
from vame_pipe.core.errors import InputError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Facts = TypeVar("Facts")


def write(facts: DataclassInstance, format_version: int, path: Path) -> None:
    """Write a record with the versions of its format and of the package, atomically."""
    versions = {"format_version": format_version, "package_version": __version__}
    files.write_json(path, versions | dataclasses.asdict(facts))


def read(
    path: Path,
    format_version: int,
    make: Callable[[dict[str, Any]], Facts],
    kind: str,
    command: str,
) -> Facts:
    """Return a record that `write` wrote.

    Parameters
    ----------
    path : Path
    format_version : int
        The version that is understood.
    make : callable
        Returns the record, given the content without the versions.
    kind : str
        What the file should be, for messages.
    command : str
        The command that writes it, for messages.

    Raises
    ------
    InputError
        If the file is missing, damaged or of another version.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = content.pop("format_version")
        content.pop("package_version")
        if found == format_version:
            return make(content)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}). Run {command} first."
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(
            f"{path}: is damaged, or not {kind}. Delete it and run snakemake."
        ) from None
    raise InputError(
        f"{path}: has format {found}, this version of vame_pipe reads format {format_version}. Run "
        f"snakemake or {command}, which make it again."
    )
