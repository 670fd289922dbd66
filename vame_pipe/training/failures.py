"""Messages for failures of training that a change of the settings resolves."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from vame_pipe.core.errors import InputError

if TYPE_CHECKING:
    from vame_pipe.training.state import TrainingState


@contextmanager
def explain_failures(state: TrainingState) -> Iterator[None]:
    """Turn the errors that torch raises in a training step into messages that say what to change.

    Raises
    ------
    InputError
        If the loss is NaN or infinite, or the memory of the GPU is too small.
    """
    try:
        yield
    except torch.linalg.LinAlgError:  # svdvals fails on NaN
        raise _diverged(state, state.progress.step) from None
    except torch.OutOfMemoryError:
        raise InputError(
            f"training: out of GPU memory with train.batch_size {state.setup.batch_size}. Set it to "
            f"{max(1, state.setup.batch_size // 2)}; if that is still too much, set "
            "train.device_memory_gib to keep the frames on the host."
        ) from None


def require_finite(state: TrainingState) -> None:
    """Raise InputError if the loss of any step so far was not finite."""
    step = state.progress.first_nonfinite_step
    if math.isfinite(step):
        raise _diverged(state, int(step))


def _diverged(state: TrainingState, step: int) -> InputError:
    settings = state.settings
    epoch, within = divmod(step, state.schedule.steps_per_epoch)
    return InputError(
        f"training diverged: the loss is not finite at step {within} of epoch {epoch}, with learning_rate "
        f"{settings.learning_rate:g}, beta {settings.beta:g}, batch_size {settings.batch_size}. The last "
        "good checkpoint was kept. Lower train.learning_rate, or look for extreme values in the recordings."
    )
