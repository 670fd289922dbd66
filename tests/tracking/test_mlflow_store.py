import http.server
import shutil
import socket
import sqlite3
import subprocess
import threading
from contextlib import closing
from copy import deepcopy

import pytest
from conftest import free_port, mlflow_server
from mlflow import MlflowClient

from vame_pipe.core.errors import InputError
from vame_pipe.tracking import store

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
    return store.own_uri(tmp_path / "mlflow")


def test_a_run_holds_what_it_was_told(uri, tmp_path):
    store.prepare(uri, "mice")
    about = ABOUT | {}
    run = store.Run(uri, "mice", None, about)
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
    store.prepare(uri, "mice")
    first, longer = ABOUT | {}, ABOUT | {"params": ABOUT["params"] | {"train.max_epochs": 9}}
    store.Run(uri, "mice", None, first).end("KILLED")
    run = store.Run(uri, "mice", None, longer)
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
    first = store.get_or_create_experiment(uri, "mice")
    assert store.get_or_create_experiment(uri, "mice") == first


def test_a_deleted_experiment_is_named(uri):
    number = store.get_or_create_experiment(uri, "mice")
    MlflowClient(uri).delete_experiment(number)
    with pytest.raises(InputError, match="experiment 'mice' has been deleted"):
        store.prepare(uri, "mice")


def test_the_environment_wins(monkeypatch, tmp_path):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    own = f"sqlite:///{tmp_path}/mlflow.db"
    lab = store.address("http://lab:5000", "mice", tmp_path)
    assert lab == ("http://lab:5000", "mice", None)
    assert store.address(None, "mice", tmp_path) == (own, "mice", tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://env:5000")
    assert store.address("http://lab:5000", "mice", tmp_path).uri == "http://env:5000"


def test_a_dead_server_is_reported_once_and_stops_nothing(caplog, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    uri = f"http://user:secret@127.0.0.1:{port}"
    store.prepare(uri, "mice")
    assert "server does not answer" in caplog.text
    caplog.clear()
    about = ABOUT | {}
    run = store.Run(uri, "mice", None, about)
    run.log_epochs([{"epoch": 0, "test/loss": 1.0}])
    run.finish([{"epoch": 0, "test/loss": 1.0}])
    assert about["run_id"] is None
    assert caplog.text.count("training goes on without it") == 1
    assert "secret" not in caplog.text


def test_a_store_that_cannot_be_opened_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="the store cannot be opened"):
        store.prepare(f"sqlite:///{tmp_path}/file/mlflow.db", "mice")


def test_the_commit_and_whether_the_tree_was_changed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert store.source_tags()["git_commit"] == store.source_tags()["git_dirty"] == "none"
    git = ["git", "-c", "user.name=n", "-c", "user.email=e@example.org"]
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run([*git, *command], check=True)
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True
    ).stdout.strip()
    tags = store.source_tags()
    assert (tags["git_commit"], tags["git_dirty"]) == (head, "false")
    (tmp_path / "f").touch()
    subprocess.run(["git", "add", "f"], check=True)
    tags = store.source_tags()
    assert (tags["git_commit"], tags["git_dirty"]) == (head, "true")


def test_a_locked_store_is_tried_again():
    answers = iter([sqlite3.OperationalError("database is locked"), None])

    def send(value):
        if error := next(answers):
            raise error
        return value

    assert store.patiently(send, 3) == 3
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        store.patiently(sqlite3.connect(":memory:").execute, "SELECT * FROM absent")


HISTORY = [{"epoch": e, "test/loss": 10.0 - e, "train/loss": 5.0} for e in range(3)]


