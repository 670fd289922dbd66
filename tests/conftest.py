"""Data that several tests share."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import torch
import yaml
from filelock import FileLock

from vame_pipe.cli.main import main
from vame_pipe.config.sections import Align, Model, Train, Windows
from vame_pipe.core.layout import Layout
from vame_pipe.encoding import model_file
from vame_pipe.poses import simulate
from vame_pipe.poses.contract import Poses
from vame_pipe.training import result
from vame_pipe.training.checkpoints import CheckpointFolder
from vame_pipe.training.identity import identify
from vame_pipe.training.loop import train
from vame_pipe.training.resume import starting_point
from vame_pipe.training.state import TrainingSetup
from vame_pipe.windows import build
from vame_pipe.windows import data as window_data

# no test depends on the speed of the machine
hypothesis.settings.register_profile("vame_pipe", deadline=None)
hypothesis.settings.load_profile("vame_pipe")

ROOT = Path(__file__).parents[1]
MODEL = Model(
    zdims=4, hidden_size_layer_1=16, hidden_size_rec=16, hidden_size_pred=16, dropout_pred=0.0
)
TRAIN = Train(
    max_epochs=3,
    batch_size=64,
    learning_rate=2e-3,
    device="cpu",
    kl_start=0,
    anneal_epochs=2,
)


TINY = {
    "align": {"centre": "tailbase", "forward": "nose"},
    "windows": {"length_s": 0.5, "future_s": 0.2},
    "model": {
        "zdims": 3,
        "hidden_size_layer_1": 8,
        "hidden_size_rec": 8,
        "hidden_size_pred": 8,
    },
    "train": {"max_epochs": 2, "device": "cpu"},
    "models": {"vame": {}, "wide": {"zdims": 6}},
    "motifs": {"n": 4, "seeds": 2},
    "mlflow": {"experiment": "tiny"},
}


LONGEST = (
    *("test_slurm.py", "test_workflow.py", "test_demo.py"),
    *("test_run.py", "test_sweep.py", "test_upload.py"),
)
"""Files that take minutes: begun first, so that no core waits for the last one."""


def pytest_addoption(parser):
    parser.addoption(
        "--update-golden", action="store_true", help="write the numbers of tests/golden"
    )


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: (*LONGEST, item.path.name).index(item.path.name))


@pytest.fixture(scope="session")
def real_poses() -> Path:
    """Folder of real recordings; the README of the project says how to get such."""
    folder = os.environ.get("VAME_PIPE_POSES")
    if not folder:
        pytest.skip("VAME_PIPE_POSES is not set to a folder of real recordings")
    path = Path(folder).resolve()
    assert path.is_dir(), f"VAME_PIPE_POSES={folder} is not a folder"
    return path


@pytest.fixture(scope="session")
def recordings(tmp_path_factory) -> Path:
    """Three short simulated recordings and their motifs."""
    folder = tmp_path_factory.mktemp("recordings")
    simulate.write_recordings(folder, n_sessions=3, n_frames=900, fps=30, seed=1)
    return folder


def make_poses(position: np.ndarray, names: tuple[str, ...], fps: float = 30.0) -> Poses:
    """Poses that are confident wherever they are known."""
    known = np.isfinite(position).all(axis=2)
    return Poses(np.where(known[..., None], position, np.nan), known * 1.0, names, fps, "test.csv")


def rotation(angle: float | np.ndarray) -> np.ndarray:
    """Rotation matrices `(..., 2, 2)` in image coordinates: positive turns clockwise on screen."""
    c, s = np.cos(angle), np.sin(angle)
    return np.moveaxis(np.array([[c, -s], [s, c]]), (0, 1), (-2, -1))


@pytest.fixture(scope="session")
def data(recordings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("chain")
    settings = Align(centre="tailbase", forward="nose").model_dump_json()
    for name in ("sim-1", "sim-2", "sim-3"):
        arguments = ["align", "--poses", str(recordings / f"{name}.csv"), f"--session={name}"]
        arguments += ["--fps", "30", "--settings", settings, "--out"]
        arguments += [
            str(folder / f"aligned/{name}.parquet"),
            "--qc",
            str(folder / f"aligned/{name}.qc.json"),
        ]
        assert main(arguments) == 0
    aligned = [folder / f"aligned/sim-{i}.parquet" for i in (1, 2)]
    build.build(aligned, Windows(length_s=0.5, future_s=0.2), folder / "windows")
    return folder


def train_in_process(data, path, model=MODEL, settings=TRAIN, **more):
    """Train in this process; resumes a training run in the same folder."""
    torch.set_num_threads(2)
    loaded = window_data.load(data / "windows")
    checkpoints = CheckpointFolder(path / "checkpoints", identify(loaded, model, settings))
    start, settings = starting_point(checkpoints, settings, "cpu")
    setup = TrainingSetup(
        loaded, model, settings, "cpu", checkpoints, path / "metrics.jsonl", start
    )
    trained = train(setup, **more)
    file = result.to_model_file(trained, loaded, model, settings, None)
    model_file.save(file, path / "model.pt")
    return loaded, trained


def without_timings(history):
    """Metrics without those that differ from one run to the next."""
    return [
        {k: v for k, v in line.items() if k != "windows_per_second" and not k.startswith("system/")}
        for line in history
    ]


def populate_results(results, data, uri=None, experiment="mice"):
    """Lay out a results folder as the workflow does, up to where models are trained."""
    for name in ("aligned", "windows"):
        shutil.copytree(data / name, results / name)
    (results / "mlflow").mkdir()
    settings = {"tracking_uri": uri, "experiment": experiment}
    (results / "mlflow/experiment.json").write_text(json.dumps(settings))


def train_arguments(results, name, settings=TRAIN, model=MODEL, sweep="mice"):
    """Arguments of `vame-pipe` to train a model in a results folder."""
    return [
        *("train", f"--name={name}", f"--sweep={sweep}", "--windows", str(results / "windows")),
        *("--model", model.model_dump_json(), "--train", settings.model_dump_json()),
        *("--mlflow-config", str(Layout(results).experiment), "--threads", "2"),
        *("--checkpoints", str(Layout(results).checkpoints(name))),
        *("--out", str(Layout(results).model(name).root)),
    ]


def train_and_encode(results, name, **changes):
    """Train a model in this process and encode its sessions."""
    layout = Layout(results)
    assert main(train_arguments(results, name, **changes)) == 0
    arguments = ["encode", "--model", str(layout.model(name).weights), "--device=cpu"]
    arguments += [
        "--aligned",
        str(layout.aligned_folder),
        "--windows",
        str(layout.windows_folder.root),
    ]
    assert main([*arguments, "--out", str(layout.latents_folder(name))]) == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def mlflow_server(folder: Path, port: int):
    """A real MLflow server on loopback, that stores in a folder and hands artifacts on itself."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{folder}/server.db", "--workers", "1"]
    command += ["--artifacts-destination", str(folder / "store")]
    with (folder / "server.log").open("a") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            cwd=folder,
            start_new_session=True,
            env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        )
    try:
        for _ in range(240):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2)
                break
            assert process.poll() is None, (folder / "server.log").read_text()
            time.sleep(0.25)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def install(folder):
    for name in ("Snakefile", "config.yaml"):
        shutil.copy(ROOT / name, folder)
    for name in ("workflow", "envs"):
        shutil.copytree(ROOT / name, folder / name)


