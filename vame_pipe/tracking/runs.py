"""The MLflow run of a training run: open it, send metrics, close it.

Every function sends only what the run does not have yet, so it can be called again after a failure.
"""

from __future__ import annotations

import json
import time
from typing import Any

from vame_pipe.core.run_record import RunRecord
from vame_pipe.tracking.store import Store

TRAINING_TAG = "training_id"
"""Tag that links a training run to its MLflow run, whichever process opened it."""


def open_run(store: Store, record: RunRecord) -> str:
    """Return the id of the MLflow run of a training run; create the MLflow run if there is none."""
    from mlflow.entities import Param

    client = store.client
    same_training = f"tags.{TRAINING_TAG} = '{record.training_id}'"
    found = client.search_runs([store.experiment_id], same_training, max_results=1)
    if found:
        run_id = found[0].info.run_id
    else:
        run = client.create_run(store.experiment_id, record.started, record.tags, record.name)
        run_id = run.info.run_id
    # params are immutable: after max_epochs or patience changed, the original values stay
    existing = found[0].data.params if found else {}
    params = [Param(key, str(v)) for key, v in record.params.items() if key not in existing]
    client.log_batch(run_id, params=params)
    for key in ("train.max_epochs", "train.patience"):
        current = str(record.params[key])
        if existing.get(key, current) != current:
            client.set_tag(run_id, key.removeprefix("train."), current)
    if not found or not found[0].inputs.dataset_inputs:
        client.log_inputs(run_id, [_dataset(record)])
    return run_id


def _dataset(record: RunRecord) -> Any:
    """Return the windows of a training run as MLflow describes a data set."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    data = record.data
    columns = [{"type": "float", "name": name} for name in data.features]
    profile = {
        "sessions": data.sessions,
        "frames": data.n_frames,
        "training_windows": data.n_train,
        "validation_windows": data.n_val,
    }
    dataset = Dataset(
        name="windows",
        digest=data.fingerprint[:32],
        source_type="local",
        source=json.dumps({"uri": data.path}),
        schema=json.dumps({"mlflow_colspec": columns}),
        profile=json.dumps(profile),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])


def log_metrics(client: Any, run_id: str, history: list[dict[str, Any]]) -> None:
    """Send the epochs that a run does not have, each in one call.

    Parameters
    ----------
    client : mlflow.MlflowClient
    run_id : str
    history : list of dict
        One entry per epoch, as in metrics.jsonl.
    """
    logged = {(m.step, m.value) for m in client.get_metric_history(run_id, "val/loss")}
    for metrics in history:
        if (metrics["epoch"], metrics["val/loss"]) not in logged:
            numbers = {name: value for name, value in metrics.items() if name != "stop"}
            log_batch(client, run_id, numbers, metrics["epoch"])


def send_results(
    client: Any, run_id: str, record: RunRecord, history: list[dict[str, Any]]
) -> None:
    """Send the missing metrics of a finished training run and close its MLflow run."""
    log_metrics(client, run_id, history)
    run = client.get_run(run_id)
    if not record.summary.items() <= run.data.metrics.items():
        log_batch(client, run_id, record.summary, len(history), record.ended)
    if run.data.tags.get("stop") != record.stop:
        client.set_tag(run_id, "stop", record.stop)
    if run.info.status != "FINISHED" or run.info.end_time != record.ended:
        client.set_terminated(run_id, end_time=record.ended)


def log_batch(
    client: Any,
    run_id: str,
    metrics: dict[str, float],
    step: int,
    timestamp: int | None = None,
    model_id: str | None = None,
) -> None:
    """Send the metrics of one step.

    Parameters
    ----------
    client : mlflow.MlflowClient
    run_id : str
    metrics : dict of str to float
    step : int
    timestamp : int, optional
        Milliseconds since 1970; default: now.
    model_id : str, optional
        Logged model that gets the metrics too.
    """
    from mlflow.entities import Metric

    when = timestamp or int(time.time() * 1000)
    sent = [Metric(name, float(v), when, step, model_id) for name, v in metrics.items()]
    client.log_batch(run_id, metrics=sent)
