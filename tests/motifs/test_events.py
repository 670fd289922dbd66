"""An event in a pose file comes out at its frame."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from vame_pipe.cli.main import main
from vame_pipe.config.sections import Align, Motifs, Windows
from vame_pipe.core.layout import Layout
from vame_pipe.core.metadata import AlignedMetadata, read_record
from vame_pipe.encoding.model_file import ModelFile, save
from vame_pipe.motifs.inputs import find_inputs
from vame_pipe.motifs.segment import segment
from vame_pipe.poses.simulate import write_deeplabcut
from vame_pipe.windows.build import build

KEYPOINTS = ("tail", "nose", "ear")
FPS, N_FRAMES = 30, 3000


class Posterior(torch.nn.Module):
    """Passes its input on as the mean of the posterior."""

    def __init__(self, n_features: int):
        super().__init__()
        self.hidden_to_mean = torch.nn.Linear(1, n_features)

    def forward(self, hidden):
        return hidden, hidden, torch.zeros_like(hidden)


class Network(torch.nn.Module):
    """Latents that are an average over some frames of a window."""

    def __init__(self, frames: slice, n_features: int):
        super().__init__()
        self.frames, self.lmbda = frames, Posterior(n_features)

    def encoder(self, windows):
        return windows[:, self.frames].mean(dim=1)


def write_recording(folder, first_frame):
    """An ear that moves from one side of the head to the other at known frames."""
    rng = np.random.default_rng(0)
    events = np.cumsum(rng.integers(40, 120, size=60))
    events = events[events < N_FRAMES - 60]
    side = np.searchsorted(events, np.arange(N_FRAMES), side="right") % 2
    position = np.tile([[0.0, 0.0], [60.0, 0.0], [50.0, 15.0]], (N_FRAMES, 1, 1))
    position[side == 1, 2, 1] = -15.0
    position += 100 + rng.normal(0, 0.4, position.shape)
    path = folder / "poses.csv"
    write_deeplabcut(path, position, np.ones((N_FRAMES, 3)), KEYPOINTS)
    lines = path.read_text().splitlines()
    rows = [line.split(",", 1) for line in lines[3:]]
    shifted = [f"{int(frame) + first_frame},{rest}" for frame, rest in rows]
    path.write_text("\n".join([*lines[:3], *shifted]) + "\n")
    return path, events + first_frame


@pytest.mark.parametrize(
    ("frames", "fps", "first_frame", "lag"),
    [
        pytest.param(slice(None), None, 0, 0, id="the latents stand for the whole window"),
        pytest.param(
            slice(-4, None), None, 250, 13, id="they stand for its end, and frames begin late"
        ),
        pytest.param(slice(None), 20.0, 250, 0, id="resampled, and frames begin late"),
    ],
)
def test_an_event_comes_out_at_its_frame(tmp_path, monkeypatch, frames, fps, first_frame, lag):
    poses, events = write_recording(tmp_path, first_frame)
    layout = Layout(tmp_path / "results")
    settings = Align(centre="tail", forward="nose", kinematics=False, smooth_s=None, fps=fps)
    arguments = ["align", "--session=s", f"--poses={poses}", "--fps", str(FPS), "--settings"]
    arguments += [settings.model_dump_json(), "--out", str(layout.aligned("s"))]
    assert main([*arguments, "--qc", str(layout.quality("s"))]) == 0
    build([layout.aligned("s")], Windows(length_s=1.0, future_s=0.0), layout.windows_folder.root)
    write_latents(layout, frames, monkeypatch)
    inputs = find_inputs(
        layout.latents_folder("m"),
        layout.aligned_folder,
        layout.windows_folder.root,
        layout.model("m").weights,
    )
    segment(inputs, Motifs(n=2, seeds=1), layout.motifs("m").root)
    found = pd.read_parquet(layout.motifs("m").bouts)["start_frame"].to_numpy()[1:]
    assert json.loads(layout.motifs("m").settings.read_text())["lag"] == pytest.approx(lag, abs=1)
    inside = events[(events > first_frame + FPS) & (events < first_frame + N_FRAMES - FPS)]
    away = np.abs(found[:, None] - inside).min(axis=0)
    assert len(found) == pytest.approx(len(inside), abs=2)
    assert np.median(away) <= 1 and away.max() <= 2 * FPS / (fps or FPS) + 1


def write_latents(layout, frames, monkeypatch):
    meta = read_record(AlignedMetadata, layout.aligned("s"))
    n_features = len(meta.features)
    model = ModelFile(
        arguments={"NUM_FEATURES": n_features},
        state={},
        features=meta.features,
        mean=[0.0] * n_features,
        std=[1.0] * n_features,
        length=round(meta.fps),
        fps=meta.fps,
        settings={"align": meta.settings},
        data_fingerprint=None,
        training={},
    )
    save(model, layout.model("m").weights)
    monkeypatch.setattr(ModelFile, "network", lambda self, device: Network(frames, n_features))
    arguments = ["encode", "--model", str(layout.model("m").weights), "--sessions=s"]
    arguments += ["--aligned", str(layout.aligned_folder), "--device=cpu"]
    assert main([*arguments, "--out", str(layout.latents_folder("m"))]) == 0
