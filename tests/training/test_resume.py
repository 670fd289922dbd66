"""A training run that is interrupted, damaged or extended ends as one that was left alone."""

import dataclasses
import math
import re
import shutil

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from short_runs import EPOCH, SHORT, SMALL, assert_same_result, stop_after, train_small

from vame_pipe.core.errors import InputError, Interrupted
from vame_pipe.training.checkpoints import CheckpointFolder
from vame_pipe.training.identity import identify
from vame_pipe.training.resume import starting_point
from vame_pipe.training.state import TrainingSetup, TrainingState
from vame_pipe.windows import data as window_data


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    """A training run that was left alone: its folder and its result."""
    folder = tmp_path_factory.mktemp("finished")
    return folder, train_small(data, folder)


@pytest.fixture(scope="module")
def interrupted_folder(data, tmp_path_factory):
    """A training run that was interrupted in its second epoch."""
    folder = tmp_path_factory.mktemp("interrupted")
    with pytest.raises(Interrupted, match="interrupted in epoch 1; run again to resume"):
        train_small(data, folder, stopped=stop_after(9))
    return folder


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of the folder of the finished training run."""
    return shutil.copytree(finished[0], tmp_path / "copy")


@pytest.fixture
def interrupted(interrupted_folder, tmp_path):
    """A copy of the folder of the interrupted training run."""
    return shutil.copytree(interrupted_folder, tmp_path / "copy")


@given(st.lists(st.integers(0, 15), min_size=1, max_size=3))
@example([EPOCH - 1])  # all steps of an epoch are done, its validation is not
@example([2 * EPOCH - 1, 2 * EPOCH - 1])
@settings(
    deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_interrupted_anywhere_and_resumed(data, finished, tmp_path_factory, stops):
    folder = tmp_path_factory.mktemp("stopped")
    for n_steps in stops:
        try:
            train_small(data, folder, stopped=stop_after(n_steps))
        except Interrupted:
            assert not (folder / "model.pt").exists()
    assert_same_result(train_small(data, folder), finished[1])


def test_an_extended_run_is_as_if_planned_from_the_start(data, finished, tmp_path):
    train_small(data, tmp_path, settings=SHORT.model_copy(update={"max_epochs": 2}))
    assert_same_result(train_small(data, tmp_path), finished[1])


def test_a_run_shortened_below_what_is_done_starts_from_scratch(data, copied, tmp_path, caplog):
    shorter = SHORT.model_copy(update={"max_epochs": 1})
    shortened = train_small(data, copied, settings=shorter)
    assert "starting from scratch: the existing training run is already past" in caplog.text
    assert_same_result(shortened, train_small(data, tmp_path / "short", settings=shorter))


@pytest.mark.parametrize(
    ("max_epochs", "resumed"),
    [(2 * SHORT.max_epochs, "epoch 3, step 0"), (SHORT.max_epochs // 2, "epoch 1, step 0")],
    ids=["extended", "shortened"],
)
def test_a_run_of_another_length_is_resumed_where_it_was_killed(
    data, finished, tmp_path, caplog, max_epochs, resumed
):
    """Extended from the plateau, after two epochs, or shortened and so started from scratch."""
    left_alone, killed = (
        shutil.copytree(finished[0], tmp_path / name) for name in ("left alone", "killed")
    )
    changed = SHORT.model_copy(update={"max_epochs": max_epochs})
    expected = train_small(data, left_alone, settings=changed)
    with pytest.raises(KeyboardInterrupt):
        train_small(data, killed, settings=changed, stopped=killed_after(EPOCH + 2))
    caplog.clear()
    caplog.set_level("INFO")
    result = train_small(data, killed, settings=changed)
    assert f"resuming at {resumed}" in caplog.text
    assert "changed" not in caplog.text and "from scratch" not in caplog.text
    assert_same_result(result, expected)


def killed_after(n_steps):
    """Return a request to stop that ends training after some steps without a checkpoint."""
    stop = stop_after(n_steps)

    def kill():
        if stop():
            raise KeyboardInterrupt

    return kill


def test_a_finished_run_is_not_trained_again(data, finished, copied, caplog):
    caplog.set_level("INFO")
    again = train_small(data, copied)
    assert_same_result(finished[1], again)
    assert finished[1].history == again.history
    assert f"resuming at epoch {SHORT.max_epochs}, step 0" in caplog.text


def test_other_settings_start_from_scratch_and_the_log_lists_them(data, copied, tmp_path, caplog):
    changes = {"learning_rate": 1e-3, "checkpoint_minutes": 1.0, "max_epochs": 1}
    other = SHORT.model_copy(update=changes)
    result = train_small(data, copied, settings=other)
    assert "starting from scratch" in caplog.text
    assert "train.learning_rate was 0.002, is 0.001" in caplog.text
    assert "checkpoint_minutes" not in caplog.text
    assert_same_result(result, train_small(data, tmp_path / "new", settings=other))


def test_another_version_of_torch_starts_from_scratch_and_the_log_names_it(
    data, copied, tmp_path, caplog, monkeypatch
):
    version, short = torch.__version__, SHORT.model_copy(update={"max_epochs": 1})
    monkeypatch.setattr(torch, "__version__", "1.0")
    result = train_small(data, copied, settings=short)
    assert "differ from those of the existing checkpoints: inputs.torch was" in caplog.text
    assert f"inputs.torch was {version}, is 1.0. Those checkpoints are kept" in caplog.text
    assert_same_result(result, train_small(data, tmp_path / "new", settings=short))


@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_a_corrupt_checkpoint_does_not_change_the_result(
    data, finished, interrupted, caplog, damage
):
    newest = max((interrupted / "checkpoints").glob("*-[0-9]*.pt"))
    raw = bytearray(newest.read_bytes())
    raw[len(raw) // 2] ^= 1
    newest.write_bytes({"cut": raw[: len(raw) // 2], "flip": raw, "empty": b""}[damage])
    result = train_small(data, interrupted)
    assert f"{newest} is corrupt" in caplog.text
    assert_same_result(result, finished[1])


def test_two_checkpoints_are_kept_and_one_of_the_plateau(finished):
    folder, result = finished
    names = sorted(re.sub(r"^\w+-", "", p.name) for p in (folder / "checkpoints").iterdir())
    windows_seen = result.summary["final/windows_seen"]
    last, end = (int(name.removesuffix(".pt")) for name in names[:2])
    assert names[2:] == ["plateau.pt"]
    assert end == SHORT.max_epochs * math.ceil(windows_seen / SHORT.max_epochs / SHORT.batch_size)
    assert end == SHORT.max_epochs * EPOCH
    assert last == end * (SHORT.max_epochs - 1) // SHORT.max_epochs


def test_a_mistyped_setting_costs_nothing(data, finished, interrupted):
    """Half a training run with the right settings, a few steps with others, then the rest."""
    wrong = SHORT.model_copy(update={"learning_rate": 0.5})
    with pytest.raises(Interrupted):
        train_small(data, interrupted, settings=wrong, stopped=stop_after(3))
    steps = []
    result = train_small(data, interrupted, stopped=lambda: steps.append(1))
    assert_same_result(result, finished[1])
    assert len(steps) < result.history[-1]["windows_seen"] / SHORT.batch_size - 7


def test_a_run_that_began_on_a_gpu_stops_if_there_is_none(data, tmp_path):
    """The checkpoint is forged, as there may be no GPU here. The CPU resumes with the GPU's batch size."""
    settings = SHORT.model_copy(update={"batch_size": None, "device": "auto"})
    loaded = window_data.load(data / "windows")
    folder = CheckpointFolder(tmp_path / "checkpoints", identify(loaded, SMALL, settings))
    _, sized = starting_point(folder, settings, "cpu")
    assert sized.batch_size == 64
    setup = TrainingSetup(loaded, SMALL, sized, "cpu", folder, tmp_path / "metrics.jsonl")
    checkpoint = TrainingState(setup).checkpoint()
    folder.save(dataclasses.replace(checkpoint, device="cuda", batch_size=256))
    with pytest.raises(InputError, match="began on a GPU, and torch finds none here") as error:
        starting_point(folder, settings, "cpu")
    assert "set train.device to cpu" in str(error.value)
    start, sized = starting_point(folder, settings, "cuda:0")
    assert start is not None and sized.batch_size == 256
    on_cpu = settings.model_copy(update={"device": "cpu"})
    assert identify(loaded, SMALL, on_cpu) == folder.identity
    start, sized = starting_point(folder, on_cpu, "cpu")
    assert start is not None and sized.batch_size == 256
