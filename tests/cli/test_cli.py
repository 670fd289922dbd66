"""The commands: exit codes, one-line messages, nothing left behind, nothing heavy imported."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import MODEL, TRAIN

from vame_pipe import __version__
from vame_pipe.cli import main as entry_point
from vame_pipe.cli.main import COMMANDS, RENAMED, main
from vame_pipe.core import run_record
from vame_pipe.core.errors import Interrupted
from vame_pipe.core.layout import Layout
from vame_pipe.poses import simulate

SETTINGS = {"centre": "tailbase", "forward": "nose"}
HEAVY = {"h5py", "matplotlib", "mlflow", "numpy", "pandas", "pyarrow", "pydantic", "scipy", "torch"}


def align(path, folder, settings=SETTINGS):
    """Run `align` and return its exit code."""
    return main(
        [
            *("align", "--poses", str(path), "--session=rec", "--fps=30"),
            *("--settings", json.dumps(settings)),
            *("--out", str(folder / "out/rec.parquet"), "--qc", str(folder / "out/rec.qc.json")),
        ]
    )


def modules_after(code, *arguments):
    """Top-level modules that are imported after some code has run in a fresh process."""
    report = "\nprint(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}{report}", *map(str, arguments)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


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
def test_an_unusable_recording_ends_in_one_line(tmp_path, capsys, make, message):
    path = tmp_path / "rec 1.csv"
    make(path)
    assert align(path, tmp_path) == 2
    (line,) = capsys.readouterr().err.splitlines()
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
            "too large for a pixel",
        ),
    ],
)
def test_real_files_that_are_not_recordings_are_refused(
    real_poses, tmp_path, capsys, name, settings, message
):
    assert align(real_poses / "reject" / name, tmp_path, settings) == 2
    output = capsys.readouterr().err
    assert message in output
    assert len([line for line in output.splitlines() if line.startswith("ERROR")]) == 1
    assert "Traceback" not in output
    assert not (tmp_path / "out").exists()


def test_a_missing_keypoint_lists_those_of_the_file(recordings, tmp_path, capsys):
    assert align(recordings / "sim-1.csv", tmp_path, {"centre": "belly", "forward": "nose"}) == 2
    assert capsys.readouterr().err == (
        "ERROR: session rec: keypoint 'belly' is not in its file, which has: nose, left_ear, right_ear, "
        "spine, left_hip, right_hip, tailbase, tail_tip. Set align.centre to one of these.\n"
    )


def test_settings_are_checked(recordings, tmp_path, capsys):
    assert align(recordings / "sim-1.csv", tmp_path, SETTINGS | {"max_gap": 1}) == 2
    assert "max_gap is not a known key. Did you mean 'max_gap_s'?" in capsys.readouterr().err


def test_check_lists_all_problems(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(
        "sessions:\n  a: {poses: gone.csv, fps: 30}\n  a: {poses: b.csv, fps: 30}\n"
        "align: {centre: tailbase, forward: nose, centr: x}\n"
    )
    assert main(["check"]) == 2
    output = capsys.readouterr().err
    assert [line.split(": ", 1)[0] for line in output.splitlines()] == ["ERROR"] * 3
    for part in (
        "line 3: sessions.a occurs twice",
        "Did you mean 'centre'?",
        "b.csv: no such file",
    ):
        assert part in output


def test_with_a_log_file_only_warnings_reach_the_terminal(tmp_path, capsys):
    log_file = tmp_path / "logs/s.log"
    arguments = ["simulate", str(tmp_path / "d"), "--frames=50"]
    assert main([*arguments, "--log", str(log_file)]) == 0
    assert capsys.readouterr().err == ""
    assert "4 recordings of 50 frames" in log_file.read_text()
    assert main(arguments) == 0
    assert capsys.readouterr().err.startswith("INFO: 4 recordings of 50 frames")


def test_version_and_schema(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out.strip() == __version__
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Config"


def test_every_command_has_a_description_of_one_line(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for name, module in COMMANDS.items():
        assert f"{name} {module.__doc__.splitlines()[0]}" in text


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_an_old_command_names_the_new_one(old, new, capsys):
    with pytest.raises(SystemExit) as ended:
        main([old, "results"])
    assert ended.value.code == 2
    assert f"'{old}' is now called '{new}'" in capsys.readouterr().err
    assert new in COMMANDS and old not in COMMANDS


def test_interrupted_training_has_an_exit_code_of_its_own(monkeypatch, capsys):
    def interrupt(options):
        raise Interrupted("a checkpoint was saved")

    monkeypatch.setattr(entry_point.schema, "run", interrupt)
    assert main(["schema"]) == 75
    assert capsys.readouterr().err == "WARNING: a checkpoint was saved\n"


def test_the_console_command_is_installed():
    command = shutil.which("vame-pipe", path=str(Path(sys.executable).parent))
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == __version__


def test_errors_reach_the_shell(tmp_path):
    command = [sys.executable, "-m", "vame_pipe", "upload-mlflow", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("ERROR: ") and len(done.stderr.splitlines()) == 1


def test_help_imports_nothing_heavy():
    code = "from vame_pipe.cli import main"
    assert not HEAVY & modules_after(code)


TRAIN_ONE = """
from vame_pipe.cli.main import main
assert main(sys.argv[1:]) == 0
"""


def test_training_without_tracking_does_not_import_mlflow(data, tmp_path):
    layout = Layout(tmp_path)
    imported = modules_after(
        TRAIN_ONE,
        *("train", "--name=mice", "--windows", data / "windows"),
        *("--model", MODEL.model_dump_json()),
        *("--train", TRAIN.model_copy(update={"max_epochs": 1}).model_dump_json()),
        *("--checkpoints", layout.checkpoints("mice"), "--out", layout.model("mice").root),
    )
    assert "torch" in imported and "mlflow" not in imported
    record = run_record.read(layout.model("mice").run)
    assert record.run_id is None and record.stop == "max_epochs reached"
