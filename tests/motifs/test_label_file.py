"""Label files: every layout gives the same labels; mistakes are lines."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vame_pipe.core.errors import InputError
from vame_pipe.motifs.label_file import frame_labels, read_labels

FPS, N = 25.0, 200
BOUTS = [("walk", 10, 30), ("rear", 30, 31), ("walk", 50, 120), ("groom", 150, 200)]
"""Label, first frame, frame after the last."""
COMMON = {"Observation id": "m1", "FPS": "25.000", "Behavioral category": ""}


def expected(bouts=BOUTS):
    labels = np.full(N, None, object)
    for label, first, after in bouts:
        labels[first:after] = label
    return labels.tolist()


def table(layout, bouts=BOUTS, subject=""):
    if layout == "frames":
        rows = [(frame, label) for label, first, after in bouts for frame in range(first, after)]
        return pd.DataFrame(rows, columns=["frame", "label"])
    if layout == "bouts in frames":
        rows = [(label, first, after - 1) for label, first, after in bouts]
        return pd.DataFrame(rows, columns=["label", "start_frame", "end_frame"])
    seconds = [
        (label, round(first / FPS, 3), round(after / FPS, 3)) for label, first, after in bouts
    ]
    if layout == "bouts in seconds":
        return pd.DataFrame(seconds, columns=["label", "start_s", "stop_s"])
    if layout == "aggregated":
        rows = pd.DataFrame(seconds, columns=["Behavior", "Start (s)", "Stop (s)"])
        return rows.assign(**COMMON, Subject=subject, **{"Behavior type": "STATE"})
    events = [
        (label, kind, time)
        for label, start, stop in seconds
        for kind, time in (("START", start), ("STOP", stop))
    ]
    rows = pd.DataFrame(events, columns=["Behavior", "Behavior type", "Time"])
    return rows.assign(**COMMON, Subject=subject)


LAYOUTS = ("frames", "bouts in frames", "bouts in seconds", "aggregated", "tabular")


def write(path, layout, bouts=BOUTS, **changes):
    tab = path.suffix == ".tsv"
    made = table(layout, bouts, changes.pop("subject", "No focal subject")).assign(**changes)
    made.to_csv(path, index=False, sep="\t" if tab else ",")
    return path


def read(path, individuals=("id_0",), session="m1", fps=FPS, n_frames=N):
    return frame_labels(read_labels(path, session), individuals, fps, 0, n_frames)


@pytest.mark.parametrize("ending", ["csv", "tsv"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_labels(tmp_path, layout, ending):
    found = read(write(tmp_path / f"labels.{ending}", layout))
    assert {name: labels.tolist() for name, labels in found.items()} == {"id_0": expected()}


@settings(max_examples=20)
@given(
    st.lists(st.tuples(st.sampled_from(["a", "b, c", "ä"]), st.integers(1, 9), st.integers(0, 3)))
)
def test_bouts_that_touch_or_not_are_read_as_they_were_written(tmp_path_factory, pieces):
    bouts, at = [], 0
    for label, length, gap in pieces[:15]:
        bouts.append((label, at + gap, at + gap + length))
        at += gap + length
    if not bouts:
        return
    path = tmp_path_factory.mktemp("labels") / "labels.csv"
    for layout in LAYOUTS:
        (found,) = read(write(path, layout, bouts)).values()
        assert found.tolist() == expected(bouts)


def test_animals_have_their_own_labels_and_points_are_left_out(tmp_path):
    other = [("walk", 0, 200)]
    both = pd.concat([table("tabular", subject="mum"), table("tabular", other, subject="pup")])
    point = pd.DataFrame(
        [{"Behavior": "sniff", "Behavior type": "POINT", "Time": 3.0, "Subject": "pup"} | COMMON]
    )
    pd.concat([both, point]).to_csv(tmp_path / "labels.csv", index=False)
    found = read(tmp_path / "labels.csv", ("mum", "pup"))
    assert found["mum"].tolist() == expected() and found["pup"].tolist() == ["walk"] * N
    assert read_labels(tmp_path / "labels.csv", "m1").n_points == 1


def test_older_events_of_boris_have_lines_before_the_columns(tmp_path):
    events = (
        table("tabular").rename(columns={"Behavior type": "Status"}).to_csv(index=False, sep="\t")
    )
    (tmp_path / "labels.tsv").write_text(f"Observation id\tm1\n\nMedia file(s)\n{events}")
    assert read(tmp_path / "labels.tsv")["id_0"].tolist() == expected()


def test_of_several_observations_the_one_of_the_session_is_used(tmp_path):
    other = table("tabular", [("walk", 0, 5)]).assign(**{"Observation id": "m2"})
    pd.concat([table("tabular"), other]).to_csv(tmp_path / "labels.csv", index=False)
    assert read(tmp_path / "labels.csv")["id_0"].tolist() == expected()
    with pytest.raises(
        InputError, match="holds the observations m1, m2, none of which is called m3"
    ):
        read(tmp_path / "labels.csv", session="m3")


@pytest.mark.parametrize(
    "content,message",
    [
        ("", "is not a table"),
        (
            "time,label\n1,walk\n",
            "has the columns time, label. Use the columns frame, label; start_frame",
        ),
        ("frame\n1\n", "has the columns frame. Use the columns"),
        ("frame,label,who\n1,walk,me\n", "column who unknown. Use the columns"),
        (
            "frame,label\n1.5,walk\n2,walk\n",
            r"column frame holds '1.5' \(row 1, 1 such rows\); expected a whole",
        ),
        ("start_s,stop_s,label\n0,-1,walk\n", "column stop_s holds '-1'"),
        ("start_s,stop_s,label\nx,1,walk\n", "column start_s holds 'x'"),
        ("start_s,stop_s,label\n2,1,walk\n", "a bout of walk begins at 2 s and has no duration"),
        (
            "start_frame,end_frame,label\n0,9,walk\n5,12,rear\n",
            "bouts overlap: walk and rear at 5 ",
        ),
        ("frame,label\n7,walk\n7,rear\n", "bouts overlap: walk and rear at 7 "),
        ("frame,label,fps\n7,walk,25\n8,walk,30\n", "has the frame rates 25, 30. Use one"),
        ("Behavior,Time\nwalk,1\n", "need the column Behavior type or Status"),
        ("Behavior,Time,Status\nwalk,1,START\n", "START of walk at 1 s has no STOP"),
        ("Behavior,Time,Status\nwalk,1,STOP\n", "STOP of walk at 1 s has no counterpart"),
    ],
)
def test_wrong_files_are_refused_with_one_line(tmp_path, content, message):
    path = tmp_path / "labels.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=message) as error:
        read_labels(path, "m1")
    assert len(error.value.problems) == 1


def test_files_that_do_not_fit_the_recording_are_refused(tmp_path):
    path = write(tmp_path / "labels.csv", "bouts in frames", fps=30, individual="rat")
    with pytest.raises(InputError) as error:
        read(path, individuals=("mum", "pup"), n_frames=150)
    rate, beyond, animals = error.value.problems
    assert "is for 30 frames per second, the recording has 25" in rate
    assert "reaches frame 199, the recording ends with frame 149 (1 such bouts)" in beyond
    assert "is about rat; the animals of the recording are mum, pup" in animals
    with pytest.raises(InputError) as error:
        read(write(path, "frames", individual="rat"))
    (line,) = error.value.problems
    assert "is about rat; the animals of the recording are id_0." in line
    assert line.endswith("of one animal, no name is needed.")
    assert set(read(write(path, "frames", individual="id_0"))) == {"id_0"}
    with pytest.raises(InputError, match="cannot be read"):
        read_labels(tmp_path / "missing.csv", "m1")
