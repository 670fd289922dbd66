"""Run the whole workflow on real DeepLabCut recordings and print what came of it.

    VAME_PIPE_POSES=FOLDER python benchmarks/real_recordings.py

The folder holds bsoid-openfield/, odor/, vame-sample/ and elevated-plus-maze/ of those projects.
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

from vame_pipe.encoding import model_file

ROOT = Path(__file__).parents[1]
POSES = Path(os.environ["VAME_PIPE_POSES"]).resolve()
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
    """Run the workflow on one configuration and print its figures."""
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(SMALL | settings | {"results": name}))
    (folder / "config.yaml").write_text("{}")
    command = ["snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    command += ["--configfile", str(path), "--cores", "2", "--resources", "gpu=1", "--quiet"]
    began = time.perf_counter()
    subprocess.run(command, check=True)
    seconds = time.perf_counter() - began
    results = folder / name
    print(
        f"\n## {name}: {seconds:.0f} s in all\n\n| session | frames in | rows | valid | windows |"
    )
    print("|---|---|---|---|---|")
    index = pq.read_table(results / "windows/windows.parquet").to_pandas()
    for session in settings["sessions"]:
        qc = json.loads((results / f"aligned/{session}.qc.json").read_text())
        count = int((index["session"] == session).sum())
        print(
            f"| {session} | {qc['n_frames']} | {qc['n_rows']} | {qc['valid_fraction']:.1%} | {count} |"
        )
    final = model_file.load(results / "models/vame/model.pt").training
    print(
        f"\nR2 of reconstruction {final['final/r2_reconstruction']:.3f}, of prediction "
        f"{final['final/r2_prediction']:.3f} on {(index['split'] == 'test').sum()} held-out windows\n"
    )
    print("| stage | jobs | seconds | peak MiB |\n|---|---|---|---|")
    for stage in ("align", "windows", "mlflow", "train", "latents"):
        files = [
            *results.glob(f"benchmarks/{stage}/**/*.tsv"),
            *results.glob(f"benchmarks/{stage}.tsv"),
        ]
        rows = [row for f in files for row in csv.DictReader(f.open(), delimiter="	")]
        total, peak = sum(float(r["s"]) for r in rows), max(float(r["max_rss"]) for r in rows)
        print(f"| {stage} | {len(rows)} | {total:.1f} | {peak:.0f} |")
    size = sum(
        (results / "windows" / f).stat().st_size for f in ("frames.parquet", "windows.parquet")
    )
    aligned = sum(f.stat().st_size for f in results.glob("aligned/*.parquet"))
    print(f"\nwindows/ on disk: {size / aligned:.2f} x aligned/")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for name, settings in (("mixed", MIXED), ("elevated-plus-maze", MAZE)):
            if sys.argv[1:] in ([], [name]):
                run(name, settings, Path(folder))
