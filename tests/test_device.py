import logging
import subprocess
import sys
import time

import pytest
import torch

from vame_pipe.device import PROMISES, choose_device, take_free
from vame_pipe.errors import InputError

HOLD = """
import sys, time
from pathlib import Path
from vame_pipe.device import take_free
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
    assert choose_device("auto", 1) == "cpu"
    assert "no GPU found" in caplog.text
    assert "promised" not in caplog.text
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert choose_device("auto", 1) == "cpu"
    (said,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert "a GPU was promised (CUDA_VISIBLE_DEVICES=1)" in said
    with pytest.raises(InputError, match=r"train.device is 'cuda'"):
        choose_device("cuda", 1)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_a_gpu_is_taken_by_its_number():
    assert choose_device("auto", 1).startswith("cuda:")
