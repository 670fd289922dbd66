"""What is recorded of a training run in progress, also if the server fails."""

import http.server
import subprocess
import sys
import threading
from dataclasses import replace

import pytest
from conftest import free_port, mlflow_server
from mlflow import MlflowClient
from records import HISTORY, RECORD

from vame_pipe.tracking import store
from vame_pipe.tracking.address import Address, resolve_address, write_address
from vame_pipe.tracking.tracker import MlflowTracker, NullTracker, source_tags, tracker_for

LOST = "training continues without it"


@pytest.fixture(autouse=True)
def no_configured_server(monkeypatch):
    """A server that is down is not asked again."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


@pytest.fixture
def own(tmp_path):
    """Address of a store of the workflow's own."""
    return resolve_address(None, "mice", tmp_path / "mlflow")


def at(port):
    return Address(f"http://127.0.0.1:{port}", "mice", None)


def test_a_run_contains_everything_that_was_recorded(own, tmp_path):
    store.prepare(own)
    tracker = MlflowTracker(own)
    record = tracker.start(RECORD)
    tracker.log_epochs(HISTORY[:1])
    assert tracker.finish(record, HISTORY) == record  # sends the missing epochs

    client = MlflowClient(own.uri)
    experiment = client.get_experiment_by_name("mice")
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.info.run_id == record.run_id and found.info.status == "FINISHED"
    assert (found.info.run_name, found.info.end_time) == ("vame", 1_060_000)
    assert found.data.params == {
        "model.zdims": "4",
        "train.max_epochs": "3",
        "train.patience": "5",
        "train.max_grad_norm": "None",
    }
    assert found.data.tags["device"] == "cpu" and found.data.tags["stop"] == "max_epochs reached"
    assert RECORD.tags.items() <= found.data.tags.items()
    assert found.data.metrics["final/r2_reconstruction"] == 0.9
    steps = [(m.step, m.value) for m in client.get_metric_history(record.run_id, "val/loss")]
    assert steps == [(0, 10.0), (1, 9.0), (2, 8.0)]
    assert (tmp_path / "mlflow/artifacts").as_uri() == experiment.artifact_location


def test_a_resumed_training_run_finds_its_mlflow_run(own):
    store.prepare(own)
    interrupted = MlflowTracker(own)
    first = interrupted.start(RECORD)
    interrupted.end("KILLED")
    tracker = MlflowTracker(own)
    longer = tracker.start(replace(RECORD, params=RECORD.params | {"train.max_epochs": 9}))
    client = MlflowClient(own.uri)
    assert longer.run_id == first.run_id
    found = client.get_run(first.run_id)
    assert found.info.status == "RUNNING"
    # params of MLflow cannot change: the tag has the current value
    assert (found.data.params["train.max_epochs"], found.data.tags["max_epochs"]) == ("3", "9")
    assert len(found.inputs.dataset_inputs) == 1
    tracker.end("FAILED")
    assert client.get_run(first.run_id).info.status == "FAILED"


def test_a_server_that_is_down_is_reported_once_and_stops_nothing(caplog):
    address = Address(f"http://user:secret@127.0.0.1:{free_port()}", "mice", None)
    store.prepare(address)
    assert "MLflow server not reachable" in caplog.text
    caplog.clear()
    tracker = MlflowTracker(address)
    record = tracker.start(RECORD)
    tracker.log_epochs(HISTORY[:1])
    assert tracker.finish(record, HISTORY[:1]).run_id is None
    assert caplog.text.count(LOST) == 1
    assert "secret" not in caplog.text


