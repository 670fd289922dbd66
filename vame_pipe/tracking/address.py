"""The address of the MLflow store and experiment in which runs are recorded."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from vame_pipe.core import files
from vame_pipe.core.errors import InputError

URI_VARIABLE = "MLFLOW_TRACKING_URI"
"""Environment variable that takes precedence over the configured tracking URI."""
SQLITE = "sqlite:///"
DATABASE, ARTIFACTS = "mlflow.db", "artifacts"
"""Names in the folder of the workflow's own store, `<results>/mlflow`."""


@dataclass(frozen=True)
class Address:
    """Where runs are recorded.

    Attributes
    ----------
    uri : str
        Tracking URI.
    experiment : str
        Name of the experiment.
    folder : Path or None
        Folder of the workflow's own store, which moves with the results; None for any other store.
    """

    uri: str
    experiment: str
    folder: Path | None


def own_uri(folder: Path) -> str:
    """Return the tracking URI of the workflow's own store in a folder."""
    path = folder.resolve() / DATABASE
    # SQLAlchemy reads everything after a question mark as options
    return f"{SQLITE}{path.as_uri()}?uri=true" if "?" in str(path) else f"{SQLITE}{path}"


def resolve_address(configured: str | None, experiment: str, folder: Path) -> Address:
    """Return the address that applies.

    MLFLOW_TRACKING_URI comes first, then the configured URI, then the workflow's own store.

    Parameters
    ----------
    configured : str, optional
        Tracking URI of the configuration.
    experiment : str
    folder : Path
        Folder of the workflow's own store.
    """
    own = own_uri(folder)
    uri = os.environ.get(URI_VARIABLE) or configured or own
    return Address(uri, experiment, folder.resolve() if uri == own else None)


def write_address(path: Path, configured: str | None, experiment: str) -> None:
    """Write the file that `read_address` reads; MLFLOW_TRACKING_URI is not part of it."""
    files.write_json(path, {"tracking_uri": configured, "experiment": experiment})


def read_address(path: Path) -> Address:
    """Return the address in a file that `vame-pipe init-mlflow` wrote.

    Raises
    ------
    InputError
        If the file is missing or damaged.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file. Run `vame-pipe init-mlflow --out {path}` first.")
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        configured, experiment = settings["tracking_uri"], settings["experiment"]
    except (ValueError, KeyError, TypeError):
        raise InputError(
            f"{path}: not an address of MLflow; the file is damaged. Delete it, and run "
            f"`vame-pipe init-mlflow --out {path}`, or snakemake."
        ) from None
    return resolve_address(configured, experiment, path.parent)
