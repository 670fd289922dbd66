"""Data that several tests share."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from vame_pipe import checkpoint, cli, outcome, simulate, train, windows
from vame_pipe.poses import Poses
from vame_pipe.resume import ResumeFiles
from vame_pipe.settings import Align, Model, Train, Windows

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


@pytest.fixture(scope="session")
def real_poses() -> Path:
    """Folder of real recordings; the README of the project says how to get such."""
    folder = os.environ.get("VAME_PIPE_POSES")
    if not folder:
        pytest.skip("VAME_PIPE_POSES is not set to a folder of real recordings")
    path = Path(folder).resolve()
    assert path.is_dir(), f"VAME_PIPE_POSES={folder} is no folder"
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
        arguments += [str(folder / f"aligned/{name}.parquet"), "--qc", str(folder / f"{name}.json")]
        assert cli.main(arguments) == 0
    aligned = [folder / f"aligned/sim-{i}.parquet" for i in (1, 2)]
    windows.build(aligned, Windows(length_s=0.5, future_s=0.2), folder / "windows")
    return folder


def fit(data, path, model=MODEL, settings=TRAIN, **more):
    """Train in this process; goes on where a training in the same folder was."""
    torch.set_num_threads(2)
    loaded = windows.load(data / "windows")
    files = ResumeFiles(path / "resume", train.identity(loaded, model, settings, "code"))
    start = train.starting_point(files, settings)
    metrics = path / "metrics.jsonl"
    trained = train.train(loaded, model, settings, "cpu", files, metrics, start, **more)
    file = outcome.to_model_file(trained, loaded, model, settings, None)
    checkpoint.save(file, path / "model.pt")
    return loaded, trained
