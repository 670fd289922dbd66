"""One visible training loop, that can be killed at any time and goes on where it was."""

from __future__ import annotations

import json
import logging
import math
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from tqdm import tqdm

from vame_pipe.core import files
from vame_pipe.core.device import Threads, usage
from vame_pipe.core.errors import InputError, Interrupted
from vame_pipe.core.source import TRAIN
from vame_pipe.training.batches import Feed
from vame_pipe.training.checkpoints import (
    PLATEAU,
    CheckpointFolder,
    random_states,
    set_random_states,
)
from vame_pipe.training.losses import annealing, loss_terms, objective
from vame_pipe.training.network import RNN_VAE
from vame_pipe.training.result import Outcome, summarise
from vame_pipe.training.schedule import Progress
from vame_pipe.training.validation import evaluate, named, validation_starts
from vame_pipe.windows.data import WindowData

if TYPE_CHECKING:
    from vame_pipe.config.sections import Model, Train

log = logging.getLogger(__name__)

COLLAPSED = 0.1
"""Share of active latent dimensions at or below which there is a warning."""
MAY_CHANGE = ("max_epochs", "patience", "device", "device_memory_gib", "checkpoint_minutes")
"""Settings that may differ when a training goes on: they change its length or its place."""


class Training:
    """The live parts of a training, and the state that they are saved as.

    Parameters
    ----------
    data : WindowData
    model : Model
    settings : Train
        With a batch size.
    device : str
    start : dict, optional
        A state to go on from.
    """

    def __init__(
        self,
        data: WindowData,
        model: Model,
        settings: Train,
        device: str,
        start: dict[str, Any] | None,
    ):
        seed_everything(settings.seed)
        self.settings, self.device = settings, device
        self.arguments = network_arguments(model, data)
        self.network = RNN_VAE(**self.arguments).to(device)
        published = settings.preset == "vame"
        self.optimizer = torch.optim.Adam(
            self.network.parameters(), amsgrad=published, fused=device != "mps"
        )
        self.progress = Progress(math.ceil(len(data.train) / settings.batch_size))
        self.progress.plan(settings)
        self.best: dict[str, torch.Tensor] = {}
        if start is not None:
            self.network.load_state_dict(start["network"])
            self.optimizer.load_state_dict(start["optimizer"])
            self.best = start["best"]
            self.progress = Progress(**start["progress"])
            set_random_states(start["random"])
        # these would have to be waited for at every step, were they not on the device
        self.sums = torch.tensor(self.progress.sums, device=device)
        self.bad_step = torch.tensor(self.progress.bad_step, device=device)
        self.clock = time.monotonic()

    def annealing(self) -> float:
        """Return the weight of the KL and spectral terms at the coming step."""
        settings, progress = self.settings, self.progress
        epoch = progress.step / progress.per_epoch
        return annealing(epoch, settings.kl_start, settings.anneal_epochs, settings.anneal_function)

    def take_step(self, window: torch.Tensor, length: int) -> None:
        """Update the network on a batch `(batch, length + future, n_features)`."""
        settings, progress = self.settings, self.progress
        rate = settings.learning_rate * progress.relative_rate(settings.warmup_steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        seen = window[:, :length]
        if settings.input_noise:
            seen = seen + settings.input_noise * torch.randn_like(seen)
        rounded = settings.precision == "bfloat16"
        try:
            with torch.autocast(window.device.type, torch.bfloat16, enabled=rounded):
                terms, _ = loss_terms(self.network, seen, window)
                loss = objective(terms, settings, self.annealing())
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
        except torch.linalg.LinAlgError:  # singular values of what is no number
            raise_diverged(progress.step, progress.per_epoch, settings)
        except torch.OutOfMemoryError:
            raise InputError(
                f"training: the GPU's memory is too small for batches of {settings.batch_size} windows. "
                f"Set train.batch_size to {max(1, settings.batch_size // 2)}; if that is still too "
                "much, train.device_memory_gib to keep the frames on the host."
            ) from None
        if settings.max_grad_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), settings.max_grad_norm)
        self.optimizer.step()
        with torch.no_grad():
            self.sums += terms * len(window)
            at = torch.where(torch.isfinite(loss), math.inf, float(progress.step))
            self.bad_step = torch.minimum(self.bad_step, at)
        progress.step += 1

    def catch_up(self) -> None:
        """Bring the numbers of progress up to date with the device, waiting for it.

        Raises
        ------
        InputError
            If a loss was not finite: whatever came after it is worth nothing.
        """
        progress, now = self.progress, time.monotonic()
        progress.sums, progress.bad_step = self.sums.tolist(), self.bad_step.item()
        progress.epoch_seconds, self.clock = progress.epoch_seconds + now - self.clock, now
        if math.isfinite(progress.bad_step):
            raise_diverged(int(progress.bad_step), progress.per_epoch, self.settings)

    def state(self) -> dict[str, Any]:
        """Return the state to save."""
        self.catch_up()
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "best": self.best,
            "progress": vars(self.progress),
            "random": random_states(),
            "device": torch.device(self.device).type,
            "batch_size": self.settings.batch_size,
        }

    def end_epoch(self, n_windows: int, tested: dict[str, float]) -> dict[str, Any]:
        """Record an epoch, keep the network if it is the best so far, plan on; return the metrics."""
        progress = self.progress
        epoch = progress.step // progress.per_epoch - 1
        metrics = {
            "epoch": epoch,
            "windows_seen": (epoch + 1) * n_windows,
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "annealing": self.annealing(),
            "windows_per_second": n_windows / progress.epoch_seconds,
            **named("train", [total / n_windows for total in progress.sums], self.settings),
            **tested,
            **usage(self.device),
        }
        best = progress.best_epoch
        if best < 0 or metrics["val/loss"] < progress.history[best]["val/loss"]:
            progress.best_epoch = epoch
            weights = self.network.state_dict().items()
            self.best = {name: weight.detach().cpu().clone() for name, weight in weights}
        progress.history.append(metrics)
        progress.plan_on(self.settings)
        progress.seconds += progress.epoch_seconds
        progress.epoch_seconds = 0.0
        self.sums.zero_()
        self.clock = time.monotonic()
        return metrics


