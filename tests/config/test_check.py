"""The files that a configuration names."""

import os

import pytest
from minimal_config import MINIMAL, load

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
        "unknown": 1,
    }
    with pytest.raises(InputError) as error:
        check.load(raw, generated={})
    unknown, gone, belly = error.value.problems
    assert "unknown is not a known key" in unknown
    assert "session gone: nowhere.csv: no such file" in gone
    assert "session here: keypoint 'belly'" in belly and "tailbase, tail_tip" in belly


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


def test_the_keypoints_of_generated_recordings_are_checked(tmp_path):
    raw = MINIMAL | {"results": str(tmp_path / "r")}
    assert check.load(raw, generated={"a.csv": ("nose", "tail")}).align.centre == "tail"
    with pytest.raises(
        InputError, match=r"keypoint 'tail' is not in its file, which has: nose, hip"
    ):
        check.load(raw, generated={"a.csv": ("nose", "hip")})


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
