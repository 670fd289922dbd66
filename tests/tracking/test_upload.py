"""What MLflow is given: by real trainings, in real stores, also where the server fails."""

import contextlib
import json
import os
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
    TINY,
    TRAIN,
    free_port,
    install,
    mlflow_server,
    populate_results,
    snakemake,
    train_and_encode,
    train_arguments,
    without_mlflow,
)
from mlflow import MlflowClient

from vame_pipe.cli import main
from vame_pipe.core import files
from vame_pipe.encoding import model_file
from vame_pipe.reporting import comparison
from vame_pipe.tracking import store, upload

ARTIFACTS = {
    *("model.pt", "config.yaml", "metrics.jsonl", "run.json", "qc.json", "latents"),
    *("losses.png", "reconstructions.png", "spectrum.png"),
}


@pytest.fixture(autouse=True)
def no_store_of_ones_own(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="module")
def results(data, tmp_path_factory):
    """Two models, trained, exported and recorded."""
    folder = tmp_path_factory.mktemp("record") / "results"
    populate_results(folder, data)
    before = os.environ.pop("MLFLOW_TRACKING_URI", None)
    train_and_encode(folder, "mice-z4")
    train_and_encode(folder, "mice-z2", model=MODEL.model_copy(update={"zdims": 2}))
    assert main.main(["track", str(folder)]) == 0
    if before:
        os.environ["MLFLOW_TRACKING_URI"] = before
    return folder


def runs_of(uri, experiment="mice"):
    """Client and runs by name of an experiment."""
    client = MlflowClient(uri, uri)
    number = client.get_experiment_by_name(experiment).experiment_id
    found = client.search_runs([number])
    runs = {run.info.run_name: run for run in found}
    assert len(runs) == len(found)
    return client, runs


def store_of(folder):
    return f"sqlite:///{folder}/mlflow/mlflow.db"


def lines_of(folder, name):
    return [
        json.loads(x) for x in (folder / f"models/{name}/metrics.jsonl").read_text().splitlines()
    ]


def assert_complete(client, run, folder, latents=True):
    """Everything that the files say is in the run, once."""
    name = run.info.run_name
    about = json.loads((folder / f"models/{name}/run.json").read_text())
    assert run.info.status == "FINISHED"
    assert (run.info.start_time, run.info.end_time) == (about["started"], about["ended"])
    assert run.data.params == {key: str(value) for key, value in about["params"].items()}
    for key in ("train/kl", "test/loss", "system/cpu_utilization_percentage"):
        logged = [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, key)]
        assert logged == [(line["epoch"], line[key]) for line in lines_of(folder, name)]
    assert about["summary"].items() <= run.data.metrics.items()
    final = client.get_metric_history(run.info.run_id, "final/loss")
    assert {m.step for m in final} == {len(lines_of(folder, name))}
    tags = run.data.tags
    assert (tags["stop"], tags["sweep"], tags["snakemake_rule"]) == (about["stop"], "mice", "train")
    assert tags["device"] == "cpu" and tags["git_dirty"] in {"true", "false", "none"}
    (given,) = run.inputs.dataset_inputs
    assert given.dataset.digest == about["tags"]["data_fingerprint"][:32]
    assert json.loads(given.dataset.profile)["sessions"] == ["sim-1", "sim-2"]
    paths = {artifact.path for artifact in client.list_artifacts(run.info.run_id)}
    assert paths == (ARTIFACTS if latents else ARTIFACTS - {"latents"})


def test_a_run_is_complete(results, tmp_path):
    client, runs = runs_of(store_of(results))
    assert set(runs) == {"mice-z4", "mice-z2"}
    for name, run in runs.items():
        assert_complete(client, run, results)
        assert run.data.tags["varies"] == f"model.zdims={name[-1]}"
        path = client.download_artifacts(run.info.run_id, "latents/sim-2.parquet", str(tmp_path))
        exported = results / f"latents/{name}/sim-2.parquet"
        assert files.file_fingerprint(path) == files.file_fingerprint(exported)
        digests = [
            files.file_fingerprint(results / f"latents/{name}/sim-{i}.parquet") for i in (1, 2)
        ]
        assert run.data.tags["latents_digest"] == files.fingerprint(digests)
        qc = client.download_artifacts(run.info.run_id, "qc.json", str(tmp_path))
        assert set(json.loads(Path(qc).read_text())) == {"sim-1", "sim-2"}


