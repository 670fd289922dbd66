"""A training step with the package's GRU and with torch's, in turn, in one run. usage: gru.py [THREADS]"""

import sys
import time

import torch
from torch import nn

from vame_pipe.training import network
from vame_pipe.training.adam import Adam
from vame_pipe.training.gru import run_gru
from vame_pipe.training.network import RNN_VAE

ROUNDS = 5


def step(model: RNN_VAE, optimizer: Adam, window: torch.Tensor) -> None:
    """Update a network on one batch."""
    reconstruction, prediction, *_ = model(window)
    optimizer.zero_grad()
    ((reconstruction - window).square().sum() + prediction.square().sum()).backward()
    optimizer.step(1e-3)


def torch_gru(rnn: nn.GRU, inputs: torch.Tensor, state: torch.Tensor | None = None):
    """What `run_gru` replaces."""
    return rnn(inputs, state)


def main() -> None:
    """Print windows per second of both, as the best of some rounds."""
    torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    print("| hidden | batch | torch's GRU | this GRU | ratio |\n|---|---|---|---|---|")
    for hidden in (16, 64, 256):
        for batch in (64, 256):
            model = RNN_VAE(60, 30, 12, True, 15, *[hidden] * 4, 0.0, 0.0, 0.0, False)
            optimizer, window = Adam(model.parameters()), torch.randn(batch, 30, 12)
            best = dict.fromkeys((torch_gru, run_gru), float("inf"))
            for _ in range(ROUNDS):
                for function in best:
                    network.run_gru = function
                    steps = max(1, 2560 // (batch * max(1, hidden // 64)))
                    start = time.perf_counter()
                    for _ in range(steps):
                        step(model, optimizer, window)
                    best[function] = min(best[function], (time.perf_counter() - start) / steps)
            theirs, ours = (batch / seconds for seconds in best.values())
            print(f"| {hidden} | {batch} | {theirs:.0f} | {ours:.0f} | {ours / theirs:.2f} |")


if __name__ == "__main__":
    main()
