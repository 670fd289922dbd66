import logging

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vame_pipe.alignment import session
from vame_pipe.config.sections import Align
from vame_pipe.core.errors import InputError
from vame_pipe.poses import simulate
from vame_pipe.poses.contract import Poses
from vame_pipe.poses.readers import missing_keypoints, read_keypoints, read_poses

HEADER = (
    "scorer,s,s,s,s,s,s\nbodyparts,a b/c,a b/c,a b/c,n,n,n\ncoords,x,y,likelihood,x,y,likelihood\n"
)
PLAIN = "scorer,s,s\nbodyparts,a,a\ncoords,x,y\n"


def read(tmp_path, text, name="my file.csv"):
    path = tmp_path / name
    path.write_text(text)
    return read_poses(path, 30)


def refuse(tmp_path, text, match, name="f.csv"):
    with pytest.raises(InputError, match=match) as error:
        read(tmp_path, text, name)
    (line,) = error.value.problems
    assert "\n" not in line and name in line


def test_values_land_where_the_header_says(tmp_path):
    poses = read(tmp_path, HEADER + "0,1,2,0.5,3,4,0.9\n1,5,6,0.6,7,8,1.0\n")
    assert poses.keypoints == ("a b/c", "n")
    np.testing.assert_array_equal(poses.position[1], [[5, 6], [7, 8]])
    np.testing.assert_array_equal(poses.confidence, [[0.5, 0.9], [0.6, 1.0]])


def test_columns_in_any_order(tmp_path):
    header = "scorer,s,s,s,s,s,s\nbodyparts,n,a,n,a,n,a\ncoords,likelihood,y,x,x,y,likelihood\n"
    poses = read(tmp_path, header + "0,0.5,2,3,1,4,0.9\n1,0.5,2,3,1,4,0.9\n")
    assert poses.keypoints == ("n", "a")
    np.testing.assert_array_equal(poses.position[0], [[3, 4], [1, 2]])
    np.testing.assert_array_equal(poses.confidence[0], [0.5, 0.9])


def test_empty_cells_are_missing_with_no_confidence(tmp_path):
    poses = read(tmp_path, HEADER + "0,,,,3,4,0.9\n1,5,6,0.6,7,,1.0\n")
    assert np.isnan(poses.position[0, 0]).all() and np.isnan(poses.position[1, 1]).all()
    np.testing.assert_array_equal(poses.confidence, [[0, 0.9], [0.6, 0]])


def test_missing_likelihood_is_full_confidence(tmp_path, caplog):
    header = "scorer,s,s\nbodyparts,a,a\ncoords,x,y\n"
    poses = read(tmp_path, header + "0,1,2\n1,,\n")
    np.testing.assert_array_equal(poses.confidence, [[1], [0]])
    assert "no likelihood for 'a'" in caplog.text


def test_frames_without_a_row_are_missing(tmp_path):
    poses = read(tmp_path, HEADER + "5,1,2,1,3,4,1\n7,5,6,1,7,8,1\n")
    assert poses.first_frame == 5
    assert poses.position.shape == (3, 2, 2)
    assert np.isnan(poses.position[1]).all()


@given(st.integers(0, 10**6), st.integers(1, 10), st.integers(2, 30))
def test_a_row_every_nth_frame_leaves_gaps(tmp_path_factory, first, step, n_rows):
    path = tmp_path_factory.getbasetemp() / "nth.csv"
    frames = first + step * np.arange(n_rows)
    path.write_text(PLAIN + "".join(f"{f},{i},1.5\n" for i, f in enumerate(frames)))
    poses = read_poses(path, 30)
    assert poses.first_frame == first
    assert len(poses.position) == step * (n_rows - 1) + 1
    np.testing.assert_array_equal(poses.position[::step, 0, 0], np.arange(n_rows))
    assert np.isfinite(poses.position[:, 0, 0]).sum() == n_rows


def test_the_step_is_named_once_also_if_the_last_row_is_the_end_of_the_video(tmp_path, caplog):
    poses = read(tmp_path, PLAIN + "0,1,2\n5,1,2\n10,1,2\n13,1,2\n")
    assert len(poses.position) == 14
    (record,) = [r for r in caplog.records if r.levelno == logging.WARNING and "every" in r.message]
    assert "a row every 5 frames; the 10 frames without a row are missing" in record.message


def test_analysed_images_are_read_in_order(tmp_path, caplog):
    poses = read(tmp_path, HEADER + "b.png,1,2,0.5,3,4,0.9\na.png,5,6,0.6,7,8,1.0\n")
    np.testing.assert_array_equal(poses.position[:, 0], [[1, 2], [5, 6]])
    assert poses.first_frame == 0 and "rows are images" in caplog.text


