"""Measure time and peak memory of windowing and of a training epoch for several numbers of frames.

    python benchmarks/scale.py [FRAMES ...]

Writes aligned files of random features (12 features, 10 sessions), then runs `vame-pipe windows` and one
epoch of a small model (hidden 16, zdims 4, windows of 6 + 3 frames, batches of 4,096), each in its own
process.
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
from vame_pipe.core.metadata import AlignedMetadata, AnimalFacts, to_metadata
from vame_pipe.core.schemas import INDEX_FIELDS, feature_fields, index_columns

FEATURES = [f"k{i // 2}_{'xy'[i % 2]}" for i in range(12)]
N_SESSIONS = 10
WINDOWS = {"length_s": 0.2, "future_s": 0.1}
MODEL = {"zdims": 4, "hidden_size_layer_1": 16, "hidden_size_rec": 16, "hidden_size_pred": 16}
TRAIN = {"max_epochs": 1, "batch_size": 4096, "device": "cpu"}


def write_aligned(folder: Path, n_frames: int) -> list[str]:
    """Write sessions of noise as alignment would; return their names."""
    names = [f"s{i}" for i in range(N_SESSIONS)]
    schema = pa.schema([*INDEX_FIELDS, *feature_fields(FEATURES)])
    for seed, name in enumerate(names):
        rng, row = np.random.default_rng(seed), np.arange(n_frames // N_SESSIONS)
        columns = index_columns(name, "animal", row, row, row / 30, np.zeros_like(row))
        columns += [pa.array(rng.standard_normal(len(row), np.float32)) for _ in FEATURES]
        record = AlignedMetadata(
            session=name,
            settings={"scale": True},
            features=FEATURES,
            keypoints=[feature.removesuffix("_x") for feature in FEATURES[::2]],
            fps=30.0,
            individuals={"animal": AnimalFacts(50.0, 0.0, len(row))},
            fingerprint=files.fingerprint(name, n_frames),
            poses_digest="",
            source="",
            stage_version=0,
        )
        table = pa.Table.from_arrays(columns, schema=schema)
        files.write_tables(folder / f"{name}.parquet", [table], schema, to_metadata(record))
    return names


def measure(*arguments: object) -> tuple[float, float]:
    """Run a vame-pipe command; return its seconds and its peak memory in MiB."""
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
        windows, log = folder / "windows", ("--log", folder / "log")
        indexed = measure(
            *("windows", "--aligned", folder / "aligned", "--sessions", *sessions),
            *("--settings", json.dumps(WINDOWS), "--out", windows, *log),
        )
        trained = measure(
            *("train", "--windows", windows, "--name", "m", "--model", json.dumps(MODEL)),
            *("--train", json.dumps(TRAIN), "--threads", os.cpu_count()),
            *("--checkpoints", folder / "checkpoints", "--out", folder / "m", *log),
        )
        cells = [f"{value:.0f}" for pair in (indexed, trained) for value in pair]
        print(f"| {n_frames / 1e6:g} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    print(
        "| million frames | windows, s | peak MiB | training, s | peak MiB |\n|---|---|---|---|---|"
    )
    for count in sys.argv[1:] or ("100_000", "1_000_000", "10_000_000"):
        main(int(count))
