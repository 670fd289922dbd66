"""MLflow: where runs are recorded. Nothing that computes depends on it."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import random
import re
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from vame_pipe.core import credentials, files
from vame_pipe.core.errors import InputError
from vame_pipe.core.run_record import RunRecord

log = logging.getLogger(__name__)

PACKAGE = Path(__file__).parents[1]
URI = "MLFLOW_TRACKING_URI"
SQLITE = "sqlite:///"
DATABASE, ARTIFACTS = "mlflow.db", "artifacts"
"""The workflow's own store, in `<results>/mlflow`."""
PATIENT = {
    # a server that is down must cost seconds, not the minutes of MLflow's own patience
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
"""Environment variables that MLflow reads at each request, set where they are not set yet."""
COLLISIONS = ("database is locked", "UNIQUE constraint failed", "duplicate key value")
"""What databases say where two jobs write the same at once."""
PATIENCE_S = 60.0
"""How long to try again then."""
TRAINING = "training_id"
"""Tag by which a training finds its run, whoever opened it."""
MODEL = "model_digest"
"""Tag of a run, a logged model and a version of the registered model: fingerprint of model.pt."""
PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Tables and columns in which MLflow's database holds the paths of artifacts."""
CLOUDS = (
    ("botocore.exceptions", "BotoCoreError"),
    ("botocore.exceptions", "ClientError"),
    ("boto3.exceptions", "Boto3Error"),
    ("azure.core.exceptions", "AzureError"),
    ("google.api_core.exceptions", "GoogleAPIError"),
    ("google.auth.exceptions", "GoogleAuthError"),
)
"""Errors of the libraries by which MLflow writes artifacts to a cloud, where these are installed."""


class Address(NamedTuple):
    """Where runs are recorded.

    Attributes
    ----------
    uri : str
        Tracking URI.
    experiment : str
        Name of the experiment.
    folder : Path or None
        That of the workflow's own store, which moves with the results; None for another store.
    """

    uri: str
    experiment: str
    folder: Path | None


@dataclass(frozen=True)
class Store:
    """An experiment in a store that answers.

    Attributes
    ----------
    client : mlflow.MlflowClient
    experiment : str
        Its name, also of the registered model.
    experiment_id : str
    """

    client: Any
    experiment: str
    experiment_id: str

    @property
    def registered(self) -> str:
        """Name of the registered model: MLflow allows no slash or colon in it."""
        return re.sub("[/:]", "-", self.experiment)


def own_uri(folder: Path) -> str:
    """Return the URI of the workflow's own store in a folder."""
    path = folder.resolve() / DATABASE
    # SQLAlchemy takes what follows a question mark for options
    return f"{SQLITE}{path.as_uri()}?uri=true" if "?" in str(path) else f"{SQLITE}{path}"


def resolve_address(configured: str | None, experiment: str, folder: Path) -> Address:
    """Return where to record: MLFLOW_TRACKING_URI, else as configured, else SQLite in a folder."""
    own = own_uri(folder)
    uri = os.environ.get(URI) or configured or own
    return Address(uri, experiment, folder.resolve() if uri == own else None)


def read_address(path: Path) -> Address:
    """Return where to record, as `vame-pipe init-mlflow` wrote it to a file.

    Raises
    ------
    InputError
        If it is not there.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file. Run `vame-pipe init-mlflow --out {path}` first.")
    settings = json.loads(path.read_text())
    return resolve_address(settings["tracking_uri"], settings["experiment"], path.parent)


def open_store(address: Address) -> Store:
    """Return an experiment to record in; create it if need be.

    Parameters
    ----------
    address : Address
    """
    experiment_id = retry_on_conflict(get_or_create_experiment, address.uri, address.experiment)
    if address.folder:
        retry_on_conflict(follow, address.folder, experiment_id)
    return Store(connect(address.uri), address.experiment, experiment_id)


def follow(folder: Path, experiment_id: str) -> None:
    """Put the paths in the workflow's own store right after its folder was moved, renamed or copied.

    MLflow holds absolute paths of artifacts. What lay elsewhere than beside the database stays.

    Parameters
    ----------
    folder : Path
        Where the database is now.
    experiment_id : str
        Its artifact location tells where the database was.
    """
    new = (folder / ARTIFACTS).as_uri()
    with closing(sqlite3.connect(folder / DATABASE, isolation_level=None)) as database:
        (old,) = database.execute(
            "SELECT artifact_location FROM experiments WHERE experiment_id = ?", [experiment_id]
        ).fetchone()
        if old == new or not _was_beside(old, folder):
            return
        # where two open the store at once, the second finds nothing left to change
        database.execute("BEGIN IMMEDIATE")
        for table, column in PLACES:
            database.execute(
                f"UPDATE {table} SET {column} = :new || substr({column}, length(:old) + 1) "
                f"WHERE {column} = :old OR substr({column}, 1, length(:old) + 1) = :old || '/'",
                {"old": old, "new": new},
            )
        database.execute("COMMIT")
    log.info("MLflow's paths follow the results folder, from %s to %s", old, new)


def _was_beside(old: str, folder: Path) -> bool:
    """Return whether artifacts lay beside the database, in a folder that is not the same as now."""
    from mlflow.utils.file_utils import local_file_uri_to_path

    if not (old.startswith("file:") and old.endswith(f"/{folder.name}/{ARTIFACTS}")):
        return False
    try:  # as it is where a folder has two paths
        return not Path(local_file_uri_to_path(old)).samefile(folder / ARTIFACTS)
    except OSError:
        return True


def connect(uri: str) -> Any:
    """Return a client of a store; nothing is sent yet."""
    from mlflow import MlflowClient

    for name, value in PATIENT.items():
        os.environ.setdefault(name, value)
    for chatty in ("alembic", "mlflow", "urllib3"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    return MlflowClient(uri)


def get_or_create_experiment(uri: str, name: str) -> str:
    """Return the id of an experiment, creating its store and itself where they are not there yet.

    Two processes that create one fresh SQLite store collide; call this once before jobs fan out.

    Raises
    ------
    InputError
        If the experiment has been deleted.
    """
    artifacts = None  # a server decides itself where they go
    if database := database_of(uri):
        database.parent.mkdir(parents=True, exist_ok=True)
        artifacts = (database.parent / ARTIFACTS).resolve().as_uri()
    client = connect(uri)
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        # MLflow's pages then show trainings first, not chats
        kind = {"mlflow.experimentKind": "custom_model_development"}
        return client.create_experiment(name, artifacts, kind)
    if experiment.lifecycle_stage == "deleted":
        raise InputError(
            f"mlflow: experiment '{name}' has been deleted. Restore it (mlflow experiments restore "
            f"--experiment-id {experiment.experiment_id}) or set mlflow.experiment to another name."
        )
    return experiment.experiment_id


def database_of(uri: str) -> Path | None:
    """Return the file of a SQLite store; None for a store of another kind."""
    from mlflow.utils.file_utils import local_file_uri_to_path
    from sqlalchemy.engine import make_url

    if not uri.startswith(SQLITE):
        return None
    path = make_url(uri).database or ""
    return Path(local_file_uri_to_path(path) if path.startswith("file:") else path)


def prepare(address: Address) -> None:
    """Create the store and the experiment, once before jobs fan out.

    A server that does not answer is only reported: training must not wait for it.

    Parameters
    ----------
    address : Address

    Raises
    ------
    InputError
        If the experiment has been deleted, or a store of another kind cannot be opened.
    """
    try:
        open_store(address)
    except store_errors() as error:
        said = describe(error, address.uri)
        if not address.uri.startswith("http"):
            raise InputError(
                f"mlflow: the store cannot be opened ({said}). Set mlflow.tracking_uri or the environment "
                "variable MLFLOW_TRACKING_URI to another."
            ) from None
        log.warning("MLflow's server does not answer, trainings do not wait for it: %s", said)


def initialise(uri: str | None, experiment: str, out: Path) -> None:
    """Create the store and the experiment, and write to a file where they are.

    Parameters
    ----------
    uri : str, optional
        Tracking URI; default: an SQLite file next to `out`.
    experiment : str
    out : Path
        What `read_address` reads.

    Raises
    ------
    InputError
        If the address has credentials in it, or see `prepare`.
    """
    if problems := credentials.problems(uri or "", "--tracking-uri"):
        raise InputError(*problems)
    prepare(resolve_address(uri, experiment, out.parent))
    files.write_json(out, {"tracking_uri": uri, "experiment": experiment})


def store_errors() -> tuple[type[Exception], ...]:
    """Return what MLflow, and what it stores in, raise where a store fails.

    Not what an error of ours raises: InputError, KeyError, TypeError, AttributeError.
    """
    from alembic.util import CommandError
    from google.protobuf.json_format import Error as NotMlflow
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError
    from urllib3.exceptions import HTTPError

    clouds = [(sys.modules[module], name) for module, name in CLOUDS if module in sys.modules]
    return (
        MlflowException,
        SQLAlchemyError,
        sqlite3.Error,
        CommandError,  # the schema of a database is of another version of MLflow
        NotMlflow,  # something else than MLflow answers
        HTTPError,
        OSError,  # of files and connections; the errors of requests are such
        ImportError,  # the driver of a database, or the library of a cloud, is not installed
        *(getattr(module, name) for module, name in clouds),
    )


def retry_on_conflict(send: Callable[..., Any], *args: Any) -> Any:
    """Call `send`, which does nothing twice, again while it collides with other jobs."""
    began = time.monotonic()
    while True:
        try:
            return send(*args)
        except store_errors() as error:  # of SQLAlchemy, or of MLflow around it
            collides = any(said in str(error) for said in COLLISIONS)
            if not collides or time.monotonic() - began > PATIENCE_S:
                raise
            time.sleep(random.uniform(0.05, 0.5))


class MlflowTracker:
    """The MLflow run of a training run that is under way. Errors of MLflow never stop the training.

    An error is logged once; later calls do nothing until `finish` tries again, from the start if need be.
    What is missing then, `vame_pipe.tracking.upload` sends: metrics.jsonl and run.json hold all of it.

    Parameters
    ----------
    address : Address
    """

    def __init__(self, address: Address):
        self._address = address
        self._client: Any = None
        self._run_id: str | None = None
        self._lost = self._reported = False

    def start(self, record: RunRecord) -> RunRecord:
        """Open the run, and return the record with its `run_id`."""
        self._run_id = record.run_id
        self._try(lambda: self._open(record))
        return dataclasses.replace(record, run_id=self._run_id)

    def log_epochs(self, history: list[dict[str, Any]]) -> None:
        """Send those epochs that the run does not have."""
        self._try(lambda: log_metrics(self._client, self._run_id, history))

    def finish(self, record: RunRecord, history: list[dict[str, Any]]) -> RunRecord:
        """Send missing epochs and the final metrics, close the run, and return the record."""
        self._lost = False
        if self._client is None:
            self._try(lambda: self._open(record))
        record = dataclasses.replace(record, run_id=self._run_id)
        self._try(lambda: send_results(self._client, record, history))
        return record

    def end(self, status: str) -> None:
        """Close the run as FAILED or KILLED."""
        self._try(lambda: self._client.set_terminated(self._run_id, status=status))

    def _try(self, send: Callable[[], Any]) -> None:
        if self._lost:
            return
        try:
            retry_on_conflict(send)
        except (InputError, *store_errors()) as error:
            self._lost = True
            if not self._reported:
                message = describe(error, self._address.uri)
                log.warning("MLflow logging failed; training continues without it: %s", message)
            self._reported = True

    def _open(self, record: RunRecord) -> None:
        store = open_store(self._address)
        run_id = open_run(store, record)
        store.client.update_run(run_id, status="RUNNING")
        self._client, self._run_id = store.client, run_id


def open_run(store: Store, record: RunRecord) -> str:
    """Return the id of a training's run, opening one with its parameters where there is none."""
    from mlflow.entities import Dataset, DatasetInput, InputTag, Param

    mine = f"tags.{TRAINING} = '{record.training_id}'"
    client = store.client
    found = client.search_runs([store.experiment_id], mine, max_results=1)
    if found:
        run_id = found[0].info.run_id
    else:
        started = record.started
        run = client.create_run(store.experiment_id, started, record.tags, record.name)
        run_id = run.info.run_id
    # params cannot change: what MLflow has, of a longer or a shorter training, stays
    known = found[0].data.params if found else {}
    params = [Param(k, str(v)) for k, v in record.params.items() if k not in known]
    client.log_batch(run_id, params=params)
    for key in ("train.max_epochs", "train.patience"):
        if known.get(key, str(record.params[key])) != str(record.params[key]):
            client.set_tag(run_id, key.removeprefix("train."), str(record.params[key]))
    data = record.data
    dataset = Dataset(
        name="windows",
        digest=data.fingerprint[:32],
        source_type="local",
        source=json.dumps({"uri": data.path}),
        schema=json.dumps(
            {"mlflow_colspec": [{"type": "float", "name": n} for n in data.features]}
        ),
        profile=json.dumps(
            {
                "sessions": data.sessions,
                "frames": data.n_frames,
                "training_windows": data.n_train,
                "validation_windows": data.n_val,
            }
        ),
    )
    if not found or not found[0].inputs.dataset_inputs:
        context = [InputTag("mlflow.data.context", "training")]
        client.log_inputs(run_id, [DatasetInput(dataset, context)])
    return run_id


def send_results(client: Any, record: RunRecord, history: list[dict[str, Any]]) -> None:
    """Send what a run does not have of a finished training's metrics and outcome, and close it."""
    run_id = record.run_id
    log_metrics(client, run_id, history)
    run = client.get_run(run_id)
    if not record.summary.items() <= run.data.metrics.items():
        log_batch(client, run_id, record.summary, len(history), record.ended)
    if run.data.tags.get("stop") != record.stop:
        client.set_tag(run_id, "stop", record.stop)
    if run.info.status != "FINISHED" or run.info.end_time != record.ended:
        client.set_terminated(run_id, end_time=record.ended)


def log_metrics(client: Any, run_id: str, history: list[dict[str, Any]]) -> None:
    """Send epochs that a run does not have, each in one call."""
    logged = {(m.step, m.value) for m in client.get_metric_history(run_id, "val/loss")}
    for metrics in history:
        if (metrics["epoch"], metrics["val/loss"]) not in logged:
            numbers = {name: value for name, value in metrics.items() if name != "stop"}
            log_batch(client, run_id, numbers, metrics["epoch"])


def log_batch(
    client: Any,
    run_id: str,
    metrics: dict[str, float],
    step: int,
    timestamp: int | None = None,
    model_id: str | None = None,
) -> None:
    """Send metrics of one step, also of a logged model if one is given."""
    from mlflow.entities import Metric

    when = timestamp or int(time.time() * 1000)
    sent = [Metric(name, float(v), when, step, model_id) for name, v in metrics.items()]
    client.log_batch(run_id, metrics=sent)


def register(store: Store, run_id: str, model: Path, record: RunRecord, tags: dict) -> Any:
    """Return the version of the registered model that holds a model file of a run; make one if need be.

    It is looked for, and not only noted in the run: somebody may have deleted it.

    Parameters
    ----------
    store : Store
    run_id : str
    model : Path
        The model file.
    record : RunRecord
    tags : dict of str to str
        Of the version; `MODEL` is the fingerprint of the model file.

    Returns
    -------
    mlflow.entities.model_registry.ModelVersion
    """
    from mlflow.exceptions import MlflowException

    client = store.client
    name = store.registered.replace("'", "\\'")
    mine = client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'")
    noted = client.get_run(run_id).data.tags.get(MODEL)  # of versions older than their tag
    same = [each for each in mine if each.tags.get(MODEL, noted) == tags[MODEL]]
    if same:
        return max(same, key=lambda each: int(each.version))
    logged = find_model(store, run_id, tags[MODEL]) or log_model(store, run_id, model, record, tags)
    try:
        client.create_registered_model(store.registered)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    return client.create_model_version(
        store.registered, logged.artifact_location, run_id, tags, model_id=logged.model_id
    )


def find_model(store: Store, run_id: str, digest: str) -> Any | None:
    """Return the logged model of a run that holds a model file, by its fingerprint; None if none does."""
    found = store.client.search_logged_models(
        [store.experiment_id], f"source_run_id = '{run_id}' AND tags.{MODEL} = '{digest}'"
    )
    return next((each for each in found if each.status == "READY"), None)


def log_model(
    store: Store, run_id: str, model: Path, record: RunRecord, tags: dict[str, str]
) -> Any:
    """Log a model file as a model that MLflow loads; return the logged model.

    By a client alone: `mlflow.pyfunc.log_model` knows one store for the whole process. See
    `vame_pipe.tracking.pyfunc_model` for what goes in and out.
    """
    from mlflow.entities import LoggedModelOutput

    client, name = store.client, record.name.replace(".", "_")  # MLflow allows no dot
    params = {key: str(value) for key, value in record.params.items()}
    logged = client.create_logged_model(store.experiment_id, name, run_id, tags, params, "encoder")
    with tempfile.TemporaryDirectory() as folder:
        _save_model(Path(folder) / "model", model, record, logged.model_id)
        client.log_model_artifacts(logged.model_id, f"{folder}/model")
    step = int(record.summary["final/epochs"])
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step)])
    log_batch(client, run_id, record.summary, step, record.ended, logged.model_id)
    return client.finalize_logged_model(logged.model_id, "READY")


