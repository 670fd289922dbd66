"""Where a training run is recorded while it is under way: in MLflow, or nowhere."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vame_pipe.core.run_record import RunRecord
    from vame_pipe.training.run import Tracker


class NullTracker:
    """Records nothing."""

    def start(self, record: RunRecord) -> RunRecord:
        return record

    def log_epochs(self, history: list[dict[str, Any]]) -> None:
        pass

    def finish(self, record: RunRecord, history: list[dict[str, Any]]) -> RunRecord:
        return record

    def end(self, status: str) -> None:
        pass


def tracker_for(config: Path | None) -> Tracker:
    """Return the tracker for the address that `vame-pipe init-mlflow` wrote; without one, a null tracker."""
    if config is None:
        return NullTracker()
    from vame_pipe.tracking import store

    return store.MlflowTracker(store.read_address(config))


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
