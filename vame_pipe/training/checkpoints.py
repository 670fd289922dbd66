"""Training checkpoints, from which an interrupted or extended training run is resumed.

They are in a folder that no rule declares as output, because Snakemake deletes the declared outputs of
failed jobs.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from torch import Tensor

from vame_pipe.core import files
from vame_pipe.core.errors import InputError
from vame_pipe.training.identity import Identity
from vame_pipe.training.schedule import Progress, Schedule

log = logging.getLogger(__name__)

N_KEPT_CHECKPOINTS = 2
"""Checkpoints that are kept: if the newest is corrupt, the previous one is used."""
PLATEAU = "plateau"
"""Name of the checkpoint at the end of the plateau, from which a training run is extended."""
LOCK_NAME = "lock"
OWN_FILE = re.compile(r"\.?([0-9a-f]{16})-(?:\d+|plateau|run)\.(?:pt|json)(.*)")
"""Names of the files in the folder: key of an identity; a suffix, if saving was interrupted."""
DIGEST_SIZE = hashlib.sha256().digest_size


@dataclass(frozen=True)
class RunIds:
    """What a resumed training run takes over, so that it continues the same MLflow run.

    Attributes
    ----------
    training_id : str
    started : int
        Milliseconds since 1970.
    run_id : str or None
        Id of the MLflow run; None if there is none yet.
    """

    training_id: str
    started: int
    run_id: str | None = None


@dataclass(frozen=True)
class Checkpoint:
    """All that is needed to resume a training run so that it ends with the same weights, bit for bit.

    Its tensors are those of the live network: save it before the next step.

    Attributes
    ----------
    network, optimizer : dict
        Their state dicts.
    best : dict of str to Tensor
        Weights of the best epoch, on the CPU; empty before the first epoch has finished.
    schedule : Schedule
    progress : Progress
    random : dict
        What `random_states` returned.
    device : str
        Type of the device: 'cpu', 'cuda' or 'mps'.
    batch_size : int
    run : RunIds or None
    """

    network: dict[str, Tensor]
    optimizer: dict[str, Any]
    best: dict[str, Tensor]
    schedule: Schedule
    progress: Progress
    random: dict[str, Any]
    device: str
    batch_size: int
    run: RunIds | None = None


class CheckpointFolder:
    """Checkpoints of one model; each file is a SHA-256 digest followed by the content.

    Parameters
    ----------
    folder : Path
        Folder of the checkpoints of this model.
    identity : Identity
        Checkpoints of another identity are never loaded.
    """

    def __init__(self, folder: Path, identity: Identity):
        self.folder = folder
        self.identity = identity
        self.key = identity.key

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder for this process while the context lasts.

        Raises
        ------
        InputError
            If another process has locked it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / LOCK_NAME)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise InputError(
                f"{self.folder}: this model is being trained by another process. Wait until it has "
                "finished, or stop it."
            ) from None
        try:
            yield
        finally:
            lock.release()

    def save(self, checkpoint: Checkpoint, name: str | None = None) -> None:
        """Write a checkpoint atomically; keep it and the one before it.

        Checkpoints of later steps are deleted: they belong to an ending of this training run that was
        discarded, by extending or shortening it. So the highest step is always the newest.

        Parameters
        ----------
        checkpoint : Checkpoint
        name : str, optional
            Save it under this name instead; then no later checkpoint replaces it, and none is deleted.
        """
        content = {"identity": vars(self.identity), "checkpoint": _to_content(checkpoint)}
        buffer = io.BytesIO()
        torch.save(content, buffer)
        payload = buffer.getvalue()
        stem = name or f"{checkpoint.progress.step:09d}"
        saved = self.folder / f"{self.key}-{stem}.pt"
        with files.atomic(saved) as path:
            path.write_bytes(hashlib.sha256(payload).digest() + payload)
        if name is None:
            # not before it is written: killed in between, the training run would have no checkpoint
            numbered = self._newest(self.key)
            first = numbered.index(saved)
            for old in numbered[:first] + numbered[first + N_KEPT_CHECKPOINTS :]:
                old.unlink()

    def load(self, name: str | None = None) -> Checkpoint | None:
        """Return the newest intact checkpoint, or the one of this name; None if there is none."""
        named = self.folder / f"{self.key}-{name}.pt"
        for path in self._newest(self.key) if name is None else [named]:
            content = _read(path)
            if content is not None:
                return _from_content(content["checkpoint"])
        return None

    def claim_run(self, run: RunIds) -> RunIds:
        """Save the ids of a run before MLflow learns of them, and return them.

        If an earlier attempt was killed before its first checkpoint, its ids are returned instead.
        """
        path = self.folder / f"{self.key}-run.json"
        if path.exists() and not self._newest(self.key):
            return RunIds(**json.loads(path.read_text(encoding="utf-8")))
        files.write_json(path, vars(run))
        return run

    def describe_mismatch(self) -> list[str]:
        """Return how the newest incompatible checkpoint in the folder differs, one line per value."""
        path = next(iter(self._incompatible()), None)
        content = None if path is None else _read(path)
        if content is None or "identity" not in content:  # as in files of version 0.1
            return []
        return self.identity.describe_mismatch(content["identity"])

    def delete_incompatible(self) -> None:
        """Delete leftovers of interrupted saves, and all incompatible checkpoints but the newest.

        The newest incompatible training run is kept until yet another one is started: what differs may be a
        mistyped setting or a fault of the machine.
        """
        newest = next(iter(self._incompatible()), None)
        kept = {self.key} | ({newest.name[:16]} if newest else set())
        for path in self.folder.iterdir():
            name = OWN_FILE.fullmatch(path.name)
            if name and path.is_file() and (name[1] not in kept or name[2]):
                path.unlink()

    def _incompatible(self) -> list[Path]:
        """Return the checkpoints of all other identities, the newest first."""
        others = [path for path in self._newest("*") if not path.name.startswith(f"{self.key}-")]
        return sorted(others, key=lambda path: path.stat().st_mtime_ns, reverse=True)

    def _newest(self, key: str) -> list[Path]:
        """Return the checkpoints without a name, those of the highest step first."""
        return sorted(self.folder.glob(f"{key}-[0-9]*.pt"), reverse=True)


def _read(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    raw = path.read_bytes()
    payload = raw[DIGEST_SIZE:]
    if hashlib.sha256(payload).digest() != raw[:DIGEST_SIZE]:
        log.warning("%s is corrupt: falling back to the previous checkpoint, if any", path)
        return None
    content: dict[str, Any] = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    return content


def _to_content(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return a checkpoint as numbers, strings, tensors and containers of them: no code is pickled."""
    return vars(checkpoint) | {
        "schedule": vars(checkpoint.schedule),
        "progress": vars(checkpoint.progress),
        "run": vars(checkpoint.run) if checkpoint.run else None,
    }


def _from_content(content: dict[str, Any]) -> Checkpoint:
    records = {
        "schedule": Schedule(**content["schedule"]),
        "progress": Progress(**content["progress"]),
        "run": RunIds(**content["run"]) if content["run"] else None,
    }
    return Checkpoint(**content | records)
