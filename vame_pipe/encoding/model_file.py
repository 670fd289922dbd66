"""The self-sufficient model file."""

from __future__ import annotations

import pickle
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vame_pipe import __version__
from vame_pipe.core import files
from vame_pipe.core.errors import InputError
from vame_pipe.training.network import RNN_VAE

FORMAT_VERSION = 1


@dataclass(frozen=True)
class ModelFile:
    """Everything that encoding a recording takes.

    Attributes
    ----------
    arguments : dict
        Arguments of `RNN_VAE`.
    state : dict of str to Tensor
        Its weights.
    features : list of str or None
        Names of the features, in the order that the weights expect; None: not known (weights of VAME).
    mean, std : list of float
        Normaliser, per feature.
    length : int
        Frames of the window that is encoded.
    fps : float or None
        None: not known (weights of VAME).
    settings : dict
        Settings of align, windows, model and train.
    data_fingerprint : str or None
    training : dict
        Outcome: epochs, best epoch, metrics.
    mlflow_run_id : str or None
    note : str or None
        Where the model came from, if not from a training here.
    """

    arguments: dict[str, Any]
    state: dict[str, torch.Tensor]
    features: list[str] | None
    mean: list[float]
    std: list[float]
    length: int
    fps: float | None
    settings: dict[str, Any]
    data_fingerprint: str | None
    training: dict[str, Any]
    mlflow_run_id: str | None = None
    note: str | None = None

    def network(self, device: str = "cpu") -> RNN_VAE:
        """Return the network with its weights, in evaluation mode."""
        network = RNN_VAE(**self.arguments)
        network.load_state_dict(self.state)
        return network.to(device).eval()


def save(model: ModelFile, path: str | Path) -> None:
    """Write a model file atomically."""
    content = vars(model) | {
        "format_version": FORMAT_VERSION,
        "versions": {
            "vame_pipe": __version__,
            "torch": torch.__version__.split("+")[0],
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }
    with files.atomic(path) as temporary:
        torch.save(content, temporary)


def load(path: str | Path) -> ModelFile:
    """Read a model file; never runs code from it.

    Raises
    ------
    InputError
        If it is missing, damaged, not a model file or of a newer format.
    """
    content = read_safely(path, "a model file")
    if not isinstance(content, dict) or "format_version" not in content:
        raise InputError(f"{path}: not a model file of vame_pipe.")
    if content.pop("format_version") > FORMAT_VERSION:
        raise InputError(f"{path}: written by a newer vame_pipe. Update it.")
    content.pop("versions")
    return ModelFile(**content)


def read_safely(path: str | Path, kind: str) -> Any:
    """Return what torch saved, on the CPU; never runs code from it.

    Raises
    ------
    InputError
        If the file is missing or cannot be read as what it should be, its `kind`.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file, {kind} is wanted.") from None
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"{path}: cannot be read as {kind} ({reason}).") from None
