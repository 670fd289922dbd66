"""Windows of random frames, and training steps on them, for benchmarks of speed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vame_pipe.config.sections import Model, Train
from vame_pipe.core.metadata import WindowsMetadata
from vame_pipe.training.checkpoints import CheckpointFolder
from vame_pipe.training.identity import identify
from vame_pipe.training.state import TrainingSetup, TrainingState
from vame_pipe.windows.data import WindowData

N_FRAMES = 20_000


def random_windows(length: int, future: int, n_features: int) -> WindowData:
    """Return every window of `length + future` frames of one long run; 100 of them for validation."""
    frames = np.random.default_rng(0).standard_normal((N_FRAMES, n_features)).astype(np.float32)
    starts = np.arange(N_FRAMES - length - future, dtype=np.int32)
    names = [f"f{i}" for i in range(n_features)]
    mean, std = np.zeros(n_features, np.float32), np.ones(n_features, np.float32)
    meta = WindowsMetadata(
        settings={},
        align={},
        features=names,
        keypoints=[],
        aligned={},
        fps=30.0,
        length=length,
        future=future,
        mean=mean.tolist(),
        std=std.tolist(),
        stage_version=0,
    )
    return WindowData(frames, starts, starts[:100], mean, std, meta, "")


def new_state(data: WindowData, model: Model, settings: Train, device: str) -> TrainingState:
    """Return the state of a training run before its first step; it saves no checkpoint."""
    folder = Path("unused")
    checkpoints = CheckpointFolder(folder, identify(data, model, settings))
    return TrainingState(TrainingSetup(data, model, settings, device, checkpoints, folder))