def _save_model(folder: Path, model: Path, record: RunRecord, model_id: str) -> None:
    """Write a model as MLflow lays them out, with a copy of this package as its code."""
    import mlflow
    import numpy as np
    from mlflow.models import Model, ModelSignature
    from mlflow.types import Schema, TensorSpec

    data, zdims = record.data, int(record.params["model.zdims"])
    frames = TensorSpec(np.dtype("float32"), (-1, -1, len(data.features)))
    latents = TensorSpec(np.dtype("float32"), (-1, zdims))
    needs = [f"{name}=={version(name)}" for name in ("mlflow", "numpy", "pyarrow", "torch")]
    # MLflow wishes for type hints and an example, whatever the filters of warnings
    logging.getLogger("py.warnings").setLevel(logging.ERROR)
    mlflow.pyfunc.save_model(
        folder,
        python_model=str(PACKAGE / "tracking/pyfunc_model.py"),
        code_paths=[str(PACKAGE)],
        artifacts={"model": str(model)},
        signature=ModelSignature(Schema([frames]), Schema([latents])),
        pip_requirements=[need.partition("+")[0] for need in needs],
        metadata={name: getattr(data, name) for name in ("features", "length", "fps")},
        mlflow_model=Model(model_id=model_id),
    )


def mark_best(store: Store, version: Any) -> None:
    """Give the alias `best` to a version of the registered model, unless it has it."""
    if "best" not in version.aliases:
        store.client.set_registered_model_alias(store.registered, "best", version.version)


def describe(error: Exception, uri: str) -> str:
    """Return the first line of an error of a store, without credentials."""
    first = (credentials.redact(str(error), uri).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first[:300]}"
