"""Training processes that are killed, stopped or started twice; through Snakemake, too."""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch
import yaml
from conftest import snakemake, training_processes, without_services, without_timings
from mlflow import MlflowClient
from short_runs import SHORT, SMALL, start_process, train_small

from vame_pipe.cli.main import main
from vame_pipe.core.errors import Interrupted
from vame_pipe.core.layout import ModelFolder
from vame_pipe.encoding import model_file
from vame_pipe.tracking.tracker import NullTracker
from vame_pipe.training import run

LONGER = SHORT.model_copy(update={"batch_size": 64})


@pytest.fixture(scope="module")
def left_alone(data, tmp_path_factory):
    """A training run that was left alone."""
    return train_small(data, tmp_path_factory.mktemp("left alone"), settings=LONGER)


def arguments(data, folder, tracked=False, **changes):
    """Return the arguments of `vame-pipe` for a training run in a folder."""
    words = ["train", "--name=x", "--windows", data / "windows", "--threads", "2"]
    words += ["--model", SMALL.model_dump_json()]
    words += ["--train", LONGER.model_copy(update=changes).model_dump_json()]
    words += ["--checkpoints", folder / "checkpoints", "--out", folder]
    if tracked:
        address = {"tracking_uri": None, "experiment": "x"}
        (folder / "experiment.json").write_text(json.dumps(address))
        words += ["--mlflow-config", folder / "experiment.json"]
    return [str(word) for word in words]


def steps_saved(folder):
    """Return the steps of the checkpoints in a folder."""
    return {int(path.stem.split("-")[1]) for path in folder.glob("checkpoints/**/*-[0-9]*.pt")}


def kill_when(process, condition):
    """Kill a process, as -9 does, as soon as a condition holds; return whether it was in time."""
    while process.is_alive():
        if condition():
            process.kill()
            process.join()
            return True
        time.sleep(0.0005)
    return False


def assert_weights_of(folder, result):
    state = model_file.load(folder / "model.pt").state
    assert state.keys() == result.state.keys()
    assert all(torch.equal(state[name], result.state[name]) for name in state)


def test_killed_at_any_moment_and_resumed(data, left_alone, tmp_path):
    """kill -9 in the middle of epochs and while saving, several times."""
    chance, errors = random.Random(0), tmp_path / "errors.txt"
    words = arguments(data, tmp_path, tracked=True, checkpoint_minutes=1e-4)
    for moment in ("saving", "step", "saving", "step"):
        before = max(steps_saved(tmp_path), default=0)
        wait = chance.uniform(0, 0.1)

        def saving(before=before):
            newer = max(steps_saved(tmp_path), default=0) > before
            return newer and list(tmp_path.glob("checkpoints/.*"))

        def step(before=before, wait=wait):
            newer = max(steps_saved(tmp_path), default=0) > before + 3
            return newer and (time.sleep(wait) or True)

        process = start_process(words, errors)
        assert kill_when(process, saving if moment == "saving" else step)
        assert not (tmp_path / "model.pt").exists()
    process = start_process(words, errors)
    process.join()
    assert process.exitcode == 0, errors.read_text()
    assert "resuming at epoch" in errors.read_text()
    assert_weights_of(tmp_path, left_alone)
    lines = [json.loads(line) for line in ModelFolder(tmp_path).metrics.read_text().splitlines()]
    assert lines[-1].pop("stop") == left_alone.stop
    assert without_timings(lines) == without_timings(left_alone.history)
    assert not list(tmp_path.glob("checkpoints/.*"))
    # one run of MLflow through it all, with every epoch once
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    (logged,) = client.search_runs([client.get_experiment_by_name("x").experiment_id])
    run_id = model_file.load(tmp_path / "model.pt").mlflow_run_id
    assert (logged.info.run_id, logged.info.status) == (run_id, "FINISHED")
    losses = client.get_metric_history(run_id, "val/loss")
    assert [(m.step, m.value) for m in losses] == [(m["epoch"], m["val/loss"]) for m in lines]


def test_killed_before_its_first_checkpoint_it_keeps_its_run(data, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    words = arguments(data, tmp_path, tracked=True, max_epochs=1)

    def killed(*args, **more):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(run, "train", killed)
        with pytest.raises(SystemExit):
            main(words)
    assert not steps_saved(tmp_path)
    assert main(words) == 0
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    (logged,) = client.search_runs([client.get_experiment_by_name("x").experiment_id])
    assert logged.info.status == "FINISHED"
    assert logged.info.run_id == model_file.load(tmp_path / "model.pt").mlflow_run_id


class RecordingTracker(NullTracker):
    """Keeps the status with which a run was closed."""

    status = None

    def end(self, status):
        self.status = status


@pytest.fixture
def job(data, tmp_path):
    """A training run whose name ends as that of a model with a seed."""
    return run.TrainingJob(
        name="x-s0",
        sweep="x-s0",
        variant="x-s0",
        model=SMALL,
        train=LONGER,
        windows=data / "windows",
        checkpoints=tmp_path / "checkpoints",
        out=tmp_path,
    )


def test_a_signal_while_waiting_for_a_gpu_ends_the_process(job, monkeypatch):
    """There is nothing to save yet: the signal has its default effect."""

    def wait(requested):
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)

    monkeypatch.setattr(run, "choose_device", wait)
    # a shell that starts the tests in the background makes them ignore SIGINT
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            run.train_model(job, NullTracker(), {})
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("error", "status"), [(OSError("disk full"), "FAILED"), (Interrupted("stop"), "KILLED")]
)
def test_a_run_that_fails_while_its_files_are_written_is_closed(job, monkeypatch, error, status):
    def fail(_, setup, result, record, tracker):
        assert (record.variant, record.sweep, result) == ("x-s0", "x-s0", "trained")
        raise error

    monkeypatch.setattr(run, "train", lambda setup, **more: "trained")
    monkeypatch.setattr(run, "finish", fail)
    tracker = RecordingTracker()
    with pytest.raises(type(error)):
        run.train_model(job, tracker, {})
    assert tracker.status == status


