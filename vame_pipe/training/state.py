"""Network, optimizer and counters of a training run."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from vame_pipe.core.device import resource_usage
from vame_pipe.training.adam import Adam
from vame_pipe.training.checkpoints import Checkpoint, CheckpointFolder, RunIds
from vame_pipe.training.failures import require_finite
from vame_pipe.training.losses import LossTerms, annealing
from vame_pipe.training.network import RNN_VAE
from vame_pipe.training.random_state import random_states, set_random_states
from vame_pipe.training.result import TrainingResult, summarise
from vame_pipe.training.schedule import Progress, Schedule
from vame_pipe.training.validation import with_prefix
from vame_pipe.windows.data import WindowData

if TYPE_CHECKING:
    from vame_pipe.config.sections import Model, Train


@dataclass(frozen=True)
class TrainingSetup:
    """What a training run works on, and where its files go.

    Attributes
    ----------
    data : WindowData
    model : Model
    settings : Train
        With a batch size.
    device : str
        A torch device, see `choose_device`.
    checkpoints : CheckpointFolder
        Checkpoints are saved every `checkpoint_minutes`, at the end of every epoch, before the learning
        rate decays, and on interruption.
    metrics : Path
        metrics.jsonl, one line per epoch, rewritten after every epoch.
    start : Checkpoint, optional
        The checkpoint to resume from.
    run : RunIds, optional
        Stored in every checkpoint.
    threads : int
        CPU threads that may be used, if other processes leave cores free.
    """

    data: WindowData
    model: Model
    settings: Train
    device: str
    checkpoints: CheckpointFolder
    metrics: Path
    start: Checkpoint | None = None
    run: RunIds | None = None
    threads: int = 1

    @property
    def batch_size(self) -> int:
        """Windows per step."""
        if self.settings.batch_size is None:
            raise ValueError("the settings have no batch size: see Train.for_device")
        return self.settings.batch_size

    @property
    def steps_per_epoch(self) -> int:
        """Steps per epoch; the batch of the last one may be smaller."""
        return math.ceil(len(self.data.train) / self.batch_size)


class TrainingState:
    """What changes while a training run is under way; resumed from a checkpoint, if there is one.

    Parameters
    ----------
    setup : TrainingSetup

    Attributes
    ----------
    network : RNN_VAE
    optimizer : Adam
    schedule : Schedule
    progress : Progress
    best : dict of str to Tensor
        Weights of the best epoch so far, on the CPU.
    """

    def __init__(self, setup: TrainingSetup):
        self.setup, self.settings = setup, setup.settings
        self.arguments = network_arguments(setup.model, setup.data)
        self.network = RNN_VAE(**self.arguments).to(setup.device)
        self.optimizer = Adam(
            self.network.parameters(),
            amsgrad=self.settings.preset == "vame",
            fused=setup.device != "mps",
        )
        self.schedule = Schedule.plan(setup.steps_per_epoch, self.settings)
        self.progress = Progress()
        self.best: dict[str, Tensor] = {}
        if setup.start is not None:
            self._restore(setup.start)
        # on the device: to read them at every step would make the CPU wait for the GPU
        self._sums = torch.tensor(self.progress.sums, device=setup.device)
        self._first_nonfinite_step = torch.tensor(
            self.progress.first_nonfinite_step, device=setup.device
        )
        self._clock = self._saved = time.monotonic()

    def _restore(self, checkpoint: Checkpoint) -> None:
        self.network.load_state_dict(checkpoint.network)
        self.optimizer.load_state_dict(checkpoint.optimizer)
        self.best = checkpoint.best
        self.schedule, self.progress = checkpoint.schedule, checkpoint.progress
        set_random_states(checkpoint.random)

    def learning_rate(self) -> float:
        """Return the learning rate of the next step."""
        settings = self.settings
        relative = self.schedule.relative_rate(self.progress.step, settings.warmup_steps)
        return settings.learning_rate * relative

    def annealing_weight(self) -> float:
        """Return the weight of the KL and spectral terms in the next step."""
        settings = self.settings
        epoch = self.progress.step / self.schedule.steps_per_epoch
        return annealing(epoch, settings.kl_start, settings.anneal_epochs, settings.anneal_function)

    @torch.no_grad()
    def count_step(self, terms: LossTerms[Tensor], loss: Tensor, n_windows: int) -> None:
        """Add the loss terms of a step to those of its epoch, without waiting for the device."""
        self._sums += torch.stack(terms) * n_windows
        step = torch.where(torch.isfinite(loss), math.inf, float(self.progress.step))
        self._first_nonfinite_step = torch.minimum(self._first_nonfinite_step, step)
        self.progress.step += 1

    def sync_counters(self) -> None:
        """Copy the counters from the device; the CPU waits for it.

        Raises
        ------
        InputError
            If the loss of any step so far was not finite.
        """
        progress, now = self.progress, time.monotonic()
        progress.sums = self._sums.tolist()
        progress.first_nonfinite_step = self._first_nonfinite_step.item()
        progress.epoch_seconds += now - self._clock
        self._clock = now
        require_finite(self)

    def save(self, name: str | None = None) -> None:
        """Save a checkpoint; the CPU waits for the device."""
        self.sync_counters()
        self.setup.checkpoints.save(self.checkpoint(), name)
        self._saved = time.monotonic()

    def minutes_since_save(self) -> float:
        """Return the minutes since the last checkpoint was saved."""
        return (time.monotonic() - self._saved) / 60

    def checkpoint(self) -> Checkpoint:
        """Return the checkpoint to save, with the counters as of the last `sync_counters`."""
        return Checkpoint(
            network=self.network.state_dict(),
            optimizer=self.optimizer.state_dict(),
            best=self.best,
            schedule=self.schedule,
            progress=self.progress,
            random=random_states(),
            device=torch.device(self.setup.device).type,
            batch_size=self.setup.batch_size,
            run=self.setup.run,
        )

    def finish_epoch(self, val_metrics: dict[str, float]) -> dict[str, Any]:
        """Record an epoch, keep its weights if they are the best, update the schedule; return its metrics.

        Parameters
        ----------
        val_metrics : dict of str to float
            What `evaluate` returned.
        """
        progress, n_windows = self.progress, len(self.setup.data.train)
        epoch = progress.step // self.schedule.steps_per_epoch - 1
        train_terms = LossTerms(*(total / n_windows for total in progress.sums))
        metrics = {
            "epoch": epoch,
            "windows_seen": (epoch + 1) * n_windows,
            "learning_rate": self.optimizer.learning_rate,
            "annealing": self.annealing_weight(),
            "windows_per_second": n_windows / progress.epoch_seconds,
            **with_prefix("train", train_terms, self.settings),
            **val_metrics,
            **resource_usage(self.setup.device),
        }
        best = progress.best_epoch
        if best < 0 or metrics["val/loss"] < progress.history[best]["val/loss"]:
            progress.best_epoch = epoch
            weights = self.network.state_dict().items()
            self.best = {name: weight.detach().cpu().clone() for name, weight in weights}
        progress.history.append(metrics)
        self.schedule.update(len(progress.history), progress.best_epoch, self.settings)
        progress.seconds += progress.epoch_seconds
        progress.epoch_seconds = 0.0
        self._sums.zero_()
        self._clock = time.monotonic()
        return metrics

    def result(self) -> TrainingResult:
        """Return the result of the finished training run."""
        history, summary = self.progress.history, summarise(self.progress)
        return TrainingResult(self.best, self.arguments, history, summary, self.schedule.stop)


def network_arguments(model: Model, data: WindowData) -> dict[str, Any]:
    """Return the arguments of RNN_VAE for the settings and the windows."""
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
