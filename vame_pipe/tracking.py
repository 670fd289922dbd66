"""MLflow: where runs are recorded. Nothing that computes depends on it."""

from __future__ import annotations

import json
import logging
import os
import random
import re
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from vame_pipe.errors import InputError

log = logging.getLogger(__name__)

# a server that is down must cost seconds, not the minutes of MLflow's own patience
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

PACKAGE = Path(__file__).parent
URI = "MLFLOW_TRACKING_URI"
SQLITE = "sqlite:///"
COLLISIONS = ("database is locked", "UNIQUE constraint failed", "duplicate key value")
"""What databases say where two jobs write the same at once."""
PATIENCE_S = 60.0
"""How long to try again then."""
TRAINING = "training_id"
"""Tag by which a training finds its run, whoever opened it."""


def store_uri(configured: str | None, folder: str | Path) -> str:
    """Return the tracking URI: MLFLOW_TRACKING_URI, else the configured, else SQLite in a folder."""
    default = f"{SQLITE}{Path(folder).resolve()}/mlflow.db"
    return os.environ.get(URI) or configured or default


@dataclass(frozen=True)
class Store:
    """An experiment in a store that answers.

    Attributes
    ----------
    uri : str
    client : mlflow.MlflowClient
    experiment : str
        Its name, also of the registered model.
    experiment_id : str
    """

    uri: str
    client: Any
    experiment: str
    experiment_id: str

    @property
    def registered(self) -> str:
        """Name of the registered model: MLflow allows no slash or colon in it."""
        return re.sub("[/:]", "-", self.experiment)


def open_store(uri: str, experiment: str) -> Store:
    """Return an experiment to record in; create it if need be."""
    experiment_id = patiently(get_or_create_experiment, uri, experiment)
    return Store(uri, connect(uri), experiment, experiment_id)


