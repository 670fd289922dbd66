"""Time and memory of windowing and of a training epoch against the number of frames.

    python benchmarks/scale.py [FRAMES ...]

Aligned files of random features are written (12 features, 10 sessions), then `vame-pipe windows` and one
epoch of a small model (hidden 16, zdims 4, windows of 6 + 3 frames, batches of 4,096) run, each in a
process of its own, whose peak memory is read.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from vame_pipe.core import files

FEATURES = [f"k{i // 2}_{'xy'[i % 2]}" for i in range(12)]
N_SESSIONS = 10
WINDOWS = {"length_s": 0.2, "future_s": 0.1}
MODEL = {"zdims": 4, "hidden_size_layer_1": 16, "hidden_size_rec": 16, "hidden_size_pred": 16}
TRAIN = {"max_epochs": 1, "batch_size": 4096, "device": "cpu"}


def write_aligned(folder: Path, n_frames: int) -> list[str]:
    """Write sessions of noise as alignment would; return their names."""
    names = [f"s{i}" for i in range(N_SESSIONS)]
    fields = [*files.INDEX_FIELDS, pa.field("valid", pa.bool_())]
    schema = pa.schema([*fields, *(pa.field(f, pa.float32()) for f in FEATURES)])
    for number, name in enumerate(names):
        rng, n = np.random.default_rng(number), n_frames // N_SESSIONS
        columns = files.index_columns(name, "animal", np.arange(n), np.arange(n) / 30)
        columns += [pa.array(np.ones(n, bool))]
        columns += [pa.array(rng.standard_normal(n, np.float32)) for _ in FEATURES]
        meta = files.metadata(
            features=FEATURES,
            fps=30.0,
            settings={"scale": True},
            longest_run=n,
            keypoints=FEATURES[::2],
            fingerprint=files.fingerprint(name, n_frames),
        )
        files.write_tables(
            folder / f"{name}.parquet", [pa.Table.from_arrays(columns, schema=schema)], schema, meta
        )
    return names


def measure(*arguments: object) -> tuple[float, float]:
    """Run a command; return its seconds and its peak memory in MiB."""
    began, child = time.perf_counter(), os.fork()
    if child == 0:
        os.execvp("vame-pipe", ["vame-pipe", *map(str, arguments)])
    _, status, usage = os.wait4(child, 0)
    assert status == 0, arguments
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def main(n_frames: int) -> None:
    """Print a row of the table."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        sessions = write_aligned(folder / "aligned", n_frames)
        place = folder / "windows"
        common = ["--log", folder / "log"]
        indexed = measure(
            *("windows", "--aligned", folder / "aligned", "--sessions", *sessions),
            *("--settings", json.dumps(WINDOWS), "--out", place, *common),
        )
        (folder / "experiment.json").write_text('{"tracking_uri": null, "experiment": "scale"}')
        trained = measure(
            *("train", "--windows", place, "--name", "m", "--model", json.dumps(MODEL)),
            *("--train", json.dumps(TRAIN), "--mlflow", folder / "experiment.json"),
            *("--threads", os.cpu_count(), "--resume", folder / "resume", "--out", folder / "m"),
            *common,
        )
        cells = [f"{value:.0f}" for pair in (indexed, trained) for value in pair]
        print(f"| {n_frames / 1e6:g} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    print(
        "| million frames | windows, s | peak MiB | training, s | peak MiB |\n|---|---|---|---|---|"
    )
    for count in sys.argv[1:] or ("100_000", "1_000_000", "10_000_000"):
        main(int(count))
