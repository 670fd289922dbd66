"""Learning-rate schedule (warm-up, plateau, decay) and counters of a training run.

The learning rate rises linearly over `warmup_steps`, stays constant, and falls linearly to zero over the
last fraction `decay_fraction` of the epochs. Warm-up and plateau do not depend on the number of epochs, so
a training run can be extended: the decay is discarded and repeated from the end of a longer plateau
(Hu et al. 2024, arXiv 2404.06395).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vame_pipe.training.losses import LossTerms

if TYPE_CHECKING:
    from vame_pipe.config.sections import Train


@dataclass
class Schedule:
    """When the learning rate decays and when training stops.

    Attributes
    ----------
    steps_per_epoch : int
        Optimizer steps per epoch.
    planned_for : list of int
        max_epochs and patience that the schedule was made for.
    decay_start_epoch : float
        Epochs before the learning rate decays; may be fractional.
    n_epochs : int
        Epochs in total.
    stop : str
        Reason why training stops after `n_epochs`.
    """

    steps_per_epoch: int
    planned_for: list[int]
    decay_start_epoch: float
    n_epochs: int
    stop: str

    @classmethod
    def plan(cls, steps_per_epoch: int, settings: Train) -> Schedule:
        """Return the schedule for the settings, as long as nothing ends the plateau early.

        Examples
        --------
        >>> from vame_pipe.config.sections import Train
        >>> schedule = Schedule.plan(100, Train(max_epochs=20, decay_fraction=0.5))
        >>> schedule.n_steps, schedule.plateau_steps
        (2000, 1000)
        >>> [schedule.relative_rate(step, warmup_steps=0) for step in (0, 999, 1500)]
        [1.0, 1.0, 0.5]
        """
        return cls(
            steps_per_epoch,
            [settings.max_epochs, settings.patience],
            (1 - settings.decay_fraction) * settings.max_epochs,
            settings.max_epochs,
            "max_epochs reached",
        )

    def update(self, epochs_done: int, best_epoch: int, settings: Train) -> None:
        """End the plateau early after `patience` epochs without improvement.

        The decay then takes the planned fraction of what has become a shorter training run.
        """
        waited = epochs_done - 1 - best_epoch
        if epochs_done <= self.decay_start_epoch and waited >= settings.patience:
            self.decay_start_epoch = epochs_done
            self.n_epochs = min(
                self.n_epochs, math.ceil(epochs_done / (1 - settings.decay_fraction))
            )
            self.stop = f"no better validation loss for {settings.patience} epochs"

    @property
    def n_steps(self) -> int:
        """Steps in total."""
        return self.n_epochs * self.steps_per_epoch

    @property
    def plateau_steps(self) -> int:
        """Steps before the learning rate decays."""
        return math.ceil(self.decay_start_epoch * self.steps_per_epoch)

    def relative_rate(self, step: int, warmup_steps: int) -> float:
        """Return the learning rate of a step, relative to its peak.

        Parameters
        ----------
        step : int
            Steps taken before.
        warmup_steps : int
        """
        warmup = min(1.0, (step + 1) / (warmup_steps + 1))
        epoch = step / self.steps_per_epoch
        if epoch < self.decay_start_epoch:
            return warmup
        return warmup * (self.n_epochs - epoch) / (self.n_epochs - self.decay_start_epoch)


@dataclass
class Progress:
    """Counters of a training run.

    Attributes
    ----------
    step : int
        Steps taken in total.
    sums : list of float
        Loss terms, in the order of `LossTerms`, summed over the windows of the current epoch.
    first_nonfinite_step : float
        First step with a loss of NaN or infinity; infinite if there was none.
    epoch_seconds : float
        Time spent on the current epoch.
    seconds : float
        Time spent on all epochs before it.
    history : list of dict
        One entry per finished epoch, as in metrics.jsonl.
    best_epoch : int
        Epoch with the lowest validation loss; -1 before the first one has finished.
    """

    step: int = 0
    sums: list[float] = field(default_factory=lambda: [0.0] * len(LossTerms._fields))
    first_nonfinite_step: float = math.inf
    epoch_seconds: float = 0.0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = -1
