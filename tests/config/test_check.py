"""The files that a configuration names."""

import os
import shutil

import pose_files
import pytest
from conftest import ROOT
from minimal_config import MINIMAL, load

from vame_pipe.cli.main import main
from vame_pipe.config import check, loading
from vame_pipe.core.errors import InputError


def test_wrong_settings_do_not_hide_wrong_files(recordings, tmp_path):
    raw = MINIMAL | {
        "results": str(tmp_path / "r"),
        "sessions": {
            "gone": {"poses": "nowhere.csv", "fps": 30},
            "here": {"poses": str(recordings / "sim-1.csv"), "fps": 30},
        },
        "align": {"centre": "belly", "forward": "nose"},
        "skeleton": [["nose", "ear"], ["ear", "tailbase"]],
        "unknown": 1,
    }
    with pytest.raises(InputError) as error:
        check.load(raw, generated={})
    unknown, gone, belly, ear = error.value.problems
    assert "unknown is not a known key" in unknown
    assert "session gone: nowhere.csv: no such file" in gone
    assert "session here: keypoint 'belly'" in belly and "tailbase, tail_tip" in belly
    assert "skeleton: 'ear' not in" in ear and "tailbase, tail_tip" in ear


def test_label_files_with_faults_are_reported_before_any_job(recordings, tmp_path):
    (tmp_path / "wrong.csv").write_text("frame,label\n1,walk\n1,rear\n")
    (tmp_path / "right.csv").write_text("frame,label\n1,walk\n2,rear\n")
    poses = {"poses": str(recordings / "sim-1.csv"), "fps": 30}
    labels = {"a": "none.csv", "b": tmp_path / "wrong.csv", "c": tmp_path / "right.csv"}
    raw = MINIMAL | {
        "results": str(tmp_path / "r"),
        "align": {"centre": "tailbase", "forward": "nose"},
        "sessions": {name: poses | {"labels": str(path)} for name, path in labels.items()},
    }
    with pytest.raises(InputError) as error:
        check.load(raw, generated={})
    missing, overlap = error.value.problems
    assert missing.startswith("session a: labels none.csv: cannot be read")
    assert overlap.startswith("session b: labels ") and "bouts overlap: walk and rear" in overlap


def test_labels_without_a_model_that_is_trained_here_are_not_compared(tmp_path):
    sessions = {"a": MINIMAL["sessions"]["a"] | {"labels": "a.csv"}}
    raw = MINIMAL | {"sessions": sessions, "results": str(tmp_path)}
    external = {"lab": {"file": "lab.pt", "segmentation": "lab"}}
    (line,) = check.warnings(loading.load(raw | {"models": external}), on_cluster=False)
    assert line.startswith("the labels of a are not compared with motifs")
    assert check.warnings(loading.load(raw), on_cluster=False) == []


def test_a_video_that_does_not_exist_is_reported(recordings, tmp_path):
    poses = str(recordings / "sim-1.csv")
    raw = MINIMAL | {
        "results": str(tmp_path / "r"),
        "align": {"centre": "tailbase", "forward": "nose"},
        "sessions": {
            "a": {"poses": poses, "fps": 30, "video": "a.mp4"},
            "b": {"poses": poses, "fps": 30, "video": poses},
            "c": {"poses": "c.csv", "fps": 30, "video": str(tmp_path)},
        },
    }
    with pytest.raises(InputError) as error:
        check.load(raw, generated={})
    video, *both = error.value.problems
    assert video.startswith("session a: video a.mp4: no such file.")
    assert both[0].startswith("session c: c.csv: no such file")
    assert both[1].startswith(f"session c: video {tmp_path}: no such file.")
    assert len(both) == 2