def test_one_animal_with_bodyparts_of_none(tmp_path, caplog):
    text = (
        "scorer,s,s,s,s,s,s\nindividuals,mouse,mouse,single,single,mouse,mouse\n"
        "bodyparts,a,a,corner,corner,b,b\ncoords,x,y,x,y,x,y\n0,1,2,3,4,5,6\n1,1,2,3,4,5,6\n"
    )
    poses = read(tmp_path, text)
    assert poses.individual == "mouse" and poses.keypoints == ("a", "corner", "b")
    np.testing.assert_array_equal(poses.position[0], [[1, 2], [3, 4], [5, 6]])
    assert "'corner' taken as keypoints of the animal, although tracked apart" in caplog.text
    assert read_keypoints(tmp_path / "my file.csv") == ["a", "corner", "b"]


def test_confidence_keeps_the_scale_of_the_tracker(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    poses = read(tmp_path, HEADER + "0,1,2,12.5,3,4,-0.1\n1,5,6,,7,8,0.5\n")
    np.testing.assert_array_equal(poses.confidence, [[12.5, 0], [0, 0.5]])
    assert "confidence goes up to 12.5" in caplog.text


FAULTS = [
    ("0,1,2,0.5,3,inf,0.9", "y of keypoint 'n' is infinite in frame 0"),
    ("0,1,2,0.5,-2e7,4,0.9", "x of keypoint 'n' is -2e+07, which is no pixel, in frame 0"),
    ("0,1,2,0.5,3,4,inf", "likelihood of keypoint 'n' is infinite"),
    ("0,1,2,0.5,3,what,0.9", "y of keypoint 'n' holds 'what' in frame 0"),
]


@pytest.mark.parametrize(("row", "match"), FAULTS)
def test_a_fault_of_one_keypoint_leaves_the_others(tmp_path, row, match):
    rows = HEADER + row + "\n1,2,3,0.6,8,9,0.7\n2,3,4,0.6,8,9,0.7\n"
    poses = read(tmp_path, rows.replace("a b/c", "a"))
    assert list(poses.faults) == ["n"]
    assert poses.faults["n"].startswith("my file.csv: ") and match in poses.faults["n"]
    np.testing.assert_array_equal(poses.position[:, 0], [[1, 2], [2, 3], [3, 4]])
    assert np.isnan(poses.position[:, 1]).all() and not poses.confidence[:, 1].any()


@pytest.mark.parametrize(
    ("header", "match"),
    [
        ("scorer,s,s,s\nbodyparts,a,a,n\ncoords,x,y,x\n", "keypoint 'n' has no column y"),
        ("scorer,s,s,s,s,s\nbodyparts,a,a,n,n,n\ncoords,x,y,x,x,y\n", "'n' has 2 columns x"),
    ],
)
def test_a_fault_of_columns_is_one_of_a_keypoint(tmp_path, header, match):
    n = header.split("\n")[0].count(",")
    rows = "".join(f"{frame}{',1' * n}\n" for frame in range(3))
    poses = read(tmp_path, header + rows)
    assert list(poses.faults) == ["n"] and match in poses.faults["n"]


def test_a_keypoint_that_is_never_tracked_is_a_fault(tmp_path):
    poses = read(tmp_path, HEADER + "0,1,2,0.5,,,\n1,1,2,0.5,,4,1\n")
    assert "every coordinate of keypoint 'n' is missing" in poses.faults["n"]


def test_only_faults_of_used_keypoints_are_raised(tmp_path):
    position, confidence, _ = simulate.simulate(300, 30, 0)
    position[5, simulate.KEYPOINTS.index("spine"), 0] = np.inf
    path = tmp_path / "f.csv"
    simulate.write_deeplabcut(path, position, confidence, simulate.KEYPOINTS)
    poses, settings = read_poses(path, 30), Align(centre="tailbase", forward="nose")
    with pytest.raises(InputError, match=r"session s: f\.csv: x of keypoint 'spine' is infinite"):
        session.align(poses, "s", settings)
    used = {name: [name] for name in ("nose", "left_ear", "tailbase")}
    assert session.align(poses, "s", settings, used).valid.any()


def test_poses_refuse_negative_confidence():
    with pytest.raises(InputError, match="confidence must be 0 or more"):
        Poses(np.ones((2, 1, 2)), -np.ones((2, 1)), ("a",), 30, "f.csv")


def test_hundreds_of_names_do_not_fill_a_message(tmp_path):
    names = [f"keypoint number {i}" for i in range(300)]
    settings = Align(centre="a", forward="b")
    problems = missing_keypoints("s", names, settings, None)
    assert len(problems) == 2 and all("(300 in all)" in p and len(p) < 500 for p in problems)


def test_csv_and_hdf5_of_one_recording_agree(tmp_path):
    position, confidence, _ = simulate.simulate(200, 30, 0)
    csv, hdf5 = tmp_path / "r.csv", tmp_path / "r.h5"
    simulate.write_deeplabcut(csv, position, confidence, simulate.KEYPOINTS)
    pd.read_csv(csv, header=[0, 1, 2], index_col=0).to_hdf(
        hdf5, key="df_with_missing", format="table"
    )
    a, b = read_poses(csv, 30), read_poses(hdf5, 30)
    np.testing.assert_array_equal(a.position, b.position)
    np.testing.assert_allclose(a.position, position, atol=1e-5)
    assert a.keypoints == b.keypoints == simulate.KEYPOINTS
    assert read_keypoints(csv) == read_keypoints(hdf5) == list(simulate.KEYPOINTS)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "the file is empty"),
        ("<!DOCTYPE html>\n<html></html>\n", "web page"),
        ("0,1,2,3\n1,1,2,3\n2,1,2,3\n", "expected three header rows"),
        (HEADER, "no frames"),
        (HEADER + "0,1,2,0.5,3,4,0.9\n1,5,6\n", "truncated"),
        (HEADER + "0,1,2,0.5,3,4,0.9\n", "has one frame only"),
        (HEADER + "0,,,,,,\n1,,,,,,\n", "every coordinate is missing"),
        (HEADER + "labeled-data/v/img001.png,1,2,0.5,3,4,0.9\n", "has one frame only"),
        (PLAIN + "labeled-data/v/img001.png,1,2\n", "human-labelled"),
        (PLAIN + "0,1,what\n1,1,2\n", "y of keypoint 'a' holds 'what' in frame 0, not a number"),
        (
            "scorer,s,s,s,s\nindividuals,m,m,n,n\nbodyparts,a,a,a,a\ncoords,x,y,x,y\n0,1,2,3,4\n",
            r"several animals \(m, n\)",
        ),
        ("scorer,s,s,s\nbodyparts,a,a,a\ncoords,x,y,z\n0,1,2,3\n", "third dimension"),
        (
            "scorer,s,s,s,s\nbodyparts,a,a,a,a\ncoords,x,y,x,y\n0,1,2,3,4\n1,1,2,3,4\n",
            "occur twice",
        ),
        (PLAIN + "0,1,2\n2,1,2\n1,1,2\n", r"after 2 comes 1 \(row 3 of 3\)"),
        (PLAIN + "-1,1,2\n0,1,2\n", "it begins with -1"),
        (PLAIN + "0,1,2\nx,1,2\n", "after '0' comes 'x'"),
        (PLAIN + "0.5,1,2\n1.5,1,2\n", "it begins with 0.5"),
        (PLAIN + "0,1,2\n3,1,2\n7,1,2\n10,1,2\n", "looks like a clock .* in steps of 3, 4, 3"),
        (PLAIN + "0,1,2\n40,1,2\n80,1,2\n", "3 rows for frames 0 to 80, one every 40 frames: too"),
    ],
)
def test_unusable_files_are_refused_in_one_line(tmp_path, text, match):
    refuse(tmp_path, text, match)


