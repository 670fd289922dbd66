"""Where a training run starts: from a checkpoint, or from scratch."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING, NamedTuple

from vame_pipe.core.errors import InputError
from vame_pipe.training.checkpoints import PLATEAU, Checkpoint, CheckpointFolder
from vame_pipe.training.schedule import Schedule

if TYPE_CHECKING:
    from vame_pipe.config.sections import Train

log = logging.getLogger(__name__)


class Start(NamedTuple):
    """Where a training run starts.

    Attributes
    ----------
    checkpoint : Checkpoint or None
        The checkpoint to resume from; None: start from scratch.
    settings : Train
        With a batch size.
    """

    checkpoint: Checkpoint | None
    settings: Train


def starting_point(checkpoints: CheckpointFolder, settings: Train, device: str) -> Start:
    """Return the checkpoint to resume from, if any, and the settings with a batch size; log why.

    If max_epochs or patience have changed, the training run is extended or shortened. It is resumed from
    its newest checkpoint or, if its learning rate had begun to decay, from the end of the plateau.

    Parameters
    ----------
    checkpoints : CheckpointFolder
    settings : Train
    device : str
        A torch device, see `choose_device`.

    Raises
    ------
    InputError
        If the training run began on a GPU, there is none now, and the settings do not ask for the CPU.
    """
    from_scratch = Start(None, settings.for_device(device))
    checkpoint = checkpoints.load()
    if checkpoint is None:
        mismatch = "; ".join(checkpoints.describe_mismatch())
        if mismatch:
            log.warning(
                "starting from scratch; settings or inputs differ from those of the existing checkpoints: "
                "%s. Those checkpoints are kept until yet another training run is started.",
                mismatch,
            )
        return from_scratch
    if checkpoint.device == "cuda" and device == "cpu" and settings.device == "auto":
        raise InputError(
            f"{checkpoints.folder}: this training run began on a GPU, and torch finds none here. Run again "
            "on a machine that has one, or set train.device to cpu to resume on the CPU. Nothing is lost."
        )
    resumed = _with_current_schedule(checkpoint, checkpoints, settings)
    if resumed is None:
        log.warning(
            "starting from scratch: the existing training run is already past the plateau of its new "
            "schedule"
        )
        return from_scratch
    epoch, step = divmod(resumed.progress.step, resumed.schedule.steps_per_epoch)
    log.info("resuming at epoch %d, step %d", epoch, step)
    return Start(resumed, settings.model_copy(update={"batch_size": checkpoint.batch_size}))


def _with_current_schedule(
    checkpoint: Checkpoint, checkpoints: CheckpointFolder, settings: Train
) -> Checkpoint | None:
    """Return a checkpoint with the schedule of the settings; None if it is past the plateau of that one."""
    schedule = Schedule.plan(checkpoint.schedule.steps_per_epoch, settings)
    planned_before = checkpoint.schedule.planned_for
    if planned_before == schedule.planned_for:
        return checkpoint
    log.info(
        "max_epochs changed from %s to %s, patience from %s to %s",
        planned_before[0],
        schedule.planned_for[0],
        planned_before[1],
        schedule.planned_for[1],
    )
    source: Checkpoint | None = checkpoint
    if checkpoint.progress.step > checkpoint.schedule.plateau_steps:
        source = checkpoints.load(PLATEAU)  # discards the decay
    if source is None or source.progress.step > schedule.plateau_steps:
        return None
    schedule.update(len(source.progress.history), source.progress.best_epoch, settings)
    return dataclasses.replace(source, schedule=schedule)
