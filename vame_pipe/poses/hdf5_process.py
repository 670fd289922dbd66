"""Read HDF5 pose files in a separate process, which a damaged file can crash without harm.

The HDF5 library crashes its process on about one in 400 damaged files. So one child process,
`hdf5_answers`, reads all HDF5 files. It is started for the first file and again after a crash. A question
to it is one line of JSON; its answer is several lines of JSON, each followed by the numbers that it
announces. Nothing is pickled.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np

import vame_pipe
from vame_pipe.core.errors import InputError
from vame_pipe.poses.pose_table import Column, PoseHeader, PoseTable

CPU_S = 5.0
"""Processor time per file, in addition to the time for its size; ends an endless loop."""
CPU_S_PER_BYTE = 1 / 5e6

_lock = threading.Lock()
_child: _Child | None = None


class _Crashed(Exception):
    """The child process ended before its answer was complete."""


class _Child:
    """The child process, and the number of files that it has read."""

    def __init__(self) -> None:
        # the child imports from where the parent does, but not from the working directory (-P), which
        # can contain modules of the same names
        package_root = str(Path(vame_pipe.__file__).parents[1])
        folders = [package_root, *(os.path.abspath(p) for p in sys.path if p)]
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "vame_pipe.poses.hdf5_answers"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # a crash is reported by an error message instead
            env=os.environ | {"PYTHONPATH": os.pathsep.join(folders)},
        )
        assert process.stdin is not None and process.stdout is not None  # they are pipes
        self.process, self._questions, self._answers = process, process.stdin, process.stdout
        self.parent = os.getpid()
        self.n_answers = 0
        try:
            problem = self.receive()["problem"]
        except _Crashed:
            problem = f"exit code {self.stop()}"
        if problem:
            self.stop()
            raise RuntimeError(f"The process that reads HDF5 files does not start: {problem}")

    def ask(self, **question: Any) -> None:
        try:
            self._questions.write(json.dumps(question).encode() + b"\n")
            self._questions.flush()
        except BrokenPipeError:
            raise _Crashed from None

    def receive(self) -> dict[str, Any]:
        line = self._answers.readline()
        if not line.endswith(b"\n"):
            raise _Crashed
        return json.loads(line)

    def receive_numbers(self, shape: tuple[int, int]) -> np.ndarray:
        numbers = np.empty(shape)
        raw = self._answers.read(numbers.nbytes)
        if len(raw) != numbers.nbytes:
            raise _Crashed
        return np.frombuffer(raw).reshape(shape)

    def stop(self) -> int:
        """End the process and return its exit code, negative for a signal."""
        self.process.kill()
        self.process.communicate()
        return self.process.returncode


def read_header(path: Path, format: str | None) -> PoseHeader:
    """Return the names in an HDF5 pose file.

    Parameters
    ----------
    path : Path
    format : str, optional
        Name of the format; None: recognised.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    head, table = _read(path, format, None)
    return PoseHeader(
        format=head["format"],
        columns=table.columns,
        first_label=str(table.labels[0]) if len(table.labels) else "",
        fps=head["fps"],
        tracked=head["tracked"],
    )


def read_table(path: Path, format: str | None, columns: list[int]) -> PoseTable:
    """Return some columns of an HDF5 pose file.

    Parameters
    ----------
    path : Path
    format : str, optional
        Name of the format; None: recognised.
    columns : list of int
        Indices into the columns of the header.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    return _read(path, format, columns)[1]


def _read(
    path: Path, format: str | None, columns: list[int] | None
) -> tuple[dict[str, Any], PoseTable]:
    """Ask the child for columns of a file; None: the header, and the label of the first row."""
    with _lock:
        while True:
            child = _running()
            fresh = child.n_answers == 0
            try:
                answer = _converse(child, path, format, columns)
            except InputError:
                child.n_answers += 1
                raise
            except _Crashed:
                exit_code = _end()
                # an earlier file can have damaged the memory of the process: blame this file only if
                # it was the first
                if fresh or exit_code in _TOO_LONG:
                    raise InputError(_crash_message(path, exit_code)) from None
            except BaseException:  # or the next question would get the rest of this answer
                _end()
                raise
            else:
                child.n_answers += 1
                return answer


def _converse(
    child: _Child, path: Path, format: str | None, wanted: list[int] | None
) -> tuple[dict[str, Any], PoseTable]:
    cpu_s = CPU_S + path.stat().st_size * CPU_S_PER_BYTE
    where = {"path": os.path.abspath(path), "shown": str(path)}
    child.ask(**where, format=format, wanted=wanted, cpu_s=cpu_s)
    head = _checked(child.receive())
    n_rows, columns = head["n_rows"], tuple(Column(*c) for c in head["columns"])
    n_columns = len(wanted or [])
    values = np.empty((n_columns, n_rows))
    labels: list[Any] = []
    at = 0
    while at < n_rows:
        slab = _checked(child.receive())
        n = slab["n_rows"]
        numbers = child.receive_numbers((n, n_columns + 1))
        values[:, at : at + n] = numbers[:, 1:].T
        labels.append(numbers[:, 0] if slab["labels"] is None else np.array(slab["labels"], object))
        at += n
    _checked(child.receive())
    found = {int(c): (row, text) for c, (row, text) in head["not_numbers"].items()}
    if wanted is not None:
        columns = tuple(columns[c] for c in wanted)
        found = {i: found[c] for i, c in enumerate(wanted) if c in found}
    joined = np.concatenate(labels) if labels else np.empty(0)
    return head, PoseTable(columns, values.T, joined, found)


def _checked(answer: dict[str, Any]) -> dict[str, Any]:
    if "problems" in answer:
        raise InputError(*answer["problems"])
    return answer


def _running() -> _Child:
    global _child
    if _child is not None and _child.parent != os.getpid():
        _child = None  # it belongs to the parent of this process, which was forked
    if _child is not None and _child.process.poll() is not None:
        _end()
    if _child is None:
        _child = _Child()
    return _child


def _end() -> int:
    global _child
    if _child is None or _child.parent != os.getpid():
        return 0
    child, _child = _child, None
    return child.stop()


atexit.register(_end)

_TOO_LONG = (-signal.SIGPROF, -signal.SIGALRM)


def _crash_message(path: Path, exit_code: int) -> str:
    if exit_code in _TOO_LONG:
        return (
            f"{path}: reading it takes too long. The file is damaged, or its storage does not respond. "
            "Re-export it."
        )
    if exit_code == -signal.SIGKILL:
        return (
            f"{path}: the process that read it was killed, probably because memory ran out. Provide "
            "more memory and run again."
        )
    cause = f"signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"
    return f"{path}: reading it crashed the HDF5 library ({cause}), so the file is damaged. Re-export it."
