"""Measure time and peak memory of the motifs of many short sessions.

    python benchmarks/motif_sessions.py [SESSIONS [ROWS]]

Writes aligned sessions of noise around postures that change in bouts, trains a tiny model (hidden 8, zdims
8) for one epoch and encodes all sessions. Then measures `segment` (15 motifs, 2 seeds), `label` of two
sessions, each in its own process, and how long the report takes to read the motifs of all sessions.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from scale import FEATURES, measure

from vame_pipe.core import files
from vame_pipe.core.layout import Layout
from vame_pipe.core.metadata import AlignedMetadata, AnimalFacts, to_metadata
from vame_pipe.core.schemas import INDEX_FIELDS, feature_fields, index_columns
from vame_pipe.reporting.motif_lines import raster, read_lines
from vame_pipe.reporting.motifs import MAX_LINES, require_current_motifs

FPS, N_POSTURES = 30, 10
MODEL = {"zdims": 8, "hidden_size_layer_1": 8, "hidden_size_rec": 8, "hidden_size_pred": 8}
TRAIN = {"max_epochs": 1, "batch_size": 4096, "device": "cpu"}
MOTIFS = {"n": 15, "seeds": 2}


def write_aligned(layout: Layout, n_sessions: int, n_rows: int) -> list[str]:
    """Write sessions as alignment would; return their names."""
    postures = np.random.default_rng(0).normal(size=(N_POSTURES, len(FEATURES)))
    schema = pa.schema([*INDEX_FIELDS, *feature_fields(FEATURES)])
    names = [f"s{i:04d}" for i in range(n_sessions)]
    for seed, name in enumerate(names, start=1):
        rng, row = np.random.default_rng(seed), np.arange(n_rows)
        state = np.repeat(rng.integers(N_POSTURES, size=n_rows), rng.integers(10, 40, n_rows))
        values = postures[state[:n_rows]] + 0.5 * rng.normal(size=(n_rows, len(FEATURES)))
        columns = index_columns(name, "animal", row, row, row / FPS, np.zeros_like(row))
        columns += [pa.array(column) for column in values.astype(np.float32).T]
        record = AlignedMetadata(
            session=name,
            settings={"scale": True, "centre": "k0", "forward": "k1"},
            features=FEATURES,
            keypoints=[feature.removesuffix("_x") for feature in FEATURES[::2]],
            fps=float(FPS),
            individuals={"animal": AnimalFacts(50.0, 0.0, n_rows)},
            fingerprint=files.fingerprint(name, n_rows),
            poses_digest="",
            source="",
            source_fps=float(FPS),
            stage_version=0,
        )
        table = pa.Table.from_arrays(columns, schema=schema)
        files.write_tables(layout.aligned(name), [table], schema, to_metadata(record))
    return names


def main(n_sessions: int, n_rows: int) -> None:
    """Print a row per command."""
    with tempfile.TemporaryDirectory() as temporary:
        layout = Layout(Path(temporary))
        sessions = write_aligned(layout, n_sessions, n_rows)
        windows, model, log = layout.windows_folder.root, layout.model("m"), ("--log", "/dev/null")
        aligned = ("--aligned", layout.aligned_folder)
        settings = json.dumps({"length_s": 0.5, "future_s": 0.1})
        measure(
            *("windows", *aligned, "--sessions", *sessions),
            *("--settings", settings, "--out", windows, *log),
        )
        measure(
            *("train", "--windows", windows, "--name", "m", "--model", json.dumps(MODEL)),
            *("--train", json.dumps(TRAIN), "--threads", 1),
            *("--checkpoints", layout.checkpoints("m"), "--out", model.root, *log),
        )
        measure(
            *("encode", "--model", model.weights, "--sessions", *sessions, *aligned),
            *("--device", "cpu", "--out", layout.latents_folder("m"), *log),
        )
        motifs = layout.motifs("m").root
        show(
            *("segment", "--latents", layout.latents_folder("m"), *aligned, "--windows", windows),
            *("--model", model.weights, "--settings", json.dumps(MOTIFS), "--out", motifs, *log),
        )
        for name in sessions[:2]:
            show(
                *("label", "--segmentation", motifs, "--latents", layout.latents("m", name)),
                *("--aligned", layout.aligned(name)),
                *("--out", Path(temporary) / "label" / f"{name}.parquet", *log),
            )
        began = time.perf_counter()
        require_current_motifs(layout, ["m"], sessions)
        lines = [line for session in sessions for line in read_lines(layout, "m", session)]
        raster(lines[:MAX_LINES])
        print(f"| motifs in the report | {time.perf_counter() - began:.0f} | |")


def show(command: str, *arguments: object) -> None:
    """Run a command and print its seconds and its peak memory."""
    seconds, peak = measure(command, *arguments)
    print(f"| {command} | {seconds:.0f} | {peak:.0f} |", flush=True)


if __name__ == "__main__":
    print("| command | s | peak MiB |\n|---|---|---|")
    main(*map(int, sys.argv[1:] or ("2000", "200")))
