"""Trackers record a training run while it is in progress: in MLflow, or nowhere.

Both have the methods of `vame_pipe.training.run.Tracker`. This module does not import mlflow, which
`MlflowTracker` imports when training starts.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vame_pipe.core.errors import InputError
from vame_pipe.core.run_record import RunRecord
from vame_pipe.tracking import runs
from vame_pipe.tracking.address import Address, read_address
from vame_pipe.tracking.store import open_store, redact_error, retry_on_conflict, store_errors

log = logging.getLogger(__name__)


class NullTracker:
    """Records nothing."""

    def start(self, record: RunRecord) -> RunRecord:
        """Return the record as it is."""
        return record

    def log_epochs(self, history: list[dict[str, Any]]) -> None:
        """Do nothing."""

    def finish(self, record: RunRecord, history: list[dict[str, Any]]) -> RunRecord:
        """Return the record as it is."""
        return record

    def end(self, status: str) -> None:
        """Do nothing."""


class MlflowTracker:
    """Records a training run in MLflow. Errors of MLflow are logged and never stop training.

    After the first error all calls do nothing until `finish`, which tries again, from the start if
    necessary. Anything still missing is sent later by `vame_pipe.tracking.upload`: metrics.jsonl and
    run.json hold all of it.

    Parameters
    ----------
    address : Address
    """

    def __init__(self, address: Address):
        self._address = address
        self._client: Any = None
        self._run_id: str | None = None
        self._failed = self._reported = False

    def start(self, record: RunRecord) -> RunRecord:
        """Open the MLflow run and return the record with its `run_id`."""
        self._run_id = record.run_id
        self._try(lambda: self._open(record))
        return dataclasses.replace(record, run_id=self._run_id)

    def log_epochs(self, history: list[dict[str, Any]]) -> None:
        """Send the epochs that the MLflow run does not have."""
        self._try(lambda: runs.log_metrics(self._client, self._open_run_id, history))

    def finish(self, record: RunRecord, history: list[dict[str, Any]]) -> RunRecord:
        """Send missing epochs and the final metrics, close the MLflow run, and return the record."""
        self._failed = False
        if self._client is None:
            self._try(lambda: self._open(record))
        record = dataclasses.replace(record, run_id=self._run_id)
        self._try(lambda: runs.send_results(self._client, self._open_run_id, record, history))
        return record

    def end(self, status: str) -> None:
        """Close the MLflow run as FAILED or KILLED."""
        self._try(lambda: self._client.set_terminated(self._open_run_id, status=status))

    @property
    def _open_run_id(self) -> str:
        assert self._run_id is not None, "start or finish opens the run first"
        return self._run_id

    def _open(self, record: RunRecord) -> None:
        store = open_store(self._address)
        run_id = runs.open_run(store, record)
        store.client.update_run(run_id, status="RUNNING")
        self._client, self._run_id = store.client, run_id

    def _try(self, send: Callable[[], object]) -> None:
        if self._failed:
            return
        expected: tuple[type[Exception], ...] = (InputError, *store_errors())
        try:
            retry_on_conflict(send)
        except expected as error:
            self._failed = True
            if not self._reported:
                message = redact_error(error, self._address.uri)
                log.warning("MLflow logging failed; training continues without it: %s", message)
            self._reported = True


def tracker_for(config: Path | None) -> MlflowTracker | NullTracker:
    """Return the tracker for the file that `vame-pipe init-mlflow` wrote; a null tracker without a file."""
    return NullTracker() if config is None else MlflowTracker(read_address(config))


def source_tags() -> dict[str, str]:
    """Return MLflow tags for the origin of a run: user, git commit of the working folder, dirty flag."""
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
    """Return the output of git; empty if git is not installed or the folder is not a repository."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
