"""MLflow: where runs are recorded. The only module that imports it, and nothing depends on it."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vame_pipe.errors import InputError

log = logging.getLogger(__name__)

# a server that is down must cost seconds, not the minutes of MLflow's own patience
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")

SQLITE = "sqlite:///"


def store_uri(configured: str | None, folder: str | Path) -> str:
    """Return the tracking URI: MLFLOW_TRACKING_URI, else the configured, else SQLite in a folder."""
    default = f"{SQLITE}{Path(folder).resolve()}/mlflow.db"
    return os.environ.get("MLFLOW_TRACKING_URI") or configured or default


def get_or_create_experiment(uri: str, name: str) -> str:
    """Return the id of an experiment, creating its store and itself where they are not there yet.

    Two processes that create one fresh SQLite store collide; call this once before jobs fan out.

    Raises
    ------
    InputError
        If the experiment has been deleted.
    """
    from mlflow import MlflowClient

    for chatty in ("alembic", "mlflow"):
        logging.getLogger(chatty).setLevel(logging.WARNING)

    artifacts = None  # a server decides itself where they go
    if uri.startswith(SQLITE):
        database = Path(uri.removeprefix(SQLITE))
        database.parent.mkdir(parents=True, exist_ok=True)
        artifacts = (database.parent / "artifacts").resolve().as_uri()
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        return client.create_experiment(name, artifact_location=artifacts)
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


class Run:
    """A run of one training, that never stops the training.

    What cannot be sent is reported once; later calls do nothing (metrics.jsonl holds every metric).

    Parameters
    ----------
    uri, experiment, name : str
        Tracking URI, name of the experiment, name of the run.
    params : dict
        Resolved settings by section; logged flat as `section.key`.
    tags : dict of str to str
    run_id : str, optional
        Of a run to go on with.
    done : int
        Epochs that are done; any later ones in that run are done again.
    """

    def __init__(
        self,
        uri: str,
        experiment: str,
        name: str,
        params: dict[str, dict],
        tags: dict[str, str],
        run_id: str | None = None,
        done: int = 0,
    ):
        self.id = run_id
        self._done = done
        self._lost = False
        self._sent: set[int] = set()  # epochs
        self._try(self._start, uri, experiment, name, params, tags)

    def log_epoch(self, metrics: dict[str, Any]) -> None:
        """Send the metrics of one epoch, in one call."""
        self._try(self._log_epoch, metrics)

    def finish(
        self,
        history: list[dict[str, Any]],
        summary: dict[str, float],
        stop: str,
        artifacts: list[Path],
    ) -> None:
        """Send the epochs not sent yet, the final figures and the artifacts, and close the run."""
        self._try(self._finish, history, summary, stop, artifacts)

    def end(self, status: str) -> None:
        """Close the run as FAILED or KILLED."""
        self._try(lambda: self._client.set_terminated(self.id, status=status))

    def _try(self, send: Callable, *args: Any) -> None:
        if self._lost:
            return
        try:
            send(*args)
        except (
            Exception
        ) as error:  # whatever a store's many layers raise, training must not end by it
            self._lost = True
            log.warning("MLflow fails, training goes on without it: %s", describe(error))

    def _start(
        self, uri: str, experiment: str, name: str, params: dict[str, dict], tags: dict[str, str]
    ) -> None:
        experiment_id = get_or_create_experiment(uri, experiment)
        from mlflow import MlflowClient
        from mlflow.entities import Param

        self._client = MlflowClient(uri)
        if self.id is not None:
            self._client.update_run(self.id, status="RUNNING")
            logged = self._client.get_metric_history(self.id, "test/loss")
            self._sent = {metric.step for metric in logged if metric.step < self._done}
            # params cannot change, the length of a training can
            for key in ("max_epochs", "patience"):
                self._client.set_tag(self.id, key, str(params["train"][key]))
            return
        self.id = self._client.create_run(experiment_id, tags=tags, run_name=name).info.run_id
        flat = {
            f"{section}.{k}": v for section, values in params.items() for k, v in values.items()
        }
        self._client.log_batch(self.id, params=[Param(k, str(v)) for k, v in flat.items()])

    def _log_epoch(self, metrics: dict[str, Any]) -> None:
        if metrics["epoch"] not in self._sent:
            self._log_metrics(metrics, metrics["epoch"])
            self._sent.add(metrics["epoch"])

    def _log_metrics(self, metrics: dict[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._client.log_batch(
            self.id,
            metrics=[Metric(name, float(value), now, step) for name, value in metrics.items()],
        )

    def _finish(
        self,
        history: list[dict[str, Any]],
        summary: dict[str, float],
        stop: str,
        artifacts: list[Path],
    ) -> None:
        for metrics in history:  # those of a run that was cut between state and store
            self._log_epoch(metrics)
        self._log_metrics(summary, len(history))
        self._client.set_tag(self.id, "stop", stop)
        for path in artifacts:
            self._client.log_artifact(self.id, str(path))
        self._client.set_terminated(self.id)


def describe(error: Exception) -> str:
    """Return the first line of an error, without the credentials that a URL may carry."""
    first = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {re.sub(r'//[^/@ ]+@', '//***@', first)[:300]}"


def git_commit() -> str | None:
    """Return the commit of the working directory, with '-dirty' after it if it was changed."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
