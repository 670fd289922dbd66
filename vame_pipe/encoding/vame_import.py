"""Convert weights trained with VAME into a model file."""

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
"""Arguments of RNN_VAE and their keys in VAME's config.yaml; TEMPORAL_WINDOW is 2 * time_window."""
MAY_BE_ZERO = ("prediction_decoder", "prediction_steps", "softplus")
NOT_EGOCENTRIC = (0, 2, 3)
"""How many features versions of VAME subtract from num_features if egocentric_data is false."""
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
        config.yaml of the VAME project.
    features : list of str, optional
        Names of the features, in training order. If omitted, any recording with the same number of features
        is accepted.
    fps : float, optional
        Frame rate of the training recordings.
    mean, std : Path, optional
        What VAME scaled its training data by (.npy): one number, or one number per feature. If omitted,
        features are not scaled.

    Raises
    ------
    InputError
        With every unreadable file, missing key or weight, and shape that does not match.
    """
    state, settings = _read_state(weights), _read_config(config)
    arguments = _arguments(state, settings)
    n_features = arguments["NUM_FEATURES"]
    problems = _mismatches(state, RNN_VAE(**arguments).state_dict(), weights, config)
    if features is not None and len(features) != n_features:
        noun = "name" if len(features) == 1 else "names"
        problems.append(
            f"--features has {len(features)} {noun}, the model has {n_features} features."
        )
    scale = {}
    for name, path, default in (("mean", mean, 0.0), ("std", std, 1.0)):
        values = _read_numbers(path) if path else np.array([default])
        if path:
            problems += _scale_problems(name, path, values, n_features)
        scale[name] = values
    if problems:
        raise InputError(*problems)
    return ModelFile(
        arguments=arguments,
        state=state,
        features=features,
        mean=np.broadcast_to(scale["mean"], n_features).astype(float).tolist(),
        std=np.broadcast_to(scale["std"], n_features).astype(float).tolist(),
        length=settings["time_window"],
        fps=fps,
        settings={"vame": settings},
        data_fingerprint=None,
        training={},
        note="imported from VAME; the decoder mixes the samples of a batch, as in VAME",
    )


def _arguments(state: dict[str, torch.Tensor], settings: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of RNN_VAE."""
    arguments = {name: settings[key] for name, key in ARGUMENTS.items()}
    arguments["TEMPORAL_WINDOW"] = 2 * settings["time_window"]
    arguments["FUTURE_DECODER"] = bool(arguments["FUTURE_DECODER"])
    arguments["batch_mixing"] = True
    if settings.get("egocentric_data") is False and INPUT_WEIGHT in state:
        n_found = state[INPUT_WEIGHT].shape[-1]
        if arguments["NUM_FEATURES"] - n_found in NOT_EGOCENTRIC:
            arguments["NUM_FEATURES"] = n_found
    return arguments


def _read_state(path: Path) -> dict[str, torch.Tensor]:
    state = read_safely(path, "weights")
    if not isinstance(state, dict) or not all(torch.is_tensor(v) for v in state.values()):
        raise InputError(
            f"{path}: not a state dict (names and tensors). Choose the .pkl file that VAME saved."
        )
    return dict(state)


def _read_config(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: file not found, expected the config.yaml of VAME.") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: cannot be read as YAML ({reason}).") from None
    settings: dict[str, Any] = content if isinstance(content, dict) else {}
    required = ["time_window", *ARGUMENTS.values()]
    missing = [key for key in required if key not in settings]
    wrong = [
        f"{key}: {settings[key]!r}"
        for key in required
        if key in settings and not _is_allowed(key, settings[key])
    ]
    problems = [f"missing keys: {', '.join(missing)}"] if missing else []
    if wrong:
        problems.append(f"not allowed (whole numbers; dropout: 0 to 1): {', '.join(wrong)}")
    if problems:
        raise InputError(
            f"{path}: {'; '.join(problems)}. Choose the config.yaml of the VAME project that trained the "
            "model."
        )
    return settings


def _is_allowed(key: str, value: object) -> bool:
    if key.startswith("dropout"):
        return isinstance(value, int | float) and 0 <= value <= 1
    return isinstance(value, int) and value >= (0 if key in MAY_BE_ZERO else 1)


def _read_numbers(path: Path) -> np.ndarray:
    try:
        values = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise InputError(f"{path}: file not found, expected an array of numbers (.npy).") from None
    except (OSError, EOFError, ValueError) as error:
        raise InputError(
            f"{path}: cannot be read as .npy ({str(error).splitlines()[0]}). Choose a file that numpy.save "
            "wrote, with what VAME scaled its training data by."
        ) from None
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
        raise InputError(
            f"{path}: does not contain numbers. It must contain one number, or one number per feature."
        )
    return values.ravel()


def _scale_problems(name: str, path: Path, values: np.ndarray, n_features: int) -> list[str]:
    """Return why numbers cannot be the mean or standard deviation of the features, one line each."""
    if len(values) not in (1, n_features):
        return [f"{path}: contains {len(values)} numbers; it must contain 1 or {n_features}."]
    if not np.isfinite(values).all():
        return [f"{path}: all of its values must be finite."]
    if name == "std" and not (values > 0).all():
        return [f"{path}: contains {values.min():g}; standard deviations must be above 0."]
    return []


def _mismatches(
    state: dict[str, torch.Tensor],
    expected: dict[str, torch.Tensor],
    weights: Path,
    config: Path,
) -> list[str]:
    """Return which weights are missing, unexpected or of another shape, one line each."""
    problems = [f"{weights}: {name} is missing." for name in expected if name not in state]
    problems += [
        f"{weights}: has {name}, which the model of {config} does not have."
        for name in state
        if name not in expected
    ]
    problems += [
        f"{weights}: {name} has the shape {tuple(state[name].shape)}, the model of {config} needs "
        f"{tuple(expected[name].shape)}."
        for name in expected
        if name in state and state[name].shape != expected[name].shape
    ]
    return problems
