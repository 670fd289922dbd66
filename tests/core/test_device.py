import logging
import os
import subprocess
import sys
import time

import pytest
import torch

from vame_pipe.core import device
from vame_pipe.core.device import (
    GPU_ENV_VARS,
    Threads,
    acquire_device,
    choose_device,
    resource_usage,
)
from vame_pipe.core.errors import InputError

HOLD = """
import sys, time
from pathlib import Path
from vame_pipe.core.device import acquire_device
index, lock = acquire_device(["GPU-a", "GPU-b"], Path(sys.argv[1]))
print(index, flush=True)
time.sleep(60)
"""


def start_holder(folder):
    """Start a process that acquires one of two devices and keeps it."""
    command = [sys.executable, "-c", HOLD, folder]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_jobs_get_two_gpus_and_a_third_waits_for_one(tmp_path):
    index, lock = acquire_device(["GPU-a", "GPU-b"], tmp_path)
    assert index == 0
    second = start_holder(tmp_path)
    assert second.stdout.readline() == "1\n"
    third = start_holder(tmp_path)
    assert "all 2 GPUs are in use by other jobs: waiting" in third.stderr.readline()
    assert third.poll() is None
    second.kill()  # as by kill -9: this releases its lock
    assert third.stdout.readline() == "1\n"
    third.kill()
    lock.release()
    for process in (second, third):
        process.communicate()


def test_a_lock_that_is_released_frees_its_device(tmp_path):
    index, lock = acquire_device(["GPU-a", "GPU-b"], tmp_path)
    lock.release()
    assert index == acquire_device(["GPU-a", "GPU-b"], tmp_path)[0] == 0


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_auto_is_the_cpu_and_cuda_is_refused(caplog, monkeypatch):
    for name in GPU_ENV_VARS:
        monkeypatch.delenv(name, raising=False)
    caplog.set_level(logging.INFO)
    assert choose_device("auto") == "cpu"
    assert "no GPU found" in caplog.text
    assert "announces" not in caplog.text
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert choose_device("auto") == "cpu"
    (message,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert "CUDA_VISIBLE_DEVICES=1 announces a GPU" in message
    with pytest.raises(InputError, match=r"train.device is 'cuda'"):
        choose_device("cuda")


def test_the_preferred_device_is_cuda_then_mps_then_the_cpu(tmp_path, monkeypatch):
    """With forged devices; the second of two GPUs is free."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device("auto") == "mps"
    assert choose_device("cpu") == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "a GPU")
    properties = (
        type("Properties", (), {"uuid": "GPU-0"}),
        type("Properties", (), {"uuid": "GPU-1"}),
    )
    monkeypatch.setattr(torch.cuda, "get_device_properties", properties.__getitem__)
    monkeypatch.setattr(device.tempfile, "gettempdir", lambda: str(tmp_path))
    _, lock = acquire_device(["GPU-0"], tmp_path / f"vame_pipe-{os.getuid()}")
    assert choose_device("auto") == "cuda:1"
    lock.release()
    device._held_locks.pop().release()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_a_gpu_is_chosen_with_its_index():
    assert choose_device("auto").startswith("cuda:")


def test_threads_leave_cores_to_other_processes(monkeypatch):
    """With one busy process per core, torch has a single thread, whatever it may use."""
    monkeypatch.setattr(device, "ADAPT_SECONDS", 0.0)
    monkeypatch.setattr(device, "SAME_WITH_ANY_THREADS", True)
    loops = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"])
        for _ in range(os.cpu_count() or 1)
    ]
    try:
        threads = Threads(4)
        torch.set_num_threads(2)
        time.sleep(1.0)
        threads.adapt()
        assert torch.get_num_threads() == 1
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def test_threads_follow_the_free_cores(monkeypatch):
    """CPU seconds of a machine with eight cores, of which other processes use more and more."""
    monkeypatch.setattr(device, "ADAPT_SECONDS", 0.0)
    monkeypatch.setattr(device, "SAME_WITH_ANY_THREADS", True)
    threads = Threads(1)
    threads._cores, threads._most = range(8), 4
    try:
        for others, expected in ((0.0, 4), (3.9, 4), (5.0, 3), (5.9, 2), (7.0, 1), (8.0, 1)):
            threads._last = (0.0, 0.0, 0.0)
            clocks = (10.0, 10 * (others + 2.0), 20.0)
            monkeypatch.setattr(threads, "_read_clocks", lambda clocks=clocks: clocks)
            threads.adapt()
            assert torch.get_num_threads() == expected, others
    finally:
        torch.set_num_threads(1)


def test_usage_has_the_names_of_mlflow():
    usage = resource_usage("cpu")
    assert set(usage) == {
        "system/cpu_utilization_percentage",
        "system/memory_usage_megabytes",
    }
    assert 50 < usage["system/memory_usage_megabytes"] < 50_000
