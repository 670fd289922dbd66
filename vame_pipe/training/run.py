"""Train one model, from the windows on disk to the files of a finished run."""

from __future__ import annotations

import dataclasses
import logging
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
import yaml

from vame_pipe.core import files, run_record
from vame_pipe.core.device import choose_device
from vame_pipe.core.errors import Interrupted
from vame_pipe.core.layout import ModelFolder
from vame_pipe.core.run_record import RunRecord
from vame_pipe.encoding import model_file
from vame_pipe.training import figures, loop, result
from vame_pipe.training.checkpoints import CheckpointFolder
from vame_pipe.windows import data as window_data

if TYPE_CHECKING:
    from vame_pipe.config.sections import Model, Train

log = logging.getLogger(__name__)


class Tracker(Protocol):
    """Records a training run while it is under way; nothing it does stops the training."""

    def start(self, record: RunRecord) -> RunRecord:
        """Open the run, and return the record with its `run_id`."""

    def log_epochs(self, history: list[dict[str, Any]]) -> None:
        """Record those epochs of the history that are not recorded yet."""

    def finish(self, record: RunRecord, history: list[dict[str, Any]]) -> RunRecord:
        """Record the final metrics, close the run, and return the record with its `run_id`."""

    def end(self, status: str) -> None:
        """Close the run as FAILED or KILLED."""


@dataclass(frozen=True)
class TrainingJob:
    """What to train, and where its files are.

    Attributes
    ----------
    name, sweep : str
        Of the model; of the entry of `models` that it was expanded from.
    model : Model
    train : Train
    windows : Path
        Folder of the windows.
    checkpoints : Path
        Folder of the checkpoints; training resumes from them if they fit.
    out : Path
        Folder of the finished model.
    threads : int
        CPU threads that may be used, if other processes leave room for them.
    """

    name: str
    sweep: str
    model: Model
    train: Train
    windows: Path
    checkpoints: Path
    out: Path
    threads: int = 1


def train_model(job: TrainingJob, tracker: Tracker, source_tags: dict[str, str]) -> RunRecord:
    """Train a model and write its files; return the finished run record.

    Parameters
    ----------
    job : TrainingJob
    tracker : Tracker
    source_tags : dict of str to str
        MLflow tags that say who runs what.

    Raises
    ------
    InputError
        If the model is being trained by another process, or the loss becomes NaN or infinite.
    Interrupted
        After SIGTERM or SIGINT; a checkpoint has been saved.
    """
    with StopRequest() as stopped:
        return _train_model(job, tracker, source_tags, stopped)


def _train_model(
    job: TrainingJob, tracker: Tracker, source_tags: dict[str, str], stopped: StopRequest
) -> RunRecord:
    model = job.model.for_preset(job.train.preset)
    settings = job.train.for_model(model)
    device = choose_device(settings.device)
    data = window_data.load(job.windows)
    checkpoints = CheckpointFolder(job.checkpoints, loop.identity(data, model, settings))
    lock = checkpoints.lock()
    start, settings = loop.starting_point(checkpoints, settings, device)
    record = result.run_record(job.name, job.sweep, data, model, settings, job.windows)
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else device
    record = dataclasses.replace(record, source=source_tags | {"device": name})
    fresh = {key: getattr(record, key) for key in ("run_id", "started", "training_id")}
    saved = start["run"] if start else checkpoints.opened(fresh)
    record = tracker.start(dataclasses.replace(record, **saved))
    folder = ModelFolder(job.out)
    try:
        trained = loop.train(
            data,
            model,
            settings,
            device,
            checkpoints,
            folder.metrics,
            start,
            saved | {"run_id": record.run_id},
            on_epoch=tracker.log_epochs,
            stopped=stopped,
            threads=job.threads,
        )
    except BaseException as error:
        tracker.end("KILLED" if isinstance(error, Interrupted) else "FAILED")
        raise
    sections = result.resolved(data, model, settings)
    files.write_text(folder.config, yaml.safe_dump(sections, sort_keys=False))
    figures.plot_training(trained, data, device, folder)
    file = result.to_model_file(trained, data, model, settings, record.run_id)
    model_file.save(file, folder.weights)
    ended = int(time.time() * 1000)
    record = dataclasses.replace(record, summary=trained.summary, stop=trained.stop, ended=ended)
    record = tracker.finish(record, trained.history)
    run_record.write(record, folder.run)
    lock.release()
    return record


class StopRequest:
    """Records SIGTERM or SIGINT within its context; a second signal has its default effect."""

    def __init__(self) -> None:
        self._received = False

    def __enter__(self) -> StopRequest:
        self._before = {s: signal.signal(s, self._note) for s in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_: object) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)

    def _note(self, signum: int, frame: object) -> None:
        log.warning("received %s: saving a checkpoint, then exiting", signal.Signals(signum).name)
        self._received = True
        self.__exit__()

    def __call__(self) -> bool:
        return self._received