def test_a_server_may_be_down_at_the_start_or_at_the_end(tmp_path, caplog):
    port = free_port()
    first, second = MlflowTracker(at(port)), MlflowTracker(at(port))
    late = first.start(replace(RECORD, run_id="of an earlier start"))
    first.log_epochs(HISTORY[:1])
    with mlflow_server(tmp_path / "server", port):
        late = first.finish(late, HISTORY)
        run = MlflowClient(at(port).uri).get_run(late.run_id)
        assert run.info.status == "FINISHED" and run.data.params["model.zdims"] == "4"
        assert run.data.metrics["val/loss"] == 8.0
        assert run.data.metrics["final/r2_reconstruction"] == 0.9
        assert caplog.text.count(LOST) == 1
        caplog.clear()
        early = second.start(replace(RECORD, training_id="def"))
        second.log_epochs(HISTORY[:1])
        assert caplog.text == "" and early.run_id not in {None, late.run_id}
    second.finish(early, HISTORY)
    assert caplog.text.count(LOST) == 1


def test_a_deleted_experiment_does_not_stop_training(own, caplog):
    experiment_id = store.get_or_create_experiment(own.uri, "mice")
    MlflowClient(own.uri).delete_experiment(experiment_id)
    tracker = MlflowTracker(own)
    record = tracker.start(RECORD)
    tracker.log_epochs(HISTORY)
    record = tracker.finish(record, HISTORY)
    tracker.end("FAILED")
    assert record.run_id is None
    assert caplog.text.count("experiment 'mice' has been deleted. Restore it") == 1


def test_an_error_of_this_package_is_not_hidden(own, caplog):
    with pytest.raises(KeyError, match=r"train\.max_epochs"):
        MlflowTracker(own).start(replace(RECORD, params={}))
    tracker = MlflowTracker(own)
    record = tracker.start(RECORD)
    with pytest.raises(KeyError, match="val/loss"):
        tracker.log_epochs([{"epoch": 0}])
    with pytest.raises(TypeError):
        tracker.finish(record, None)
    assert "MLflow logging failed" not in caplog.text


class OtherServer(http.server.BaseHTTPRequestHandler):
    """A server that is not MLflow."""

    status, body = 200, b""

    def do_GET(self):
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(self.body)

    do_POST = do_GET

    def log_message(self, *arguments):
        pass


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>please log in</html>"),
        (200, b"[1]"),
        (200, b"{}"),
        (200, b'{"experiment": {"tags": 3}}'),
        (200, b"\xff"),
        (401, b"who are you?"),
        (500, b'{"error_code": "INTERNAL_ERROR", "message": "broken"}'),
    ],
)
def test_training_continues_whatever_the_server_answers(status, body, caplog):
    handler = type("Handler", (OtherServer,), {"status": status, "body": body})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        tracker = MlflowTracker(at(server.server_port))
        record = tracker.finish(tracker.start(RECORD), HISTORY)
        server.shutdown()
    assert record.run_id is None
    assert caplog.text.count(LOST) == 1


def test_without_an_address_nothing_is_recorded(tmp_path):
    tracker = tracker_for(None)
    assert isinstance(tracker, NullTracker)
    assert tracker.start(RECORD) == RECORD
    tracker.log_epochs(HISTORY)
    assert tracker.finish(RECORD, HISTORY) == RECORD
    tracker.end("FAILED")
    path = tmp_path / "experiment.json"
    write_address(path, None, "mice")
    assert isinstance(tracker_for(path), MlflowTracker)


def test_the_modules_that_training_needs_do_not_import_mlflow():
    code = "import sys, vame_pipe.tracking.tracker, vame_pipe.tracking.upload; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"mlflow", "sqlalchemy", "torch"} & set(done.stdout.split())


def test_the_tags_have_the_commit_and_whether_files_were_changed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert source_tags()["git_commit"] == source_tags()["git_dirty"] == "none"
    git = ["git", "-c", "user.name=n", "-c", "user.email=e@example.org"]
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run([*git, *command], check=True)
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True
    ).stdout.strip()
    tags = source_tags()
    assert (tags["git_commit"], tags["git_dirty"]) == (head, "false")
    assert tags["mlflow.source.git.commit"] == head
    (tmp_path / "f").touch()
    subprocess.run(["git", "add", "f"], check=True)
    tags = source_tags()
    assert (tags["git_commit"], tags["git_dirty"]) == (head, "true")
