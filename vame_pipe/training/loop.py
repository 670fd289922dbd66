"""The training loop. It can be killed at any time and is resumed from the last checkpoint."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from vame_pipe.core import files
from vame_pipe.core.device import Threads
from vame_pipe.core.errors import Interrupted
from vame_pipe.training.batches import WindowBatches
from vame_pipe.training.checkpoints import PLATEAU
from vame_pipe.training.failures import explain_failures
from vame_pipe.training.losses import loss_terms, objective
from vame_pipe.training.random_state import seed_everything
from vame_pipe.training.result import TrainingResult
from vame_pipe.training.state import TrainingSetup, TrainingState
from vame_pipe.training.validation import evaluate, validation_starts

if TYPE_CHECKING:
    from vame_pipe.config.sections import Train

log = logging.getLogger(__name__)

COLLAPSE_FRACTION = 0.1
"""Warn of posterior collapse at or below this fraction of active latent dimensions."""


def train(
    setup: TrainingSetup,
    on_epoch: Callable[[list[dict[str, Any]]], None] = lambda history: None,
    stopped: Callable[[], bool] = lambda: False,
) -> TrainingResult:
    """Train one model.

    Parameters
    ----------
    setup : TrainingSetup
    on_epoch : callable
        Called after each epoch with the metrics of all epochs so far, once they are on disk.
    stopped : callable
        Polled after every step; if it returns True, a checkpoint is saved and Interrupted is raised.

    Raises
    ------
    InputError
        If the loss becomes NaN or infinite, or the memory of the GPU is too small.
    Interrupted
        If `stopped` returned True.
    """
    cores = Threads(setup.threads)
    settings, meta = setup.settings, setup.data.meta
    seed_everything(settings.seed, setup.device)
    state = TrainingState(setup)
    progress, schedule = state.progress, state.schedule
    batches = WindowBatches(setup.data.frames, setup.device, settings.device_memory_gib)
    val_starts = validation_starts(setup.data)
    state.save()
    setup.checkpoints.delete_incompatible()
    write_metrics(setup.metrics, progress.history)
    with tqdm(total=schedule.n_steps, initial=progress.step, unit="step", disable=None) as bar:
        while (epoch := len(progress.history)) < schedule.n_epochs:
            starts = remaining_starts(setup, epoch, progress.step)
            state.network.train()
            for window in batches.gather(starts, setup.batch_size, meta.length + meta.future):
                if progress.step == schedule.plateau_steps:
                    state.save(PLATEAU)
                learning_rate, annealing_weight = state.learning_rate(), state.annealing_weight()
                with explain_failures(state):
                    take_step(state, window, learning_rate, annealing_weight)
                cores.adapt()
                bar.update()
                if stopped():
                    state.save()
                    raise Interrupted(f"interrupted in epoch {epoch}; run again to resume")
                if state.minutes_since_save() > settings.checkpoint_minutes:
                    state.save()
            state.sync_counters()
            val_metrics = evaluate(state.network, batches, val_starts, meta, settings)
            metrics = state.finish_epoch(val_metrics)
            state.save()
            write_metrics(setup.metrics, progress.history)
            on_epoch(progress.history)
            log_epoch(metrics, settings, setup.model.zdims, bar)
            bar.total = schedule.n_steps
    write_metrics(setup.metrics, progress.history, schedule.stop)
    log.info("finished: %s; best epoch %d", schedule.stop, progress.best_epoch)
    return state.result()


def take_step(
    state: TrainingState, window: Tensor, learning_rate: float, annealing_weight: float
) -> None:
    """Update the network on one batch.

    Parameters
    ----------
    state : TrainingState
    window : Tensor
        `(batch, length + future, n_features)`, on the device.
    learning_rate, annealing_weight : float
        Their values in this step.
    """
    settings, network, optimizer = state.settings, state.network, state.optimizer
    # forward
    encoder_input = window[:, : network.seq_len]
    if settings.input_noise:
        encoder_input = encoder_input + settings.input_noise * torch.randn_like(encoder_input)
    use_bfloat16 = settings.precision == "bfloat16"
    with torch.autocast(window.device.type, torch.bfloat16, enabled=use_bfloat16):
        terms, _ = loss_terms(network, encoder_input, window)
        loss = objective(terms, settings, annealing_weight)
    # backward, clip, step
    optimizer.zero_grad()
    loss.backward()
    if settings.max_grad_norm is not None:
        torch.nn.utils.clip_grad_norm_(network.parameters(), settings.max_grad_norm)
    optimizer.step(learning_rate)
    # log; a loss that is not finite shows at the next checkpoint, so that no step waits for the device
    state.count_step(terms, loss, len(window))


def remaining_starts(setup: TrainingSetup, epoch: int, step: int) -> Tensor:
    """Return the training windows of an epoch that remain after some steps of the run, in random order.

    The order depends on seed and epoch only. None remains if training was interrupted before validation.

    Returns
    -------
    Tensor
        `(n_windows,)` int, the first frame of each window.
    """
    rng = np.random.default_rng([setup.settings.seed, epoch])
    steps_done = step - epoch * setup.steps_per_epoch
    starts = torch.from_numpy(rng.permutation(setup.data.train))
    return starts[steps_done * setup.batch_size :]


def write_metrics(path: Path, history: list[dict[str, Any]], stop: str | None = None) -> None:
    """Write metrics.jsonl, one line per epoch; the last one has the reason for stopping, once known."""
    last = [history[-1] | {"stop": stop}] if stop else history[-1:]
    files.write_text(path, "".join(json.dumps(line) + "\n" for line in [*history[:-1], *last]))


def log_epoch(metrics: dict[str, Any], settings: Train, zdims: int, bar: tqdm) -> None:
    """Log the metrics of an epoch; warn of posterior collapse."""
    log.info(
        "epoch %d: train %.4g, val %.4g, R2 %.3f, %.0f windows/s",
        metrics["epoch"],
        metrics["train/loss"],
        metrics["val/loss"],
        metrics["val/r2_reconstruction"],
        metrics["windows_per_second"],
    )
    bar.set_postfix(
        epoch=metrics["epoch"],
        loss=f"{metrics['val/loss']:.4g}",
        R2=f"{metrics['val/r2_reconstruction']:.3f}",
    )
    if metrics["annealing"] == 1 and metrics["val/active_units"] <= zdims * COLLAPSE_FRACTION:
        log.warning(
            "epoch %d: posterior collapse, only %d of %d latent dimensions are active. Lower train.beta "
            "(now %g).",
            metrics["epoch"],
            metrics["val/active_units"],
            zdims,
            settings.beta,
        )
