"""Resume files: where a training goes on after it was killed, stopped or extended.

They live in a folder that no rule declares as output, because Snakemake deletes what a failed job has
declared.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout

from vame_pipe.core import files
from vame_pipe.core.errors import InputError

log = logging.getLogger(__name__)

KEPT = 2
"""Newest files that are kept: should the last be damaged, the one before it serves."""
PLATEAU = "plateau"
"""Name of the state at the end of the plateau, from which a training is extended."""
LOCK = "lock"
OWN_FILE = re.compile(r"\.?([0-9a-f]{16})-(?:\d+|plateau|run)\.(?:pt|json)(.*)")
"""Names of the files written here: the key of a training; a rest, where a save was interrupted."""
DIGEST = hashlib.sha256().digest_size


class CheckpointFolder:
    """The states of one training, in files of a SHA-256 and the content that it is of.

    Parameters
    ----------
    folder : Path
        Of one model.
    made_of : dict of str to dict
        What may not change: settings, fingerprints of data and code. States made of something else
        are never loaded.
    """

    def __init__(self, folder: Path, made_of: dict[str, dict[str, Any]]):
        self.folder = folder
        self.made_of = made_of
        self.key = files.fingerprint(made_of)[:16]

    def lock(self) -> FileLock:
        """Take the folder for this process, until it ends or the lock is released.

        Raises
        ------
        InputError
            If another training has taken it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise InputError(
                f"{self.folder}: this model is being trained by another process. Wait for it, or stop it."
            ) from None
        return lock

    def save(self, step: int, state: dict[str, Any], name: str | None = None) -> None:
        """Write a state of numbers, strings, tensors and containers of them, atomically.

        Parameters
        ----------
        step : int
            Steps taken.
        state : dict
        name : str, optional
            Keep it under this name, apart from the newest.
        """
        buffer = io.BytesIO()
        torch.save({"made_of": self.made_of, "state": state}, buffer)
        content = buffer.getvalue()
        with files.atomic(self.folder / f"{self.key}-{name or f'{step:09d}'}.pt") as path:
            path.write_bytes(hashlib.sha256(content).digest() + content)
        for old in self._newest(self.key)[KEPT:]:
            old.unlink()

    def load(self, name: str | None = None) -> dict[str, Any] | None:
        """Return the newest whole state, or the named one; None if there is none."""
        named = self.folder / f"{self.key}-{name}.pt"
        for path in self._newest(self.key) if name is None else [named]:
            content = _read(path)
            if content is not None:
                return content["state"]
        return None

    def opened(self, run: dict[str, Any]) -> dict[str, Any]:
        """Note what identifies a run before anything else learns of it, and return it.

        An attempt that was killed before it saved a state left such a note: then that run goes on.
        """
        path = self.folder / f"{self.key}-run.json"
        if path.exists() and self.load() is None:
            return json.loads(path.read_text())
        files.write_json(path, run)
        return run

    def differences(self) -> list[str]:
        """Return how the newest other training in this folder differs, one line per value."""
        path = next(iter(self._others()), None)
        content = None if path is None else _read(path)
        if content is None:
            return []
        before, now = _flat(content["made_of"]), _flat(self.made_of)
        return [
            f"{name} was {_short(before.get(name))}, is {_short(now.get(name))}"
            for name in sorted(before.keys() | now.keys())
            if before.get(name) != now.get(name)
        ]

    def clear_others(self) -> None:
        """Delete what an interrupted save left, and states of all other trainings but the newest.

        The newest stays for one more run: what differs may be a setting that is about to be corrected, or a
        fault of a machine.
        """
        newest = next(iter(self._others()), None)
        keep = {self.key} | ({newest.name[:16]} if newest else set())
        for path in self.folder.iterdir():
            name = OWN_FILE.fullmatch(path.name)
            if name and path.is_file() and (name[1] not in keep or name[2]):
                path.unlink()

    def _others(self) -> list[Path]:
        """Return the states of other trainings, the newest first."""
        states = [path for path in self._newest("*") if not path.name.startswith(f"{self.key}-")]
        return sorted(states, key=lambda path: path.stat().st_mtime_ns, reverse=True)

    def _newest(self, key: str) -> list[Path]:
        return sorted(self.folder.glob(f"{key}-[0-9]*.pt"), reverse=True)


def _read(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    raw = path.read_bytes()
    content = raw[DIGEST:]
    if hashlib.sha256(content).digest() != raw[:DIGEST]:
        log.warning("%s is damaged (its checksum differs): using the one before it, if any", path)
        return None
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def _short(value: Any) -> str:
    """Return a value as it is said, the first digits of a fingerprint."""
    said = str(value)
    return said[:8] if len(said) == 64 else said


def _flat(made_of: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {f"{section}.{key}": v for section, part in made_of.items() for key, v in part.items()}


def random_states() -> dict[str, Any]:
    """Return the states of all generators of random numbers."""
    kind, keys, *rest = np.random.get_state()
    return {
        "python": random.getstate(),
        "numpy": [kind, torch.from_numpy(keys.astype(np.int64)), *rest],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def set_random_states(states: dict[str, Any]) -> None:
    """Set what `random_states` returned."""
    random.setstate(states["python"])
    kind, keys, *rest = states["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(states["torch"])
    if states["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(states["cuda"])
