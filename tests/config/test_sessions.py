"""Recordings as they are filmed: several files, left out, with a scale."""

import pytest
from minimal_config import MINIMAL, load, problems

from vame_pipe.cli.main import main
from vame_pipe.config import check
from vame_pipe.config.sheet import read_sheet
from vame_pipe.core.errors import InputError
from vame_pipe.poses.parts import PoseSource
from vame_pipe.reporting.traces import pose_sources

FILE = {"poses": "a.csv", "fps": 30}


def test_a_session_is_one_file_or_several():
    config = load(
        sessions={"a": FILE, "b": FILE | {"poses": ["1.csv", "2.csv"], "starts_s": [0, 9]}}
    )
    assert [session.files for session in config.sessions.values()] == [
        ["a.csv"],
        ["1.csv", "2.csv"],
    ]


@pytest.mark.parametrize(
    ("session", "message"),
    [
        ({"poses": []}, "sessions.a.poses: List should have at least 1 item"),
        ({"poses": ["1.csv", "2.csv", "1.csv"]}, "poses lists 1.csv twice: name each file once"),
        ({"poses": ["1.csv", "2.csv"], "starts_s": [0]}, "starts_s has 1 values and poses 2 files"),
        ({"poses": ["1.csv"], "starts_s": [9]}, "starts_s is for several pose files"),
        ({"exclude": " "}, "sessions.a.exclude: String should have at least 1 character"),
        ({"px_per_cm": 0}, "sessions.a.px_per_cm: Input should be greater than 0"),
    ],
)
def test_wrong_sessions_are_explained(session, message):
    (line,) = problems(sessions={"a": FILE | session})
    assert message in line


def test_an_excluded_session_is_not_used_and_its_files_are_not_read(tmp_path):
    sessions = {
        "m1": FILE | {"poses": "a.csv"},
        "m2": FILE | {"poses": "gone.csv", "fps": 25, "exclude": "lost the tail"},
        "m3": FILE | {"poses": "c.csv", "use": "encode"},
    }
    raw = MINIMAL | {"sessions": sessions, "results": str(tmp_path / "r")}
    config = check.load(raw, generated=dict.fromkeys(("a.csv", "c.csv"), ("nose", "tail")))
    assert list(config.analysed) == ["m1", "m3"] and config.excluded == {"m2": "lost the tail"}
    assert (config.training_sessions, config.new_sessions) == (["m1"], ["m3"])
    assert check.excluded(config) == ["session m2 is excluded: lost the tail"]
    (line,) = problems(sessions={"m2": sessions["m2"]})
    assert "every session has use: encode or is excluded" in line


def test_a_scale_is_given_to_every_session_or_to_none():
    scaled = FILE | {"px_per_cm": 12.5}
    lost = FILE | {"exclude": "no ruler"}
    assert load(sessions={"a": scaled, "b": scaled, "c": lost}).sessions["a"].px_per_cm == 12.5
    assert problems(sessions={"a": scaled, "b": FILE, "c": FILE}) == [
        "config: px_per_cm is missing in b, c, but other sessions have it. Give it to every session, or to "
        "none."
    ]


def test_a_cell_of_a_sheet_holds_several_files(tmp_path):
    path = tmp_path / "sheet.csv"
    path.write_text(
        "session,poses,fps,starts_s,exclude\nm1,1.csv; 2.csv,30,0; 9.5,\nm2,3.csv,30,,too dark\n"
    )
    sessions, found = read_sheet(path)
    assert found == []
    assert sessions["m1"]["poses"] == ["1.csv", "2.csv"] and sessions["m2"]["poses"] == "3.csv"
    config = load(sessions=str(path))
    assert config.sessions["m1"].starts_s == [0, 9.5] and config.excluded == {"m2": "too dark"}


def test_every_file_of_a_session_is_checked(recordings, tmp_path):
    poses = [str(recordings / "sim-1.csv"), "gone.csv", "lost.csv"]
    raw = MINIMAL | {
        "results": str(tmp_path / "r"),
        "align": {"centre": "tailbase", "forward": "nose"},
        "sessions": {"a": {"poses": poses, "fps": 30}},
    }
    with pytest.raises(InputError) as error:
        check.load(raw, generated={})
    assert [line.split(":")[1].strip() for line in error.value.problems] == ["gone.csv", "lost.csv"]


def test_check_and_status_name_excluded_sessions(recordings, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(
        f"sessions:\n  m1: {{poses: '{recordings / 'sim-1.csv'}', fps: 30}}\n"
        "  m2: {poses: gone.csv, fps: 30, exclude: too dark}\n"
        "align: {centre: tailbase, forward: nose}\n"
    )
    assert main(["check"]) == 0
    printed = capsys.readouterr().err
    assert "session m2 is excluded: too dark" in printed
    assert "config.yaml: OK (one session, 1 excluded)" in printed
    assert main(["status"]) == 0
    assert "session m2 is excluded: too dark" in capsys.readouterr().out


def test_the_report_finds_the_files_in_the_configuration():
    session = FILE | {"poses": ["1.csv", "2.csv"], "starts_s": [0, 9]}
    sources = pose_sources(load(sessions={"a": FILE, "b": session}).analysed)
    assert {type(source) for source in sources.values()} == {PoseSource}
    assert [str(path) for path in sources["b"].paths] == ["1.csv", "2.csv"]
    assert sources["b"].starts_s == (0, 9) and sources["a"].starts_s is None


def test_sessions_that_are_left_out_or_only_encoded_are_not_filmed():
    keys = {"video": "a.mp4", "labels": "a.csv", "group": "g"}
    config = load(
        sessions={
            "a": FILE | keys,
            "new": FILE | keys | {"use": "encode"},
            "lost": FILE | keys | {"exclude": "dark"},
            "bare": FILE,
        }
    )
    assert list(config.filmed) == ["a"]
    assert list(config.labelled) == ["a", "new"] and config.groups == {"a": "g", "new": "g"}
