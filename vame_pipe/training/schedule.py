"""Where a training is and the schedule that it follows: warm-up, plateau, decay.

Warm-up and plateau do not depend on how long the training will be, so it can be extended: the decay is
taken back and done again, later, from the end of a longer plateau (Hu et al. 2024, arXiv 2404.06395).
The learning rate rises linearly over `warmup_steps`, stays, and falls linearly to zero over the last
`decay` of the budget.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vame_pipe.config.sections import Train


@dataclass
class Progress:
    """Where a training is, in numbers, and what it is going to do.

    Attributes
    ----------
    per_epoch : int
        Optimizer steps in an epoch.
    budget : list of int
        max_epochs and patience that the schedule is made for.
    decay_from : float
        Epochs before the learning rate decays.
    end : int
        Epochs in all.
    step : int
        Steps taken in all.
    sums : list of float
        Loss terms summed over the windows of the epoch that is under way.
    bad_step : float
        First step whose loss was not finite; infinite if none was.
    epoch_seconds, seconds : float
        Spent on the epoch that is under way, and on those before it.
    history : list of dict
    best_epoch : int
    stop : str
        Why training ends where the schedule does.
    """

    per_epoch: int
    budget: list[int] = field(default_factory=list)
    decay_from: float = 0.0
    end: int = 0
    step: int = 0
    sums: list[float] = field(default_factory=lambda: [0.0] * 4)
    bad_step: float = math.inf
    epoch_seconds: float = 0.0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = -1
    stop: str = ""

    def plan(self, settings: Train) -> None:
        """Make the schedule for the budget of the settings."""
        self.budget = [settings.max_epochs, settings.patience]
        self.decay_from, self.end = (
            (1 - settings.decay_fraction) * settings.max_epochs,
            settings.max_epochs,
        )
        self.stop = "max_epochs reached"

    def plan_on(self, settings: Train) -> None:
        """End the plateau if for `patience` epochs there was nothing better."""
        epoch = len(self.history)
        if epoch <= self.decay_from and epoch - 1 - self.best_epoch >= settings.patience:
            self.decay_from = epoch  # and the decay takes the same share of what is left as planned
            self.end = min(self.end, math.ceil(epoch / (1 - settings.decay_fraction)))
            self.stop = f"no better validation loss for {settings.patience} epochs"

    @property
    def total(self) -> int:
        """Steps of the whole schedule."""
        return self.end * self.per_epoch

    @property
    def plateau(self) -> int:
        """Steps before the learning rate decays."""
        return math.ceil(self.decay_from * self.per_epoch)

    def relative_rate(self, warmup_steps: int) -> float:
        """Learning rate of the coming step, relative to its peak."""
        rising = min(1.0, (self.step + 1) / (warmup_steps + 1))
        at = self.step / self.per_epoch
        if at < self.decay_from:
            return rising
        return rising * (self.end - at) / (self.end - self.decay_from)
