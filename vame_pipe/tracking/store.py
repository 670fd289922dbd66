"""Open an MLflow store: create it, retry, describe its errors."""

from __future__ import annotations

import logging
import os
import random
import re
import sqlite3
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from vame_pipe.core import credentials
from vame_pipe.core.errors import InputError
from vame_pipe.tracking.address import (
    ARTIFACTS,
    SQLITE,
    Address,
    resolve_address,
    write_address,
)
from vame_pipe.tracking.moved_store import follow_folder

log = logging.getLogger(__name__)

CLIENT_DEFAULTS = {
    # fail within seconds if the server is down: MLflow's own retries take minutes
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
"""Environment variables that MLflow reads at each request. A value that the user set is kept."""
RETRYABLE_ERRORS = (
    "database is locked",
    "UNIQUE constraint failed",
    "duplicate key value",
)
"""Parts of the messages of databases if two jobs write at the same time."""
RETRY_S = 60.0
"""How long to retry after such an error."""
CLOUD_ERRORS = (
    ("botocore.exceptions", "BotoCoreError"),
    ("botocore.exceptions", "ClientError"),
    ("boto3.exceptions", "Boto3Error"),
    ("azure.core.exceptions", "AzureError"),
    ("google.api_core.exceptions", "GoogleAPIError"),
    ("google.auth.exceptions", "GoogleAuthError"),
)
"""Errors of the libraries with which MLflow writes artifacts to a cloud, if they are installed."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class Store:
    """An experiment in a store that answers.

    Attributes
    ----------
    client : mlflow.MlflowClient
    experiment : str
        Name of the experiment, and of the registered model.
    experiment_id : str
    """

    client: Any
    experiment: str
    experiment_id: str

    @property
    def registered_model(self) -> str:
        """Name of the registered model: MLflow allows no slash or colon in it."""
        return re.sub("[/:]", "-", self.experiment)


def initialise(uri: str | None, experiment: str, out: Path) -> None:
    """Create the store and the experiment, and write their address to a file.

    Parameters
    ----------
    uri : str, optional
        Tracking URI; default: an SQLite file next to `out`.
    experiment : str
    out : Path
        File for `read_address`.

    Raises
    ------
    InputError
        If the URI contains credentials, or for the reasons of `prepare`.
    """
    if problems := credentials.problems(uri or "", "--tracking-uri"):
        raise InputError(*problems)
    prepare(resolve_address(uri, experiment, out.parent))
    write_address(out, uri, experiment)


def prepare(address: Address) -> None:
    """Create the store and the experiment. Call this once before jobs start in parallel.

    A server that does not answer only causes a warning, because training must not wait for it.

    Raises
    ------
    InputError
        If the experiment has been deleted, or if a store that is not a server cannot be opened.
    """
    try:
        open_store(address)
    except store_errors() as error:
        reason = redact_error(error, address.uri)
        if not address.uri.startswith("http"):
            raise InputError(
                f"mlflow: the store cannot be opened ({reason}). Set mlflow.tracking_uri or the "
                "environment variable MLFLOW_TRACKING_URI to another store."
            ) from None
        log.warning("MLflow server not reachable; training continues without it: %s", reason)


def open_store(address: Address) -> Store:
    """Return an experiment to record in; create it if it does not exist."""
    experiment_id = retry_on_conflict(get_or_create_experiment, address.uri, address.experiment)
    if address.folder:
        retry_on_conflict(follow_folder, address.folder, experiment_id)
    return Store(make_client(address.uri), address.experiment, experiment_id)


def make_client(uri: str) -> Any:
    """Return an MLflow client; it does not connect yet."""
    from mlflow import MlflowClient

    for name, value in CLIENT_DEFAULTS.items():
        os.environ.setdefault(name, value)
    for logger in ("alembic", "mlflow", "urllib3"):
        logging.getLogger(logger).setLevel(logging.ERROR)
    return MlflowClient(uri)


def get_or_create_experiment(uri: str, name: str) -> str:
    """Return the id of an experiment; create the store and the experiment if they do not exist.

    Two processes that create the same SQLite store collide. Call this once before jobs start in parallel.

    Raises
    ------
    InputError
        If the experiment has been deleted.
    """
    artifacts = None  # a server chooses the location of the artifacts itself
    if database := database_of(uri):
        database.parent.mkdir(parents=True, exist_ok=True)
        artifacts = (database.parent / ARTIFACTS).resolve().as_uri()
    client = make_client(uri)
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        # makes the pages of MLflow show training runs first, not chats
        kind = {"mlflow.experimentKind": "custom_model_development"}
        return client.create_experiment(name, artifacts, kind)
    if experiment.lifecycle_stage == "deleted":
        raise InputError(
            f"mlflow: experiment '{name}' has been deleted. Restore it (mlflow experiments restore "
            f"--experiment-id {experiment.experiment_id}) or set mlflow.experiment to another name."
        )
    return experiment.experiment_id


def database_of(uri: str) -> Path | None:
    """Return the file of an SQLite store; None for another kind of store."""
    from mlflow.utils.file_utils import local_file_uri_to_path
    from sqlalchemy.engine import make_url

    if not uri.startswith(SQLITE):
        return None
    path = make_url(uri).database or ""
    return Path(local_file_uri_to_path(path) if path.startswith("file:") else path)


def store_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions that MLflow and its backends raise if a store fails.

    InputError, KeyError, TypeError and AttributeError are not among them: they are errors of this package.
    """
    from alembic.util import CommandError
    from google.protobuf.json_format import Error as UnexpectedAnswer
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError
    from urllib3.exceptions import HTTPError

    clouds = [(sys.modules[module], name) for module, name in CLOUD_ERRORS if module in sys.modules]
    return (
        MlflowException,
        SQLAlchemyError,
        sqlite3.Error,
        CommandError,  # the schema of the database is of another version of MLflow
        UnexpectedAnswer,  # the server is not an MLflow server
        HTTPError,
        OSError,  # files and connections; the errors of requests are subclasses
        ImportError,  # the driver of a database or the library of a cloud is not installed
        *(getattr(module, name) for module, name in clouds),
    )


def retry_on_conflict(send: Callable[..., Result], *args: Any) -> Result:
    """Call the idempotent function `send`; retry it while it collides with other jobs."""
    began = time.monotonic()
    while True:
        try:
            return send(*args)
        except store_errors() as error:  # raised by SQLAlchemy, or by MLflow, which wraps it
            retryable = any(part in str(error) for part in RETRYABLE_ERRORS)
            if not retryable or time.monotonic() - began > RETRY_S:
                raise
            time.sleep(random.uniform(0.05, 0.5))


def redact_error(error: Exception, uri: str) -> str:
    """Return the first line of an error, without credentials."""
    first = (credentials.redact(str(error), uri).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first[:300]}"