def test_faults_of_headers_are_reported_before_any_job(recordings, tmp_path):
    """A keypoint without y or with two x, 3D among 2D, and a single animal without a partner."""
    good = (recordings / "sim-1.csv").read_text().splitlines()[:8]
    coords = good[2].split(",")
    assert good[1].split(",")[1:5] == ["nose"] * 3 + ["left_ear"] and coords[1:4] == [
        "x",
        "y",
        "likelihood",
    ]
    for name, changed in (("no_y", {2: "other"}), ("two_x", {2: "y", 3: "x"}), ("solid", {})):
        cells = [changed.get(i, cell) for i, cell in enumerate(coords)]
        (tmp_path / f"{name}.csv").write_text("\n".join([*good[:2], ",".join(cells), *good[3:]]))
    pose_files.write_dlc_csv(tmp_path / "solid.csv", pose_files.recording(10, n_dimensions=3))
    raw = MINIMAL | {
        "results": str(tmp_path / "r"),
        "align": {"centre": "tailbase", "forward": "nose", "social": True},
        "sessions": {
            name: {"poses": str(tmp_path / f"{name}.csv"), "fps": 30}
            for name in ("no_y", "two_x", "solid")
        }
        | {"good": {"poses": str(recordings / "sim-1.csv"), "fps": 30}},
    }
    with pytest.raises(InputError) as error:
        check.load(raw, generated={})
    no_y, two_x, tailbase, alone, mixed = error.value.problems
    assert f"session no_y: {tmp_path}/no_y.csv: keypoint 'nose' has no column y. Remove it" in no_y
    assert f"session two_x: {tmp_path}/two_x.csv: keypoint 'nose' has 2 columns x. Keep" in two_x
    assert tailbase.startswith("session solid: keypoint 'tailbase' is not in its file")
    assert alone == (
        "session good: there is only one animal ('id_0'), but align.social needs two or more. Set "
        "align.social to false."
    )
    assert mixed == (
        "sessions: solid is 3D, but no_y, two_x, good are 2D, and models learn from one kind. Make a "
        'configuration for each kind, or leave sessions out (exclude: "...").'
    )
    raw["keypoints"] = ["tailbase", "left_ear"]  # a fault matters only if its keypoint is used
    raw["align"] = {"centre": "tailbase", "forward": "left_ear"}
    del raw["sessions"]["solid"]
    assert list(check.load(raw, generated={}).sessions) == ["no_y", "two_x", "good"]


def test_the_keypoints_of_generated_recordings_are_checked(tmp_path):
    raw = MINIMAL | {"results": str(tmp_path / "r")}
    assert check.load(raw, generated={"a.csv": ("nose", "tail")}).align.centre == "tail"
    with pytest.raises(
        InputError, match=r"keypoint 'tail' is not in its file, which has: nose, hip"
    ):
        check.load(raw, generated={"a.csv": ("nose", "hip")})


def test_the_keypoints_of_a_file_are_read_in_the_format_of_its_session(tmp_path):
    """Otherwise the message tells that no format recognises the file."""
    (tmp_path / "a.csv").write_text("<html></html>")
    session = {"poses": str(tmp_path / "a.csv"), "fps": 30}
    raw = MINIMAL | {"results": str(tmp_path / "r")}
    for format, reason in (
        (None, "is not in a supported format, or damaged. deeplabcut: is a web page"),
        ("deeplabcut", "is a web page"),
    ):
        with pytest.raises(InputError) as error:
            check.load(raw | {"sessions": {"a": session | {"format": format}}}, generated={})
        (line,) = error.value.problems
        assert line.startswith(f"session a: {tmp_path}/a.csv: {reason}")


