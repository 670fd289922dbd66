"""What `upload-mlflow` sends of trained models, to real stores, also if a server fails.

The registered model and its use in another process are tested here too, with the same two models.
"""

import contextlib
import dataclasses
import json
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from conftest import (
    MODEL,
    ROOT,
    TINY,
    TRAIN,
    free_port,
    install,
    mlflow_server,
    populate_results,
    snakemake,
    train_and_encode,
    train_arguments,
    without_services,
)
from mlflow import MlflowClient
from motif_files import QUALITY, write_motifs, write_quality

from vame_pipe.cli.main import main
from vame_pipe.core import files, run_record
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout
from vame_pipe.encoding import model_file
from vame_pipe.tracking import moved_store, store
from vame_pipe.tracking.address import Address, own_uri
from vame_pipe.tracking.upload import failures, read_run_ids

ARTIFACTS = {
    *("model.pt", "config.yaml", "metrics.jsonl", "run.json", "qc.json", "latents"),
    *("losses.png", "reconstructions.png", "spectrum.png"),
}
MODELS = ("mice-z4", "mice-z2")


@pytest.fixture(scope="module", autouse=True)
def no_configured_server():
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield


@pytest.fixture(scope="module")
def results(data, tmp_path_factory):
    """Two models, trained, encoded and uploaded. Tests that change something use `copied`."""
    folder = tmp_path_factory.mktemp("upload") / "results"
    populate_results(folder, data)
    train_and_encode(folder, "mice-z4")
    other = TRAIN.model_copy(update={"seed": 2})
    train_and_encode(folder, "mice-z2", model=MODEL.model_copy(update={"zdims": 2}), settings=other)
    assert main(["upload-mlflow", str(folder)]) == 0
    return folder


def runs_of(uri, experiment="mice"):
    """Client and runs by name of an experiment."""
    client = MlflowClient(uri, uri)
    experiment_id = client.get_experiment_by_name(experiment).experiment_id
    found = client.search_runs([experiment_id])
    runs = {run.info.run_name: run for run in found}
    assert len(runs) == len(found)
    return client, runs


def store_of(folder):
    return f"sqlite:///{folder}/mlflow/mlflow.db"


def history_of(folder, name):
    return run_record.read_history(Layout(folder).model(name).metrics)


def assert_complete(client, run, folder, latents=True):
    """Everything in the files is in the run, once."""
    name = run.info.run_name
    record = run_record.read(Layout(folder).model(name).run)
    history = history_of(folder, name)
    assert run.info.status == "FINISHED"
    assert (run.info.start_time, run.info.end_time) == (record.started, record.ended)
    assert run.data.params == {key: str(value) for key, value in record.params.items()}
    for key in ("train/kl", "val/loss", "system/cpu_utilization_percentage"):
        logged = [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, key)]
        assert logged == [(line["epoch"], line[key]) for line in history]
    assert record.summary.items() <= run.data.metrics.items()
    final = client.get_metric_history(run.info.run_id, "final/loss")
    assert {m.step for m in final} == {len(history)}
    tags = run.data.tags
    assert (tags["stop"], tags["sweep"], tags["snakemake_rule"]) == (record.stop, "mice", "train")
    assert tags["device"] == "cpu" and tags["git_dirty"] in {"true", "false", "none"}
    assert record.tags.items() <= tags.items()
    (windows,) = run.inputs.dataset_inputs
    assert windows.dataset.digest == record.data.fingerprint[:32]
    assert json.loads(windows.dataset.profile)["sessions"] == ["sim-1", "sim-2"]
    paths = {artifact.path for artifact in client.list_artifacts(run.info.run_id)}
    assert paths == (ARTIFACTS if latents else ARTIFACTS - {"latents"})


def test_a_run_is_complete(results, tmp_path):
    client, runs = runs_of(store_of(results))
    assert set(runs) == set(MODELS)
    for name, run in runs.items():
        assert_complete(client, run, results)
        seed = {"mice-z4": TRAIN.seed, "mice-z2": 2}[name]
        assert run.data.tags["varies"] == f"model.zdims={name[-1]}, train.seed={seed}"
        path = client.download_artifacts(run.info.run_id, "latents/sim-2.parquet", str(tmp_path))
        encoded = results / f"latents/{name}/sim-2.parquet"
        assert files.file_fingerprint(path) == files.file_fingerprint(encoded)
        digests = [
            files.file_fingerprint(results / f"latents/{name}/sim-{i}.parquet") for i in (1, 2)
        ]
        assert run.data.tags["latents_digest"] == files.fingerprint(digests)
        qc = client.download_artifacts(run.info.run_id, "qc.json", str(tmp_path))
        assert set(json.loads(Path(qc).read_text())) == {"sim-1", "sim-2"}


