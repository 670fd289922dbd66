"""Measure the report of many sessions: its size, time and peak memory, and those of the stages before it.

    python benchmarks/report_sessions.py FOLDER [SESSIONS [FRAMES]]

Simulated sessions of two groups, a tiny model (hidden 8, zdims 8) of one epoch and 15 motifs, in a new
FOLDER and without snakemake. `groups`, `quality` and `report` run in processes of their own.
"""

from __future__ import annotations

import multiprocessing
import sys
from pathlib import Path

from scale import measure

from vame_pipe.core.layout import Layout

MODEL = {"zdims": 8, "hidden_size_layer_1": 8, "hidden_size_rec": 8, "hidden_size_pred": 8}
TRAIN = {"max_epochs": 1, "batch_size": 4096, "device": "cpu"}
ALIGN, WINDOWS = {"centre": "tailbase", "forward": "nose"}, {"length_s": 0.5, "future_s": 0.2}
MOTIFS = {"n": 15, "seeds": 2}
FPS = 30.0


def prepare(folder: Path, n_sessions: int, n_frames: int) -> None:
    """Fill a results folder up to the description of motifs."""
    # here, because a process that is measured counts the memory of the one that starts it
    from vame_pipe.alignment.session import align_session
    from vame_pipe.config import loading
    from vame_pipe.config.configuration import Config
    from vame_pipe.config.sections import Align, Model, Motifs, Session, Train, Windows
    from vame_pipe.encoding.sessions import encode_sessions
    from vame_pipe.motifs.describe import Wishes, describe
    from vame_pipe.motifs.inputs import find_inputs
    from vame_pipe.motifs.recording import Folders
    from vame_pipe.motifs.segment import segment
    from vame_pipe.poses.simulate import write_recordings
    from vame_pipe.reporting.comparison import compare
    from vame_pipe.tracking.tracker import NullTracker
    from vame_pipe.training.run import TrainingJob, train_model
    from vame_pipe.windows.build import build

    n_treated = n_sessions // 2
    write_recordings(folder / "poses", n_sessions, n_frames, FPS, 0, n_treated=n_treated)
    layout = Layout(folder / "results")
    sessions = {
        f"s{i:04d}": Session(
            poses=str(folder / f"poses/sim-{i}.csv"),
            fps=FPS,
            group="control" if i <= n_sessions - n_treated else "treated",
        )
        for i in range(1, n_sessions + 1)
    }
    for name, session in sessions.items():
        targets = layout.aligned(name), layout.quality(name)
        align_session(name, session, Align(**ALIGN), None, *targets)
    aligned = [layout.aligned(name) for name in sessions]
    build(aligned, Windows(**WINDOWS), layout.windows_folder.root)
    job = TrainingJob(
        *("m", "m", "m", Model(**MODEL), Train(**TRAIN), layout.windows_folder.root),
        *(layout.checkpoints("m"), layout.model("m").root),
    )
    train_model(job, NullTracker(), {})
    latents = {layout.aligned(name): layout.latents("m", name) for name in sessions}
    encode_sessions(layout.model("m").weights, latents, "cpu")
    motifs = layout.motifs("m")
    folders = Folders(motifs, layout.latents_folder("m"), layout.aligned_folder)
    weights = layout.model("m").weights
    inputs = find_inputs(folders.latents, folders.aligned, layout.windows_folder.root, weights)
    segment(inputs, Motifs(**MOTIFS), motifs.root)
    describe(folders, Wishes("m", [], None, 4))
    compare(layout, ["m"], {})
    loading.write(Config(sessions=sessions, align=ALIGN, models={"m": {}}), layout.config)


def main(folder: Path, n_sessions: int, n_frames: int) -> None:
    """Print a row per command, and the size of the report."""
    preparation = multiprocessing.get_context("spawn").Process(
        target=prepare, args=(folder, n_sessions, n_frames)
    )
    preparation.start()
    preparation.join()
    assert preparation.exitcode == 0
    layout = Layout(folder / "results")
    log = ("--log", folder / "log")
    print("| command | s | peak MiB |\n|---|---|---|")
    for command in (
        ("groups", layout.root, "--model", "m"),
        ("quality", layout.root),
        ("report", layout.root, "--out", layout.report),
    ):
        seconds, peak = measure(*command, *log)
        print(f"| {command[0]} | {seconds:.1f} | {peak:.0f} |", flush=True)
    print(f"{layout.report}: {layout.report.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:] or ("500", "1000")))
