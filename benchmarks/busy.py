"""Time training on the CPU alone and next to another process, before and since threads adapt.

    python benchmarks/busy.py [SECONDS]

Before: as many threads as cores. Now: those that `vame_pipe.machine` finds useful for the size of the
model, of which `vame_pipe.device.Threads` takes those that other processes leave. 30 frames to encode, 15
to predict, 18 random features, batches of 64. The first third of the time is not counted: threads adapt in
it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

import numpy as np

LENGTH, FUTURE, N_FEATURES, N_FRAMES, BATCH = 30, 15, 18, 20_000, 64
SIZES = (16, 64, 128, 256)
LOOP = "loop"


def work(hidden: int, mode: str, seconds: float) -> None:
    """Train for some seconds and print windows per second."""
    if mode == "before":
        os.environ["MKL_CBWR"] = ""
    import torch

    from vame_pipe.config.sections import Model, Train
    from vame_pipe.core.device import Threads
    from vame_pipe.core.machine import useful_threads
    from vame_pipe.training.batches import Feed
    from vame_pipe.training.loop import Training
    from vame_pipe.windows.data import WindowData

    frames = np.random.default_rng(0).standard_normal((N_FRAMES, N_FEATURES)).astype(np.float32)
    starts, ones = np.arange(N_FRAMES - 100, dtype=np.int32), np.ones(N_FEATURES, np.float32)
    meta = {"length": LENGTH, "future": FUTURE, "features": ["f"] * N_FEATURES}
    data = WindowData(frames, starts, starts[:100], 0 * ones, ones, meta, "")
    sizes = {f"hidden_size_{name}": hidden for name in ("layer_1", "rec", "pred")}
    model = Model(zdims=12, dropout_pred=0.5, **sizes)
    training = Training(data, model, Train(batch_size=BATCH), "cpu", None)
    feed = Feed(frames, "cpu")
    batches = list(feed.batches(torch.from_numpy(starts[: 20 * BATCH]), BATCH, LENGTH + FUTURE))
    threads = Threads(useful_threads(model))
    if mode == "before":
        torch.set_num_threads(os.cpu_count() or 1)
    training.take_step(batches[0], LENGTH)
    print("ready", flush=True)
    sys.stdin.readline()
    began, count, counted_from = time.perf_counter(), 0, None
    while (now := time.perf_counter()) - began < seconds:
        if counted_from is None and now - began > seconds / 3:
            count, counted_from = 0, now
        training.take_step(batches[count % len(batches)], LENGTH)
        count += 1
        if mode == "now":
            threads.adapt()
    print(count * BATCH / (time.perf_counter() - counted_from), flush=True)


def speeds(hidden: int, mode: str, others: list[str], seconds: float) -> list[float]:
    """Return windows per second of trainings that run at the same time, next to endless loops."""
    loops = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) for o in others if o == LOOP
    ]
    command = [sys.executable, __file__, "work", str(hidden), mode, str(seconds)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    count = 1 + len(others) - len(loops)
    trainings = [subprocess.Popen(command, **pipes) for _ in range(count)]
    for training in trainings:
        training.stdout.readline()
    for training in trainings:
        training.stdin.write("\n")
        training.stdin.flush()
    found = [float(training.stdout.readline()) for training in trainings]
    for process in [*trainings, *loops]:
        process.kill()
        process.wait()
    return found


def main(seconds: float) -> None:
    """Print a row per size: windows per second, and the ratios that matter."""
    print("hidden | alone before, now | now : before | next to a loop : alone, before, now | two")
    for hidden in SIZES:
        alone, loop, two = {}, {}, {}
        for mode in ("before", "now"):
            alone[mode] = speeds(hidden, mode, [], seconds)[0]
            loop[mode] = speeds(hidden, mode, [LOOP], seconds)[0] / alone[mode]
            two[mode] = np.mean(speeds(hidden, mode, ["training"], seconds)) / alone[mode]
        print(
            f"{hidden} | {alone['before']:.0f}, {alone['now']:.0f} | "
            f"{alone['now'] / alone['before']:.2f} | {loop['before']:.2f}, {loop['now']:.2f} | "
            f"{two['before']:.2f}, {two['now']:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["work"]:
        work(int(sys.argv[2]), sys.argv[3], float(sys.argv[4]))
    else:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 9.0)
