"""Train one model: from the windows on disk to the files of a finished training run."""

from __future__ import annotations

import dataclasses
import logging
import signal
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
import yaml

from vame_pipe.core import files, run_record
from vame_pipe.core.device import choose_device
from vame_pipe.core.errors import Interrupted
from vame_pipe.core.layout import ModelFolder
from vame_pipe.core.run_record import RunRecord, TrainingData
from vame_pipe.core.source import TRAIN
from vame_pipe.encoding import model_file
from vame_pipe.training.checkpoints import CheckpointFolder, RunIds
from vame_pipe.training.identity import identify
from vame_pipe.training.loop import train
from vame_pipe.training.result import (
    TrainingResult,
    find_reference,
    resolved,
    to_model_file,
)
from vame_pipe.training.resume import starting_point
from vame_pipe.training.state import TrainingSetup
from vame_pipe.windows import data as window_data
from vame_pipe.windows.data import WindowData

if TYPE_CHECKING:
    from vame_pipe.config.sections import Model, Train

log = logging.getLogger(__name__)


class Tracker(Protocol):
    """Records a training run while it is in progress; its errors never stop training."""

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
    name : str
        Name of the model.
    sweep : str
        Entry under `models` in the configuration that the model was expanded from.
    variant : str
        Name without the seed: the same for models that differ only in the seed.
    model : Model
    train : Train
    windows : Path
        Output folder of `vame-pipe windows`.
    checkpoints : Path
        Folder of the checkpoints; training resumes from them if they match.
    out : Path
        Folder of the finished model.
    threads : int
        CPU threads that may be used, if other processes leave cores free.
    """

    name: str
    sweep: str
    variant: str
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
        MLflow tags: who runs which code.

    Raises
    ------
    InputError
        If the model is being trained by another process, or the loss becomes NaN or infinite.
    Interrupted
        After SIGTERM or SIGINT; a checkpoint has been saved.
    """
    model = job.model.for_preset(job.train.preset)
    settings = job.train.for_model(model)
    # it may wait for a GPU: until there is something to save, a signal ends the process at once
    device = choose_device(settings.device)
    data = window_data.load(job.windows)
    checkpoints = CheckpointFolder(job.checkpoints, identify(data, model, settings))
    with checkpoints.locked(), StopRequest() as stopped:
        start, settings = starting_point(checkpoints, settings, device)
        record = new_record(job, data, model, settings)
        record = dataclasses.replace(record, source=source_tags | {"device": _name(device)})
        ids = (start and start.run) or checkpoints.claim_run(
            RunIds(record.training_id, record.started)
        )
        record = tracker.start(dataclasses.replace(record, **vars(ids)))
        setup = TrainingSetup(
            data=data,
            model=model,
            settings=settings,
            device=device,
            checkpoints=checkpoints,
            metrics=ModelFolder(job.out).metrics,
            start=start,
            run=dataclasses.replace(ids, run_id=record.run_id),
            threads=job.threads,
        )
        try:
            result = train(setup, on_epoch=tracker.log_epochs, stopped=stopped)
            return finish(job, setup, result, record, tracker)
        except BaseException as error:
            tracker.end("KILLED" if isinstance(error, Interrupted) else "FAILED")
            raise


def new_record(job: TrainingJob, data: WindowData, model: Model, settings: Train) -> RunRecord:
    """Return the record of a training run that is about to start."""
    meta, sections = data.meta, resolved(data, model, settings)
    return RunRecord(
        name=job.name,
        sweep=job.sweep,
        variant=job.variant,
        training_id=uuid.uuid4().hex,
        started=int(time.time() * 1000),
        params={f"{s}.{key}": v for s, part in sections.items() for key, v in part.items()},
        data=TrainingData(
            path=str(job.windows),
            fingerprint=data.fingerprint,
            features=meta.features,
            aligned=meta.aligned,
            length=meta.length,
            fps=meta.fps,
            n_frames=len(data.frames),
            n_train=len(data.train),
            n_val=len(data.val),
        ),
        stage_version=TRAIN,
    )


def finish(
    job: TrainingJob,
    setup: TrainingSetup,
    result: TrainingResult,
    record: RunRecord,
    tracker: Tracker,
) -> RunRecord:
    """Write the files of a finished training run, the run record last; return the record."""
    from vame_pipe.training import figures  # matplotlib takes half a second to import

    data, settings, folder = setup.data, setup.settings, ModelFolder(job.out)
    sections = resolved(data, setup.model, settings)
    files.write_text(folder.config, yaml.safe_dump(sections, sort_keys=False))
    figures.plot_training(result, data, setup.device, folder)
    reference = find_reference(result, data, setup.device)
    file = to_model_file(result, data, setup.model, settings, record.run_id, reference)
    model_file.save(file, folder.weights)
    record = dataclasses.replace(
        record, summary=result.summary, stop=result.stop, ended=int(time.time() * 1000)
    )
    record = tracker.finish(record, result.history)
    run_record.write(record, folder.run)
    return record


def _name(device: str) -> str:
    """Return the name of a GPU, or the device itself."""
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else device


class StopRequest:
    """Records SIGTERM or SIGINT within its context; a second signal has its default effect."""

    def __init__(self) -> None:
        self._received = False

    def __enter__(self) -> StopRequest:
        self._before = {s: signal.signal(s, self._record) for s in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_: object) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)

    def _record(self, signum: int, frame: object) -> None:
        log.warning("received %s: saving a checkpoint, then exiting", signal.Signals(signum).name)
        self._received = True
        self.__exit__()

    def __call__(self) -> bool:
        return self._received
