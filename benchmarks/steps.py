"""Time training steps and encoding, compared with the time of their matrix products alone.

    python benchmarks/steps.py [DEVICE]

30 frames to encode, 15 to predict, 12 features, random frames. The bound counts the matrix products of the
GRUs and linear layers; a training step has three times those of the forward pass. Outside the model:
everything but its forward and backward pass (gathering, loss terms, clipping, optimizer).
"""

from __future__ import annotations

import functools
import os
import statistics
import sys
import time
from collections.abc import Callable

import torch
from random_windows import new_state, random_windows

from vame_pipe.config.sections import Model, Train
from vame_pipe.encoding import encode
from vame_pipe.training.batches import WindowBatches
from vame_pipe.training.loop import take_step
from vame_pipe.training.state import TrainingState
from vame_pipe.windows.data import WindowData

LENGTH, FUTURE, N_FEATURES = 30, 15, 12


def seconds_of(run: Callable[[], object], device: str, at_least: float = 3.0) -> float:
    """Return the mean seconds per call, after one call to warm up."""
    run()
    calls, began = 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < at_least:
        run()
        if device != "cpu":
            torch.cuda.synchronize()
        calls += 1
    return spent / calls


def matmul_rate(device: str) -> float:
    """Return FLOP per second of a large product."""
    a, b = torch.randn(2, 2048, 2048, device=device)
    return 2 * 2048**3 / seconds_of(lambda: a @ b, device)


def gru_flop(inputs: int, hidden: int, frames: int) -> int:
    """Return FLOP of the products of one direction of a GRU over a window."""
    return 2 * frames * 3 * hidden * (inputs + hidden)


def step_flop(hidden: int, zdims: int) -> tuple[int, int]:
    """Return FLOP per window of a training step (three times the forward pass) and of encoding."""
    encoder = 2 * gru_flop(N_FEATURES, hidden, LENGTH) + 2 * gru_flop(2 * hidden, hidden, LENGTH)
    encoder += 2 * 2 * 4 * hidden * zdims
    decoders = 0
    for frames in (LENGTH, FUTURE):
        decoders += 2 * gru_flop(zdims, hidden, frames)
        decoders += 2 * 2 * hidden * zdims + 2 * frames * 2 * hidden * N_FEATURES
    return 3 * (encoder + decoders), encoder


def take_steps(state: TrainingState, batches: WindowBatches, starts: torch.Tensor) -> None:
    """Take a step on a batch of windows."""
    for window in batches.gather(starts, len(starts), LENGTH + FUTURE):
        take_step(state, window, state.learning_rate(), state.annealing_weight())


def sized(hidden: int) -> Model:
    """Return a model with the same number of hidden units in all parts."""
    sizes = dict.fromkeys(("hidden_size_layer_1", "hidden_size_rec", "hidden_size_pred"), hidden)
    return Model(**sizes).for_preset(None)


def alternatives(data: WindowData, device: str) -> None:
    """Print the speed of other kinds of training steps, in turns: medians of three."""
    batches = WindowBatches(data.frames, device)
    ways = ("as it is", "torch.compile", "flush_denormal", "not deterministic", "bfloat16")
    print("| hidden | batch |", " | ".join(ways), "|\n" + "|---" * (len(ways) + 2) + "|")
    for hidden, size in ((64, 64), (256, 64), (256, 256)):
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        starts = torch.randint(len(data.train), (size,))
        for way in 3 * ways:
            precision = "bfloat16" if way == "bfloat16" else "float32"
            settings = Train(batch_size=size, precision=precision)
            state = new_state(data, sized(hidden), settings, device)
            if way == "torch.compile":
                state.network = torch.compile(state.network)
            torch.set_flush_denormal(way == "flush_denormal")
            torch.use_deterministic_algorithms(way != "not deterministic", warn_only=True)
            step = functools.partial(take_steps, state, batches, starts)
            seconds[way].append(seconds_of(step, device))
        speeds = [size / statistics.median(of_way) for of_way in seconds.values()]
        cells = [f"{speeds[0]:.0f} windows/s", *(f"x {s / speeds[0]:.2f}" for s in speeds[1:])]
        print(f"| {hidden} | {size} |", " | ".join(cells), "|", flush=True)


def training_speed(data: WindowData, hidden: int, device: str, rate: float) -> None:
    """Print a row per batch size: windows per second of training steps."""
    model, batches = sized(hidden), WindowBatches(data.frames, device)
    flop, _ = step_flop(hidden, model.zdims)
    for size in (32, 64, 256):
        state = new_state(data, model, Train(batch_size=size), device)
        (window,) = batches.gather(torch.arange(size), size, LENGTH + FUTURE)
        starts = torch.randint(len(data.train), (size,))

        def network_only(network=state.network, window=window):
            outputs = network(window[:, :LENGTH])
            sum(output.sum() for output in outputs).backward()

        step = functools.partial(take_steps, state, batches, starts)
        seconds, inside = seconds_of(step, device), seconds_of(network_only, device)
        speed = size / seconds
        cells = [f"{hidden}", f"{size}", f"{speed:.0f}", f"{speed * flop / rate:.0%}"]
        print("|", " | ".join(cells), f"| {1 - inside / seconds:.0%} |", flush=True)


def encoding_speed(data: WindowData, hidden: int, device: str, rate: float) -> None:
    """Print a row per batch size: windows per second of encoding."""
    model = sized(hidden)
    _, flop = step_flop(hidden, model.zdims)
    network = new_state(data, model, Train(batch_size=64), device).network.eval()
    starts = data.train[:8192].astype("int64")
    for size in (64, 256, 1024, 4096):
        encode.BATCH = size
        run = functools.partial(encode.encode_windows, network, data.frames, starts, LENGTH)
        speed = len(starts) / seconds_of(run, device)
        print(f"| {hidden}, encoding | {size} | {speed:.0f} | {speed * flop / rate:.0%} | |")


def main(device: str) -> None:
    """Print the tables."""
    torch.set_num_threads(os.cpu_count() or 1)
    rate, data = matmul_rate(device), random_windows(LENGTH, FUTURE, N_FEATURES)
    print(f"matrix products: {rate / 1e9:.0f} GFLOP/s\n")
    print("| hidden | batch | windows/s | of the products' bound | outside the model |")
    print("|---|---|---|---|---|")
    for hidden in (64, 256):
        training_speed(data, hidden, device, rate)
        encoding_speed(data, hidden, device, rate)
    print()
    alternatives(data, device)


if __name__ == "__main__":
    main(*(sys.argv[1:] or ["cpu"]))
