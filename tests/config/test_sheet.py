"""The session sheet."""

import pytest
from minimal_config import load, problems


@pytest.fixture
def sheet(tmp_path):
    """Writes a sheet and returns its path."""

    def write(text, name="sessions.csv"):
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write


def test_rows_become_sessions(sheet):
    text = "session\tposes\tfps\tgroup\tage\nm1\tm 1.csv\t25\tcontrol\tP60\nm2\tm2.h5\t25\t\t\n"
    sessions = load(sessions=sheet(text, "sessions.tsv")).sessions
    assert list(sessions) == ["m1", "m2"]
    assert sessions["m1"].poses == "m 1.csv" and sessions["m1"].fps == 25
    assert sessions["m1"].group == "control"
    assert sessions["m1"].metadata == {"age": "P60"}
    assert sessions["m2"].group is None
    assert sessions["m2"].metadata == {}


def test_columns_are_the_keys_of_a_session(sheet):
    """Empty cells have the defaults, empty rows are skipped."""
    text = (
        "session,poses,fps,format,video,use,subject,pair\n"
        "a,a.csv,30,deeplabcut,a.mp4,encode,m 1,litter 2\nb,b.csv,30,,,,,\n,,,,,,,\n"
    )
    sessions = load(sessions=sheet(text)).sessions
    assert (sessions["a"].format, sessions["a"].video) == ("deeplabcut", "a.mp4")
    assert sessions["a"].use == "encode" and sessions["a"].metadata == {}
    assert (sessions["a"].subject, sessions["a"].pair) == ("m 1", "litter 2")
    assert (sessions["b"].format, sessions["b"].video) == (None, None)
    assert (sessions["b"].subject, sessions["b"].pair) == (None, None)
    assert sessions["b"].use == "train"
    assert list(sessions) == ["a", "b"]


def test_problems_name_their_lines(sheet):
    text = "session,poses,fps,use\na,a.csv,30,\na,b.csv,30,\n\nc,c.csv,fast,\nd,d.csv,30,test\n"
    found = problems(sessions=sheet(text + "e,,30,\n,f.csv,30,\ng,g.csv,30,,,\n"))
    assert "line 3: session 'a' occurs twice" in found[0]
    assert "line 5: session 'c': fps: Input should be a valid number" in found[1]
    assert "Found 'fast'." in found[1]
    assert "line 6: session 'd': use: Input should be 'train' or 'encode'" in found[2]
    assert "line 7: session 'e': poses is missing. Add it." in found[3]
    assert "line 8: session is empty. Name it." in found[4]
    assert "line 9: too many cells. Quote values that contain commas." in found[5]
    assert len(found) == 6


def test_columns_that_are_missing_or_occur_twice_are_named(sheet):
    found = problems(sessions=sheet("session,pose,fps,fps\na,a.csv,30,30\n"))
    has = "It has: session, pose, fps, fps. Needed: session, poses."
    assert [line.partition(": ")[2] for line in found] == [
        f"column poses is missing. {has}",
        f"column fps occurs twice. {has}",
    ]


def test_a_sheet_that_cannot_be_read_is_named(tmp_path):
    (line,) = problems(sessions=str(tmp_path / "nowhere.csv"))
    assert line.startswith(f"sheet {tmp_path}/nowhere.csv: cannot be read (")


def test_several_pose_files_have_one_video_or_one_each(sheet):
    rows = (
        "session,poses,video\na,a1.csv; a2.csv,a1.mp4; a2.mp4\nb,b1.csv; b2.csv,b.mp4\nc,c.csv,\n"
    )
    sessions = load(sessions=sheet(rows)).sessions
    assert [sessions[name].videos for name in "abc"] == [["a1.mp4", "a2.mp4"], ["b.mp4"], []]
    (line,) = problems(sessions=sheet("session,poses,video\na,a.csv,1.mp4; 2.mp4\n"))
    assert "video has 2 files and poses 1: give one video in all or one per pose file" in line