def test_the_default_configuration_is_valid_before_its_recordings_exist(
    tmp_path, monkeypatch, capsys
):
    shutil.copy(ROOT / "config.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["check"]) == 0
    assert capsys.readouterr().err == "INFO: config.yaml: OK (10 sessions)\n"


def test_check_and_status_merge_several_files(tmp_path, monkeypatch, capsys):
    shutil.copy(ROOT / "config.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "more.yaml").write_text("models: {small: {zdims: 4}}\ntrain:\n")
    assert main(["check", "--config", "config.yaml", "more.yaml"]) == 0
    assert capsys.readouterr().err == "INFO: config.yaml, more.yaml: OK (10 sessions)\n"
    assert main(["status", "--config", "config.yaml", "more.yaml"]) == 0
    assert "small" in capsys.readouterr().out
    (tmp_path / "more.yaml").write_text("align: {centre: belly}\n")
    assert main(["check", "--config", "config.yaml", "more.yaml"]) == 2
    assert "keypoint 'belly' is not in its file" in capsys.readouterr().err


def test_results_below_a_file_are_not_writable(tmp_path):
    (tmp_path / "file").touch()
    (line,) = check.writable_problems(tmp_path / "file" / "results")
    assert "is not writable" in line
    assert check.writable_problems(tmp_path / "new" / "results") == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file"]


def test_sqlite_on_a_cluster_and_sessions_of_an_earlier_run_are_warned_of(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    config = load()
    assert check.warnings(config, on_cluster=False) == []
    (line,) = check.warnings(config, on_cluster=True)
    assert line.startswith("MLflow's store is a SQLite file in results/mlflow")
    assert check.warnings(load(mlflow={"tracking_uri": "http://lab"}), on_cluster=True) == []
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://lab")
    assert check.warnings(config, on_cluster=True) == []
    os.makedirs("results/aligned")
    for name in ("a", "old", "older"):
        (tmp_path / f"results/aligned/{name}.parquet").touch()
    (line,) = check.warnings(config, on_cluster=False)
    assert line.startswith("results also holds 2 sessions of an earlier run (old, older), which ")
    assert loading.load(config.resolved()) == config


def test_frame_rates_and_animals_are_compared_with_the_files(tmp_path):
    path, made = tmp_path / "a.nc", pose_files.recording()
    pose_files.write_movement(path, made, fps=25)
    pose_files.write_dlc_csv(tmp_path / "b.csv", made)
    raw = MINIMAL | {
        "results": str(tmp_path / "r"),
        "align": {"centre": "tail", "forward": "nose"},
        "sessions": {
            "known": {"poses": str(path)},
            "wrong": {"poses": str(path), "fps": 30},
            "unknown": {"poses": str(tmp_path / "b.csv")},
            "animals": {"poses": str(path), "individuals": ["a", "x", "y"]},
        },
    }
    pose_files.write_movement(tmp_path / "c.nc", made, fps=25)
    both = {"poses": [str(path), str(tmp_path / "c.nc")]}
    raw["sessions"]["parts"] = both | {"individuals": ["a", "z"]}
    with pytest.raises(InputError) as error:
        check.load(raw, generated={})
    wrong, unknown, animals, parts = error.value.problems
    assert parts.startswith(
        "session parts: individuals 'z' are in none of its files, which have: a, b."
    )
    assert wrong.startswith(f"session wrong: {path}: fps is 30, but the file says 25.")
    assert (
        unknown
        == f"session unknown: {tmp_path}/b.csv: the file does not store the frame rate. Set fps."
    )
    assert animals == (
        f"session animals: {path}: individuals 'x', 'y' are not in its file, which has: a, b. Set "
        "individuals to names from this list."
    )


def test_frame_rates_that_cannot_be_right_get_one_line(recordings, tmp_path):
    poses = {"poses": str(recordings / "sim-1.csv")}
    raw = MINIMAL | {
        "results": str(tmp_path / "r"),
        "align": {"centre": "tailbase", "forward": "nose"},
        "sessions": {"a": poses | {"fps": 0}, "b": poses | {"fps": 6000}},
    }
    with pytest.raises(InputError) as error:
        check.load(raw, generated={})
    (line,) = error.value.problems
    assert "sessions.a.fps" in line
    del raw["sessions"]["a"]
    (line,) = check.warnings(loading.load(raw), on_cluster=False)
    assert line.startswith("session b: fps is 6000. Is that right?")
