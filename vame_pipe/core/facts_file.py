"""Records of facts as JSON, which tell what a result was made from and what came of it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from vame_pipe import __version__
from vame_pipe.core import files
from vame_pipe.core.errors import InputError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Facts = TypeVar("Facts", bound="DataclassInstance")


@dataclass(frozen=True)
class FactsFile(Generic[Facts]):
    """How records of one kind are stored.

    Attributes
    ----------
    make : callable
        Returns the record, given its content by keyword.
    format_version : int
        The version that is written, and the only one that is read.
    kind : str
        What such a file is, for messages.
    command : str
        The command that writes it, for messages.
    """

    make: Callable[..., Facts]
    format_version: int
    kind: str
    command: str

    def write(self, facts: Facts, path: Path) -> None:
        """Write a record with the versions of its format and of the package, atomically."""
        versions = {"format_version": self.format_version, "package_version": __version__}
        files.write_json(path, versions | dataclasses.asdict(facts))

    def read(self, path: Path) -> Facts:
        """Return a record that `write` wrote.

        Raises
        ------
        InputError
            If the file is missing, damaged or of another version.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            found = content.pop("format_version")
            content.pop("package_version")
            if found == self.format_version:
                return self.make(**content)
        except OSError as error:
            raise InputError(
                f"{path}: cannot be read ({error.strerror}). Run {self.command} first."
            ) from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise InputError(
                f"{path}: is damaged, or not {self.kind}. Delete it and run snakemake."
            ) from None
        raise InputError(
            f"{path}: has format {found}, this version of vame_pipe reads format {self.format_version}. "
            f"Run snakemake or {self.command}, which make it again."
        )
