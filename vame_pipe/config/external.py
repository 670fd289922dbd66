"""Entries of `models` that name a model that was trained elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import StringConstraints, ValidationError, model_validator

from vame_pipe.config.messages import explain
from vame_pipe.config.sections import Section
from vame_pipe.core.layout import MotifFolder

REGISTERED = "models:/"
"""How the address of a registered model of MLflow begins: models:/NAME@ALIAS or models:/NAME/VERSION."""

Text = Annotated[str, StringConstraints(min_length=1, pattern=r"^[^{}]*$")]


class External(Section):
    """A model that was trained elsewhere: sessions are encoded and labelled with it."""

    file: Text
    """Model file, or models:/NAME@ALIAS for a registered model of MLflow."""
    segmentation: Text | None = None
    """Folder with its segmentation.npz and segmentation.json; null: those of the registered model."""

    @model_validator(mode="after")
    def _has_segmentation(self) -> External:
        if self.segmentation is None and not self.is_registered:
            raise ValueError(
                "segmentation is missing: add the folder with the segmentation.npz and segmentation.json "
                "of the model"
            )
        return self

    @property
    def is_registered(self) -> bool:
        """Whether it is a registered model of MLflow."""
        return self.file.startswith(REGISTERED)

    @property
    def files(self) -> list[str]:
        """The files on disk that it is made of."""
        folder = MotifFolder(Path(self.segmentation)) if self.segmentation else None
        of_folder = [str(folder.segmentation), str(folder.settings)] if folder else []
        return of_folder if self.is_registered else [self.file, *of_folder]

    def file_problems(self) -> list[str]:
        """Return one line for each of its files that does not exist."""
        return [
            f"{path}: no such file. Check the path; it is relative to the working directory."
            for path in self.files
            if not Path(path).is_file()
        ]


def is_external(entry: Mapping[str, Any]) -> bool:
    """Return whether an entry of `models` names a model that was trained elsewhere."""
    return "file" in entry


def problems(name: str, entry: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with such an entry, one line each.

    Examples
    --------
    >>> problems("lab", {"file": "lab.pt", "segmentation": "lab", "zdims": 3})
    ['config: models.lab: zdims is not a known key. Allowed: file, segmentation.']
    """
    try:
        External.model_validate(entry)
    except ValidationError as error:
        return explain(error, f"config: models.{name}", External)
    return []
