import socket

import pytest
from mlflow import MlflowClient

from vame_pipe import tracking
from vame_pipe.errors import InputError

PARAMS = {"model": {"zdims": 4}, "train": {"beta": 1.0}}


@pytest.fixture
def uri(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tracking.store_uri(None, tmp_path / "mlflow")


def test_a_run_holds_what_it_was_told(uri, tmp_path):
    tracking.prepare(uri, "mice")
    run = tracking.Run(uri, "mice", "vame", PARAMS, {"device": "cpu"})
    history = [{"epoch": e, "test/loss": 10.0 - e, "train/loss": 5.0} for e in range(3)]
    for metrics in history[:2]:  # the last is sent at the end
        run.log_epoch(metrics)
    artifact = tmp_path / "metrics.jsonl"
    artifact.write_text("{}\n")
    run.finish(history, {"final/r2_reconstruction": 0.9}, "max_epochs reached", [artifact])

    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("mice")
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.info.run_id == run.id and found.info.status == "FINISHED"
    assert found.info.run_name == "vame"
    assert found.data.params == {"model.zdims": "4", "train.beta": "1.0"}
    assert found.data.tags["device"] == "cpu" and found.data.tags["stop"] == "max_epochs reached"
    assert found.data.metrics["final/r2_reconstruction"] == 0.9
    steps = [(m.step, m.value) for m in client.get_metric_history(run.id, "test/loss")]
    assert steps == [(0, 10.0), (1, 9.0), (2, 8.0)]
    assert [a.path for a in client.list_artifacts(run.id)] == ["metrics.jsonl"]
    assert (tmp_path / "mlflow/artifacts").as_uri() == experiment.artifact_location


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
    assert tracking.store_uri("http://lab:5000", tmp_path) == "http://lab:5000"
    assert tracking.store_uri(None, tmp_path) == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://env:5000")
    assert tracking.store_uri("http://lab:5000", tmp_path) == "http://env:5000"


def test_a_dead_server_is_reported_once_and_stops_nothing(caplog):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    uri = f"http://user:secret@127.0.0.1:{port}"
    tracking.prepare(uri, "mice")
    assert "server does not answer" in caplog.text
    caplog.clear()
    run = tracking.Run(uri, "mice", "vame", PARAMS, {})
    run.log_epoch({"epoch": 0, "test/loss": 1.0})
    run.finish([], {}, "max_epochs reached", [])
    assert run.id is None
    assert caplog.text.count("training goes on without it") == 1
    assert "secret" not in caplog.text


def test_a_store_that_cannot_be_opened_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="the store cannot be opened"):
        tracking.prepare(f"sqlite:///{tmp_path}/file/mlflow.db", "mice")


def test_git_commit_says_whether_the_tree_was_changed(tmp_path, monkeypatch):
    import subprocess

    monkeypatch.chdir(tmp_path)
    assert tracking.git_commit() is None
    git = ["git", "-c", "user.name=n", "-c", "user.email=e@example.org"]
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run([*git, *command], check=True)
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True
    ).stdout.strip()
    assert tracking.git_commit() == head
    (tmp_path / "f").touch()
    subprocess.run(["git", "add", "f"], check=True)
    assert tracking.git_commit() == f"{head}-dirty"
