"""Training runs of half a second, that tests interrupt, and processes that train."""

import multiprocessing
import os
import sys

import torch
from conftest import MODEL, train_in_process, without_timings

from vame_pipe.cli.main import main
from vame_pipe.config.sections import Train

SMALL = MODEL.model_copy(
    update=dict.fromkeys(("hidden_size_layer_1", "hidden_size_rec", "hidden_size_pred"), 8)
)
SHORT = Train(
    max_epochs=4,
    patience=10,
    batch_size=256,
    learning_rate=2e-3,
    anneal_epochs=2,
    input_noise=0.1,
    device="cpu",
)
EPOCH = 6
"""Steps per epoch of SHORT."""


def train_small(data, folder, settings=SHORT, **more):
    """Train, or resume, in this process; return the result."""
    return train_in_process(data, folder, model=SMALL, settings=settings, **more)[1]


def assert_same_result(one, other):
    """Weights and metrics are equal to the last bit; times are not compared."""
    assert one.state.keys() == other.state.keys()
    assert all(torch.equal(one.state[name], other.state[name]) for name in one.state)
    assert without_timings(one.history) == without_timings(other.history)
    assert (one.stop, one.summary["final/best_epoch"]) == (
        other.stop,
        other.summary["final/best_epoch"],
    )


def stop_after(n_steps):
    """Return a request to stop that becomes true after some steps."""
    remaining = iter(range(n_steps))
    return lambda: next(remaining, None) is None


def start_process(arguments, errors):
    """Start `vame-pipe` in a new process, with its standard error in a file.

    It is forked from a server that has imported torch once, which saves four seconds per process.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch._dynamo", "vame_pipe.training.figures", "short_runs"])
    process = context.Process(target=_run, args=([str(word) for word in arguments], str(errors)))
    process.start()
    return process


def _run(arguments, errors):
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    target = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(target, sys.stderr.fileno())
    sys.exit(main(arguments))