def test_tracking_again_sends_nothing(results):
    client, before = runs_of(store_of(results))
    versions = len(client.search_model_versions("name = 'mice'"))
    assert main.main(["track", str(results)]) == 0
    _, after = runs_of(store_of(results))
    assert {n: r.to_dictionary() for n, r in after.items()} == {
        n: r.to_dictionary() for n, r in before.items()
    }
    assert len(client.search_model_versions("name = 'mice'")) == versions == 2


def test_what_is_not_there_is_named(results, tmp_path, capsys):
    assert main.main(["track", str(results), "--models", "mice-z4", "no", "nor"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert [line.split(":")[1] for line in said] == [" model no", " model nor"]
    assert main.main(["track", str(tmp_path)]) == 2
    assert "mlflow/experiment.json: no such file" in capsys.readouterr().err


def test_the_alias_is_of_the_least_error_on_held_out_windows(results):
    abouts = comparison.read_runs(results, ["mice-z4", "mice-z2"])
    errors = {
        n: r["summary"]["final/reconstruction"] + r["summary"]["final/prediction"]
        for n, r in abouts.items()
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


def test_the_registered_model_gives_the_exported_latents_in_a_fresh_process(results, tmp_path):
    """Without this repository: the code comes with the model, and nothing in it is pickled."""
    from conftest import ROOT

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
    made = np.load(tmp_path / "z.npz")
    table = pq.read_table(results / f"latents/{best}/sim-1.parquet").to_pandas()
    exported = table.filter(like="z_").to_numpy()
    known = ~np.isnan(made["latents"]).any(axis=1)
    np.testing.assert_allclose(made["latents"][known], exported, atol=1e-6)
    length = model_file.load(results / f"models/{best}/model.pt").length
    assert (np.flatnonzero(known) + length // 2).tolist() == table["frame"].tolist()
    np.testing.assert_allclose(made["windows"], made["latents"][:20], atol=1e-6)
    pickled = [*results.glob("mlflow/artifacts/models/**/*.pkl")]
    assert not pickled and [*results.glob("mlflow/artifacts/models/**/MLmodel")]


@pytest.fixture
def copied(results, tmp_path):
    """The results in another folder, which may be changed."""
    folder = tmp_path / "results"
    shutil.copytree(results, folder)
    return folder


def versions_of(client):
    """Version and run of the registered models, by model."""
    return {v.tags["model"]: (int(v.version), v.run_id) for v in client.search_model_versions("")}


def test_what_somebody_deleted_is_there_again(copied):
    client, runs = runs_of(store_of(copied))
    ids = {name: run.info.run_id for name, run in runs.items()}
    best = client.get_model_version_by_alias("mice", "best").tags["model"]
    (other,) = runs.keys() - {best}
    before = versions_of(client)

    # a version: the model that is logged is registered again
    client.delete_model_version("mice", str(before[best][0]))
    assert main.main(["track", str(copied)]) == 0
    assert versions_of(client) == {other: before[other], best: (3, ids[best])}
    assert client.get_model_version_by_alias("mice", "best").version == 3
    number = client.get_experiment_by_name("mice").experiment_id
    assert len(client.search_logged_models([number])) == 2

    # the alias, or what it was of
    client.set_registered_model_alias("mice", "best", str(before[other][0]))
    assert main.main(["track", str(copied)]) == 0
    assert client.get_model_version_by_alias("mice", "best").version == 3
    client.delete_registered_model_alias("mice", "best")
    assert main.main(["track", str(copied)]) == 0
    assert client.get_model_version_by_alias("mice", "best").version == 3

    # the registered model, and a logged one
    client.delete_registered_model("mice")
    (gone,) = client.search_logged_models([number], f"source_run_id = '{ids[other]}'")
    client.delete_logged_model(gone.model_id)
    assert main.main(["track", str(copied)]) == 0
    assert {name: run for name, (_, run) in versions_of(client).items()} == ids
    assert client.get_model_version_by_alias("mice", "best").tags["model"] == best
    assert len(client.search_logged_models([number])) == 2


def test_a_deleted_run_is_recorded_anew(copied, tmp_path):
    """Whole, without what a kill left, and what it returns is the new one."""
    client, runs = runs_of(store_of(copied))
    client.delete_run(runs["mice-z4"].info.run_id)
    (copied / "models/mice-z4/.model.pt.k1ll3d").touch()
    out = tmp_path / "tracked.json"
    assert main.main(["track", str(copied), "--out", str(out)]) == 0
    client, after = runs_of(store_of(copied))
    assert after["mice-z2"].info.run_id == runs["mice-z2"].info.run_id
    new = after["mice-z4"]
    assert new.info.run_id != runs["mice-z4"].info.run_id
    assert_complete(client, new, copied)
    told = json.loads(out.read_text())["runs"]
    assert told == {name: run.info.run_id for name, run in after.items()}
    found = client.search_model_versions(f"run_id = '{new.info.run_id}'")
    assert [version.tags["model"] for version in found] == ["mice-z4"]
    best = client.get_model_version_by_alias("mice", "best")
    assert best.run_id == told[best.tags["model"]]


def test_a_deleted_experiment_ends_the_commands_in_one_line(copied, capsys):
    client, _ = runs_of(store_of(copied))
    client.delete_experiment(client.get_experiment_by_name("mice").experiment_id)
    place = copied / "mlflow/experiment.json"
    for command in (
        ["track", str(copied)],
        ["track", str(copied), "--out", str(copied / "tracked.json")],
        ["mlflow", "--experiment=mice", "--tracking-uri=", "--out", str(place)],
    ):
        assert main.main(command) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("ERROR: mlflow: experiment 'mice' has been deleted. Restore it")
    assert not (copied / "tracked.json").exists()


def test_files_that_are_not_there_are_no_failure_of_mlflow(copied, capsys):
    (copied / "models/mice-z4/spectrum.png").unlink()
    (copied / "aligned/sim-2.qc.json").unlink()
    assert main.main(["track", str(copied), "--models", "mice-z4"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert [line.split(" is not there")[0].rpartition("/")[2] for line in said] == [
        "spectrum.png",
        "sim-2.qc.json",
    ]
    assert upload.failures(copied) == 0


def texts_of(database):
    """Every text in a database, by table and column."""
    with contextlib.closing(sqlite3.connect(database)) as opened:
        tables = opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            (table, column[1]): opened.execute(f"SELECT {column[1]} FROM {table}").fetchall()
            for (table,) in tables
            for column in opened.execute(f"PRAGMA table_info({table})").fetchall()
        }


def holding(database, part):
    found = texts_of(database).items()
    return {key for key, rows in found if any(part in str(value) for (value,) in rows)}


def test_a_project_that_was_moved_goes_on_in_its_new_place(results, tmp_path):
    old, new = tmp_path / "50% & 'old' é", tmp_path / "what now? #1"
    shutil.copytree(results, old / "results")
    assert main.main(["track", str(old / "results")]) == 0
    database = "results/mlflow/mlflow.db"
    assert holding(old / database, old.as_uri()) == set(store.PLACES)
    old.rename(new)
    # one more model: a run and its files are new
    client, runs = runs_of(store.own_uri(new / "results/mlflow"))
    client.delete_run(runs["mice-z4"].info.run_id)
    assert main.main(["track", str(new / "results")]) == 0
    assert not old.exists()
    assert holding(new / database, old.as_uri()) | holding(new / database, str(old)) == set()
    client, after = runs_of(store.own_uri(new / "results/mlflow"))
    for run in after.values():
        assert_complete(client, run, new / "results")
        assert run.info.artifact_uri.startswith((new / "results/mlflow/artifacts").as_uri())
    shutil.move(new, old)
    assert main.main(["track", str(old / "results")]) == 0
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


def test_an_address_is_no_shell_code(tmp_path, recordings):
    install(tmp_path)
    database = tmp_path / "my lab & $(touch pwned); {x} 'y'/mlflow.db"
    sessions = {"m1": {"poses": str(recordings / "sim-1.csv"), "fps": 30}}
    names = {"experiment": "-{x} & $(touch pwned)", "tracking_uri": f"sqlite:///{database}"}
    settings = TINY | {"sessions": sessions, "mlflow": names}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings))
    done = snakemake(tmp_path, "--until", "mlflow")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "results/mlflow/experiment.json").read_text()) == names
    assert MlflowClient(names["tracking_uri"]).get_experiment_by_name(names["experiment"])
    assert not [*tmp_path.rglob("pwned")]


def test_a_server_that_dies_in_mid_training_loses_nothing(data, tmp_path, capsys, monkeypatch):
    """Over HTTP, with proxied artifacts, and with credentials that appear nowhere."""
    port, folder = free_port(), tmp_path / "results"
    uri = f"http://me:pa55phrase@127.0.0.1:{port}"
    populate_results(folder, data)
    long = TRAIN.model_copy(update={"max_epochs": 12, "patience": 12})
    arguments = [sys.executable, "-m", "vame_pipe", *train_arguments(folder, "mice", long)]
    with mlflow_server(tmp_path / "server", port):
        process = subprocess.Popen(
            arguments,
            env=without_mlflow(MLFLOW_TRACKING_URI=uri),
            stderr=subprocess.PIPE,
            text=True,
        )
        while not (folder / "models/mice/metrics.jsonl").exists() or not lines_of(folder, "mice"):
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.02)
    said = process.communicate()[1]
    assert process.returncode == 0, said
    assert said.count("training goes on without it") >= 1
    assert len(lines_of(folder, "mice")) == 12
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert main.main(["track", str(folder)]) == 2
    said += capsys.readouterr().err
    assert "MLflow fails, not all is recorded" in said and upload.failures(folder) == 1
    with mlflow_server(tmp_path / "server", port):
        client, runs = runs_of(uri)
        assert len(runs) == 1 and runs["mice"].info.status == "RUNNING"
        assert main.main(["track", str(folder)]) == 0
        client, again = runs_of(uri)
        assert again["mice"].info.run_id == runs["mice"].info.run_id
        assert_complete(client, again["mice"], folder, latents=False)
        assert client.get_model_version_by_alias("mice", "best").run_id == runs["mice"].info.run_id
    said += capsys.readouterr().err
    texts = [p.read_bytes() for p in folder.rglob("*") if p.is_file()]
    texts += [p.read_bytes() for p in (tmp_path / "server/store").rglob("*") if p.is_file()]
    assert "pa55phrase" not in said and not any(b"pa55phrase" in text for text in texts)


