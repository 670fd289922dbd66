"""Cost of new recordings: `vame-pipe apply` to many files, and again when a few are new.

    python benchmarks/new_recordings.py FOLDER [N_FILES]

Trains a small model (zdims 12, hidden 64, windows of 0.5 s, one epoch) with 6 motifs on two simulated
recordings in a new FOLDER. Then it is applied to N_FILES (2,000) files of 1,000 frames: all of them, the
same again, and with 10 more. The files are copies of 20 recordings. CPU seconds of one thread.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from vame_pipe.alignment.session import align_session
from vame_pipe.config.sections import Align, Model, Motifs, Session, Train, Windows
from vame_pipe.core.layout import Layout
from vame_pipe.encoding.sessions import encode_sessions
from vame_pipe.motifs.inputs import find_inputs
from vame_pipe.motifs.segment import segment
from vame_pipe.poses.simulate import write_recordings
from vame_pipe.tracking.tracker import NullTracker
from vame_pipe.training.run import TrainingJob, train_model
from vame_pipe.windows.build import build

FPS = 30.0
SESSIONS = ("sim-1", "sim-2")
N_NEW, N_DIFFERENT, N_FRAMES = 10, 20, 1000


def train(folder: Path) -> Layout:
    """Train a model and find motifs; return the results folder."""
    layout = Layout(folder / "results")
    write_recordings(folder / "training", len(SESSIONS), 6000, FPS, 1)
    for name in SESSIONS:
        align_session(
            name,
            Session(poses=str(folder / f"training/{name}.csv"), fps=FPS),
            Align(centre="tailbase", forward="nose"),
            None,
            layout.aligned(name),
            layout.quality(name),
        )
    windows = layout.windows_folder.root
    build([layout.aligned(name) for name in SESSIONS], Windows(length_s=0.5, future_s=0.2), windows)
    sizes = dict.fromkeys(("hidden_size_layer_1", "hidden_size_rec", "hidden_size_pred"), 64)
    job = TrainingJob(
        name="m",
        sweep="m",
        variant="m",
        model=Model(zdims=12, **sizes),
        train=Train(max_epochs=1, device="cpu"),
        windows=windows,
        checkpoints=layout.checkpoints("m"),
        out=layout.model("m").root,
    )
    train_model(job, NullTracker(), {})
    targets = {layout.aligned(name): layout.latents("m", name) for name in SESSIONS}
    encode_sessions(layout.model("m").weights, targets, "cpu")
    inputs = find_inputs(
        layout.latents_folder("m"), layout.aligned_folder, windows, layout.model("m").weights
    )
    segment(inputs, Motifs(n=6, seeds=2), layout.motifs("m").root)
    return layout


def apply(layout: Layout, out: Path, files: list[Path]) -> tuple[float, float]:
    """Run `vame-pipe apply`; return its CPU seconds and its peak memory in MiB."""
    command = ["vame-pipe", "apply", "--model", layout.model("m").weights, "--fps", FPS]
    command += ["--segmentation", layout.motifs("m").root, "--device", "cpu", "--out", out]
    command += ["--log", out.with_suffix(".log"), *files]
    child = os.fork()
    if child == 0:
        os.execvp(str(command[0]), [*map(str, command)])
    _, status, usage = os.wait4(child, 0)
    assert status == 0
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def write_files(folder: Path, n_files: int) -> list[Path]:
    """Write copies of a few recordings."""
    write_recordings(folder, N_DIFFERENT, N_FRAMES, FPS, 2)
    files = [folder / f"copy-{i}.csv" for i in range(n_files)]
    for i, path in enumerate(files):
        shutil.copy(folder / f"sim-{i % N_DIFFERENT + 1}.csv", path)
    return files


def main() -> None:
    """Print the table."""
    folder = Path(sys.argv[1])
    n_files = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    layout = train(folder)
    files = write_files(folder / "new", n_files + N_NEW)
    before: dict[Path, int] = {}
    print("| files | computed | CPU s | per computed file | peak MiB |\n|---|---|---|---|---|")
    for given in (files[:n_files], files[:n_files], files):
        seconds, peak = apply(layout, folder / "out", given)
        now = {path: path.stat().st_mtime_ns for path in (folder / "out/motifs").glob("*.parquet")}
        computed = sum(before.get(path) != stamp for path, stamp in now.items())
        assert all(now[path] == stamp for path, stamp in before.items())
        each = f"{seconds / computed:.2f}" if computed else ""
        print(f"| {len(given)} | {computed} | {seconds:.0f} | {each} | {peak:.0f} |", flush=True)
        before = now


if __name__ == "__main__":
    main()