def identity(data: WindowData, model: Model, settings: Train) -> dict[str, dict]:
    """Return what makes two trainings one: a training is resumed only if none of it has changed.

    A batch size that is not set is fixed by the device of the first start and saved with the state; so a
    GPU that is gone, or a new one, makes no other training of it.
    """
    fixed = {k: v for k, v in settings.model_dump().items() if k not in MAY_CHANGE}
    # another torch rounds and draws otherwise: half a training by each is what neither would give
    inputs = {"windows": data.fingerprint, "stage_version": TRAIN, "torch": str(torch.__version__)}
    return {"model": model.model_dump(), "train": fixed, "inputs": inputs}


def starting_point(
    checkpoints: CheckpointFolder, settings: Train, device: str
) -> tuple[dict[str, Any] | None, Train]:
    """Return the state to go on from, or None to start afresh, and the settings with a batch size.

    Another max_epochs or patience extends (or shortens) a training: it goes on from its last state or,
    where its learning rate had begun to decay, from the end of the plateau; what came after that is
    done again.

    Raises
    ------
    InputError
        If the training began on a GPU, none is found, and the settings do not ask for the CPU.
    """
    afresh = settings.for_device(device)
    state = checkpoints.load()
    if state is None:
        differences = "; ".join(checkpoints.differences())
        if differences:
            log.warning(
                "starting from scratch, since this is not the training whose states are here: %s. Those "
                "states are kept until yet another training is started.",
                differences,
            )
        return None, afresh
    if state["device"] == "cuda" and device == "cpu" and settings.device == "auto":
        raise InputError(
            f"{checkpoints.folder}: this training began on a GPU, and torch finds none here. Run again where "
            "there is one, or set train.device to cpu to resume on the CPU. Nothing is lost."
        )
    settings = settings.model_copy(update={"batch_size": state["batch_size"]})
    progress = Progress(**state["progress"])
    if progress.budget != [settings.max_epochs, settings.patience]:
        before = progress.budget
        if progress.step > progress.plateau:
            state = checkpoints.load(PLATEAU)
            progress = Progress(**state["progress"]) if state else progress
        progress.plan(settings)
        log.info("max_epochs and patience were %s and %s, are %s and %s", *before, *progress.budget)
        if state is None or progress.step > progress.plateau:
            log.warning("starting afresh: the training is past the plateau of its new schedule")
            return None, afresh
        progress.plan_on(settings)
        state["progress"] = vars(progress)
    log.info("going on from epoch %d, step %d", *divmod(progress.step, progress.per_epoch))
    return state, settings


