"""A training that is killed, stopped, damaged or extended ends as one that was left alone."""

import json
import math
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
import yaml
from conftest import (
    MODEL,
    TINY,
    TRAIN,
    install,
    snakemake,
    train_in_process,
    training_processes,
    without_mlflow,
    without_timings,
)
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from mlflow import MlflowClient

from vame_pipe.cli import main
from vame_pipe.config.sections import Train
from vame_pipe.core.errors import InputError, Interrupted
from vame_pipe.encoding import model_file
from vame_pipe.training import loop
from vame_pipe.training.checkpoints import CheckpointFolder
from vame_pipe.training.schedule import Progress
from vame_pipe.windows import build

LONGER = TRAIN.model_copy(update={"max_epochs": 4, "noise": 0.1, "patience": 10})
EPOCH = 24
"""Steps in one of its epochs."""


def same(one, other):
    """Weights and metrics are equal to the last bit; times are not compared."""
    assert one.state.keys() == other.state.keys()
    assert all(torch.equal(one.state[name], other.state[name]) for name in one.state)
    assert without_timings(one.history) == without_timings(other.history)
    assert (one.stop, one.summary["final/best_epoch"]) == (
        other.stop,
        other.summary["final/best_epoch"],
    )


def after(n_steps):
    """A request to stop that comes after some steps."""
    left = iter(range(n_steps))
    return lambda: next(left, None) is None


@pytest.fixture(scope="module")
def undisturbed(data, tmp_path_factory):
    return train_in_process(data, tmp_path_factory.mktemp("undisturbed"), settings=LONGER)[1]