MANY = """
import json, sys
from vame_pipe.tracking import store
uri, number, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
for i in range(rounds):
    about = json.loads(sys.argv[4])
    about["name"] = about["tags"]["training_id"] = f"job{number}-{i}"
    run = store.Run(uri, "many", None, about)
    history = []
    for epoch in range(5):
        history.append({"epoch": epoch, "test/loss": 5.0 - epoch, "train/loss": 1.0})
        run.log_epochs(history)
    run.finish(history)
"""


def test_four_jobs_at_once_on_one_sqlite_file_twenty_times_over(results, tmp_path):
    about = json.loads((results / "models/mice-z4/run.json").read_text()) | {"run_id": None}
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    store.prepare(uri, "many")
    jobs = [
        subprocess.Popen(
            [sys.executable, "-c", MANY, uri, str(number), "20", json.dumps(about)],
            stderr=subprocess.PIPE,
            text=True,
            env=without_mlflow(),
        )
        for number in range(4)
    ]
    said = [job.communicate()[1] for job in jobs]
    assert [job.returncode for job in jobs] == [0] * 4
    assert not any("MLflow fails" in text for text in said), said
    client, runs = runs_of(uri, "many")
    assert set(runs) == {f"job{number}-{i}" for number in range(4) for i in range(20)}
    for run in runs.values():
        assert run.info.status == "FINISHED" and run.data.metrics["test/loss"] == 1.0
        assert about["summary"].items() <= run.data.metrics.items()
        assert len(client.get_metric_history(run.info.run_id, "test/loss")) == 5
