"""Run the whole workflow on real DeepLabCut recordings and print the results.

    VAME_PIPE_POSES=FOLDER python benchmarks/real_recordings.py

The folder contains bsoid-openfield/, odor/, vame-sample/ and elevated-plus-maze/ of those projects.
One of the two runs alone: add `mixed` or `elevated-plus-maze`.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq
import yaml

from vame_pipe.core import run_record
from vame_pipe.core.layout import Layout

ROOT = Path(__file__).parents[1]
POSES = Path(os.environ["VAME_PIPE_POSES"]).resolve()
STAGES = ("align", "windows", "init_mlflow", "train", "encode")
SMALL = {
    "model": {
        "zdims": 12,
        "hidden_size_layer_1": 64,
        "hidden_size_rec": 64,
        "hidden_size_pred": 64,
    },
    "train": {"max_epochs": 6},
}
ANIMAL = ["nose", "headcentre", "neck", "earl", "earr", "bodycentre", "bcl", "bcr", "hipl", "hipr"]


def recordings(folder: str, pattern: str, fps: float) -> dict[str, dict]:
    """Return the sessions of a folder, named after it."""
    files = sorted((POSES / folder).glob(pattern))
    names = [folder] if len(files) == 1 else [f"{folder}-{i + 1}" for i in range(len(files))]
    return {n: {"poses": str(f), "fps": fps} for n, f in zip(names, files, strict=True)}


MIXED = {
    "sessions": recordings("bsoid-openfield", "*.csv", 60)
    | recordings("odor", "*[!d].csv", 30)
    | recordings("vame-sample", "*.csv", 30),
    "keypoints": {
        "nose": ["Snout", "Nose", "nose"],
        "tailbase": ["Butt/Proximal Tail", "TailBase", "tailbase", "Tailroot"],
    },
    "align": {"centre": "tailbase", "forward": "nose", "fps": 30},
}
MAZE = {
    "sessions": recordings("elevated-plus-maze", "*.csv", 25),
    "keypoints": [*ANIMAL, "tailbase"],
    "align": {"centre": "tailbase", "forward": "nose"},
    "train": {"max_epochs": 60, "patience": 20},  # 330 windows make short epochs
}


def run(name: str, settings: dict, folder: Path) -> None:
    """Run the workflow on one configuration and print its results."""
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(SMALL | settings | {"results": name}))
    command = ["snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    command += ["--configfile", str(path), "--cores", "2", "--resources", "gpu=1", "--quiet"]
    start = time.perf_counter()
    subprocess.run(command, check=True)
    print(f"\n## {name}: {time.perf_counter() - start:.0f} s in total\n")
    layout = Layout(folder / name)
    print_sessions(layout, list(settings["sessions"]))
    print_model(layout)
    print_stages(layout)
    windows = (
        layout.windows_folder.frames.stat().st_size + layout.windows_folder.index.stat().st_size
    )
    aligned = sum(file.stat().st_size for file in layout.aligned_folder.glob("*.parquet"))
    print(f"\nwindows/ on disk: {windows / aligned:.2f} x aligned/")


def print_sessions(layout: Layout, sessions: list[str]) -> None:
    """Print frames, valid fraction and windows of each animal of each session."""
    print("| session | frames in | rows | valid | windows |\n|---|---|---|---|---|")
    index = pq.read_table(
        layout.windows_folder.index, columns=["session", "individual"]
    ).to_pandas()
    n_windows = index.value_counts(["session", "individual"]).to_dict()
    for session in sessions:
        animals = json.loads(layout.quality(session).read_text())["individuals"]
        for individual, qc in animals.items():
            label = session if len(animals) == 1 else f"{session}, {individual}"
            count = n_windows.get((session, individual), 0)
            print(
                f"| {label} | {qc['n_frames']} | {qc['n_rows']} | {qc['valid_fraction']:.1%} | {count} |"
            )


def print_model(layout: Layout) -> None:
    """Print the R2 of the model on its validation windows."""
    record = run_record.read(layout.model("vame").run)
    print(
        f"\nR2 of reconstruction {record.summary['final/r2_reconstruction']:.3f}, of prediction "
        f"{record.summary['final/r2_prediction']:.3f} on {record.data.n_val} validation windows\n"
    )


def print_stages(layout: Layout) -> None:
    """Print the number of jobs of each stage, their run time and their memory."""
    print("| stage | jobs | seconds | peak MiB |\n|---|---|---|---|")
    for stage in STAGES:
        single = layout.benchmark(stage)
        files = [*single.with_suffix("").rglob("*.tsv"), *single.parent.glob(single.name)]
        rows = [row for file in files for row in csv.DictReader(file.open(), delimiter="\t")]
        total, peak = sum(float(r["s"]) for r in rows), max(float(r["max_rss"]) for r in rows)
        print(f"| {stage} | {len(rows)} | {total:.1f} | {peak:.0f} |")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for name, settings in (("mixed", MIXED), ("elevated-plus-maze", MAZE)):
            if sys.argv[1:] in ([], [name]):
                run(name, settings, Path(folder))
