"""Train with float32 and with bfloat16 on the same windows, with networks of VAME's size.

    VAME_PIPE_POSES=FOLDER python benchmarks/precision.py [DATA ...]

DATA, folder, seeds and errors as in recipes.py (default: odor bsoid); hidden 256, zdims 30, 3 epochs.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import recipes
import torch

SIZE = dict.fromkeys(recipes.SIZE, 256)
EPOCHS = 3


def main(names: list[str]) -> None:
    """Print one table per data set."""
    torch.set_num_threads(os.cpu_count() or 1)
    for name in names:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            data = recipes.prepare(name, folder)
            print(f"\n{name}\n\n| precision {recipes.COLUMNS}")
            for precision in ("float32", "bfloat16"):
                options = {"precision": precision, "max_epochs": EPOCHS}
                runs = [
                    recipes.run(data, folder / f"{precision}-{seed}", SIZE, seed=seed, **options)
                    for seed in recipes.SEEDS
                ]
                recipes.report(precision, runs, EPOCHS)


if __name__ == "__main__":
    main(sys.argv[1:] or ["odor", "bsoid"])
