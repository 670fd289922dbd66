import logging
import os
import subprocess
import sys
import time

import pytest
import torch

from vame_pipe.core import device
from vame_pipe.core.device import PROMISES, Threads, choose_device, take_free
from vame_pipe.core.errors import InputError

HOLD = """
import sys, time
from pathlib import Path
from vame_pipe.core.device import take_free
number, lock = take_free(["GPU-a", "GPU-b"], Path(sys.argv[1]))
print(number, flush=True)
time.sleep(60)
"""


def hold(folder):
    """A process that takes one of two devices."""
    return subprocess.Popen([sys.executable, "-c", HOLD, folder], stdout=subprocess.PIPE, text=True)


def test_two_jobs_take_two_gpus_and_a_third_waits_for_one(tmp_path, caplog):
    first = hold(tmp_path)
    assert first.stdout.readline() == "0\n"
    second = hold(tmp_path)
    assert second.stdout.readline() == "1\n"
    third = hold(tmp_path)
    time.sleep(5)
    assert third.poll() is None
    second.kill()  # as by kill -9: its lock goes with it
    assert third.stdout.readline() == "1\n"
    first.kill()
    third.kill()
    for process in (first, second, third):
        process.wait()
        process.stdout.close()


def test_a_lock_that_is_released_frees_its_device(tmp_path):
    number, lock = take_free(["GPU-a", "GPU-b"], tmp_path)
    lock.release()
    assert number == take_free(["GPU-a", "GPU-b"], tmp_path)[0] == 0


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_auto_says_so_and_cuda_stops(caplog, monkeypatch):
    for name in PROMISES:
        monkeypatch.delenv(name, raising=False)
    caplog.set_level(logging.INFO)
    assert choose_device("auto") == "cpu"
    assert "no GPU found" in caplog.text
    assert "promised" not in caplog.text
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert choose_device("auto") == "cpu"
    (said,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert "a GPU was promised (CUDA_VISIBLE_DEVICES=1)" in said
    with pytest.raises(InputError, match=r"train.device is 'cuda'"):
        choose_device("cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_a_gpu_is_taken_by_its_number():
    assert choose_device("auto").startswith("cuda:")


def test_threads_leave_cores_to_other_processes(monkeypatch):
    """One busy process for each core: torch is left a single thread, whatever it may use."""
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
    """CPU seconds as of a machine of eight cores, on which other processes use more and more."""
    monkeypatch.setattr(device, "ADAPT_SECONDS", 0.0)
    monkeypatch.setattr(device, "SAME_WITH_ANY_THREADS", True)
    threads = Threads(1)
    threads._cores, threads._most = range(8), 4
    try:
        for others, expected in ((0.0, 4), (3.9, 4), (5.0, 3), (5.9, 2), (7.0, 1), (8.0, 1)):
            threads._last = (0.0, 0.0, 0.0)
            monkeypatch.setattr(threads, "_seconds", lambda n=others: (10.0, 10 * (n + 2.0), 20.0))
            threads.adapt()
            assert torch.get_num_threads() == expected, others
    finally:
        torch.set_num_threads(1)