def train(
    data: WindowData,
    model: Model,
    settings: Train,
    device: str,
    checkpoints: CheckpointFolder,
    metrics_path: Path,
    start: dict[str, Any] | None = None,
    run: dict[str, Any] | None = None,
    on_epoch: Callable[[list[dict[str, Any]]], None] = lambda history: None,
    stopped: Callable[[], bool] = lambda: False,
    threads: int = 1,
) -> Outcome:
    """Train one model.

    Parameters
    ----------
    data : WindowData
    model : Model
    settings : Train
        With a batch size.
    device : str
        A torch device, see `choose_device`.
    checkpoints : CheckpointFolder
        Where states are saved: every `checkpoint_minutes`, at the end of every epoch, before the
        learning rate decays, and when told to stop.
    metrics_path : Path
        metrics.jsonl, a line per epoch, written as training goes.
    start : dict, optional
        What `starting_point` returned.
    run : dict, optional
        What identifies the run, for whoever goes on.
    on_epoch : callable
        Called after each epoch with the metrics of all so far, once they are on disk.
    stopped : callable
        Asked after every step whether to save and raise Interrupted.
    threads : int
        CPU threads that may be used, if other processes leave room for them.

    Raises
    ------
    InputError
        If the loss stops being a number.
    Interrupted
        If `stopped` says so.
    """
    feed = Feed(data.frames, device, settings.device_memory_gib)
    val = validation_starts(data)
    length, future = data.meta.length, data.meta.future
    training = Training(data, model, settings, device, start)
    progress = training.progress
    cores = Threads(threads)

    def save(name: str | None = None) -> float:
        checkpoints.save(progress.step, training.state() | {"run": run}, name)
        return time.monotonic()

    saved = save()
    checkpoints.clear_others()
    write_metrics(metrics_path, progress.history)
    with tqdm(total=progress.total, initial=progress.step, unit="step", disable=None) as bar:
        while (epoch := len(progress.history)) < progress.end:
            # all of them, if validation was missed
            done = progress.step - epoch * progress.per_epoch
            order = epoch_order(data.train, settings.seed, epoch)[done * settings.batch_size :]
            training.network.train()
            for window in feed.batches(order, settings.batch_size, length + future):
                if progress.step == progress.plateau:
                    saved = save(PLATEAU)
                training.take_step(window, length)
                cores.adapt()
                bar.update()
                if stopped():
                    save()
                    raise Interrupted(f"stopped in epoch {epoch}; run again to go on from there")
                if time.monotonic() - saved > 60 * settings.checkpoint_minutes:
                    saved = save()
            training.catch_up()
            tested = evaluate(training.network, feed, val, length, future, settings)
            metrics = training.end_epoch(len(data.train), tested)
            saved = save()
            write_metrics(metrics_path, progress.history)
            on_epoch(progress.history)
            tell(metrics, settings, training.arguments["ZDIMS"], bar)
            bar.total = progress.total
    write_metrics(metrics_path, progress.history, progress.stop)
    log.info("stopped: %s; best epoch %d", progress.stop, progress.best_epoch)
    summary = summarise(progress)
    return Outcome(training.best, training.arguments, progress.history, summary, progress.stop)


def epoch_order(starts: np.ndarray, seed: int, epoch: int) -> torch.Tensor:
    """Return the training windows in the order of an epoch, whatever came before it."""
    return torch.from_numpy(np.random.default_rng([seed, epoch]).permutation(starts))


def write_metrics(path: Path, history: list[dict[str, Any]], stop: str | None = None) -> None:
    """Write metrics.jsonl, a line per epoch; the last says why training stopped, once it has."""
    last = [history[-1] | {"stop": stop}] if stop else history[-1:]
    files.write_text(path, "".join(json.dumps(line) + "\n" for line in [*history[:-1], *last]))


def tell(metrics: dict[str, Any], settings: Train, zdims: int, bar: tqdm) -> None:
    """Log an epoch, and what a scientist should know about it."""
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
    if metrics["annealing"] == 1 and metrics["val/active_units"] <= zdims * COLLAPSED:
        log.warning(
            "epoch %d: the latent has collapsed, %d of %d dimensions are active: lower train.beta (%g)",
            metrics["epoch"],
            metrics["val/active_units"],
            zdims,
            settings.beta,
        )


def raise_diverged(step: int, per_epoch: int, settings: Train) -> None:
    """Raise InputError for a loss that is no longer finite."""
    epoch, within = divmod(step, per_epoch)
    raise InputError(
        f"training: the loss is no finite number at step {within} of epoch {epoch}, with learning_rate "
        f"{settings.learning_rate:g}, beta {settings.beta:g}, batch_size {settings.batch_size}. The "
        "last good state is kept. Lower train.learning_rate, or look for extreme values in the "
        "recordings."
    )


def seed_everything(seed: int) -> None:
    """Seed python, numpy and torch, and have torch compute the same thing each time."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)


def network_arguments(model: Model, data: WindowData) -> dict[str, Any]:
    """Return the arguments of RNN_VAE for the settings and the data."""
    size = model.hidden_size_layer_1
    return {
        "TEMPORAL_WINDOW": 2 * data.meta.length,
        "ZDIMS": model.zdims,
        "NUM_FEATURES": len(data.meta.features),
        "FUTURE_DECODER": data.meta.future > 0,
        "FUTURE_STEPS": data.meta.future,
        "hidden_size_layer_1": size,
        "hidden_size_layer_2": size,
        "hidden_size_rec": model.hidden_size_rec,
        "hidden_size_pred": model.hidden_size_pred,
        "dropout_encoder": model.dropout_encoder,
        "dropout_rec": model.dropout_rec,
        "dropout_pred": model.dropout_pred,
        "softplus": model.softplus,
    }