def where(path: Path) -> tuple[str, str]:
    """Return tracking URI and experiment, as `vame-pipe mlflow` wrote them to a file.

    Raises
    ------
    InputError
        If it is not there.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file. Run `vame-pipe mlflow --out {path}` first.")
    settings = json.loads(path.read_text())
    return store_uri(settings["tracking_uri"], path.parent), settings["experiment"]


def connect(uri: str) -> Any:
    """Return a client of a store; nothing is sent yet."""
    from mlflow import MlflowClient

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
    if uri.startswith(SQLITE):
        database = Path(uri.removeprefix(SQLITE))
        database.parent.mkdir(parents=True, exist_ok=True)
        artifacts = (database.parent / "artifacts").resolve().as_uri()
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


def prepare(uri: str, experiment: str) -> None:
    """Create the store and the experiment, once before jobs fan out.

    A server that does not answer is only reported: training must not wait for it.

    Raises
    ------
    InputError
        If the experiment has been deleted, or a store of another kind cannot be opened.
    """
    try:
        get_or_create_experiment(uri, experiment)
    except InputError:
        raise
    except Exception as error:  # a store's many layers raise what they like
        if not uri.startswith("http"):
            raise InputError(
                f"mlflow: the store cannot be opened ({describe(error)}). Set mlflow.tracking_uri or "
                "the environment variable MLFLOW_TRACKING_URI to another."
            ) from None
        log.warning(
            "MLflow's server does not answer, training will go on without: %s", describe(error)
        )


def patiently(send: Callable[..., Any], *args: Any) -> Any:
    """Call `send`, which does nothing twice, again while it collides with other jobs."""
    began = time.monotonic()
    while True:
        try:
            return send(*args)
        except Exception as error:  # of SQLAlchemy, or of MLflow around it
            collides = any(said in str(error) for said in COLLISIONS)
            if not collides or time.monotonic() - began > PATIENCE_S:
                raise
            time.sleep(random.uniform(0.05, 0.5))


class Run:
    """The run of a training under way, that never stops the training.

    What cannot be sent is reported once; later calls do nothing until `finish` tries again. What then
    still lacks, `vame_pipe.record` sends: metrics.jsonl and run.json hold all of it.

    Parameters
    ----------
    uri, experiment : str
        Tracking URI, name of the experiment.
    about : dict
        What `vame_pipe.outcome.run_record` returns; its `run_id` is set once the run is open.
    """

    def __init__(self, uri: str, experiment: str, about: dict[str, Any]):
        self.about = about
        self._lost = False
        self._try(self._start, uri, experiment)

    def log_epochs(self, history: list[dict[str, Any]]) -> None:
        """Send those epochs of a training so far that the run does not have."""
        self._try(lambda: log_metrics(self._client, self.about["run_id"], history))

    def finish(self, history: list[dict[str, Any]]) -> None:
        """Send the epochs that were not sent and the final figures, and close the run."""
        self._lost = self._lost and self.about["run_id"] is None
        self._try(lambda: send_results(self._client, self.about["run_id"], self.about, history))

    def end(self, status: str) -> None:
        """Close the run as FAILED or KILLED."""
        self._try(lambda: self._client.set_terminated(self.about["run_id"], status=status))

    def _try(self, send: Callable, *args: Any) -> None:
        if self._lost:
            return
        try:
            patiently(send, *args)
        except (
            Exception
        ) as error:  # whatever a store's many layers raise, training must not end by it
            self._lost = True
            log.warning("MLflow fails, training goes on without it: %s", describe(error))

    def _start(self, uri: str, experiment: str) -> None:
        store = open_store(uri, experiment)
        self._client = store.client
        self.about["run_id"] = open_run(store, self.about)
        self._client.update_run(self.about["run_id"], status="RUNNING")


def open_run(store: Store, about: dict[str, Any]) -> str:
    """Return the id of a training's run, opening one with its parameters where there is none."""
    from mlflow.entities import Dataset, DatasetInput, InputTag, Param

    mine = f"tags.{TRAINING} = '{about['tags'][TRAINING]}'"
    client = store.client
    found = client.search_runs([store.experiment_id], mine, max_results=1)
    if found:
        run_id = found[0].info.run_id
    else:
        started = about["started"]
        run = client.create_run(store.experiment_id, started, about["tags"], about["name"])
        run_id = run.info.run_id
    # params cannot change: what MLflow has, of a longer or a shorter training, stays
    known = found[0].data.params if found else {}
    params = [Param(k, str(v)) for k, v in about["params"].items() if k not in known]
    client.log_batch(run_id, params=params)
    for key in ("train.max_epochs", "train.patience"):
        if known.get(key, str(about["params"][key])) != str(about["params"][key]):
            client.set_tag(run_id, key.removeprefix("train."), str(about["params"][key]))
    data = about["data"]
    dataset = Dataset(
        name=data["name"],
        digest=data["digest"],
        source_type="local",
        source=json.dumps({"uri": data["path"]}),
        schema=json.dumps(
            {"mlflow_colspec": [{"type": "float", "name": n} for n in data["features"]]}
        ),
        profile=json.dumps(data["profile"]),
    )
    if not found or not found[0].inputs.dataset_inputs:
        context = [InputTag("mlflow.data.context", "training")]
        client.log_inputs(run_id, [DatasetInput(dataset, context)])
    return run_id


def send_results(
    client: Any, run_id: str, about: dict[str, Any], history: list[dict[str, Any]]
) -> None:
    """Send what a run lacks of a finished training's metrics and outcome, and close it."""
    log_metrics(client, run_id, history)
    run = client.get_run(run_id)
    if not about["summary"].items() <= run.data.metrics.items():
        log_batch(client, run_id, about["summary"], len(history), about["ended"])
    if run.data.tags.get("stop") != about["stop"]:
        client.set_tag(run_id, "stop", about["stop"])
    if run.info.status != "FINISHED" or run.info.end_time != about["ended"]:
        client.set_terminated(run_id, end_time=about["ended"])


