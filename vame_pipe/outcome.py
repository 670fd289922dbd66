"""What a training gives: the best weights, figures, examples and the model file."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vame_pipe import checkpoint
from vame_pipe.feed import Feed
from vame_pipe.model import RNN_VAE
from vame_pipe.progress import Progress
from vame_pipe.validate import BATCH, reconstruct, validation_starts
from vame_pipe.windows import WindowData

if TYPE_CHECKING:
    from vame_pipe.settings import Model, Train


@dataclass
class Outcome:
    """What training gives.

    Attributes
    ----------
    state : dict of str to Tensor
        Weights of the best epoch, on the CPU.
    arguments : dict
        Arguments of RNN_VAE.
    history : list of dict
        One entry per epoch, as in metrics.jsonl.
    summary : dict of str to float
        Figures of the best epoch and of the run.
    stop : str
        Why training ended.
    """

    state: dict[str, torch.Tensor]
    arguments: dict[str, Any]
    history: list[dict[str, Any]]
    summary: dict[str, float]
    stop: str

    def network(self, device: str) -> RNN_VAE:
        """Return the network with the best weights, in evaluation mode."""
        network = RNN_VAE(**self.arguments)
        network.load_state_dict(self.state)
        return network.to(device).eval()


def summarise(progress: Progress) -> dict[str, float]:
    """Return the figures of the best epoch and of the run, under names for MLflow."""
    best = progress.history[progress.best_epoch]
    summary = {
        name.replace("test/", "final/"): value
        for name, value in best.items()
        if name.startswith("test/")
    }
    speeds = [metrics["windows_per_second"] for metrics in progress.history]
    return summary | {
        "final/best_epoch": progress.best_epoch,
        "final/epochs": len(progress.history),
        "final/windows_seen": progress.history[-1]["windows_seen"],
        "final/windows_per_second": float(np.median(speeds)),
        "final/seconds": progress.seconds,
    }


def examples(
    outcome: Outcome, data: WindowData, device: str, n_windows: int = 4
) -> tuple[np.ndarray, np.ndarray]:
    """Return some test windows and what the model makes of them.

    Parameters
    ----------
    outcome : Outcome
    data : WindowData
    device : str
    n_windows : int
        Spread evenly over the test windows.

    Returns
    -------
    window, output : numpy.ndarray
        `(n_windows, length + future, n_features)`, in the units of the aligned features: the frames,
        and their reconstruction followed by the prediction.
    """
    network = outcome.network(device)
    chosen = torch.from_numpy(data.test[np.linspace(0, len(data.test) - 1, n_windows).astype(int)])
    length, future = data.meta["length"], data.meta["future"]
    feed = Feed(data.frames, device)
    (window,) = feed.batches(chosen, n_windows, length + future)
    output = reconstruct(network, window, length)
    return tuple(part.cpu().numpy() * data.std + data.mean for part in (window, output))


@torch.no_grad()
def latent_spectrum(outcome: Outcome, data: WindowData, device: str) -> np.ndarray:
    """Return the variances of the latent's principal components over the validation windows.

    Returns
    -------
    numpy.ndarray
        `(zdims,)`, the largest first.
    """
    network = outcome.network(device)
    feed = Feed(data.frames, device)
    starts = validation_starts(data)
    means = [
        network.lmbda(network.encoder(window))[1]
        for window in feed.batches(starts, BATCH, data.meta["length"])
    ]
    covariance = np.atleast_2d(np.cov(torch.cat(means).cpu().numpy().T, bias=True))
    return np.linalg.eigvalsh(covariance)[::-1].clip(min=0)


def to_model_file(
    outcome: Outcome, data: WindowData, model: Model, settings: Train, run_id: str | None
) -> checkpoint.ModelFile:
    """Return the model file of a finished training."""
    meta = data.meta
    return checkpoint.ModelFile(
        arguments=outcome.arguments,
        state=outcome.state,
        features=meta["features"],
        mean=data.mean.tolist(),
        std=data.std.tolist(),
        length=meta["length"],
        fps=meta["fps"],
        settings=resolved(data, model, settings),
        data_fingerprint=data.fingerprint,
        training=outcome.summary | {"stop": outcome.stop},
        mlflow_run_id=run_id,
    )


def run_record(
    name: str, sweep: str, data: WindowData, model: Model, settings: Train, folder: Path
) -> dict[str, Any]:
    """Return what identifies and describes a training, for run.json and MLflow.

    Parameters
    ----------
    name, sweep : str
        Of the model; of the entry of `models` that it comes from.
    data : WindowData
    model : Model
    settings : Train
    folder : Path
        Where the windows are.

    Returns
    -------
    dict
        `name`; `run_id`, of MLflow, None until it has one; `started`, `ended`, milliseconds since
        1970; `params`, flat, as `section.key`; `tags`; `data`; `summary` and `stop`, empty until the
        training has ended.
    """
    meta = data.meta
    sections = resolved(data, model, settings)
    return {
        "name": name,
        "run_id": None,
        "started": int(time.time() * 1000),
        "ended": None,
        "params": {f"{s}.{key}": v for s, part in sections.items() for key, v in part.items()},
        "tags": {
            "model": name,
            "sweep": sweep,
            # models that differ in their seed alone: MLflow groups runs by it
            "variant": name.removesuffix(f"-s{settings.seed}"),
            "data_fingerprint": data.fingerprint,
            "training_id": uuid.uuid4().hex,
        },
        "data": {
            "name": "windows",
            "path": str(folder),
            "digest": data.fingerprint[:32],
            "features": meta["features"],
            "length": meta["length"],
            "fps": meta["fps"],
            "profile": {
                "sessions": meta["sessions"],
                "frames": len(data.frames),
                "training_windows": len(data.train),
                "test_windows": len(data.test),
            },
        },
        "summary": {},
        "stop": "",
    }


def resolved(data: WindowData, model: Model, settings: Train) -> dict[str, Any]:
    """Return every setting that a model depends on, by section."""
    return {
        "align": data.meta["align"],
        "windows": data.meta["settings"],
        "model": model.model_dump(),
        "train": settings.model_dump(),
    }
