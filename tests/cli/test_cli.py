"""What the command line does with what it cannot use: exit code 2, one line, nothing left behind."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from vame_pipe import __version__
from vame_pipe.cli import main
from vame_pipe.poses import simulate

SETTINGS = {"centre": "tailbase", "forward": "nose"}


def run(*arguments, **options):
    command = [sys.executable, "-m", "vame_pipe", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, **options)


def align(path, folder, settings=SETTINGS):
    return run(
        *(
            "align",
            "--poses",
            path,
            "--session=rec",
            "--fps",
            30,
            "--settings",
            json.dumps(settings),
        ),
        *("--out", folder / "out/rec.parquet", "--qc", folder / "out/rec.qc.json"),
    )


def write(path, position, confidence=None):
    if confidence is None:
        confidence = np.ones(position.shape[:2])
    simulate.write_deeplabcut(path, position, confidence, simulate.KEYPOINTS)


def nothing_tracked(path):
    write(path, np.full((50, 8, 2), np.nan))


def no_confidence(path):
    write(path, simulate.simulate(50, 30, 0)[0], np.zeros((50, 8)))


def infinite(path):
    position = simulate.simulate(50, 30, 0)[0]
    position[7, 2, 0] = np.inf
    write(path, position)


def truncated(path):
    write(path, simulate.simulate(50, 30, 0)[0])
    path.write_text(path.read_text()[:-30])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.touch(), "is empty"),
        (lambda path: path.write_text("<html><body>404</body></html>"), "web page"),
        (lambda path: path.write_text("1,2,3\n4,5,6\n"), "three header rows"),
        (truncated, "truncated"),
        (nothing_tracked, "every coordinate is missing"),
        (no_confidence, "align.min_confidence"),
        (infinite, "infinite in frame 7"),
    ],
)
def test_unusable_recordings(tmp_path, make, message):
    path = tmp_path / "rec 1.csv"
    make(path)
    done = align(path, tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("ERROR: session rec: ") and message in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("CollectedData_Pranav.csv", SETTINGS, "human-labelled training frames"),
        ("CollectedData_Pranav.h5", SETTINGS, "human-labelled training frames"),
        ("nose-only.csv", {"centre": "objectA", "forward": "nose"}, "two keypoints of the animal"),
        (
            "nose-only.csv",
            {"centre": "objectA", "forward": "objectB"},
            "two keypoints of the animal",
        ),
        (
            "train1_trimmedDLC_resnet50_Top_trackingAug3shuffle1_100.h5",
            {"centre": "Tailbase", "forward": "Head"},
            "which is no pixel",
        ),
    ],
)
def test_real_files_that_must_be_refused(real_poses, tmp_path, name, settings, message):
    done = align(real_poses / "reject" / name, tmp_path, settings)
    assert done.returncode == 2
    assert message in done.stderr
    assert len([line for line in done.stderr.splitlines() if line.startswith("ERROR")]) == 1
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_keypoint_that_is_not_there_lists_those_that_are(recordings, tmp_path):
    done = align(recordings / "sim-1.csv", tmp_path, {"centre": "belly", "forward": "nose"})
    assert done.returncode == 2
    assert done.stderr == (
        "ERROR: session rec: keypoint 'belly' is not in its file, which has: nose, left_ear, right_ear, "
        "spine, left_hip, right_hip, tailbase, tail_tip. Set align.centre to one of these.\n"
    )


def test_settings_are_checked(recordings, tmp_path):
    done = align(recordings / "sim-1.csv", tmp_path, SETTINGS | {"max_gap": 1})
    assert done.returncode == 2
    assert "max_gap is not a known key. Did you mean 'max_gap_s'?" in done.stderr


def test_check_lists_everything_at_once(tmp_path):
    (tmp_path / "config.yaml").write_text(
        "sessions:\n  a: {poses: gone.csv, fps: 30}\n  a: {poses: b.csv, fps: 30}\n"
        "align: {centre: tailbase, forward: nose, centr: x}\n"
    )
    done = run("check", cwd=tmp_path)
    assert done.returncode == 2
    assert [line.split(": ", 1)[0] for line in done.stderr.splitlines()] == ["ERROR"] * 3
    for part in (
        "line 3: sessions.a occurs twice",
        "Did you mean 'centre'?",
        "b.csv: no such file",
    ):
        assert part in done.stderr


def test_with_a_log_file_only_warnings_reach_the_terminal(tmp_path):
    done = run("simulate", tmp_path / "d", "--frames", 50, "--log", tmp_path / "logs/s.log")
    assert (done.returncode, done.stderr) == (0, "")
    assert "4 recordings of 50 frames" in (tmp_path / "logs/s.log").read_text()
    done = run("simulate", tmp_path / "e", "--frames", 50)
    assert done.stderr.startswith("INFO: 4 recordings of 50 frames")


def test_version_and_schema(capsys):
    with pytest.raises(SystemExit):
        main.main(["--version"])
    assert capsys.readouterr().out.strip() == __version__
    assert main.main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Config"


def test_the_console_command_is_installed():
    command = shutil.which("vame-pipe", path=str(__import__("pathlib").Path(sys.executable).parent))
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == __version__
