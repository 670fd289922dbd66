"""The compute device of a job, its CPU threads, and the resources that it uses."""

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
"""A core counts as free if other processes use less than this fraction of it."""
GPU_ENV_VARS = ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_GPUS", "SLURM_STEP_GPUS")
"""Environment variables in which schedulers announce the GPUs of a job."""
CPU = torch.backends.cpu.get_cpu_capability()
SAME_WITH_ANY_THREADS = torch.backends.mkl.is_available() and CPU in {"AVX2", "AVX512"}
"""Whether matrix products are the same, to the last bit, with any number of threads."""
if SAME_WITH_ANY_THREADS:
    # by default the rounding of MKL depends on the number of threads. It reads this variable at its first
    # product, which may come before anything of this module is called: so it is set on import
    os.environ.setdefault("MKL_CBWR", f"{CPU},STRICT")
_held_locks: list[FileLock] = []
"""Locks of GPUs, held until this process ends."""


def choose_device(requested: str) -> str:
    """Return the torch device to compute on; log which one it is.

    With several GPUs, this is one that no other job of the same user has locked; if all are in use, this
    waits. CUDA_VISIBLE_DEVICES is respected, because torch sees no other GPUs.

    Parameters
    ----------
    requested : {'auto', 'cpu', 'cuda', 'mps'}
        The setting `train.device`. 'auto': CUDA before MPS before the CPU.

    Raises
    ------
    InputError
        If the requested device is not available.
    """
    available = _available_devices()
    if requested == "auto":
        requested = available[0]
        if requested == "cpu":
            _log_missing_gpu()
    if requested not in available:
        raise InputError(
            f"train.device is '{requested}', but that device is not available here. Use 'auto', or run on "
            "a machine that has one."
        )
    return _lock_gpu() if requested == "cuda" else requested


def _available_devices() -> list[str]:
    """Return the kinds of devices that torch finds, the preferred one first."""
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    return [*(["cuda"] if cuda else []), *(["mps"] if mps else []), "cpu"]


def _log_missing_gpu() -> None:
    """Log that there is no GPU; warn if the scheduler announces one."""
    log.info("no GPU found: computing on the CPU")
    announced = [name for name in GPU_ENV_VARS if os.environ.get(name, "-1") not in {"", "-1"}]
    if announced:
        log.warning(
            "%s=%s announces a GPU, but torch %s finds none: falling back to the CPU. Install a CUDA "
            "build of torch, or check the driver of this machine.",
            announced[0],
            os.environ[announced[0]],
            torch.__version__,
        )


def _lock_gpu() -> str:
    """Return a GPU that is locked for this process until it ends."""
    # a GPU's index depends on CUDA_VISIBLE_DEVICES, its UUID does not
    gpus = [str(torch.cuda.get_device_properties(i).uuid) for i in range(torch.cuda.device_count())]
    index, lock = acquire_device(gpus, Path(tempfile.gettempdir()) / f"vame_pipe-{os.getuid()}")
    _held_locks.append(lock)
    log.info("computing on GPU %d, %s", index, torch.cuda.get_device_name(index))
    return f"cuda:{index}"


def acquire_device(names: list[str], folder: Path) -> tuple[int, FileLock]:
    """Return the index of the first free device and its lock; wait if none is free.

    Parameters
    ----------
    names : list of str
        Device names, the same in every process on the machine.
    folder : Path
        Folder for the lock files. A lock is released when its process ends, however it ends.
    """
    folder.mkdir(parents=True, exist_ok=True)
    waiting = False
    while True:
        for index, name in enumerate(names):
            lock = FileLock(folder / f"{name}.lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            return index, lock
        if not waiting:
            log.warning("all %d GPUs are in use by other jobs: waiting for one", len(names))
            waiting = True
        time.sleep(POLL_SECONDS)


class Threads:
    """Limits torch to as many threads as there are free CPU cores.

    Two torch threads that share a core wait for each other, spinning: next to one other busy process,
    training with two threads runs at a fiftieth of its speed, with a single thread at its full speed. So
    the number of threads follows the free cores, if that changes no bit of a result (see
    `SAME_WITH_ANY_THREADS`); otherwise it is always the requested one.

    Parameters
    ----------
    most : int
        CPU threads that the job may use; never more than the machine has.
    """

    def __init__(self, most: int):
        self._process = psutil.Process()
        affinity = getattr(self._process, "cpu_affinity", None)  # not on macOS
        self._cores = affinity() if affinity else range(os.cpu_count() or 1)
        self._most = max(1, min(most, len(self._cores)))
        torch.set_num_threads(1 if SAME_WITH_ANY_THREADS else self._most)
        self._last = self._read_clocks()

    def adapt(self) -> None:
        """Update the number of threads every few seconds; cheap enough to call after every step."""
        if self._most == 1 or not SAME_WITH_ANY_THREADS:
            return
        if time.monotonic() - self._last[0] < ADAPT_SECONDS:
            return
        now = self._read_clocks()
        elapsed, busy, own = (after - before for after, before in zip(now, self._last, strict=True))
        self._last = now
        free = len(self._cores) - (busy - own) / elapsed
        torch.set_num_threads(max(1, min(self._most, int(free + NEARLY_FREE))))

    def _read_clocks(self) -> tuple[float, float, float]:
        """Return the time, and the CPU seconds used so far: on these cores, and by this process."""
        times = psutil.cpu_times(percpu=True)
        idle = {"idle", "iowait", "guest", "guest_nice"}  # guest time is part of user time
        busy = sum(
            value
            for core in self._cores
            for name, value in times[core]._asdict().items()
            if name not in idle
        )
        user, system, *_ = self._process.cpu_times()
        return time.monotonic(), busy, user + system


def resource_usage(device: str) -> dict[str, float]:
    """Return CPU, memory and GPU memory in use, under MLflow's names of system metrics.

    CPU utilisation is the average since the last call, memory that of this process now, and GPU memory the
    peak since the last call.

    Parameters
    ----------
    device : str
        A torch device.
    """
    in_use = {
        "system/cpu_utilization_percentage": psutil.cpu_percent(),
        "system/memory_usage_megabytes": psutil.Process().memory_info().rss / 1e6,
    }
    if device.startswith("cuda"):
        in_use["system/gpu_memory_usage_megabytes"] = torch.cuda.max_memory_allocated(device) / 1e6
        torch.cuda.reset_peak_memory_stats(device)
    return in_use