def log_metrics(client: Any, run_id: str, history: list[dict[str, Any]]) -> None:
    """Send epochs that a run does not have, each in one call."""
    logged = {(m.step, m.value) for m in client.get_metric_history(run_id, "test/loss")}
    for metrics in history:
        if (metrics["epoch"], metrics["test/loss"]) not in logged:
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


def log_model(
    store: Store, run_id: str, model: Path, about: dict[str, Any], tags: dict[str, str]
) -> None:
    """Log a model file as a model that MLflow loads, registered under the experiment's name.

    By a client alone: `mlflow.pyfunc.log_model` knows one store for the whole process. See
    `vame_pipe.mlflow_model` for what goes in and out.
    """
    from mlflow.entities import LoggedModelOutput
    from mlflow.exceptions import MlflowException

    client, name = store.client, about["name"].replace(".", "_")  # MLflow allows no dot
    params = {key: str(value) for key, value in about["params"].items()}
    logged = client.create_logged_model(store.experiment_id, name, run_id, tags, params, "encoder")
    with tempfile.TemporaryDirectory() as folder:
        _save_model(Path(folder) / "model", model, about, logged.model_id)
        client.log_model_artifacts(logged.model_id, f"{folder}/model")
    client.finalize_logged_model(logged.model_id, "READY")
    step = int(about["summary"]["final/epochs"])
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step)])
    log_batch(client, run_id, about["summary"], step, about["ended"], logged.model_id)
    try:
        client.create_registered_model(store.registered)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    client.create_model_version(
        store.registered, logged.artifact_location, run_id, tags, model_id=logged.model_id
    )


def _save_model(folder: Path, model: Path, about: dict[str, Any], model_id: str) -> None:
    """Write a model as MLflow lays them out. Its code is a copy of this package: nothing is pickled."""
    import mlflow
    import numpy as np
    from mlflow.models import Model, ModelSignature
    from mlflow.types import Schema, TensorSpec

    data, zdims = about["data"], int(about["params"]["model.zdims"])
    frames = TensorSpec(np.dtype("float32"), (-1, -1, len(data["features"])))
    latents = TensorSpec(np.dtype("float32"), (-1, zdims))
    needs = [f"{name}=={version(name)}" for name in ("mlflow", "numpy", "pyarrow", "torch")]
    # MLflow wishes for type hints and an example, whatever the filters of warnings
    logging.getLogger("py.warnings").setLevel(logging.ERROR)
    mlflow.pyfunc.save_model(
        folder,
        python_model=str(PACKAGE / "mlflow_model.py"),
        code_paths=[str(PACKAGE)],
        artifacts={"model": str(model)},
        signature=ModelSignature(Schema([frames]), Schema([latents])),
        pip_requirements=[need.partition("+")[0] for need in needs],
        metadata={name: data[name] for name in ("features", "length", "fps")},
        mlflow_model=Model(model_id=model_id),
    )


def mark_best(store: Store, run_id: str) -> None:
    """Give the alias `best` to the newest version of the registered model that is of a run."""
    client = store.client
    name = store.registered.replace("'", "\\'")
    mine = client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'")
    newest = max(mine, key=lambda version: int(version.version))
    if "best" not in newest.aliases:
        client.set_registered_model_alias(store.registered, "best", newest.version)


def describe(error: Exception) -> str:
    """Return the first line of an error, without the credentials that a URL may carry."""
    first = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {re.sub(r'//[^/@ ]+@', '//***@', first)[:300]}"


def source_tags() -> dict[str, str]:
    """Return tags that say who runs what: user, git commit of the working folder, and if it changed."""
    described = _git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    commit, _, dirty = described.partition("-")
    tags = {
        "mlflow.user": os.environ.get("USER", "unknown"),
        "mlflow.source.name": "vame-pipe train",
        "mlflow.source.type": "JOB",
        "snakemake_rule": "train",
        "git_commit": commit or "none",
        "git_dirty": str(bool(dirty)).lower() if commit else "none",
    }
    return tags | ({"mlflow.source.git.commit": commit} if commit else {})


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
