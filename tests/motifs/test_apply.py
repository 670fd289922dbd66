"""A trained model, applied to pose files in a folder without a configuration."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from conftest import free_port, without_services
from model_with_motifs import make_model

from vame_pipe.cli.main import main
from vame_pipe.core import novelty
from vame_pipe.core.applied_layout import AppliedFolder
from vame_pipe.encoding import model_file
from vame_pipe.motifs import segmentation
from vame_pipe.poses import simulate
from vame_pipe.tracking import download, registry, store
from vame_pipe.windows import data as window_data


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    return make_model(data, tmp_path_factory.mktemp("trained"))


def arguments(trained, out, *poses, **changes):
    options = {
        "model": trained.model("m").weights,
        "segmentation": trained.motifs("m").root,
        "fps": 30,
        "device": "cpu",
        "out": out,
    }
    given = [f"--{name}={value}" for name, value in (options | changes).items()]
    return ["apply", *given, *map(str, poses)]


@pytest.fixture(scope="module")
def applied(trained, recordings, tmp_path_factory):
    """A training session and a new one, to which the model was applied."""
    out = tmp_path_factory.mktemp("applied")
    files = [recordings / f"{name}.csv" for name in ("sim-1", "sim-3")]
    assert main(arguments(trained, out, *files)) == 0
    return AppliedFolder(out)


def errors_of(capsys) -> list[str]:
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith("ERROR")]


def content(folder: AppliedFolder):
    paths = sorted(path for path in folder.root.rglob("*") if path.is_file())
    return {str(path.relative_to(folder.root)): path.read_bytes() for path in paths}


def test_a_training_session_gets_the_labels_that_the_workflow_gave_it(trained, applied):
    """Every column of every row; bouts and usage, too."""
    of_workflow = pq.read_table(trained.motifs("m").session("sim-1"))
    assert len(of_workflow) == 900 and of_workflow["motif"].null_count < 200
    assert pq.read_table(applied.motifs.session("sim-1")).equals(of_workflow)
    for of_all, of_one in (
        (trained.motifs("m").bouts, applied.motifs.bouts_of("sim-1")),
        (trained.motifs("m").usage, applied.motifs.usage_of("sim-1")),
    ):
        expected = pd.read_parquet(of_all).query("session == 'sim-1'")
        found = pd.read_parquet(of_one)
        assert len(found) >= 3
        pd.testing.assert_frame_equal(
            found, expected.reset_index(drop=True), check_categorical=False
        )


def test_every_stage_leaves_its_files(applied):
    names = ["sim-1", "sim-3"]
    assert sorted(content(applied)) == sorted(
        file.format(name)
        for name in names
        for file in (
            *("aligned/{}.parquet", "aligned/{}.qc.json"),
            *("latents/{}.parquet", "latents/{}.novelty.json"),
            *("motifs/{}.parquet", "motifs/bouts/{}.parquet", "motifs/usage/{}.parquet"),
        )
    )


def test_only_new_files_are_computed_and_a_bad_one_stops_no_other(
    trained, applied, recordings, tmp_path, capsys
):
    before = {path: path.stat().st_mtime_ns for path in applied.root.rglob("*.*")}
    bad, twin, third = (tmp_path / name for name in ("bad.csv", "sim-1.csv", "third.csv"))
    bad.write_text("not,poses\n1,2\n")
    for path in (twin, third):
        path.write_bytes((recordings / "sim-2.csv").read_bytes())
    given = [bad, recordings / "sim-3.csv", third, tmp_path / "none.csv"]
    assert main(arguments(trained, applied.root, *given, twin, recordings / "sim-1.csv")) == 2
    errors = errors_of(capsys)
    assert len(errors) == 3
    assert f"{twin}, {recordings / 'sim-1.csv'}: would all be session sim-1" in errors[0]
    assert "bad.csv" in errors[1] and "none.csv" in errors[2]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    of_workflow = pq.read_table(trained.motifs("m").session("sim-2")).drop(["session"])
    assert pq.read_table(applied.motifs.session("third")).drop(["session"]).equals(of_workflow)


def test_two_applications_at_once_into_one_folder_one_of_them_killed(
    trained, applied, recordings, tmp_path
):
    files = [recordings / f"{name}.csv" for name in ("sim-1", "sim-3")]
    command = [sys.executable, "-m", "vame_pipe", *arguments(trained, tmp_path / "out", *files)]
    folder = AppliedFolder(tmp_path / "out")
    killed, other = (
        subprocess.Popen(command, env=without_services(), stderr=subprocess.PIPE) for _ in range(2)
    )
    while not folder.latents("sim-1").exists() and killed.poll() is None:
        time.sleep(0.01)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    _, errors = other.communicate()
    assert other.returncode == 0, errors
    found = content(folder)
    expected = {name: data for name, data in content(applied).items() if "third" not in name}
    assert {name: found[name] for name in expected} == expected
    # what a killed process leaves is hidden, and no stage takes it for a result
    others = [name.rpartition("/")[2] for name in found.keys() - expected.keys()]
    assert [name for name in others if not name.startswith(".")] == []


def test_the_segmentation_of_another_model_is_refused_by_name(
    trained, recordings, tmp_path, capsys
):
    other = model_file.load(trained.model("m").weights)
    path = tmp_path / "other.pt"
    model_file.save(dataclasses.replace(other, note="another one"), path)
    given = arguments(trained, tmp_path / "out", recordings / "sim-1.csv", model=path)
    assert main(given) == 2
    (line,) = errors_of(capsys)
    assert str(path) in line and str(trained.motifs("m").root) in line
    assert not (tmp_path / "out").exists()


def test_the_results_of_a_workflow_are_not_replaced(trained, recordings, tmp_path, capsys):
    (tmp_path / "config.yaml").touch()
    (tmp_path / "logs").mkdir()
    assert main(arguments(trained, tmp_path, recordings / "sim-1.csv")) == 2
    (line,) = errors_of(capsys)
    assert f"{tmp_path}: is the results folder of a workflow" in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml", "logs"]


def test_files_that_do_not_suit_the_model_get_one_line_each(trained, tmp_path, capsys):
    position, confidence, _ = simulate.simulate(90, 30, 0)
    other = tuple(
        f"{name}2" if name in ("nose", "tailbase") else name for name in simulate.KEYPOINTS
    )
    simulate.write_deeplabcut(tmp_path / "other.csv", position, confidence, other)
    (tmp_path / "folder").mkdir()
    options = arguments(trained, tmp_path / "out", tmp_path / "other.csv", tmp_path / "folder")
    assert main(options) == 2
    lines = errors_of(capsys)
    assert "other.csv: has no keypoint 'tailbase', 'nose', which" in lines[0]
    assert "folder: is a folder. Give its files" in lines[1] and len(lines) == 2


def test_motifs_of_another_model_do_not_stay_next_to_its_latents(
    trained, recordings, tmp_path, capsys
):
    """Applied again without a segmentation: motifs of the same model are kept."""
    folder, poses = AppliedFolder(tmp_path / "out"), recordings / "sim-1.csv"
    assert main(arguments(trained, folder.root, poses)) == 0
    motifs = content(AppliedFolder(folder.motifs.root))
    without = [g for g in arguments(trained, folder.root, poses) if "--segmentation" not in g]
    assert main(without) == 0
    assert len(motifs) == 3 and content(AppliedFolder(folder.motifs.root)) == motifs
    other = tmp_path / "other.pt"
    loaded = model_file.load(trained.model("m").weights)
    model_file.save(dataclasses.replace(loaded, note="another one"), other)
    assert main([*without, f"--model={other}"]) == 0
    assert content(AppliedFolder(folder.motifs.root)) == {}
    assert "sim-1.parquet is deleted" in capsys.readouterr().err


def test_recordings_that_were_filmed_otherwise_are_named(trained, recordings, tmp_path, capsys):
    """At another scale, from the other side and at another frame rate; with other keypoints: refused."""
    position, confidence, _ = simulate.simulate(n_frames=900, fps=30, seed=7)
    mirrored = position * [1, -1]
    recorded = {
        "far": (position / 2, simulate.KEYPOINTS),
        "below": (mirrored, simulate.KEYPOINTS),
        "alien": (position, [f"{name}2" for name in simulate.KEYPOINTS]),
        "short": (position[:8], simulate.KEYPOINTS),
    }
    for name, (positions, keypoints) in recorded.items():
        sure = confidence[: len(positions)]
        simulate.write_deeplabcut(tmp_path / f"{name}.csv", positions, sure, keypoints)
    folder = AppliedFolder(tmp_path / "out")
    files = [tmp_path / f"{name}.csv" for name in recorded]
    assert main(arguments(trained, folder.root, *files)) == 2
    text = capsys.readouterr().err
    (error,) = [line for line in text.splitlines() if line.startswith("ERROR")]
    assert "alien.csv: has no keypoint" in error and "tailbase2" in error
    training = window_lengths(trained)
    far, below, short = (
        novelty.read(folder.root / f"latents/{n}.novelty.json") for n in ("far", "below", "short")
    )
    assert far.body_length_ratio["id_0"] == pytest.approx(0.5, rel=0.1)
    assert far.body_length_px["id_0"] / np.median(training) == far.body_length_ratio["id_0"]
    assert any("filmed at another scale" in reason for reason in far.reasons)
    assert any("left and right seem swapped" in reason for reason in below.reasons)
    assert not any("swapped" in reason for reason in far.reasons)
    assert (short.n_windows, short.beyond_p99) == (0, None)
    motifs = pd.read_parquet(folder.motifs.session("short"))
    assert len(motifs) == 8 and motifs["motif"].isna().all()
    assert "session far does not resemble the training sessions" in text


def test_a_recording_at_another_frame_rate_is_resampled_and_named(trained, recordings, tmp_path):
    folder = AppliedFolder(tmp_path)
    assert main(arguments(trained, tmp_path, recordings / "sim-3.csv", fps=60)) == 0
    motifs = pd.read_parquet(folder.motifs.session("sim-3"))
    assert len(motifs) == 450 and motifs["motif"].notna().any()
    found = novelty.read(folder.root / "latents/sim-3.novelty.json")
    assert "recorded at 60 fps, the training sessions at 30 fps" in found.reasons


def window_lengths(trained):
    return model_file.load(trained.model("m").weights).reference.body_lengths


def test_the_registered_model_returns_the_motifs_of_the_workflow(trained, data, tmp_path):
    """Loaded by MLflow from its own files; windows with missing values have no motif."""
    mlflow = pytest.importorskip("mlflow")
    model = model_file.load(trained.model("m").weights)
    meta = window_data.load(data / "windows").meta
    described = SimpleNamespace(
        data=SimpleNamespace(features=meta.features, length=meta.length, fps=meta.fps),
        params={"model.zdims": 4},
    )
    registry.save_model(
        tmp_path / "m", trained.model("m").weights, trained.motifs("m"), described, "m-0"
    )
    loaded = mlflow.pyfunc.load_model(str(tmp_path / "m"))
    aligned = pd.read_parquet(data / "aligned/sim-1.parquet")
    found = loaded.predict(aligned[loaded.metadata.metadata["features"]].to_numpy()[None])
    table = pd.read_parquet(trained.motifs("m").session("sim-1"))
    shift = model.length // 2 + loaded.metadata.metadata["lag"]
    expected = table["motif"][shift : shift + len(found["motif"])].fillna(-1).to_numpy()
    assert len(found["motif"]) == 900 - model.length + 1 and (expected >= 0).sum() > 600
    assert (found["motif"] == expected).all()
    confidence = table["confidence"][shift : shift + len(expected)].to_numpy(float)
    np.testing.assert_allclose(found["confidence"], confidence, atol=1e-4)
    assert np.isnan(found["latents"]).any(axis=1).sum() == np.isnan(confidence).sum()


def test_a_registered_model_is_downloaded_and_a_server_that_does_not_answer_named(
    trained, recordings, tmp_path, monkeypatch, capsys
):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    client = store.make_client(uri)
    registry.save_model(
        tmp_path / "m",
        trained.model("m").weights,
        trained.motifs("m"),
        SimpleNamespace(
            data=SimpleNamespace(features=["a"], length=15, fps=30.0), params={"model.zdims": 4}
        ),
        "m-0",
    )
    client.create_registered_model("lab")
    client.create_model_version("lab", str(tmp_path / "m"))
    client.set_registered_model_alias("lab", "best", "1")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    found = download.locate("models:/lab@best", None, uri, tmp_path / "there")
    assert found.model.read_bytes() == trained.model("m").weights.read_bytes()
    assert segmentation.load(found.segmentation).fingerprint == (
        segmentation.load(trained.motifs("m")).fingerprint
    )
    for address, model, message in (
        (f"http://127.0.0.1:{free_port()}", "lab@best", "cannot be downloaded from MLflow"),
        (uri, "lab@worst", "cannot be downloaded from MLflow"),
        ("", "lab@best", "the address of MLflow is missing"),
    ):
        given = arguments(trained, tmp_path / "out", recordings / "sim-1.csv")
        given = [g for g in given if not g.startswith(("--model", "--segmentation"))]
        given += [f"--model=models:/{model}", f"--tracking-uri={address}"]
        assert main(given) == 2
        (line,) = errors_of(capsys)
        assert f"models:/{model}" in line and message in line
    assert not (tmp_path / "out").exists()
