"""Figures of a finished training run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np

from vame_pipe.core import files

if TYPE_CHECKING:
    from vame_pipe.core.layout import ModelFolder
    from vame_pipe.core.schemas import WindowsMetadata
    from vame_pipe.training.result import Outcome
    from vame_pipe.windows.data import WindowData

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.ticker import MaxNLocator

# Okabe and Ito's colours, which colour-blind people tell apart
TRAIN, VAL, TRUTH = "#0072B2", "#D55E00", "#444444"
MAX_FEATURES = 6


def plot_training(trained: Outcome, data: WindowData, device: str, folder: ModelFolder) -> None:
    """Draw the losses, example reconstructions and the latent spectrum of a finished training run."""
    from vame_pipe.training import result

    plot_losses(trained.history, trained.summary["final/best_epoch"], folder.losses)
    window, output = result.examples(trained, data, device)
    plot_reconstructions(window, output, data.meta, folder.reconstructions)
    plot_spectrum(result.latent_spectrum(trained, data, device), folder.spectrum)


def plot_losses(history: list[dict[str, Any]], best_epoch: int, path: str | Path) -> None:
    """Draw every loss term over the epochs, for training and validation windows."""
    panels = {
        "loss": "Objective, not annealed",
        "reconstruction": "Squared error, reconstruction",
        "prediction": "Squared error, prediction",
        "kl": "KL divergence, nats",
    }
    epochs = [metrics["epoch"] for metrics in history]
    figure, axes = plt.subplots(2, 2, figsize=(9, 6), sharex=True, layout="constrained")
    for axis, (name, title) in zip(axes.flat, panels.items(), strict=True):
        for split, colour in (("train", TRAIN), ("val", VAL)):
            values = [metrics[f"{split}/{name}"] for metrics in history]
            axis.plot(epochs, values, color=colour, marker=".", markersize=4, label=split)
        if min(metrics[f"{s}/{name}"] for metrics in history for s in ("train", "val")) > 0:
            axis.set_yscale("log")
        axis.axvline(best_epoch, color=TRUTH, linestyle=":", label="best epoch")
        axis.set_title(f"{title}, per window", fontsize=10)
        axis.grid(alpha=0.3)
    axes[0, 0].legend(frameon=False)
    for axis in axes[1]:
        axis.set_xlabel("Epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    _save(figure, path)


def plot_reconstructions(
    window: np.ndarray, output: np.ndarray, meta: WindowsMetadata, path: Path
) -> None:
    """Draw validation windows beside their reconstruction and prediction.

    Parameters
    ----------
    window, output : numpy.ndarray
        `(n_windows, length + future, n_features)`, in the units of the features.
    meta : WindowsMetadata
        Metadata of the windows: features, length (frames reconstructed), fps, align.
    path : Path
    """
    features, length, scaled = meta.features, meta.length, meta.align["scale"]
    chosen = np.linspace(0, len(features) - 1, min(MAX_FEATURES, len(features))).astype(int)
    time_s = np.arange(window.shape[1]) / meta.fps
    figure, axes = plt.subplots(
        len(chosen),
        len(window),
        figsize=(3 * len(window), 1.5 * len(chosen)),
        sharex=True,
        sharey="row",
        squeeze=False,
        layout="constrained",
    )
    for row, feature in zip(axes, chosen, strict=True):
        for axis, true, made in zip(row, window[..., feature], output[..., feature], strict=True):
            axis.plot(time_s, true, color=TRUTH, linewidth=2.5, alpha=0.5, label="recorded")
            axis.plot(time_s[:length], made[:length], color=TRAIN, label="reconstructed")
            axis.plot(time_s[length:], made[length:], color=VAL, label="predicted")
            axis.grid(alpha=0.3)
        row[0].set_ylabel(f"{features[feature]}\n({_unit(features[feature], scaled)})", fontsize=8)
    for number, axis in enumerate(axes[0], start=1):
        axis.set_title(f"Held-out window {number}", fontsize=10)
    for axis in axes[-1]:
        axis.set_xlabel("Time (s)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    _save(figure, path)


def plot_spectrum(variances: np.ndarray, path: str | Path) -> None:
    """Draw the variance of each principal component of the latent, and their running share.

    Parameters
    ----------
    variances : numpy.ndarray
        `(zdims,)`, the largest first.
    path : str or Path
    """
    number = np.arange(1, len(variances) + 1)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
    left.bar(number, variances, color=TRAIN)
    left.set_ylabel("Variance (prior: 1)")
    right.plot(number, variances.cumsum() / max(variances.sum(), 1e-12), color=VAL, marker=".")
    right.set_ylim(0, 1.02)
    right.set_ylabel("Share of the variance up to it")
    for axis in (left, right):
        axis.set_xlabel("Principal component of the latent")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(alpha=0.3)
    _save(figure, path)


def _unit(feature: str, scaled: bool) -> str:
    length = "body lengths" if scaled else "px"
    units = {"turn_rate": "rad/s", "speed_forward": f"{length}/s", "speed_lateral": f"{length}/s"}
    if feature.startswith("log_"):
        return f"ln {length}/s"
    return units.get(feature, length)


def _save(figure: plt.Figure, path: str | Path) -> None:
    with files.atomic(path) as temporary:
        # without a date, the same figure is the same file
        figure.savefig(temporary, format="png", dpi=120, metadata={"Software": None})
    plt.close(figure)
