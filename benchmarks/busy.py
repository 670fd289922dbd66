"""Time training on the CPU, alone and next to another process, with fixed and adapted threads.

    python benchmarks/busy.py [SECONDS]

Fixed: as many threads as cores. Adapted: the number that `vame_pipe.core.machine` finds useful for the size
of the model, of which `vame_pipe.core.device.Threads` uses as many as there are free cores. 30 frames to
encode, 15 to predict, 18 random features, batches of 64. The first third of the time, in which threads
adapt, is not counted.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

import numpy as np

LENGTH, FUTURE, N_FEATURES, BATCH = 30, 15, 18, 64
SIZES = (16, 64, 128, 256)
FIXED, ADAPTED = "fixed", "adapted"
LOOP = "loop"


def work(hidden: int, mode: str, seconds: float) -> None:
    """Train for some seconds and print windows per second."""
    if mode == FIXED:
        os.environ["MKL_CBWR"] = ""
    import torch
    from random_windows import new_state, random_windows

    from vame_pipe.config.sections import Model, Train
    from vame_pipe.core.device import Threads
    from vame_pipe.core.machine import useful_threads
    from vame_pipe.training.batches import WindowBatches
    from vame_pipe.training.loop import take_step

    data = random_windows(LENGTH, FUTURE, N_FEATURES)
    sizes = {f"hidden_size_{name}": hidden for name in ("layer_1", "rec", "pred")}
    model = Model(zdims=12, dropout_pred=0.5, **sizes)
    state = new_state(data, model, Train(batch_size=BATCH), "cpu")
    starts = torch.from_numpy(data.train[: 20 * BATCH])
    batches = list(WindowBatches(data.frames, "cpu").gather(starts, BATCH, LENGTH + FUTURE))
    threads = Threads(useful_threads(model))
    if mode == FIXED:
        torch.set_num_threads(os.cpu_count() or 1)
    take_step(state, batches[0], state.learning_rate(), state.annealing_weight())
    print("ready", flush=True)
    sys.stdin.readline()
    began, count, counted_from = time.perf_counter(), 0, None
    while (now := time.perf_counter()) - began < seconds:
        if counted_from is None and now - began > seconds / 3:
            count, counted_from = 0, now
        window = batches[count % len(batches)]
        take_step(state, window, state.learning_rate(), state.annealing_weight())
        count += 1
        if mode == ADAPTED:
            threads.adapt()
    print(count * BATCH / (time.perf_counter() - counted_from), flush=True)


def speeds(hidden: int, mode: str, others: list[str], seconds: float) -> list[float]:
    """Return windows per second of training runs at the same time, next to endless loops."""
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
    measured = [float(training.stdout.readline()) for training in trainings]
    for process in [*trainings, *loops]:
        process.kill()
        process.wait()
    return measured


def main(seconds: float) -> None:
    """Print a row per size: windows per second, and ratios of them."""
    print(
        "hidden | alone: fixed, adapted | adapted / fixed | next to a loop / alone: fixed, adapted | "
        "two at once / alone: fixed, adapted"
    )
    for hidden in SIZES:
        alone, loop, two = {}, {}, {}
        for mode in (FIXED, ADAPTED):
            alone[mode] = speeds(hidden, mode, [], seconds)[0]
            loop[mode] = speeds(hidden, mode, [LOOP], seconds)[0] / alone[mode]
            two[mode] = np.mean(speeds(hidden, mode, ["training"], seconds)) / alone[mode]
        print(
            f"{hidden} | {alone[FIXED]:.0f}, {alone[ADAPTED]:.0f} | "
            f"{alone[ADAPTED] / alone[FIXED]:.2f} | {loop[FIXED]:.2f}, {loop[ADAPTED]:.2f} | "
            f"{two[FIXED]:.2f}, {two[ADAPTED]:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["work"]:
        work(int(sys.argv[2]), sys.argv[3], float(sys.argv[4]))
    else:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 9.0)
