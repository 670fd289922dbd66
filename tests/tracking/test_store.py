"""Opening MLflow stores of all kinds, moved ones and broken ones included."""

import shutil
import sqlite3
import sys
from contextlib import closing
from dataclasses import replace
from types import SimpleNamespace

import pytest
from mlflow import MlflowClient
from records import HISTORY, RECORD

from vame_pipe.core.errors import InputError
from vame_pipe.tracking import store
from vame_pipe.tracking.address import Address, own_uri, resolve_address
from vame_pipe.tracking.tracker import MlflowTracker


@pytest.fixture(autouse=True)
def no_configured_server(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def own(tmp_path):
    """Address of a store of the workflow's own, that does not exist yet."""
    return resolve_address(None, "mice", tmp_path / "mlflow")


def test_preparing_twice_keeps_one_experiment(own):
    first = store.get_or_create_experiment(own.uri, "mice")
    assert store.get_or_create_experiment(own.uri, "mice") == first


def test_a_deleted_experiment_is_named(own):
    experiment_id = store.get_or_create_experiment(own.uri, "mice")
    MlflowClient(own.uri).delete_experiment(experiment_id)
    with pytest.raises(InputError, match="experiment 'mice' has been deleted"):
        store.prepare(own)


def test_a_store_that_cannot_be_opened_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="the store cannot be opened"):
        store.prepare(Address(f"sqlite:///{tmp_path}/file/mlflow.db", "mice", None))


def test_stores_that_cannot_be_opened_are_named(tmp_path):
    (tmp_path / "text.db").write_text("no database, but long enough to be read as one" * 30)
    for uri, reason in {
        f"sqlite:///{tmp_path}/text.db": "file is not a database",
        "postgresql+asyncpg://me:pa55phrase@127.0.0.1/db": "asyncpg",
        "nothing://me:pa55phrase@lab/x": "UnsupportedModelRegistryStoreURI",
    }.items():
        with pytest.raises(InputError, match="the store cannot be opened") as caught:
            store.prepare(Address(uri, "mice", None))
        (line,) = caught.value.problems
        assert reason in line and "pa55phrase" not in line and "\n" not in line


def test_a_store_of_another_version_of_mlflow_is_named(own, tmp_path):
    store.prepare(own)
    shutil.copy(tmp_path / "mlflow/mlflow.db", tmp_path)
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = '0123456789ab'")
        database.commit()
    with pytest.raises(InputError, match="out-of-date database schema"):
        store.prepare(resolve_address(None, "mice", tmp_path))


def test_a_locked_store_is_tried_again():
    answers = iter([sqlite3.OperationalError("database is locked"), None])

    def send(value):
        if error := next(answers):
            raise error
        return value

    assert store.retry_on_conflict(send, 3) == 3
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        store.retry_on_conflict(sqlite3.connect(":memory:").execute, "SELECT * FROM absent")


def test_an_error_of_the_library_of_a_cloud_is_an_error_of_the_store(monkeypatch):
    """The library is forged: it is installed only for a store that writes artifacts to a cloud."""
    names = ("BotoCoreError", "ClientError")
    forged = SimpleNamespace(**{name: type(name, (Exception,), {}) for name in names})
    error = forged.ClientError("no such bucket")
    assert not isinstance(error, store.store_errors())
    monkeypatch.setitem(sys.modules, "botocore.exceptions", forged)
    assert isinstance(error, store.store_errors())


@pytest.mark.parametrize("name", ["a?b", "50% #1 'é' @&;{x}$"])
def test_a_store_may_be_in_a_folder_of_any_name(name, tmp_path):
    """SQLAlchemy cuts a path at its question mark, and would write to another folder."""
    folder = tmp_path / name / "mlflow"
    address = resolve_address(None, "mice", folder)
    store.prepare(address)
    tracker = MlflowTracker(address)
    tracker.finish(tracker.start(RECORD), HISTORY)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (folder / "mlflow.db").is_file()
    client = MlflowClient(own_uri(folder))
    experiment = client.get_experiment_by_name("mice")
    assert experiment.artifact_location == (folder / "artifacts").as_uri()
    (run,) = client.search_runs([experiment.experiment_id])
    client.log_dict(run.info.run_id, {}, "x.json")
    assert len([*folder.glob("artifacts/*/artifacts/x.json")]) == 1


def artifact_location(address):
    opened = store.open_store(address)
    return opened.client.get_experiment(opened.experiment_id).artifact_location


def test_only_the_own_store_of_the_workflow_follows_its_folder(tmp_path):
    old, new = tmp_path / "old/mlflow", tmp_path / "new/mlflow"
    store.prepare(resolve_address(None, "mice", old))
    elsewhere = (tmp_path / "elsewhere").as_uri()
    opened = store.open_store(Address(own_uri(old), "mice", None))
    opened.client.create_experiment("mine", elsewhere)
    old.parent.rename(new.parent)
    as_before = (old / "artifacts").as_uri()
    of_user = resolve_address(own_uri(new), "mice", tmp_path / "results/mlflow")
    assert of_user.folder is None and artifact_location(of_user) == as_before
    # as long as both paths lead to the folder, the paths in the database stay
    (new / "artifacts").mkdir()
    old.parent.symlink_to(new.parent)
    own = resolve_address(None, "mice", new)
    assert artifact_location(own) == as_before
    old.parent.unlink()
    assert artifact_location(own) == (new / "artifacts").as_uri()
    assert artifact_location(replace(own, experiment="mine")) == elsewhere