def snakemake(folder, *arguments, **environment):
    """Run a real snakemake as the README says."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--resources", "gpu=1"]
    return subprocess.run(
        [*command, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env=without_services(**environment),
    )


def without_services(**more) -> dict[str, str]:
    """The environment without the user's MLflow and Slurm; a dead server is not asked again.

    Each start of snakemake asks Slurm for its settings: ten seconds where it is installed but not running.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW")}
    return kept | {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "SLURM_CONF": os.devnull} | more


def training_processes(folder):
    """Process ids of the python of trainings in a folder."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            words = Path(f"/proc/{entry}/cmdline").read_text().split("\0")
            here = os.readlink(f"/proc/{entry}/cwd") == str(folder)
        except OSError:  # it has ended, or is not a process
            continue
        if here and len(words) > 2 and words[1].endswith("vame-pipe") and words[2] == "train":
            found.append(int(entry))
    return found


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory, recordings):
    """Two models of two short recordings in a folder with a space in its name.

    The first worker that needs it runs snakemake; the others copy its folder.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    template, folder = shared / "tiny_run.txt", tmp_path_factory.mktemp("tiny run")
    with FileLock(shared / "tiny_run.lock"):
        if template.exists():
            return shutil.copytree(template.read_text(), folder, dirs_exist_ok=True)
        install(folder)
        sessions = {f"m{i}": {"poses": str(recordings / f"sim-{i}.csv"), "fps": 30} for i in (1, 2)}
        (folder / "config.yaml").write_text(yaml.safe_dump(TINY | {"sessions": sessions}))
        done = snakemake(folder)
        assert done.returncode == 0, done.stderr
        template.write_text(str(shutil.copytree(folder, shared / "tiny run", dirs_exist_ok=True)))
    return folder
