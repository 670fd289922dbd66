"""Data that several tests share."""

import os
from pathlib import Path

import numpy as np
import pytest

from vame_pipe import simulate
from vame_pipe.poses import Poses

ROOT = Path(__file__).parents[1]


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
