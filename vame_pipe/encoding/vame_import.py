"""Turn the weights of a model that VAME trained into a model file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from vame_pipe.core.errors import InputError
from vame_pipe.encoding.model_file import ModelFile, read_safely
from vame_pipe.training.network import RNN_VAE

ARGUMENTS = {
    "ZDIMS": "zdims",
    "NUM_FEATURES": "num_features",
    "FUTURE_DECODER": "prediction_decoder",
    "FUTURE_STEPS": "prediction_steps",
    "hidden_size_layer_1": "hidden_size_layer_1",
    "hidden_size_layer_2": "hidden_size_layer_2",
    "hidden_size_rec": "hidden_size_rec",
    "hidden_size_pred": "hidden_size_pred",
    "dropout_encoder": "dropout_encoder",
    "dropout_rec": "dropout_rec",
    "dropout_pred": "dropout_pred",
    "softplus": "softplus",
}
"""Arguments of RNN_VAE and the keys of VAME's config.yaml, beside time_window."""
NOT_EGOCENTRIC = (0, 2, 3)
"""Features that VAME's versions take off num_features where egocentric_data is false."""
INPUT_WEIGHT = "encoder.encoder_rnn.weight_ih_l0"


def read_vame(
    weights: Path,
    config: Path,
    features: list[str] | None = None,
    fps: float | None = None,
    mean: Path | None = None,
    std: Path | None = None,
) -> ModelFile:
    """Read a state dict that VAME saved; never runs code from it.

    Parameters
    ----------
    weights : Path
        State dict (.pkl).
    config : Path
        The config.yaml of its VAME project.
    features : list of str, optional
        Names of its features, in their order. Without, whatever has as many features is taken.
    fps : float, optional
        Frames per second that it was trained at.
    mean, std : Path, optional
        What VAME scaled its training data by (.npy), one number or one a feature. Without, features
        are taken as they are.

    Raises
    ------
    InputError
        With every file that cannot be read, key or weight that lacks and shape that differs.
    """
    state, settings = _read_state(weights), _read_config(config)
    arguments = {name: settings[key] for name, key in ARGUMENTS.items()}
    arguments["TEMPORAL_WINDOW"] = 2 * settings["time_window"]
    arguments["FUTURE_DECODER"] = bool(arguments["FUTURE_DECODER"])
    found = state[INPUT_WEIGHT].shape[-1] if INPUT_WEIGHT in state else arguments["NUM_FEATURES"]
    if settings.get("egocentric_data") is False:
        fewer = arguments["NUM_FEATURES"] - found
        arguments["NUM_FEATURES"] = found if fewer in NOT_EGOCENTRIC else arguments["NUM_FEATURES"]
    arguments["batch_mixing"] = True
    n_features = arguments["NUM_FEATURES"]
    problems = _misfits(state, RNN_VAE(**arguments).state_dict(), weights, config)
    if features is not None and len(features) != n_features:
        problems.append(f"--features names {len(features)}, the model has {n_features}.")
    scale = []
    for path, default in ((mean, 0.0), (std, 1.0)):
        values = _read_numbers(path) if path else np.array([default])
        if len(values) not in (1, n_features) or not np.isfinite(values).all():
            problems.append(
                f"{path}: holds {len(values)} numbers, allowed: 1 or {n_features}, finite."
            )
            continue
        if path == std and path and not values.all():
            problems.append(f"{path}: holds a 0, nothing can be divided by it.")
        scale.append(np.broadcast_to(values, n_features).astype(float).tolist())
    if problems:
        raise InputError(*problems)
    return ModelFile(
        arguments=arguments,
        state=state,
        features=features,
        mean=scale[0],
        std=scale[1],
        length=settings["time_window"],
        fps=fps,
        settings={"vame": settings},
        data_fingerprint=None,
        training={},
        note="weights imported from VAME, decoded with its mixing of the samples of a batch",
    )


def _read_state(path: Path) -> dict[str, torch.Tensor]:
    state = read_safely(path, "weights")
    if not isinstance(state, dict) or not all(torch.is_tensor(v) for v in state.values()):
        raise InputError(f"{path}: not a state dict (names and tensors), as VAME saves it.")
    return dict(state)


def _read_config(path: Path) -> dict[str, Any]:
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file.") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: cannot be read as YAML ({reason}).") from None
    wanted = ["time_window", *ARGUMENTS.values()]
    given = settings if isinstance(settings, dict) else {}
    lacking = [key for key in wanted if key not in given]
    wrong = [
        f"{key}: {given[key]!r}" for key in wanted if key in given and not _fits(key, given[key])
    ]
    if lacking or wrong:
        raise InputError(
            f"{path}: lacks {', '.join(lacking) or 'nothing'}; has no whole number (dropout: no number) "
            f"in {', '.join(wrong) or 'nothing'}. Give the config.yaml of the VAME project that trained "
            "the model."
        )
    return settings


def _read_numbers(path: Path) -> np.ndarray:
    try:
        values = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file.") from None
    except (OSError, EOFError, ValueError) as error:
        raise InputError(
            f"{path}: cannot be read as .npy ({str(error).splitlines()[0]}). Give what VAME scaled its "
            "training data by, as numpy.save writes it."
        ) from None
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
        raise InputError(f"{path}: holds no array of numbers. Give one number or one a feature.")
    return values.ravel()


def _fits(key: str, value: object) -> bool:
    kinds = (int, float) if key.startswith("dropout") else int
    return isinstance(value, kinds) and value >= 0


def _misfits(
    state: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor], weights: Path, config: Path
) -> list[str]:
    """Say what weights lack, have besides or have in another shape."""
    problems = [f"{weights}: lacks {name}." for name in wanted if name not in state]
    problems += [
        f"{weights}: has {name}, which the model of {config} does not have."
        for name in state
        if name not in wanted
    ]
    problems += [
        f"{weights}: {name} has the shape {tuple(state[name].shape)}, by {config} it is "
        f"{tuple(wanted[name].shape)}."
        for name in wanted
        if name in state and state[name].shape != wanted[name].shape
    ]
    return problems
