"""The device and the threads that a job computes with."""

from __future__ import annotations

import logging
import os
import tempfile
import time
from pathlib import Path

import psutil
import torch
from filelock import FileLock, Timeout

from vame_pipe.core.errors import InputError

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
ADAPT_SECONDS = 2.0
NEARLY_FREE = 0.25
"""A core counts as free if other processes use less of it."""
PROMISES = ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_GPUS", "SLURM_STEP_GPUS")
"""Environment variables by which a scheduler says what GPUs a job has."""
CPU = torch.backends.cpu.get_cpu_capability()
SAME_WITH_ANY_THREADS = torch.backends.mkl.is_available() and CPU in {"AVX2", "AVX512"}
"""Whether matrix products come out the same, to the last bit, with any number of threads."""
if SAME_WITH_ANY_THREADS:
    # MKL reads it at its first product, and by default rounds as its threads happen to share the work
    os.environ.setdefault("MKL_CBWR", f"{CPU},STRICT")
_held: list[FileLock] = []
"""Locks of this process, until it ends."""


def choose_device(wanted: str) -> str:
    """Return the torch device for `train.device`, saying so if there is no GPU.

    Of several GPUs, one that no other job of this user has taken; CUDA_VISIBLE_DEVICES is respected,
    as torch sees no others. Where all are taken, this waits.

    Parameters
    ----------
    wanted : {'auto', 'cpu', 'cuda', 'mps'}

    Raises
    ------
    InputError
        If a device is asked for by name and is not there.
    """
    torch.set_num_threads(1)
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if wanted == "auto":
        wanted = next(name for name, found in there.items() if found)
        if wanted == "cpu":
            log.info("no GPU found: computing on the CPU")
            for name in PROMISES:
                if os.environ.get(name, "-1") not in {"", "-1"}:
                    log.warning(
                        "a GPU was promised (%s=%s) and torch %s finds none: going on with the CPU. "
                        "Install a build of torch with CUDA, or see the node's driver.",
                        *(name, os.environ[name], torch.__version__),
                    )
                    break
    if not there[wanted]:
        raise InputError(
            f"train.device is '{wanted}', but torch finds no such device here. Set it to auto, or run "
            "where there is one."
        )
    if wanted != "cuda":
        return wanted
    # a GPU's number depends on CUDA_VISIBLE_DEVICES, its UUID does not
    gpus = [str(torch.cuda.get_device_properties(i).uuid) for i in range(torch.cuda.device_count())]
    number, lock = take_free(gpus, Path(tempfile.gettempdir()) / f"vame_pipe-{os.getuid()}")
    _held.append(lock)
    log.info("computing on GPU %d, %s", number, torch.cuda.get_device_name(number))
    return f"cuda:{number}"


class Threads:
    """Keeps torch to the threads that find a core of their own.

    Two threads of torch that share a core wait for each other, spinning: next to one other busy process,
    a training with two threads runs at a fiftieth of its speed, one with a single thread at its full
    speed. So the number follows what other processes leave, where it changes no bit of a result; elsewhere
    it is the one asked for.

    Parameters
    ----------
    most : int
        CPU threads that the job may use; no more are used than the machine has.
    """

    def __init__(self, most: int):
        self._process = psutil.Process()
        affinity = getattr(self._process, "cpu_affinity", None)  # not on macOS
        self._cores = affinity() if affinity else range(os.cpu_count() or 1)
        self._most = max(1, min(most, len(self._cores)))
        torch.set_num_threads(1 if SAME_WITH_ANY_THREADS else self._most)
        self._last = self._seconds()

    def adapt(self) -> None:
        """Update the number of threads every few seconds; cheap enough to call at every step."""
        if self._most == 1 or not SAME_WITH_ANY_THREADS:
            return
        if time.monotonic() - self._last[0] < ADAPT_SECONDS:
            return
        now = self._seconds()
        passed, busy, own = (after - before for after, before in zip(now, self._last, strict=True))
        self._last = now
        free = len(self._cores) - (busy - own) / passed
        torch.set_num_threads(max(1, min(self._most, int(free + NEARLY_FREE))))

    def _seconds(self) -> tuple[float, float, float]:
        """Return the time, and the CPU seconds so far of all processes on these cores and of this one."""
        times = psutil.cpu_times(percpu=True)
        idle = {"idle", "iowait", "guest", "guest_nice"}  # guests are counted as user time, too
        busy = sum(
            value
            for core in self._cores
            for name, value in times[core]._asdict().items()
            if name not in idle
        )
        user, system, *_ = self._process.cpu_times()
        return time.monotonic(), busy, user + system


def take_free(names: list[str], folder: Path) -> tuple[int, FileLock]:
    """Return the index of the first free device and its lock; wait where none is free.

    Parameters
    ----------
    names : list of str
        Of the devices, the same in every process of the machine.
    folder : Path
        For the locks; a process that ends, in whatever way, frees its own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    waiting = False
    while True:
        for number, name in enumerate(names):
            lock = FileLock(folder / f"{name}.lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            return number, lock
        if not waiting:
            log.warning("all %d GPUs are taken by other jobs: waiting for one", len(names))
            waiting = True
        time.sleep(POLL_SECONDS)


def usage(device: str) -> dict[str, float]:
    """Return what is in use, under the names by which MLflow groups system metrics.

    The CPU's share of time since the last call, the memory of this process, and the most memory of a
    GPU since the last call.
    """
    found = {
        "system/cpu_utilization_percentage": psutil.cpu_percent(),
        "system/memory_usage_megabytes": psutil.Process().memory_info().rss / 1e6,
    }
    if device.startswith("cuda"):
        found["system/gpu_memory_usage_megabytes"] = torch.cuda.max_memory_allocated(device) / 1e6
        torch.cuda.reset_peak_memory_stats(device)
    return found
