"""Files of checkpoints: intact, damaged, of other training runs."""

import hashlib
import resource
from dataclasses import dataclass

import pytest
import torch

from vame_pipe.core.errors import InputError
from vame_pipe.training.checkpoints import Checkpoint, CheckpointFolder, RunIds
from vame_pipe.training.identity import Identity
from vame_pipe.training.random_state import random_states
from vame_pipe.training.schedule import Progress, Schedule


def identity(seed):
    return Identity(model={}, train={"seed": seed}, inputs={})


def checkpoint(step, size=10, run=None):
    """A checkpoint of a network with one parameter, full of the number of steps."""
    weights = {"weight": torch.full((size,), float(step))}
    schedule = Schedule(10, [20, 5], 10.0, 20, "max_epochs reached")
    return Checkpoint(
        weights, {"lr": 0.1}, {}, schedule, Progress(step), random_states(), "cpu", 64, run
    )


def test_a_checkpoint_is_loaded_as_it_was_saved(tmp_path):
    folder = CheckpointFolder(tmp_path, identity(0))
    saved = checkpoint(7, run=RunIds("0f", 1, "run"))
    saved.progress.history.append({"epoch": 0, "val/loss": 0.5})
    folder.save(saved)
    loaded = folder.load()
    assert torch.equal(loaded.network["weight"], saved.network["weight"])
    assert (loaded.schedule, loaded.progress) == (saved.schedule, saved.progress)
    assert (loaded.optimizer, loaded.best, loaded.run) == ({"lr": 0.1}, {}, RunIds("0f", 1, "run"))
    assert (loaded.device, loaded.batch_size) == ("cpu", 64)
    assert torch.equal(loaded.random["torch"], saved.random["torch"])
    assert loaded.random["python"] == saved.random["python"]


def test_two_checkpoints_are_kept_and_the_newest_other_training_run(tmp_path):
    first = CheckpointFolder(tmp_path, identity(0))
    assert first.load() is None
    for step in (1, 2, 3):
        first.save(checkpoint(step))
    assert first.load().progress.step == 3
    assert len(list(tmp_path.iterdir())) == 2
    second = CheckpointFolder(tmp_path, identity(1))
    assert second.load() is None
    assert second.describe_mismatch() == ["train.seed was 0, is 1"]
    second.save(checkpoint(1))
    (tmp_path / f".{second.key}-000000001.pt.k1ll3d").touch()
    (tmp_path / ".nfs0001").mkdir()
    second.delete_incompatible()  # the run before stays: what differs may be a mistake
    assert first.load().progress.step == 3 and second.load().progress.step == 1
    third = CheckpointFolder(tmp_path, identity(2))
    assert third.describe_mismatch() == ["train.seed was 1, is 2"]
    third.save(checkpoint(1))
    third.delete_incompatible()
    assert first.load() is None
    assert second.load().progress.step == third.load().progress.step == 1
    assert (tmp_path / ".nfs0001").is_dir() and len(list(tmp_path.iterdir())) == 3


def test_a_checkpoint_of_an_earlier_step_replaces_those_of_later_steps(tmp_path):
    """As at the start of a run that is extended from its plateau, or started from scratch."""
    folder = CheckpointFolder(tmp_path, identity(0))
    for step in (10, 20, 30):
        folder.save(checkpoint(step))
    folder.save(checkpoint(15), "plateau")
    assert folder.load().progress.step == 30
    folder.save(checkpoint(15))
    assert folder.load().progress.step == 15
    for step in (16, 17):
        folder.save(checkpoint(step))
    names = sorted(path.name.removeprefix(f"{folder.key}-") for path in tmp_path.iterdir())
    assert names == ["000000016.pt", "000000017.pt", "plateau.pt"]
    folder.save(checkpoint(0))
    assert folder.load().progress.step == 0 and folder.load("plateau").progress.step == 15
    assert len(list(tmp_path.iterdir())) == 2


def test_a_checkpoint_of_a_version_with_other_sections_is_described(tmp_path):
    @dataclass(frozen=True)
    class Other:
        train: dict
        host: str
        key = "0123456789abcdef"

    CheckpointFolder(tmp_path, Other({"seed": 0}, "lab")).save(checkpoint(1))
    folder = CheckpointFolder(tmp_path, identity(1))
    assert folder.load() is None
    assert folder.describe_mismatch() == ["host was lab, is None", "train.seed was 0, is 1"]


def test_checkpoints_of_version_0_1_are_not_read(tmp_path):
    """They have the key `made_of` instead of an identity."""
    folder = CheckpointFolder(tmp_path, identity(0))
    folder.save(checkpoint(1))
    (path,) = tmp_path.iterdir()
    old = {"made_of": {"train": {"seed": 0}}, "state": {}}
    torch.save(old, tmp_path / "payload")
    payload = (tmp_path / "payload").read_bytes()
    digest = hashlib.sha256(payload).digest()
    path.rename(tmp_path / "0123456789abcdef-000000001.pt").write_bytes(digest + payload)
    assert folder.load() is None and folder.describe_mismatch() == []


@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_a_corrupt_checkpoint_is_reported_and_the_previous_one_used(tmp_path, caplog, damage):
    folder = CheckpointFolder(tmp_path, identity(0))
    folder.save(checkpoint(1))
    folder.save(checkpoint(2))
    newest = max(tmp_path.iterdir())
    raw = bytearray(newest.read_bytes())
    raw[len(raw) // 2] ^= 1
    newest.write_bytes({"cut": raw[: len(raw) // 2], "flip": raw, "empty": b""}[damage])
    assert folder.load().progress.step == 1
    assert f"{newest} is corrupt: falling back to the previous checkpoint" in caplog.text


def test_without_room_for_a_checkpoint_the_last_one_stays(tmp_path):
    folder = CheckpointFolder(tmp_path, identity(0))
    folder.save(checkpoint(1))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(InputError, match="cannot be written"):
            folder.save(checkpoint(2, size=100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert torch.equal(folder.load().network["weight"], torch.ones(10))
    assert len(list(tmp_path.iterdir())) == 1


def test_the_ids_of_a_run_are_kept_until_the_first_checkpoint(tmp_path):
    folder = CheckpointFolder(tmp_path, identity(0))
    first, second, third = (RunIds(str(number), number) for number in range(3))
    assert folder.claim_run(first) == first
    assert folder.claim_run(second) == first  # the first attempt was killed before its checkpoint
    folder.save(checkpoint(1))
    assert folder.claim_run(third) == third


def test_a_folder_is_locked_by_one_process(tmp_path):
    with (
        CheckpointFolder(tmp_path, identity(0)).locked(),
        pytest.raises(InputError, match="being trained by another process"),
        CheckpointFolder(tmp_path, identity(1)).locked(),
    ):
        pass
    with CheckpointFolder(tmp_path, identity(1)).locked():
        pass
