"""Models that were not trained: their weights are random."""

from pathlib import Path

import torch

from vame_pipe.encoding import model_file
from vame_pipe.encoding.model_file import ModelFile
from vame_pipe.training.network import RNN_VAE
from vame_pipe.windows import data as window_data


def random_model(features, length, zdims=4, mean=None, std=None, **changes) -> ModelFile:
    """Return a model of a given window length for named features."""
    arguments = {
        "TEMPORAL_WINDOW": 2 * length,
        "ZDIMS": zdims,
        "NUM_FEATURES": len(features),
        "FUTURE_DECODER": True,
        "FUTURE_STEPS": 3,
        "hidden_size_layer_1": 16,
        "hidden_size_layer_2": 16,
        "hidden_size_rec": 8,
        "hidden_size_pred": 8,
        "dropout_encoder": 0.0,
        "dropout_rec": 0.0,
        "dropout_pred": 0.0,
        "softplus": False,
    }
    torch.manual_seed(5)
    content = {
        "arguments": arguments,
        "state": RNN_VAE(**arguments).state_dict(),
        "features": list(features),
        "mean": mean or [0.0] * len(features),
        "std": std or [1.0] * len(features),
        "length": length,
        "fps": 30.0,
        "settings": {},
        "data_fingerprint": None,
        "training": {},
    }
    return ModelFile(**content | changes)


def write_model_of(windows: Path, path: Path) -> Path:
    """Write a model that fits the windows of a folder."""
    data = window_data.load(windows)
    model = random_model(
        data.meta.features,
        data.meta.length,
        mean=data.mean.tolist(),
        std=data.std.tolist(),
        fps=data.meta.fps,
        settings={"align": data.meta.align},
    )
    model_file.save(model, path)
    return path