def test_a_server_that_is_down_at_the_start_or_at_the_end(tmp_path, caplog, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    late, early = ABOUT | {"run_id": "of an earlier start"}, deepcopy(ABOUT)
    early["tags"]["training_id"] = "def"
    first = store.Run(uri, "mice", None, late)
    first.log_epochs(HISTORY[:1])
    with mlflow_server(tmp_path / "server", port):
        first.finish(HISTORY)
        run = MlflowClient(uri).get_run(late["run_id"])
        assert run.info.status == "FINISHED" and run.data.params["model.zdims"] == "4"
        assert run.data.metrics["test/loss"] == 8.0
        assert run.data.metrics["final/r2_reconstruction"] == 0.9
        assert caplog.text.count("training goes on without it") == 1
        caplog.clear()
        second = store.Run(uri, "mice", None, early)
        second.log_epochs(HISTORY[:1])
        assert caplog.text == "" and early["run_id"] not in {None, late["run_id"]}
    second.finish(HISTORY)
    assert caplog.text.count("training goes on without it") == 1


def test_a_training_goes_on_where_the_experiment_was_deleted(uri, caplog):
    number = store.get_or_create_experiment(uri, "mice")
    MlflowClient(uri).delete_experiment(number)
    about = ABOUT | {}
    run = store.Run(uri, "mice", None, about)
    run.log_epochs(HISTORY)
    run.finish(HISTORY)
    run.end("FAILED")
    assert about["run_id"] is None
    assert caplog.text.count("experiment 'mice' has been deleted. Restore it") == 1


def test_an_error_of_ours_is_no_failure_of_mlflow(uri, caplog):
    with pytest.raises(KeyError, match="params"):
        store.Run(uri, "mice", None, {k: v for k, v in ABOUT.items() if k != "params"})
    run = store.Run(uri, "mice", None, ABOUT | {})
    with pytest.raises(KeyError, match="test/loss"):
        run.log_epochs([{"epoch": 0}])
    with pytest.raises(TypeError):
        run.finish(None)
    assert "MLflow fails" not in caplog.text


class Stranger(http.server.BaseHTTPRequestHandler):
    """What answers where one thought MLflow would."""

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
def test_whatever_answers_a_training_goes_on(status, body, caplog, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    handler = type("Handler", (Stranger,), {"status": status, "body": body})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        about = ABOUT | {}
        store.Run(f"http://127.0.0.1:{server.server_port}", "mice", None, about).finish(HISTORY)
        server.shutdown()
    assert about["run_id"] is None
    assert caplog.text.count("training goes on without it") == 1


def test_stores_that_cannot_be_opened_are_named(tmp_path):
    (tmp_path / "text.db").write_text("no database, but long enough to be read as one" * 30)
    for uri, said in {
        f"sqlite:///{tmp_path}/text.db": "file is not a database",
        "postgresql+asyncpg://me:pa55phrase@127.0.0.1/db": "asyncpg",
        "nothing://me:pa55phrase@lab/x": "UnsupportedModelRegistryStoreURI",
    }.items():
        with pytest.raises(InputError, match="the store cannot be opened") as caught:
            store.prepare(uri, "mice")
        (line,) = caught.value.problems
        assert said in line and "pa55phrase" not in line and "\n" not in line


def test_a_store_of_another_version_of_mlflow_is_named(uri, tmp_path):
    store.prepare(uri, "mice")
    shutil.copy(tmp_path / "mlflow/mlflow.db", tmp_path)
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = '0123456789ab'")
        database.commit()
    with pytest.raises(InputError, match="out-of-date database schema"):
        store.prepare(store.own_uri(tmp_path), "mice")


@pytest.mark.parametrize("name", ["a?b", "50% #1 'é' @&;{x}$"])
def test_a_store_in_a_folder_of_any_name(name, tmp_path, monkeypatch):
    """SQLAlchemy cuts a path at its question mark, and would write to another folder."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = tmp_path / name / "mlflow"
    place = store.address(None, "mice", folder)
    store.prepare(*place)
    store.Run(*place, ABOUT | {}).finish(HISTORY)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (folder / "mlflow.db").is_file()
    client = MlflowClient(store.own_uri(folder))
    experiment = client.get_experiment_by_name("mice")
    assert experiment.artifact_location == (folder / "artifacts").as_uri()
    (run,) = client.search_runs([experiment.experiment_id])
    client.log_dict(run.info.run_id, {}, "x.json")
    assert len([*folder.glob("artifacts/*/artifacts/x.json")]) == 1


def location(place):
    store = store.open_store(*place)
    return store.client.get_experiment(store.experiment_id).artifact_location


def test_only_the_workflows_own_store_follows_its_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    old, new = tmp_path / "old/mlflow", tmp_path / "new/mlflow"
    store.prepare(*store.address(None, "mice", old))
    elsewhere = (tmp_path / "elsewhere").as_uri()
    store.open_store(store.own_uri(old), "mice").client.create_experiment("mine", elsewhere)
    old.parent.rename(new.parent)
    as_before = (old / "artifacts").as_uri()
    theirs = store.address(store.own_uri(new), "mice", tmp_path / "results/mlflow")
    assert theirs.folder is None and location(theirs) == as_before
    # while both paths lead there, what others have noted stays
    (new / "artifacts").mkdir()
    old.parent.symlink_to(new.parent)
    own = store.address(None, "mice", new)
    assert location(own) == as_before
    old.parent.unlink()
    assert location(own) == (new / "artifacts").as_uri()
    assert location(own._replace(experiment="mine")) == elsewhere
