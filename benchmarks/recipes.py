"""Train the default recipe and VAME's on the same windows, and print their errors.

    VAME_PIPE_POSES=FOLDER python benchmarks/recipes.py [DATA ...]

DATA: demo, bsoid, odor (default: all; the folder contains bsoid-openfield/ and odor/ of those projects).
Hidden 64, zdims 30, 1 s to encode and 0.5 s to predict, three seeds. Scored by the squared error per
element of the same validation windows, which does not depend on the weights of the loss terms.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vame_pipe.cli.main import main
from vame_pipe.config.sections import Model, Train, Windows
from vame_pipe.training.checkpoints import CheckpointFolder
from vame_pipe.training.identity import identify
from vame_pipe.training.loop import train
from vame_pipe.training.state import TrainingSetup
from vame_pipe.windows import data as window_data
from vame_pipe.windows.build import build
from vame_pipe.windows.data import WindowData

SIZE = {"hidden_size_layer_1": 64, "hidden_size_rec": 64, "hidden_size_pred": 64}
SEEDS = (1, 2, 3)
COLUMNS = (
    "| windows seen | seconds | reconstruction | prediction | KL, nats | active |\n"
    + "|---" * 7
    + "|"
)
MOUSE = {
    "nose": ["nose", "Nose"],
    "left": ["leftear", "LeftEar"],
    "right": ["rightear", "RightEar"],
    "tailbase": ["tailbase", "TailBase"],
}
DATA = {
    "demo": ("*/sim-?.csv", 30, {"centre": "tailbase", "forward": "nose"}, None),
    "bsoid": (
        "bsoid-openfield/*.csv",
        60,
        {"centre": "Butt/Proximal Tail", "forward": "Snout", "fps": 30},
        None,
    ),
    "odor": ("odor/*[!d].csv", 30, {"centre": "tailbase", "forward": "nose"}, MOUSE),
}


def prepare(name: str, folder: Path) -> WindowData:
    """Align the recordings of a data set, and return their windows."""
    pattern, fps, align, keypoints = DATA[name]
    if name == "demo":
        assert main(["simulate", str(folder / "poses/demo")]) == 0
    source = folder / "poses" if name == "demo" else Path(os.environ["VAME_PIPE_POSES"])
    files = sorted(source.glob(pattern))
    for number, file in enumerate(files):
        out = folder / f"aligned/s{number}"
        arguments = ["align", "--poses", str(file), f"--session=s{number}", "--fps", str(fps)]
        arguments += ["--settings", json.dumps(align), "--keypoints", json.dumps(keypoints)]
        arguments += ["--out", f"{out}.parquet", "--qc", f"{out}.qc.json"]
        assert main(arguments) == 0
    aligned = [folder / f"aligned/s{number}.parquet" for number in range(len(files))]
    build(aligned, Windows(), folder / "windows")
    return window_data.load(folder / "windows")


def run(
    data: WindowData, folder: Path, size: dict[str, Any] = SIZE, **settings: Any
) -> list[dict[str, Any]]:
    """Train; return the metrics of every epoch with seconds and squared errors per element."""
    recipe = Train(device="cpu", checkpoint_minutes=1000, **settings).for_device("cpu")
    model = Model(**size).for_preset(recipe.preset)
    checkpoints = CheckpointFolder(folder / "checkpoints", identify(data, model, recipe))
    setup = TrainingSetup(data, model, recipe, "cpu", checkpoints, folder / "metrics.jsonl")
    history = train(setup).history
    n_features, seconds, lines = len(data.meta.features), 0.0, []
    for line in history:
        seconds += len(data.train) / line["windows_per_second"]
        errors = {
            part: line[f"val/{part}"] / (n_frames * n_features)
            for part, n_frames in (
                ("reconstruction", data.meta.length),
                ("prediction", data.meta.future),
            )
        }
        lines.append(line | errors | {"seconds": seconds})
    return lines


def report(recipe: str, runs: list[list[dict[str, Any]]], epoch: int) -> None:
    """Print a row: means over the seeds, and the range of the errors."""
    lines = [run[epoch - 1] for run in runs]
    cells = [
        recipe,
        f"{lines[0]['windows_seen']:,}",
        f"{np.mean([m['seconds'] for m in lines]):.0f}",
    ]
    for part in ("reconstruction", "prediction"):
        errors = [m[part] for m in lines]
        cells.append(f"{np.mean(errors):.3f} ({min(errors):.3f} to {max(errors):.3f})")
    cells += [f"{np.mean([m['val/' + k] for m in lines]):.0f}" for k in ("kl", "active_units")]
    print("|", " | ".join(cells), "|", flush=True)


def compare(name: str, folder: Path) -> None:
    """Print the table of one data set: VAME's recipe for up to 20 epochs, the default for up to 5."""
    data = prepare(name, folder)
    print(f"\n{name}: {len(data.train):,} training and {len(data.val):,} validation windows\n")
    print(f"| recipe {COLUMNS}")
    published = [
        run(data, folder / f"vame-{s}", preset="vame", max_epochs=20, seed=s) for s in SEEDS
    ]
    for epochs in (1, 2, 5, 10, 20):
        report("vame", published, epochs)
    for epochs in (1, 2, 5):
        runs = [run(data, folder / f"{epochs}-{s}", max_epochs=epochs, seed=s) for s in SEEDS]
        report(f"default, max_epochs {epochs}", runs, epochs)
    if name != "demo":
        print(f"\n| batch size {COLUMNS}")
        for size in (16, 32, 64, 128, 256):
            options = {"max_epochs": 2, "batch_size": size}
            runs = [run(data, folder / f"b{size}-{s}", seed=s, **options) for s in SEEDS]
            report(f"batches of {size}", runs, 2)


if __name__ == "__main__":
    torch.set_num_threads(os.cpu_count() or 1)
    for name in sys.argv[1:] or DATA:
        with tempfile.TemporaryDirectory() as temporary:
            compare(name, Path(temporary))
