"""The self-contained model file."""

from __future__ import annotations

import dataclasses
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vame_pipe import __version__
from vame_pipe.config.sections import RENAMED, Align
from vame_pipe.core import files
from vame_pipe.core.errors import InputError
from vame_pipe.training.network import RNN_VAE, trained_network

FORMAT_VERSION = 2
"""2: the names of settings are those of vame_pipe 0.2."""


@dataclass(frozen=True)
class Reference:
    """What the training sessions look like, to name recordings that do not resemble them.

    The normaliser of the model is a part of it: mean and standard deviation of each feature.

    Attributes
    ----------
    error_p99 : float
        99th percentile of the error of validation windows: the mean squared error of the reconstruction,
        over frames and normalised features.
    body_lengths : list of float
        Body length of each animal of each training session, pixels; empty if unknown.
    source_rates : list of float
        Frames per second at which training sessions were recorded, each rate once; empty if unknown.
    """

    error_p99: float
    body_lengths: list[float]
    source_rates: list[float]


@dataclass(frozen=True)
class ModelFile:
    """Everything that is needed to encode a recording.

    Attributes
    ----------
    arguments : dict
        Arguments of `RNN_VAE`.
    state : dict of str to Tensor
        Its weights.
    features : list of str or None
        Names of the features, in the order that the weights expect; None if unknown (weights of VAME).
    mean, std : list of float
        The normaliser, one value per feature: what is subtracted, and what the rest is divided by.
    length : int
        Frames of the window that is encoded.
    fps : float or None
        Rows per second of the recordings; None if unknown (weights of VAME).
    settings : dict
        Sections `align` (also with the `keypoints`), `windows`, `model` and `train` of the configuration.
    data_fingerprint : str or None
        SHA-256 of the training windows; None if unknown.
    training : dict
        Metrics of the best epoch, and why training stopped.
    mlflow_run_id : str or None
        Run in which the model was trained, for people who look for it; the package does not read it.
    note : str or None
        Where the model comes from, if it was not trained with vame_pipe; for people, too.
    reference : Reference or None
        What the training sessions look like; None if unknown (weights of VAME, older model files).
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
    reference: Reference | None = None

    def network(self, device: str = "cpu") -> RNN_VAE:
        """Return the network with its weights, in evaluation mode."""
        return trained_network(self.arguments, self.state, device)

    def alignment(self) -> tuple[Align, dict[str, list[str]] | None]:
        """Return how to align recordings for the model: ``align(poses, *model.alignment())``.

        Recordings with another frame rate than those of the model are resampled to it.

        Returns
        -------
        tuple
            The section `align` of the configuration, and the keypoints, each with its names in the files
            (None: all keypoints of a file).

        Raises
        ------
        InputError
            If it is unknown, because the weights were imported from VAME.
        """
        if "align" not in self.settings:
            raise InputError(
                "the model does not contain the settings of the alignment, because its weights were "
                "imported from VAME. Align recordings as those that it was trained on."
            )
        settings = dict(self.settings["align"])
        keypoints = settings.pop("keypoints", None)
        return Align.model_validate(settings | {"fps": self.fps}), keypoints


def save(model: ModelFile, path: str | Path) -> None:
    """Write a model file atomically."""
    content = vars(model) | {
        "reference": model.reference and dataclasses.asdict(model.reference),
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
        If it is missing, corrupt, not a model file or of a newer version.

    Examples
    --------
    Save a model and load it again. Models are usually saved by training, as models/{model}/model.pt in the
    results folder.

    >>> from tempfile import TemporaryDirectory
    >>> model = ModelFile(
    ...     arguments={},
    ...     state={"weight": torch.zeros(2)},
    ...     features=["nose_x", "speed_forward"],
    ...     mean=[0.9, 0.1],
    ...     std=[0.2, 1.5],
    ...     length=30,
    ...     fps=30.0,
    ...     settings={"align": {"centre": "tailbase", "forward": "nose"}},
    ...     data_fingerprint=None,
    ...     training={},
    ... )
    >>> with TemporaryDirectory() as folder:
    ...     save(model, f"{folder}/model.pt")
    ...     loaded = load(f"{folder}/model.pt")
    >>> loaded.features, loaded.length, loaded.settings["align"]["centre"]
    (['nose_x', 'speed_forward'], 30, 'tailbase')
    """
    content = read_safely(path, "a model file")
    version = content.get("format_version") if isinstance(content, dict) else None
    if not isinstance(version, int):
        raise InputError(
            f"{path}: not a model file of vame_pipe. Expected the model.pt of a trained model; to convert "
            "weights of VAME, run vame-pipe import-vame."
        )
    if version > FORMAT_VERSION:
        raise InputError(
            f"{path}: was written by a newer version of vame_pipe (format {version}, this version reads "
            f"formats up to {FORMAT_VERSION}). Upgrade vame_pipe."
        )
    names = [f.name for f in dataclasses.fields(ModelFile) if f.name != "reference"]
    missing = [name for name in names if name not in content]
    if missing:
        raise InputError(
            f"{path}: not a model file of vame_pipe, it has no {', '.join(missing)}. Expected the model.pt "
            "of a trained model."
        )
    values = {name: content[name] for name in names}
    if version == 1:
        values["settings"] = _with_current_names(values["settings"])
    return ModelFile(**values, reference=_read_reference(content.get("reference"), path))


def _read_reference(content: Any, path: str | Path) -> Reference | None:
    """Return what a model file says of its training sessions; older files say nothing."""
    if content is None:
        return None
    try:
        return Reference(**content)
    except TypeError:
        raise InputError(
            f"{path}: its description of the training sessions is damaged, or of another version of "
            "vame_pipe. Expected the model.pt of a trained model."
        ) from None


def _with_current_names(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a model of vame_pipe 0.1, which had other names for some."""
    return {
        section: {RENAMED.get(f"{section}.{key}", key): value for key, value in values.items()}
        for section, values in settings.items()
    }


def read_safely(path: str | Path, kind: str) -> Any:
    """Return the content of a file that torch saved, on the CPU; never runs code from it.

    Parameters
    ----------
    path : str or Path
    kind : str
        What the file should be, for messages.

    Raises
    ------
    InputError
        If the file is missing or cannot be read.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{path}: file not found, expected {kind}.") from None
    except Exception as error:  # a corrupt file can raise nearly any of them
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"{path}: cannot be read as {kind} ({reason}).") from None