def test_other_formats_and_absent_files_are_refused(tmp_path):
    refuse(tmp_path, "x", "not a format", name="poses.mat")
    refuse(tmp_path, "not hdf5", "cannot be read as DeepLabCut HDF5", name="poses.h5")
    with pytest.raises(InputError, match="no such file"):
        read_poses(tmp_path / "gone.csv", 30)
    with pytest.raises(InputError, match="cannot be read"):
        read_poses(tmp_path / ("x" * 300 + ".csv"), 30)


def test_real_files(real_poses):
    """Figures from the files' own description, and of two formats of one recording."""
    (csv,) = (real_poses / "bsoid-openfield").glob("*.csv")
    (hdf5,) = (real_poses / "bsoid-openfield").glob("*.h5")
    a, b = read_poses(csv, 60), read_poses(hdf5, 60)
    assert a.position.shape == (7200, 6, 2)
    assert {"Snout", "Butt/Proximal Tail"} <= set(a.keypoints)
    assert a.keypoints == b.keypoints
    np.testing.assert_allclose(a.position, b.position, rtol=1e-6)
    (csv,) = (real_poses / "odor").glob("Odortest*.csv")
    c, d = read_poses(csv, 30), read_poses(csv.with_suffix(".h5"), 30)
    assert c.keypoints == d.keypoints
    np.testing.assert_allclose(c.position, d.position, rtol=1e-12)
    np.testing.assert_allclose(c.confidence, d.confidence, rtol=1e-12)
    (maze,) = (real_poses / "elevated-plus-maze").glob("*.csv")
    assert read_poses(maze, 25).position.shape == (962, 25, 2)
    assert read_poses(real_poses / "vame-sample/cropped_video.csv", 30).position.shape == (
        750,
        6,
        2,
    )


@pytest.mark.parametrize("name", ["CollectedData_Pranav.csv", "CollectedData_Pranav.h5"])
def test_real_labelled_frames_are_refused(real_poses, name):
    with pytest.raises(InputError, match="human-labelled training frames"):
        read_poses(real_poses / "reject" / name, 30)
