"""The device and the threads that a job computes with."""

from __future__ import annotations

import logging
import os

import torch

from vame_pipe.errors import InputError

log = logging.getLogger(__name__)


def choose_device(wanted: str, threads: int) -> str:
    """Return the torch device for `train.device`, saying so if there is no GPU.

    Parameters
    ----------
    wanted : {'auto', 'cpu', 'cuda', 'mps'}
    threads : int
        CPU threads that the job may use; no more are used than the machine has.

    Raises
    ------
    InputError
        If a device is asked for by name and is not there.
    """
    torch.set_num_threads(max(1, min(threads, os.cpu_count() or 1)))
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if wanted == "auto":
        wanted = next(name for name, found in there.items() if found)
        if wanted == "cpu":
            log.info("no GPU found: computing on the CPU, threads: %d", torch.get_num_threads())
    if not there[wanted]:
        raise InputError(
            f"train.device is '{wanted}', but torch finds no such device here. Set it to auto, or run "
            "where there is one."
        )
    return wanted
