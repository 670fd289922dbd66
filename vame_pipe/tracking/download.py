"""Download a registered model, without running code from it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import MotifFolder
from vame_pipe.tracking.address import URI_VARIABLE
from vame_pipe.tracking.registry import ARTIFACTS, MODEL_NAME
from vame_pipe.tracking.store import (
    make_client,
    redact_error,
    store_errors,
)

REGISTERED = "models:/"


@dataclass(frozen=True)
class ModelFiles:
    """The files of a model that was trained elsewhere.

    Attributes
    ----------
    model : Path
        The model file.
    segmentation : MotifFolder or None
        Its segmentation; None if it has none.
    """

    model: Path
    segmentation: MotifFolder | None


def locate(
    model: str, segmentation: Path | None, tracking_uri: str | None, folder: Path
) -> ModelFiles:
    """Return the files of a model; download them if it is a registered model of MLflow.

    Parameters
    ----------
    model : str
        Path of a model file, models:/NAME@ALIAS or models:/NAME/VERSION.
    segmentation : Path or None
        Folder of its segmentation; None: that of the registered model.
    tracking_uri : str or None
        Address of MLflow; MLFLOW_TRACKING_URI takes precedence.
    folder : Path
        Where to put a downloaded model.

    Raises
    ------
    InputError
        If the server does not answer, or if it has no such model.
    """
    given = MotifFolder(segmentation) if segmentation else None
    if not model.startswith(REGISTERED):
        return ModelFiles(Path(model), given)
    uri = os.environ.get(URI_VARIABLE) or tracking_uri
    if not uri:
        raise InputError(
            f"{model}: the address of MLflow is missing. Set mlflow.tracking_uri (--tracking-uri) or the "
            f"environment variable {URI_VARIABLE}."
        )
    found = _download(model, uri, folder)
    return ModelFiles(found.model, given or found.segmentation)


def _download(model_uri: str, tracking_uri: str, folder: Path) -> ModelFiles:
    """Download a registered model; code in it is not run."""
    from mlflow.artifacts import download_artifacts

    parsed = re.fullmatch(rf"{REGISTERED}([^/@]+)(?:@([^/@]+)|/(\d+))", model_uri)
    if not parsed:
        raise InputError(
            f"{model_uri}: not a registered model. Write models:/NAME@ALIAS or models:/NAME/VERSION."
        )
    name, alias, number = parsed.groups()
    client = make_client(tracking_uri)
    try:
        if alias:
            number = client.get_model_version_by_alias(name, alias).version
        source = client.get_model_version_download_uri(name, number)
        # not of `models:/...`: MLflow would look for that in the store of its environment
        found = download_artifacts(
            artifact_uri=source, dst_path=str(folder), tracking_uri=tracking_uri
        )
    except store_errors() as error:
        raise InputError(
            f"{model_uri}: cannot be downloaded from MLflow ({redact_error(error, tracking_uri)}). Check "
            "the name, and mlflow.tracking_uri or MLFLOW_TRACKING_URI."
        ) from None
    artifacts = Path(found) / ARTIFACTS
    if not (artifacts / MODEL_NAME).is_file():
        raise InputError(
            f"{model_uri}: holds no {MODEL_NAME}, so it was not registered by vame_pipe. Choose another "
            "model."
        )
    motifs = MotifFolder(artifacts)
    return ModelFiles(artifacts / MODEL_NAME, motifs if motifs.segmentation.exists() else None)
