"""Time training steps and encoding, against the machine's rate of matrix products.

    python benchmarks/steps.py [DEVICE]

30 frames to encode, 15 to predict, 12 features, random frames. The bound counts the matrix products of
the GRUs and linear layers; a training step takes three times those of the forward pass. Outside the
model: whatever is not its forward and backward pass (gathering, loss terms, clipping, optimizer).
"""

from __future__ import annotations

import functools
import os
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from vame_pipe.config.sections import Model, Train
from vame_pipe.training.batches import Feed
from vame_pipe.training.loop import Training
from vame_pipe.windows.data import WindowData

LENGTH, FUTURE, N_FEATURES, N_FRAMES = 30, 15, 12, 20_000


def seconds_of(run: Callable[[], object], device: str, at_least: float = 3.0) -> float:
    """Return the mean seconds of a call, after one to warm up."""
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


def data() -> WindowData:
    """Return random frames and windows."""
    frames = np.random.default_rng(0).standard_normal((N_FRAMES, N_FEATURES)).astype(np.float32)
    starts = np.arange(N_FRAMES - LENGTH - FUTURE)
    ones = np.ones(N_FEATURES, np.float32)
    meta = {"length": LENGTH, "future": FUTURE, "features": [str(i) for i in range(N_FEATURES)]}
    return WindowData(frames, starts, starts[:100], 0 * ones, ones, meta, "")


def take_steps(training: Training, feed: Feed, order: torch.Tensor) -> None:
    """Take a step on the windows of an order."""
    for window in feed.batches(order, len(order), LENGTH + FUTURE):
        training.take_step(window, LENGTH)


def sized(hidden: int) -> Model:
    """Return a model of one size throughout."""
    sizes = dict.fromkeys(("hidden_size_layer_1", "hidden_size_rec", "hidden_size_pred"), hidden)
    return Model(**sizes).for_preset(None)


def tried(windows: WindowData, device: str) -> None:
    """Print what else a training step could be, in turns: the medians of three."""
    feed = Feed(windows.frames, device)
    ways = ("as it is", "torch.compile", "flush_denormal", "not deterministic", "bfloat16")
    print("| hidden | batch |", " | ".join(ways), "|\n" + "|---" * (len(ways) + 2) + "|")
    for hidden, size in ((64, 64), (256, 64), (256, 256)):
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        order = torch.randint(len(windows.train), (size,))
        for way in 3 * ways:
            precision = "bfloat16" if way == "bfloat16" else "float32"
            settings = Train(batch_size=size, precision=precision)
            training = Training(windows, sized(hidden), settings, device, None)
            if way == "torch.compile":
                training.network = torch.compile(training.network)
            torch.set_flush_denormal(way == "flush_denormal")
            torch.use_deterministic_algorithms(way != "not deterministic", warn_only=True)
            step = functools.partial(take_steps, training, feed, order)
            seconds[way].append(seconds_of(step, device))
        speeds = [size / statistics.median(of_way) for of_way in seconds.values()]
        cells = [f"{speeds[0]:.0f} windows/s", *(f"x {s / speeds[0]:.2f}" for s in speeds[1:])]
        print(f"| {hidden} | {size} |", " | ".join(cells), "|", flush=True)


def main(device: str) -> None:
    """Print the tables."""
    torch.set_num_threads(os.cpu_count() or 1)
    rate, windows = matmul_rate(device), data()
    print(f"matrix products: {rate / 1e9:.0f} GFLOP/s\n")
    print("| hidden | batch | windows/s | of the products' bound | outside the model |")
    print("|---|---|---|---|---|")
    feed = Feed(windows.frames, device)
    for hidden in (64, 256):
        model = sized(hidden)
        flop, encoding = step_flop(hidden, model.zdims)
        for size in (32, 64, 256):
            training = Training(windows, model, Train(batch_size=size), device, None)
            (batch, *_) = feed.batches(torch.arange(size), size, LENGTH + FUTURE)
            step = functools.partial(
                take_steps, training, feed, torch.randint(len(windows.train), (size,))
            )

            def network(training=training, batch=batch):
                outputs = training.network(batch[:, :LENGTH])
                sum(output.sum() for output in outputs).backward()

            all_of_it, inside = seconds_of(step, device), seconds_of(network, device)
            speed = size / all_of_it
            cells = [f"{hidden}", f"{size}", f"{speed:.0f}", f"{speed * flop / rate:.0%}"]
            print("|", " | ".join(cells), f"| {1 - inside / all_of_it:.0%} |", flush=True)
        network = training.network.eval()
        starts = torch.arange(8192, device=device)
        for size in (64, 256, 1024, 4096):

            def encode(network=network, starts=starts):
                return encode.encode(network, feed.frames, starts, LENGTH)

            encode.BATCH = size
            speed = len(starts) / seconds_of(encode, device)
            print(
                f"| {hidden}, encoding | {size} | {speed:.0f} | {speed * encoding / rate:.0%} | |"
            )
    print()
    tried(windows, device)


if __name__ == "__main__":
    main(*(sys.argv[1:] or ["cpu"]))