@given(st.lists(st.integers(0, 60), min_size=1, max_size=3))
@example([EPOCH - 1])  # all steps of an epoch are taken, its validation is missed
@example([2 * EPOCH - 1, 2 * EPOCH - 1])
@settings(
    deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_stopped_anywhere_and_run_again(data, undisturbed, tmp_path_factory, stops):
    folder = tmp_path_factory.mktemp("stopped")
    for n_steps in stops:
        try:
            train_in_process(data, folder, settings=LONGER, stopped=after(n_steps))
        except Interrupted:
            assert not (folder / "model.pt").exists()
    same(train_in_process(data, folder, settings=LONGER)[1], undisturbed)


def command(data, folder, **changes):
    (folder / "experiment.json").write_text(json.dumps({"tracking_uri": None, "experiment": "x"}))
    return [
        *(sys.executable, "-m", "vame_pipe", "train", "--name=x", "--windows", data / "windows"),
        *("--model", MODEL.model_dump_json(), "--mlflow", folder / "experiment.json"),
        *("--train", LONGER.model_copy(update=changes).model_dump_json(), "--threads", "2"),
        *("--resume", folder / "resume", "--out", folder),
    ]


def states(folder):
    return {int(p.stem.split("-")[1]) for p in folder.glob("resume/*-[0-9]*.pt")}


def kill(process, when):
    """Kill a process, as -9 does, as soon as something is so; say whether it was in time."""
    while process.poll() is None:
        if when():
            process.kill()
            process.wait()
            return True
        time.sleep(0.0005)
    return False


def test_killed_at_any_moment_and_run_again(data, undisturbed, tmp_path):
    """kill -9 in the middle of epochs and while saving, several times over."""
    chance = random.Random(0)
    arguments = command(data, tmp_path, checkpoint_minutes=0.001)
    for moment in ("saving", "step", "saving", "step"):
        process = subprocess.Popen(arguments, env=without_mlflow(), stderr=subprocess.DEVNULL)
        before = max(states(tmp_path), default=0)
        wait = chance.uniform(0, 0.2)

        def saving(before=before):
            return max(states(tmp_path), default=0) > before and list(tmp_path.glob("resume/.*"))

        def step(before=before, wait=wait):
            return max(states(tmp_path), default=0) > before + 3 and (time.sleep(wait) or True)

        assert kill(process, saving if moment == "saving" else step)
        assert not (tmp_path / "model.pt").exists()
    done = subprocess.run(arguments, env=without_mlflow(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "going on from epoch" in done.stderr
    file = model_file.load(tmp_path / "model.pt")
    assert all(torch.equal(file.state[k], undisturbed.state[k]) for k in undisturbed.state)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1].pop("stop") == undisturbed.stop
    assert without_timings(lines) == without_timings(undisturbed.history)
    assert not list(tmp_path.glob("resume/.*"))
    # one run of MLflow through it all, every epoch once
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    (run,) = client.search_runs([client.get_experiment_by_name("x").experiment_id])
    assert (run.info.run_id, run.info.status) == (file.mlflow_run_id, "FINISHED")
    logged = client.get_metric_history(run.info.run_id, "test/loss")
    assert [(m.step, m.value) for m in logged] == [(m["epoch"], m["test/loss"]) for m in lines]


def test_killed_before_its_first_state_keeps_its_run(data, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    arguments = [str(word) for word in command(data, tmp_path, max_epochs=1)[3:]]

    def killed(*args, **more):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(train, "train", killed)
        with pytest.raises(SystemExit):
            main.main(arguments)
    assert not states(tmp_path)
    assert main.main(arguments) == 0
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    (run,) = client.search_runs([client.get_experiment_by_name("x").experiment_id])
    assert run.info.status == "FINISHED"
    assert run.info.run_id == model_file.load(tmp_path / "model.pt").mlflow_run_id


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_exits_with_a_code_of_its_own(data, undisturbed, tmp_path, number):
    arguments = command(data, tmp_path, checkpoint_minutes=60)
    process = subprocess.Popen(arguments, env=without_mlflow(), stderr=subprocess.PIPE, text=True)
    while not states(tmp_path):
        time.sleep(0.01)
    time.sleep(0.3)
    process.send_signal(number)
    _, errors = process.communicate()
    assert process.returncode == 75
    assert f"{number.name}: saving the state" in errors and "Traceback" not in errors
    assert max(states(tmp_path)) > 0 and not (tmp_path / "model.pt").exists()
    done = subprocess.run(arguments, env=without_mlflow(), capture_output=True, text=True)
    assert done.returncode == 0
    state = model_file.load(tmp_path / "model.pt").state
    assert all(torch.equal(state[k], undisturbed.state[k]) for k in undisturbed.state)


def test_killed_below_snakemake_and_run_again(tmp_path, recordings):
    """The training alone by SIGKILL, or snakemake and all its jobs by Ctrl-C."""
    results, wanted = [], ("--cores", "2", "results/models/vame/model.pt")
    for name in ("left_alone", "killed", "interrupted"):
        folder = tmp_path / name
        folder.mkdir()
        install(folder)
        sessions = {f"m{i}": {"poses": str(recordings / f"sim-{i}.csv"), "fps": 30} for i in (1, 2)}
        changed = {"train": {"max_epochs": 8, "device": "cpu"}, "models": {"vame": {}}}
        (folder / "config.yaml").write_text(yaml.safe_dump(TINY | changed | {"sessions": sessions}))
        if name != "left_alone":
            first = [sys.executable, "-m", "snakemake", "--resources", "gpu=1", *wanted]
            running = subprocess.Popen(
                first,
                cwd=folder,
                env=without_mlflow(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            while len(list(folder.glob("results/resume/vame/*.pt"))) < 2:
                assert running.poll() is None
                time.sleep(0.02)
            if name == "killed":
                for job in training_processes(folder):
                    os.kill(job, signal.SIGKILL)
            else:
                os.killpg(running.pid, signal.SIGINT)
            assert running.wait() == 1
            left = [path.name for path in (folder / "results/models/vame").iterdir()]
            assert left == ["metrics.jsonl"]
        done = snakemake(folder, *wanted)
        assert done.returncode == 0, done.stderr
        results.append(model_file.load(folder / "results/models/vame/model.pt"))
        log = (folder / "results/logs/train/vame.log").read_text()
        assert ("going on from epoch" in log) == (name != "left_alone")
    one, *others = results
    for other in others:
        assert all(torch.equal(one.state[k], other.state[k]) for k in one.state)
        assert one.training["final/epochs"] == other.training["final/epochs"]


def test_extended_is_as_if_it_had_been_planned_so(data, tmp_path):
    short = LONGER.model_copy(update={"max_epochs": 2})
    train_in_process(data, tmp_path / "extended", settings=short)
    _, extended = train_in_process(data, tmp_path / "extended", settings=LONGER)
    _, planned = train_in_process(data, tmp_path / "planned", settings=LONGER)
    same(extended, planned)


def test_shortened_below_what_is_done_starts_afresh(data, tmp_path, caplog):
    train_in_process(data, tmp_path / "long", settings=LONGER)
    short = LONGER.model_copy(update={"max_epochs": 1})
    _, shortened = train_in_process(data, tmp_path / "long", settings=short)
    assert "starting afresh: the training is past the plateau" in caplog.text
    same(shortened, train_in_process(data, tmp_path / "short", settings=short)[1])


def test_finished_is_not_trained_again(data, tmp_path, caplog):
    caplog.set_level("INFO")
    _, first = train_in_process(data, tmp_path, settings=TRAIN)
    caplog.clear()
    _, again = train_in_process(data, tmp_path, settings=TRAIN)
    same(first, again)
    assert first.history == again.history
    assert "going on from epoch 3, step 0" in caplog.text


def test_another_setting_starts_afresh_and_says_what_differs(data, tmp_path, caplog):
    train_in_process(data, tmp_path, settings=TRAIN)
    other = TRAIN.model_copy(update={"learning_rate": 1e-3, "checkpoint_minutes": 1.0})
    _, outcome = train_in_process(data, tmp_path, settings=other)
    assert "starting from scratch" in caplog.text
    assert "train.learning_rate was 0.002, is 0.001" in caplog.text
    assert "checkpoint_minutes" not in caplog.text
    same(outcome, train_in_process(data, tmp_path / "new", settings=other)[1])


def test_a_state_of_another_version_starts_afresh_and_says_so(data, tmp_path, caplog, monkeypatch):
    train_in_process(data, tmp_path, settings=TRAIN)
    version = torch.__version__
    monkeypatch.setattr(torch, "__version__", "1.0")
    _, outcome = train_in_process(data, tmp_path, settings=TRAIN)
    assert (
        f"not the training whose states are here: inputs.torch was {version}, is 1.0" in caplog.text
    )
    same(outcome, train_in_process(data, tmp_path / "new", settings=TRAIN)[1])


@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_a_damaged_state_is_reported_and_the_one_before_it_used(
    data, undisturbed, tmp_path, caplog, damage
):
    with pytest.raises(Interrupted):
        train_in_process(data, tmp_path, settings=LONGER, stopped=after(40))
    newest = max((tmp_path / "resume").glob("*-[0-9]*.pt"))
    raw = bytearray(newest.read_bytes())
    raw[len(raw) // 2] ^= 1
    newest.write_bytes({"cut": raw[: len(raw) // 2], "flip": raw, "empty": b""}[damage])
    _, outcome = train_in_process(data, tmp_path, settings=LONGER)
    assert f"{newest} is damaged" in caplog.text
    same(outcome, undisturbed)


def test_two_states_are_kept_and_one_of_the_plateau(data, tmp_path):
    _, outcome = train_in_process(data, tmp_path, settings=LONGER)
    names = sorted(re.sub(r"^\w+-", "", p.name) for p in (tmp_path / "resume").iterdir())
    windows_seen = outcome.summary["final/windows_seen"]
    last, end = (int(name.removesuffix(".pt")) for name in names[:2])
    assert names[2:] == ["plateau.pt"]
    assert end == LONGER.max_epochs * math.ceil(
        windows_seen / LONGER.max_epochs / LONGER.batch_size
    )
    assert last == end * (LONGER.max_epochs - 1) // LONGER.max_epochs


def test_states_are_whole_or_not_there(tmp_path):
    files = CheckpointFolder(tmp_path, {"train": {"seed": 0}})
    assert files.load() is None
    for step in (1, 2, 3):
        files.save(step, {"step": step})
    assert files.load() == {"step": 3}
    assert len(list(tmp_path.iterdir())) == 2
    other = CheckpointFolder(tmp_path, {"train": {"seed": 1}})
    assert other.load() is None
    assert other.differences() == ["train.seed was 0, is 1"]
    other.save(1, {"step": 1})
    (tmp_path / f".{other.key}-000000001.pt.k1ll3d").touch()
    (tmp_path / ".nfs0001").mkdir()
    other.clear_others()  # the training before stays: what differs may be a mistake
    assert files.load() == {"step": 3} and other.load() == {"step": 1}
    third = CheckpointFolder(tmp_path, {"train": {"seed": 2}})
    assert third.differences() == ["train.seed was 1, is 2"]
    third.save(1, {"step": 1})
    third.clear_others()
    assert files.load() is None and other.load() == {"step": 1} and third.load() == {"step": 1}
    assert (tmp_path / ".nfs0001").is_dir() and len(list(tmp_path.iterdir())) == 3


def test_a_mistyped_setting_costs_nothing(data, tmp_path, undisturbed):
    """Trained half with the right settings, then with others, then on with the right ones."""
    with pytest.raises(Interrupted):
        train_in_process(data, tmp_path, settings=LONGER, stopped=after(40))
    wrong = LONGER.model_copy(update={"learning_rate": 0.5})
    with pytest.raises(Interrupted):
        train_in_process(data, tmp_path, settings=wrong, stopped=after(3))
    steps = []
    _, outcome = train_in_process(data, tmp_path, settings=LONGER, stopped=lambda: steps.append(1))
    same(outcome, undisturbed)
    assert len(steps) < outcome.history[-1]["windows_seen"] / LONGER.batch_size - 30


def test_a_training_that_began_on_a_gpu_stops_where_there_is_none(data, tmp_path):
    """The state is forged: there may be no GPU here. The CPU goes on with the GPU's batch size."""
    settings = LONGER.model_copy(update={"batch_size": None, "device": "auto"})
    loaded = build.load(data / "windows")
    files = CheckpointFolder(tmp_path / "resume", loop.identity(loaded, MODEL, settings, "code"))
    _, sized = loop.starting_point(files, settings, "cpu")
    assert sized.batch_size == 64
    state = loop.Training(loaded, MODEL, sized, "cpu", None).state()
    files.save(0, state | {"device": "cuda", "batch_size": 256})
    with pytest.raises(InputError, match="began on a GPU, and torch finds none here") as error:
        loop.starting_point(files, settings, "cpu")
    assert "set loop.device to cpu" in str(error.value)
    start, sized = loop.starting_point(files, settings, "cuda:0")
    assert start is not None and sized.batch_size == 256
    on_cpu = settings.model_copy(update={"device": "cpu"})
    assert loop.identity(loaded, MODEL, on_cpu, "code") == files.made_of
    start, sized = loop.starting_point(files, on_cpu, "cpu")
    assert start is not None and sized.batch_size == 256


def test_without_room_for_a_state_the_last_one_stays(tmp_path):
    files = CheckpointFolder(tmp_path, {"train": {"seed": 0}})
    files.save(1, {"weights": torch.zeros(10)})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(InputError, match="what was there before stays"):
            files.save(2, {"weights": torch.zeros(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert torch.equal(files.load()["weights"], torch.zeros(10))
    assert len(list(tmp_path.iterdir())) == 1


def test_a_second_training_of_the_same_model_says_so_and_stops(data, tmp_path):
    first = subprocess.Popen(
        command(data, tmp_path, max_epochs=1000, patience=1000), env=without_mlflow()
    )
    while not states(tmp_path):
        time.sleep(0.05)
    second = subprocess.run(
        command(data, tmp_path), env=without_mlflow(), capture_output=True, text=True
    )
    first.kill()
    first.wait()
    assert second.returncode == 2
    assert second.stderr.count("being trained by another process") == 1
    assert "Traceback" not in second.stderr


@given(
    max_epochs=st.integers(1, 50),
    decay=st.floats(0, 0.9),
    per_epoch=st.integers(1, 300),
    warmup=st.integers(0, 100),
)
def test_the_rate_rises_stays_and_falls(max_epochs, decay, per_epoch, warmup):
    progress = Progress(per_epoch)
    progress.plan(Train(max_epochs=max_epochs, decay=decay))
    rates = []
    while progress.step < progress.total:
        rates.append(progress.relative_rate(warmup))
        progress.step += 1
    rates = np.array(rates)
    assert len(rates) == max_epochs * per_epoch
    assert (rates > 0).all() and (rates <= 1).all()
    flat = rates[warmup : progress.plateau]
    assert (flat == 1).all()
    falling = rates[max(warmup, progress.plateau) :]
    assert (np.diff(falling) < 0).all()


def test_an_impatient_plateau_ends_and_decays():
    progress = Progress(per_epoch=10)
    plan = Train(max_epochs=100, patience=3, decay=0.5)
    progress.plan(plan)
    progress.history = [{}] * 12
    progress.step, progress.best_epoch = 120, 8
    progress.plan_on(plan)
    assert (progress.decay_from, progress.end) == (12, 24)
    assert progress.stop == "no better test loss for 3 epochs"
