"""Figures of a finished training run: losses, example reconstructions, spectrum of the latent space.

The report and Snakemake's report embed these files, and MLflow stores them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, StrMethodFormatter

from vame_pipe.core.colours import BLUE, VERMILLION
from vame_pipe.core.plots import GREY, STYLE, new_figure, save
from vame_pipe.training.result import examples, latent_spectrum

if TYPE_CHECKING:
    from vame_pipe.core.layout import ModelFolder
    from vame_pipe.core.metadata import WindowsMetadata
    from vame_pipe.training.result import TrainingResult
    from vame_pipe.windows.data import WindowData

SPLITS = {"train": ("train", BLUE, "o"), "val": ("validation", VERMILLION, "s")}
"""Label, colour and marker of each split."""
MAX_FEATURES = 6


def plot_training(
    result: TrainingResult, data: WindowData, device: str, folder: ModelFolder
) -> None:
    """Draw losses, reconstructions and spectrum of a finished training run as PNG files."""
    best_epoch = int(result.summary["final/best_epoch"])
    save(draw_losses(result.history, best_epoch), folder.losses)
    window, output = examples(result, data, device)
    save(draw_reconstructions(window, output, data.meta), folder.reconstructions)
    save(draw_spectrum(latent_spectrum(result, data, device)), folder.spectrum)


@rc_context(STYLE)
def draw_losses(history: list[dict[str, Any]], best_epoch: int) -> Figure:
    """Return a figure of the loss terms and the learning rate in each epoch.

    Terms that are always above 0 have a logarithmic axis.

    Parameters
    ----------
    history : list of dict
        One entry per epoch, as in metrics.jsonl.
    best_epoch : int
        The epoch whose weights were kept.
    """
    titles = {
        "loss": "Objective (without annealing)",
        "reconstruction": "Reconstruction: squared error",
        "prediction": "Prediction: squared error",
        "kl": "KL divergence (nats)",
        "spectral": "Spectral term",
    }
    figure = new_figure(height=5.6)
    axes = figure.subplots(2, 3, sharex=True).flat
    for axis, (name, title) in zip(axes, titles.items(), strict=False):
        if any(metrics[f"val/{name}"] for metrics in history):
            _draw_term(axis, history, name, best_epoch)
            axis.set_title(title)
        else:  # there is no prediction
            axis.set_visible(False)
    epochs = [metrics["epoch"] for metrics in history]
    axes[5].plot(epochs, [metrics["learning_rate"] for metrics in history], color=GREY, marker="o")
    axes[5].set_ylim(bottom=0)
    axes[5].set_title("Learning rate (last step of the epoch)")
    for axis in axes:
        axis.axvline(best_epoch, color=GREY, linestyle=":", label=f"best epoch ({best_epoch})")
        axis.set_xlim(-0.5, len(history) - 0.5)
    for axis in axes[0], axes[3]:
        axis.set_ylabel("per window")
    for axis in axes[3:]:
        axis.set_xlabel("Epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def _draw_term(axis: Axes, history: list[dict[str, Any]], name: str, best_epoch: int) -> None:
    """Draw one loss term per window for both splits, with a ring around the best epoch."""
    epochs = [metrics["epoch"] for metrics in history]
    lowest, highest = np.inf, -np.inf
    for split, (label, colour, marker) in SPLITS.items():
        values = [metrics[f"{split}/{name}"] for metrics in history]
        axis.plot(epochs, values, color=colour, marker=marker, label=label)
        lowest, highest = min(lowest, *values, np.inf), max(highest, *values, -np.inf)
    best = history[best_epoch][f"val/{name}"]
    axis.plot([best_epoch], [best], "o", color=VERMILLION, fillstyle="none", markersize=11)
    if lowest > 0:
        _set_log_scale(axis, lowest, highest)


def _set_log_scale(axis: Axes, lowest: float, highest: float) -> None:
    """Use a logarithmic y axis with plain numbers, also if the values span less than a decade."""
    axis.set_yscale("log")
    wide = highest / lowest > 10
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)) if wide else MaxNLocator(5))
    axis.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.yaxis.set_minor_locator(NullLocator())


@rc_context(STYLE)
def draw_reconstructions(window: np.ndarray, output: np.ndarray, meta: WindowsMetadata) -> Figure:
    """Return a figure of validation windows and of their reconstruction and prediction.

    Parameters
    ----------
    window, output : numpy.ndarray
        `(n_windows, length + future, n_features)`, in the units of the features.
    meta : WindowsMetadata
        For the names of the features, the frame rate, and the number of encoded frames.
    """
    names, length = meta.features, meta.length
    chosen = np.linspace(0, len(names) - 1, min(MAX_FEATURES, len(names))).astype(int)
    time_s = np.arange(window.shape[1]) / meta.fps
    figure = new_figure(height=1.45 * len(chosen) + 1)
    axes = figure.subplots(len(chosen), len(window), sharex=True, sharey="row", squeeze=False)
    for row, feature in zip(axes, chosen, strict=True):
        for axis, recorded, decoded in zip(
            row, window[..., feature], output[..., feature], strict=True
        ):
            axis.plot(time_s, recorded, color=GREY, linewidth=4, alpha=0.4, label="recorded")
            axis.plot(time_s[:length], decoded[:length], color=BLUE, label="reconstructed")
            axis.plot(
                time_s[length:],
                decoded[length:],
                color=VERMILLION,
                linestyle="--",
                label="predicted",
            )
        unit = feature_unit(names[feature], bool(meta.align["scale"]))
        row[0].set_ylabel(f"{names[feature]}\n({unit})", fontsize=8.5)
    for number, axis in enumerate(axes[0], start=1):
        axis.set_title(f"Validation window {number}")
    for axis in axes[-1]:
        axis.set_xlabel("Time (s)")
    figure.align_ylabels()
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


@rc_context(STYLE)
def draw_spectrum(variances: np.ndarray) -> Figure:
    """Return a figure of the variance of each principal component of the latent space.

    Parameters
    ----------
    variances : numpy.ndarray
        `(zdims,)`, the largest first.
    """
    component = np.arange(1, len(variances) + 1)
    figure = new_figure(height=3.4)
    left, right = figure.subplots(1, 2)
    left.plot(component, variances, color=BLUE, marker="o")
    positive = variances[variances > 0]
    if len(positive):  # components that are not in use may be exactly 0
        lowest, highest = max(positive.min(), 1e-6 * positive.max()), max(1, positive.max())
        _set_log_scale(left, lowest, highest)
        left.set_ylim(0.7 * lowest, 1.4 * highest)
    left.axhline(1, color=GREY, linestyle=":", label="prior")
    left.legend(loc="center right")
    left.set_title("Variance of each component")
    right.plot(
        component, variances.cumsum() / max(variances.sum(), 1e-12), color=VERMILLION, marker="s"
    )
    right.set_ylim(0, 1.02)
    right.set_title("Fraction of variance up to each component")
    for axis in (left, right):
        axis.set_xlabel("Principal component of the latent space")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    return figure


def feature_unit(feature: str, scaled: bool) -> str:
    """Return the unit of a feature.

    Examples
    --------
    >>> feature_unit("nose_x", scaled=True), feature_unit("log_speed", scaled=False)
    ('body lengths', 'ln px/s')
    >>> feature_unit("partner_bearing_cos", scaled=True), feature_unit("partner_log_nearest", scaled=True)
    ('', 'ln body lengths')
    """
    length = "body lengths" if scaled else "px"
    if feature == "turn_rate":
        return "rad/s"
    if feature.startswith("log_"):
        return f"ln {length}/s"
    if feature.startswith("partner_log_"):
        return f"ln {length}"
    if feature.startswith("partner_") and feature.endswith(("_cos", "_sin")):
        return ""
    if feature.startswith(("speed_", "partner_speed_")) or feature == "partner_approach":
        return f"{length}/s"
    return length
