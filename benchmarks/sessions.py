"""Cost of many sessions: wall time, jobs and memory of snakemake, on this machine and on Slurm.

    python benchmarks/sessions.py FOLDER COUNT [COUNT ...] [--slurm]

Simulated sessions of 1,000 frames and a tiny model in a new FOLDER. For each COUNT: a first run, a second
run that has nothing to do, a run with one more session to train on, and one with one more session that is
only encoded. With --slurm, the profile submits the jobs (partition `main`).
"""

from __future__ import annotations

import argparse
import contextlib
import re
import shutil
import sys
import time
from pathlib import Path

import psutil
import yaml

from vame_pipe.poses.simulate import write_recordings

ROOT = Path(__file__).parents[1]
LOCAL = ["--cores", "2", "--resources", "gpu=1"]
SLURM = [
    *("--workflow-profile", "workflow/profiles/slurm", "--latency-wait", "10"),
    *("--slurm-init-seconds-before-status-checks", "2", "--seconds-between-status-checks", "1"),
    *("--set-threads", "train=2", "encode=2", "--set-resources", "train:mem_mb=1000"),
]
SETTINGS = {
    "align": {"centre": "tailbase", "forward": "nose"},
    "windows": {"length_s": 0.5, "future_s": 0.2},
    "model": {
        "zdims": 3,
        "hidden_size_layer_1": 8,
        "hidden_size_rec": 8,
        "hidden_size_pred": 8,
    },
    "train": {"max_epochs": 1, "batch_size": 4096, "device": "cpu"},
}


def run(folder: Path, options: list[str]) -> tuple[float, int, int, int]:
    """Run snakemake; return seconds, jobs, jobs of the scheduler and snakemake's peak memory in MiB."""
    with (folder / "out.log").open("w") as log:
        command = [sys.executable, "-m", "snakemake", *options]
        began = time.monotonic()
        process = psutil.Popen(command, cwd=folder, stdout=log, stderr=log)
        peak = 0
        while process.poll() is None:
            with contextlib.suppress(psutil.NoSuchProcess):  # the process has just ended
                peak = max(peak, process.memory_info().rss)
            time.sleep(0.1)
    text = (folder / "out.log").read_text()
    assert process.returncode == 0, text
    submitted = len(re.findall("submitted with SLURM jobid", text))
    return time.monotonic() - began, text.count("Finished jobid"), submitted, peak // 2**20


def configure(folder: Path, n_trained: int, n_encoded: int) -> None:
    sessions = {
        f"s{i}": {
            "poses": f"../poses/sim-{i}.csv",
            "fps": 30,
            "use": "train" if i <= n_trained else "encode",
        }
        for i in range(1, n_trained + n_encoded + 1)
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(SETTINGS | {"sessions": sessions}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("counts", type=int, nargs="+")
    parser.add_argument("--slurm", action="store_true")
    options = parser.parse_args()
    options.folder.mkdir(parents=True)
    write_recordings(options.folder / "poses", max(options.counts) + 2, 1000, 30.0, 0)
    print("| sessions | run | seconds | jobs | of the scheduler | s per session | snakemake, MiB |")
    print("|---|---|---|---|---|---|---|")
    for count in options.counts:
        folder = options.folder / str(count)
        folder.mkdir()
        shutil.copy(ROOT / "Snakefile", folder)
        for name in ("workflow", "envs"):
            shutil.copytree(ROOT / name, folder / name)
        runs = {
            "first": (count, 0),
            "second": (count, 0),
            "one more": (count + 1, 0),
            "one more to encode": (count + 1, 1),
        }
        for name, (n_trained, n_encoded) in runs.items():
            configure(folder, n_trained, n_encoded)
            seconds, jobs, submitted, peak = run(folder, SLURM if options.slurm else LOCAL)
            each = seconds / count
            print(
                f"| {count} | {name} | {seconds:.0f} | {jobs} | {submitted} | {each:.2f} | {peak} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