def test_uploading_again_sends_nothing(results):
    client, before = runs_of(store_of(results))
    versions = len(client.search_model_versions("name = 'mice'"))
    assert main(["upload-mlflow", str(results)]) == 0
    _, after = runs_of(store_of(results))
    assert {n: r.to_dictionary() for n, r in after.items()} == {
        n: r.to_dictionary() for n, r in before.items()
    }
    assert len(client.search_model_versions("name = 'mice'")) == versions == 2


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"runs": null}', '{"runs": "ab"}'])
def test_run_ids_that_cannot_be_read_name_the_command_that_writes_them(content, tmp_path):
    path = tmp_path / "uploaded.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match="Run `vame-pipe upload-mlflow --out") as caught:
        read_run_ids(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_missing_models_and_addresses_are_named(results, tmp_path, capsys):
    assert main(["upload-mlflow", str(results), "--models", "mice-z4", "no", "nor"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[1] for line in lines] == [" model no", " model nor"]
    assert main(["upload-mlflow", str(tmp_path)]) == 2
    assert "contains no trained model" in capsys.readouterr().err
    assert main(["upload-mlflow", str(tmp_path), "--models", "no"]) == 2
    assert "mlflow/experiment.json: no such file" in capsys.readouterr().err


def test_the_alias_is_given_to_the_lowest_error_on_validation_windows(results):
    records = run_record.read_runs(Layout(results), [*MODELS])
    errors = {
        name: record.summary["final/reconstruction"] + record.summary["final/prediction"]
        for name, record in records.items()
    }
    client, runs = runs_of(store_of(results))
    version = client.get_model_version_by_alias("mice", "best")
    assert version.run_id == runs[min(errors, key=errors.get)].info.run_id
    assert version.tags["model"] == min(errors, key=errors.get)


LOAD = """
import importlib.machinery, sys
sys.meta_path = [f for f in sys.meta_path if not getattr(f, "__module__", "").startswith("__editable__")]
sys.path = [p for p in sys.path if p != sys.argv[4]]
import mlflow, numpy, pandas
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/mice@best")
frames = pandas.read_parquet(sys.argv[2])[model.metadata.metadata["features"]].to_numpy()
latents = model.predict(frames[None])
length = model.metadata.metadata["length"]
windows = numpy.stack([frames[i : i + length] for i in range(20)])
numpy.savez(sys.argv[3], latents=latents, windows=model.predict(windows))
import vame_pipe
print(vame_pipe.__file__)
"""


def test_the_registered_model_returns_the_encoded_latents_in_another_process(results, tmp_path):
    """Without this repository: the model contains the code, and nothing in it is pickled."""
    client, _ = runs_of(store_of(results))
    best = client.get_model_version_by_alias("mice", "best").tags["model"]
    arguments = [store_of(results), results / "aligned/sim-1.parquet", tmp_path / "z.npz", ROOT]
    done = subprocess.run(
        [sys.executable, "-c", LOAD, *map(str, arguments)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    assert str(results) in done.stdout.splitlines()[-1]
    loaded = np.load(tmp_path / "z.npz")
    table = pq.read_table(results / f"latents/{best}/sim-1.parquet").to_pandas()
    encoded = table.filter(like="z_").to_numpy()
    known = ~np.isnan(loaded["latents"]).any(axis=1)
    np.testing.assert_allclose(loaded["latents"][known], encoded, atol=1e-6)
    length = model_file.load(results / f"models/{best}/model.pt").length
    assert (np.flatnonzero(known) + length // 2).tolist() == table["frame"].tolist()
    assert table["row"].tolist() == table["frame"].tolist()
    np.testing.assert_allclose(loaded["windows"], loaded["latents"][:20], atol=1e-6)
    pickled = [*results.glob("mlflow/artifacts/models/**/*.pkl")]
    assert not pickled and [*results.glob("mlflow/artifacts/models/**/MLmodel")]


@pytest.fixture
def copied(results, tmp_path):
    """A copy of the results, which a test may change."""
    folder = tmp_path / "results"
    shutil.copytree(results, folder)
    return folder


def versions_of(client):
    """Version and run of the registered models, by model."""
    return {v.tags["model"]: (int(v.version), v.run_id) for v in client.search_model_versions("")}


def test_whatever_someone_deleted_is_registered_again(copied):
    client, runs = runs_of(store_of(copied))
    ids = {name: run.info.run_id for name, run in runs.items()}
    best = client.get_model_version_by_alias("mice", "best").tags["model"]
    (other,) = runs.keys() - {best}
    before = versions_of(client)

    # a version: the logged model is registered again
    client.delete_model_version("mice", str(before[best][0]))
    assert main(["upload-mlflow", str(copied)]) == 0
    assert versions_of(client) == {other: before[other], best: (3, ids[best])}
    assert client.get_model_version_by_alias("mice", "best").version == 3
    experiment_id = client.get_experiment_by_name("mice").experiment_id
    assert len(client.search_logged_models([experiment_id])) == 2

    # the alias moved to another version, and the alias itself
    client.set_registered_model_alias("mice", "best", str(before[other][0]))
    assert main(["upload-mlflow", str(copied)]) == 0
    assert client.get_model_version_by_alias("mice", "best").version == 3
    client.delete_registered_model_alias("mice", "best")
    assert main(["upload-mlflow", str(copied)]) == 0
    assert client.get_model_version_by_alias("mice", "best").version == 3

    # the registered model, and a logged one
    client.delete_registered_model("mice")
    (gone,) = client.search_logged_models([experiment_id], f"source_run_id = '{ids[other]}'")
    client.delete_logged_model(gone.model_id)
    assert main(["upload-mlflow", str(copied)]) == 0
    assert {name: run for name, (_, run) in versions_of(client).items()} == ids
    assert client.get_model_version_by_alias("mice", "best").tags["model"] == best
    assert len(client.search_logged_models([experiment_id])) == 2


def upload_in_process(folder):
    """Upload as a job does; MLflow remembers in a process where the artifacts of a run were."""
    command = [sys.executable, "-m", "vame_pipe", "upload-mlflow", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=without_services())
    assert done.returncode == 0, done.stderr
    return runs_of(store_of(folder))[1]


def test_motifs_and_their_quality_are_uploaded_and_renewed(copied):
    layout = Layout(copied)
    folder = layout.motifs("mice-z4")
    write_motifs(layout, "mice-z4", ["sim-1", "sim-2"])
    folder.usage_plot.write_bytes(b"a figure")
    runs = upload_in_process(copied)
    assert runs["mice-z4"].data.tags["motifs_pca_covariance"] == "state"
    metrics = runs["mice-z4"].data.metrics
    assert metrics["motifs/adjusted_rand"] == QUALITY["latents"]["adjusted_rand"]
    assert metrics["motifs/pca_median_bout_s"] == QUALITY["pca"]["median_bout_s"]
    (uploaded,) = (copied / "mlflow/artifacts").rglob(f"{runs['mice-z4'].info.run_id}/*/motifs")
    sent, expected = (
        {path.name: files.file_fingerprint(path) for path in root.iterdir() if path.is_file()}
        for root in (uploaded, folder.root)
    )
    assert sent == expected
    assert {"segmentation.npz", "segmentation.json", "quality.parquet", "sim-2.parquet"} <= set(
        sent
    )
    assert "usage.png" in sent
    described = {path.name for path in (uploaded / "described").iterdir()}
    assert described == {path.name for path in folder.described.outputs}
    assert not any(name.startswith("motifs/") for name in runs["mice-z2"].data.metrics)
    # other settings: the lower number of the new segmentation replaces the old one
    write_quality(layout, "mice-z4", {5: {"latents": {"adjusted_rand": 0.5}}})
    # and both models count as seeds of one setting, with the same motifs
    write_motifs(layout, "mice-z2", ["sim-1", "sim-2"])
    for name in MODELS:
        path = layout.model(name).run
        run_record.write(dataclasses.replace(run_record.read(path), variant="mice"), path)
    runs = upload_in_process(copied)
    metrics = runs["mice-z4"].data.metrics
    assert (metrics["motifs/adjusted_rand"], metrics["motifs/n"]) == (0.5, 5)
    assert metrics["motifs/model_seeds_adjusted_rand"] == 1.0
    renewed = files.file_fingerprint(uploaded / "quality.parquet")
    assert renewed == files.file_fingerprint(folder.quality) != sent["quality.parquet"]
    again = upload_in_process(copied)
    assert {name: run.to_dictionary() for name, run in again.items()} == {
        name: run.to_dictionary() for name, run in runs.items()
    }


def test_a_deleted_run_is_uploaded_again(copied, tmp_path):
    """In full, without leftovers of a killed process, and the output has the new run id."""
    client, runs = runs_of(store_of(copied))
    client.delete_run(runs["mice-z4"].info.run_id)
    (copied / "models/mice-z4/.model.pt.k1ll3d").touch()
    out = tmp_path / "uploaded.json"
    assert main(["upload-mlflow", str(copied), "--out", str(out)]) == 0
    client, after = runs_of(store_of(copied))
    assert after["mice-z2"].info.run_id == runs["mice-z2"].info.run_id
    new = after["mice-z4"]
    assert new.info.run_id != runs["mice-z4"].info.run_id
    assert_complete(client, new, copied)
    written = json.loads(out.read_text())
    assert written["experiment"] == "mice"
    run_ids = written["runs"]
    assert run_ids == {name: run.info.run_id for name, run in after.items()}
    found = client.search_model_versions(f"run_id = '{new.info.run_id}'")
    assert [version.tags["model"] for version in found] == ["mice-z4"]
    best = client.get_model_version_by_alias("mice", "best")
    assert best.run_id == run_ids[best.tags["model"]]


def test_a_deleted_experiment_ends_the_commands_in_one_line(copied, capsys):
    client, _ = runs_of(store_of(copied))
    client.delete_experiment(client.get_experiment_by_name("mice").experiment_id)
    address = copied / "mlflow/experiment.json"
    for command in (
        ["upload-mlflow", str(copied)],
        ["upload-mlflow", str(copied), "--out", str(copied / "uploaded.json")],
        ["init-mlflow", "--experiment=mice", "--tracking-uri=", "--out", str(address)],
    ):
        assert main(command) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("ERROR: mlflow: experiment 'mice' has been deleted. Restore it")
    assert not (copied / "uploaded.json").exists()


def test_missing_files_are_not_counted_as_a_failure_of_mlflow(copied, capsys):
    (copied / "models/mice-z4/spectrum.png").unlink()
    (copied / "aligned/sim-2.qc.json").unlink()
    assert main(["upload-mlflow", str(copied), "--models", "mice-z4"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(" not found")[0].rpartition("/")[2] for line in lines] == [
        "spectrum.png",
        "sim-2.qc.json",
    ]
    assert failures(Layout(copied)) == 0


def texts_of(database):
    """Every text in a database, by table and column."""
    with contextlib.closing(sqlite3.connect(database)) as opened:
        tables = opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            (table, column[1]): opened.execute(f"SELECT {column[1]} FROM {table}").fetchall()
            for (table,) in tables
            for column in opened.execute(f"PRAGMA table_info({table})").fetchall()
        }


def columns_with(database, part):
    """Tables and columns of a database in which a text occurs."""
    found = texts_of(database).items()
    return {key for key, rows in found if any(part in str(value) for (value,) in rows)}


def test_a_results_folder_can_be_moved(results, tmp_path):
    old, new = tmp_path / "50% & 'old' é", tmp_path / "what now? #1"
    shutil.copytree(results, old / "results")
    assert main(["upload-mlflow", str(old / "results")]) == 0
    database = "results/mlflow/mlflow.db"
    assert columns_with(old / database, old.as_uri()) == set(moved_store.PATH_COLUMNS)
    old.rename(new)
    # a run and its files are uploaded to the new place
    client, runs = runs_of(own_uri(new / "results/mlflow"))
    client.delete_run(runs["mice-z4"].info.run_id)
    assert main(["upload-mlflow", str(new / "results")]) == 0
    assert not old.exists()
    assert (
        columns_with(new / database, old.as_uri()) | columns_with(new / database, str(old)) == set()
    )
    client, after = runs_of(own_uri(new / "results/mlflow"))
    for run in after.values():
        assert_complete(client, run, new / "results")
        assert run.info.artifact_uri.startswith((new / "results/mlflow/artifacts").as_uri())
    shutil.move(new, old)
    assert main(["upload-mlflow", str(old / "results")]) == 0
    arguments = [
        store_of(old / "results"),
        old / "results/aligned/sim-1.parquet",
        tmp_path / "z.npz",
    ]
    done = subprocess.run(
        [sys.executable, "-c", LOAD, *map(str, arguments), "none"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert np.isfinite(np.load(tmp_path / "z.npz")["latents"]).any()


def test_an_address_is_never_run_by_the_shell(tmp_path, recordings):
    install(tmp_path)
    database = tmp_path / "my lab & $(touch pwned); {x} 'y'/mlflow.db"
    sessions = {"m1": {"poses": str(recordings / "sim-1.csv"), "fps": 30}}
    names = {"experiment": "-{x} & $(touch pwned)", "tracking_uri": f"sqlite:///{database}"}
    settings = TINY | {"sessions": sessions, "mlflow": names}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings))
    done = snakemake(tmp_path, "--until", "init_mlflow")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "results/mlflow/experiment.json").read_text()) == names
    assert MlflowClient(names["tracking_uri"]).get_experiment_by_name(names["experiment"])
    assert not [*tmp_path.rglob("pwned")]


def test_nothing_is_lost_if_a_server_dies_during_training(data, tmp_path, capsys, monkeypatch):
    """Over HTTP, with proxied artifacts, and with credentials that appear nowhere."""
    port, folder = free_port(), tmp_path / "results"
    uri = f"http://me:pa55phrase@127.0.0.1:{port}"
    populate_results(folder, data)
    long = TRAIN.model_copy(update={"max_epochs": 6, "patience": 6})
    arguments = [sys.executable, "-m", "vame_pipe", *train_arguments(folder, "mice", long)]
    with mlflow_server(tmp_path / "server", port):
        process = subprocess.Popen(
            arguments,
            env=without_services(MLFLOW_TRACKING_URI=uri),
            stderr=subprocess.PIPE,
            text=True,
        )
        while not (folder / "models/mice/metrics.jsonl").exists() or not history_of(folder, "mice"):
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.02)
    output = process.communicate()[1]
    assert process.returncode == 0, output
    assert output.count("training continues without it") >= 1
    assert len(history_of(folder, "mice")) == 6
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert main(["upload-mlflow", str(folder)]) == 2
    output += capsys.readouterr().err
    assert "upload to MLflow is incomplete" in output and failures(Layout(folder)) == 1
    with mlflow_server(tmp_path / "server", port):
        client, runs = runs_of(uri)
        assert len(runs) == 1 and runs["mice"].info.status == "RUNNING"
        assert main(["upload-mlflow", str(folder)]) == 0
        client, again = runs_of(uri)
        assert again["mice"].info.run_id == runs["mice"].info.run_id
        assert_complete(client, again["mice"], folder, latents=False)
        assert client.get_model_version_by_alias("mice", "best").run_id == runs["mice"].info.run_id
    output += capsys.readouterr().err
    texts = [p.read_bytes() for p in folder.rglob("*") if p.is_file()]
    texts += [p.read_bytes() for p in (tmp_path / "server/store").rglob("*") if p.is_file()]
    assert "pa55phrase" not in output and not any(b"pa55phrase" in text for text in texts)


MANY = """
import dataclasses, sys
from pathlib import Path
from vame_pipe.core import run_record
from vame_pipe.tracking.address import Address
from vame_pipe.tracking.tracker import MlflowTracker

uri, job, rounds, run = sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])
finished = run_record.read(run)
for i in range(rounds):
    name = f"job{job}-{i}"
    record = dataclasses.replace(finished, name=name, training_id=name, run_id=None)
    tracker = MlflowTracker(Address(uri, "many", None))
    record = tracker.start(record)
    history = []
    for epoch in range(5):
        history.append({"epoch": epoch, "val/loss": 5.0 - epoch, "train/loss": 1.0})
        tracker.log_epochs(history)
    tracker.finish(record, history)
"""


def test_four_jobs_write_to_one_sqlite_file_at_the_same_time_twenty_times_over(results, tmp_path):
    run = Layout(results).model("mice-z4").run
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    store.prepare(Address(uri, "many", None))
    jobs = [
        subprocess.Popen(
            [sys.executable, "-c", MANY, uri, str(job), "20", str(run)],
            stderr=subprocess.PIPE,
            text=True,
            env=without_services(),
        )
        for job in range(4)
    ]
    outputs = [job.communicate()[1] for job in jobs]
    assert [job.returncode for job in jobs] == [0] * 4
    assert not any("MLflow logging failed" in output for output in outputs), outputs
    client, runs = runs_of(uri, "many")
    assert set(runs) == {f"job{job}-{i}" for job in range(4) for i in range(20)}
    summary = run_record.read(run).summary
    for run in runs.values():
        assert run.info.status == "FINISHED" and run.data.metrics["val/loss"] == 1.0
        assert summary.items() <= run.data.metrics.items()
        assert len(client.get_metric_history(run.info.run_id, "val/loss")) == 5
