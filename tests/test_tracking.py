import socket
import sqlite3
import subprocess

import pytest
from mlflow import MlflowClient

from vame_pipe import tracking
from vame_pipe.errors import InputError

ABOUT = {
    "name": "vame",
    "run_id": None,
    "started": 1_000_000,
    "ended": 1_060_000,
    "params": {"model.zdims": 4, "train.max_epochs": 3, "train.patience": 5, "train.clip": None},
    "tags": {"device": "cpu", "training_id": "abc"},
    "data": {"name": "windows", "path": "w", "digest": "d", "features": ["a"], "profile": {}},
    "summary": {"final/r2_reconstruction": 0.9},
    "stop": "max_epochs reached",
}


@pytest.fixture
def uri(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tracking.own_uri(tmp_path / "mlflow")


def test_a_run_holds_what_it_was_told(uri, tmp_path):
    tracking.prepare(uri, "mice")
    about = ABOUT | {}
    run = tracking.Run(uri, "mice", None, about)
    history = [{"epoch": e, "test/loss": 10.0 - e, "train/loss": 5.0} for e in range(3)]
    run.log_epochs(history[:1])
    run.finish(history)  # sends those that lack

    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("mice")
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.info.run_id == about["run_id"] and found.info.status == "FINISHED"
    assert (found.info.run_name, found.info.end_time) == ("vame", 1_060_000)
    assert found.data.params == {
        "model.zdims": "4",
        "train.max_epochs": "3",
        "train.patience": "5",
        "train.clip": "None",
    }
    assert found.data.tags["device"] == "cpu" and found.data.tags["stop"] == "max_epochs reached"
    assert found.data.metrics["final/r2_reconstruction"] == 0.9
    steps = [(m.step, m.value) for m in client.get_metric_history(about["run_id"], "test/loss")]
    assert steps == [(0, 10.0), (1, 9.0), (2, 8.0)]
    assert (tmp_path / "mlflow/artifacts").as_uri() == experiment.artifact_location


def test_a_training_that_goes_on_finds_its_run(uri):
    tracking.prepare(uri, "mice")
    first, longer = ABOUT | {}, ABOUT | {"params": ABOUT["params"] | {"train.max_epochs": 9}}
    tracking.Run(uri, "mice", None, first).end("KILLED")
    run = tracking.Run(uri, "mice", None, longer)
    client = MlflowClient(uri)
    assert longer["run_id"] == first["run_id"]
    found = client.get_run(first["run_id"])
    assert found.info.status == "RUNNING"
    # params of MLflow cannot change: the tag says what holds now
    assert (found.data.params["train.max_epochs"], found.data.tags["max_epochs"]) == ("3", "9")
    assert len(found.inputs.dataset_inputs) == 1
    run.end("FAILED")
    assert client.get_run(first["run_id"]).info.status == "FAILED"


def test_preparing_twice_keeps_one_experiment(uri):
    first = tracking.get_or_create_experiment(uri, "mice")
    assert tracking.get_or_create_experiment(uri, "mice") == first


def test_a_deleted_experiment_is_named(uri):
    number = tracking.get_or_create_experiment(uri, "mice")
    MlflowClient(uri).delete_experiment(number)
    with pytest.raises(InputError, match="experiment 'mice' has been deleted"):
        tracking.prepare(uri, "mice")


def test_the_environment_wins(monkeypatch, tmp_path):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    own = f"sqlite:///{tmp_path}/mlflow.db"
    lab = tracking.address("http://lab:5000", "mice", tmp_path)
    assert lab == ("http://lab:5000", "mice", None)
    assert tracking.address(None, "mice", tmp_path) == (own, "mice", tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://env:5000")
    assert tracking.address("http://lab:5000", "mice", tmp_path).uri == "http://env:5000"


def test_a_dead_server_is_reported_once_and_stops_nothing(caplog):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    uri = f"http://user:secret@127.0.0.1:{port}"
    tracking.prepare(uri, "mice")
    assert "server does not answer" in caplog.text
    caplog.clear()
    about = ABOUT | {}
    run = tracking.Run(uri, "mice", None, about)
    run.log_epochs([{"epoch": 0, "test/loss": 1.0}])
    run.finish([{"epoch": 0, "test/loss": 1.0}])
    assert about["run_id"] is None
    assert caplog.text.count("training goes on without it") == 1
    assert "secret" not in caplog.text


def test_a_store_that_cannot_be_opened_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="the store cannot be opened"):
        tracking.prepare(f"sqlite:///{tmp_path}/file/mlflow.db", "mice")


def test_the_commit_and_whether_the_tree_was_changed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert tracking.source_tags()["git_commit"] == tracking.source_tags()["git_dirty"] == "none"
    git = ["git", "-c", "user.name=n", "-c", "user.email=e@example.org"]
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run([*git, *command], check=True)
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True
    ).stdout.strip()
    tags = tracking.source_tags()
    assert (tags["git_commit"], tags["git_dirty"]) == (head, "false")
    (tmp_path / "f").touch()
    subprocess.run(["git", "add", "f"], check=True)
    tags = tracking.source_tags()
    assert (tags["git_commit"], tags["git_dirty"]) == (head, "true")


def test_a_locked_store_is_tried_again():
    answers = iter([sqlite3.OperationalError("database is locked"), None])

    def send(value):
        if error := next(answers):
            raise error
        return value

    assert tracking.patiently(send, 3) == 3
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        tracking.patiently(sqlite3.connect(":memory:").execute, "SELECT * FROM absent")