@pytest.mark.parametrize(("more", "variant"), [([], "x-s0"), (["--variant=x"], "x")])
def test_the_variant_is_the_name_unless_it_is_given(data, tmp_path, monkeypatch, more, variant):
    jobs = []
    monkeypatch.setattr(run, "train_model", lambda job, *others: jobs.append(job))
    assert main([*arguments(data, tmp_path), "--name=x-s0", *more]) == 0
    assert jobs[0].variant == variant


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_a_checkpoint_and_exits_with_its_own_code(
    data, left_alone, tmp_path, signum
):
    words, errors = arguments(data, tmp_path, checkpoint_minutes=60), tmp_path / "errors.txt"
    process = start_process(words, errors)
    while not steps_saved(tmp_path):
        time.sleep(0.001)
    time.sleep(0.05)
    os.kill(process.pid, signum)
    process.join()
    assert process.exitcode == 75
    assert f"received {signum.name}: saving a checkpoint" in errors.read_text()
    assert "Traceback" not in errors.read_text()
    assert max(steps_saved(tmp_path)) > 0 and not (tmp_path / "model.pt").exists()
    assert main(words) == 0
    assert_weights_of(tmp_path, left_alone)


def test_a_second_process_for_the_same_model_is_refused(data, tmp_path):
    endless = arguments(data, tmp_path, max_epochs=1000, patience=1000)
    first = start_process(endless, tmp_path / "errors.txt")
    while not steps_saved(tmp_path):
        time.sleep(0.01)
    command = [sys.executable, "-m", "vame_pipe", *arguments(data, tmp_path)]
    second = subprocess.run(command, env=without_services(), capture_output=True, text=True)
    first.kill()
    first.join()
    assert second.returncode == 2
    assert second.stderr.count("being trained by another process") == 1
    assert "Traceback" not in second.stderr


def test_killed_under_snakemake_and_run_again(tmp_path, tiny_run):
    """The training process alone by SIGKILL, or snakemake and all its jobs by Ctrl-C."""
    target = ("--cores", "2", "results/models/vame/model.pt")
    left_alone = shutil.copytree(tiny_run, tmp_path / "left alone")
    forget_models(left_alone)
    config = yaml.safe_load((left_alone / "config.yaml").read_text())
    config |= {"train": {"max_epochs": 8, "device": "cpu"}, "models": {"vame": {}}}
    (left_alone / "config.yaml").write_text(yaml.safe_dump(config))
    expected, log = run_to_the_end(left_alone, target)
    assert "resuming at epoch" not in log
    folder = shutil.copytree(left_alone, tmp_path / "disturbed")
    forget_models(folder)  # it keeps its aligned files and windows
    for what in ("training", "all"):
        interrupt_snakemake(folder, target, what)
        # a file that was being written may remain, under a name that begins with a dot
        remaining = [path.name for path in (folder / "results/models/vame").glob("[!.]*")]
        assert remaining == ["metrics.jsonl"]
    file, log = run_to_the_end(folder, target)
    assert "resuming at epoch" in log
    assert all(torch.equal(expected.state[k], file.state[k]) for k in expected.state)
    assert expected.training["final/epochs"] == file.training["final/epochs"]


def forget_models(folder):
    """Delete the models of a run, and their checkpoints."""
    shutil.rmtree(folder / "results/models")
    shutil.rmtree(folder / "results/checkpoints")


def run_to_the_end(folder, target):
    """Run snakemake; return the model file and the log of training."""
    done = snakemake(folder, *target)
    assert done.returncode == 0, done.stderr
    log = (folder / "results/logs/train/vame.log").read_text()
    return model_file.load(folder / "results/models/vame/model.pt"), log


def interrupt_snakemake(folder, target, what):
    """Run snakemake; once training has come further, kill the training process, or interrupt all of it."""
    before = steps_saved(folder / "results")
    running = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--resources", "gpu=1", *target],
        cwd=folder,
        env=without_services(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while len(steps_saved(folder / "results") - before) < 2:
        assert running.poll() is None
        time.sleep(0.02)
    if what == "training":
        for job in training_processes(folder):
            with contextlib.suppress(ProcessLookupError):
                os.kill(job, signal.SIGKILL)
    else:
        os.killpg(running.pid, signal.SIGINT)
    assert running.wait() == 1
