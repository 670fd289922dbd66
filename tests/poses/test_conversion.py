"""The columns of a pose file become poses; faults belong to keypoints, or to the whole file."""

import logging

import numpy as np
import pytest
from pose_files import read_keypoints

from vame_pipe.alignment.session import align
from vame_pipe.config.sections import Align
from vame_pipe.core.errors import InputError
from vame_pipe.poses import simulate
from vame_pipe.poses.readers import read_poses

HEADER = (
    "scorer,s,s,s,s,s,s\nbodyparts,a b/c,a b/c,a b/c,n,n,n\ncoords,x,y,likelihood,x,y,likelihood\n"
)
PLAIN = "scorer,s,s\nbodyparts,a,a\ncoords,x,y\n"


def read(tmp_path, text, name="my file.csv"):
    path = tmp_path / name
    path.write_text(text)
    (poses,) = read_poses(path, 30).values()
    return poses


def refuse(tmp_path, text, match, name="f.csv"):
    with pytest.raises(InputError, match=match) as error:
        read(tmp_path, text, name)
    (line,) = error.value.problems
    assert "\n" not in line and name in line


def test_values_are_assigned_by_the_header(tmp_path):
    poses = read(tmp_path, HEADER + "0,1,2,0.5,3,4,0.9\n1,5,6,0.6,7,8,1.0\n")
    assert poses.keypoints == ("a b/c", "n")
    np.testing.assert_array_equal(poses.position[1], [[5, 6], [7, 8]])
    np.testing.assert_array_equal(poses.confidence, [[0.5, 0.9], [0.6, 1.0]])


def test_columns_can_be_in_any_order(tmp_path):
    header = "scorer,s,s,s,s,s,s\nbodyparts,n,a,n,a,n,a\ncoords,likelihood,y,x,x,y,likelihood\n"
    poses = read(tmp_path, header + "0,0.5,2,3,1,4,0.9\n1,0.5,2,3,1,4,0.9\n")
    assert poses.keypoints == ("n", "a")
    np.testing.assert_array_equal(poses.position[0], [[3, 4], [1, 2]])
    np.testing.assert_array_equal(poses.confidence[0], [0.5, 0.9])


def test_empty_cells_are_missing_with_no_confidence(tmp_path):
    poses = read(tmp_path, HEADER + "0,,,,3,4,0.9\n1,5,6,0.6,7,,1.0\n")
    assert np.isnan(poses.position[0, 0]).all() and np.isnan(poses.position[1, 1]).all()
    np.testing.assert_array_equal(poses.confidence, [[0, 0.9], [0.6, 0]])


def test_a_missing_likelihood_is_no_score(tmp_path, caplog):
    poses = read(tmp_path, PLAIN + "0,1,2\n1,,\n")
    np.testing.assert_array_equal(poses.confidence, [[np.nan], [0]])
    assert "no likelihood for 'a'; all" in caplog.text


def test_confidence_of_several_animals_is_told_once(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    header = (
        "scorer,s,s,s,s,s,s\nindividuals,one,one,two,two,three,three\nbodyparts,a,a,a,a,a,a\n"
        "coords,x,y,x,y,x,y\n"
    )
    path = tmp_path / "three.csv"
    path.write_text(header + "0,1,2,3,4,5,6\n1,1,2,3,4,5,6\n")
    read_poses(path, 30)
    (line,) = [each.message for each in caplog.records if "likelihood" in each.message]
    assert "no likelihood for 'a' of 'one', 'two', 'three'; all their" in line
    assert "ranges up to" not in caplog.text


def test_analysed_images_are_read_in_order(tmp_path, caplog):
    poses = read(tmp_path, HEADER + "b.png,1,2,0.5,3,4,0.9\na.png,5,6,0.6,7,8,1.0\n")
    np.testing.assert_array_equal(poses.position[:, 0], [[1, 2], [5, 6]])
    assert poses.first_frame == 0 and "rows are images" in caplog.text


def test_unique_bodyparts_belong_to_no_animal(tmp_path, caplog):
    text = (
        "scorer,s,s,s,s,s,s\nindividuals,mouse,mouse,single,single,mouse,mouse\n"
        "bodyparts,a,a,corner,corner,b,b\ncoords,x,y,x,y,x,y\n0,1,2,3,4,5,6\n1,1,2,3,4,5,6\n"
    )
    poses = read(tmp_path, text)
    assert poses.individual == "mouse" and poses.keypoints == ("a", "b")
    np.testing.assert_array_equal(poses.position[0], [[1, 2], [5, 6]])
    assert "unique bodyparts belong to no animal and are left out: 'corner'" in caplog.text
    path = tmp_path / "my file.csv"
    assert read_keypoints(path) == ["a", "b"]
    assert list(read_poses(path, 30)) == ["mouse"]
    assert read_keypoints(path, individuals=["single"]) == ["corner"]


def test_confidence_keeps_the_scale_of_the_tracker(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    poses = read(tmp_path, HEADER + "0,1,2,12.5,3,4,-0.1\n1,5,6,,7,8,0.5\n")
    np.testing.assert_array_equal(poses.confidence, [[12.5, 0], [np.nan, 0.5]])
    assert "confidence ranges up to 12.5" in caplog.text


FAULTS = [
    ("0,1,2,0.5,3,inf,0.9", "y of keypoint 'n' is infinite in frame 0. Clear"),
    ("0,1,2,0.5,-2e7,4,0.9", "x of keypoint 'n' is -2e+07, which is too large for a pixel"),
    ("0,1,2,0.5,3,4,inf", "likelihood of keypoint 'n' is infinite"),
    ("0,1,2,0.5,3,what,0.9", "y of keypoint 'n' is 'what' in frame 0, which is not a number"),
]


@pytest.mark.parametrize(("row", "match"), FAULTS)
def test_a_fault_of_one_keypoint_does_not_affect_the_others(tmp_path, row, match):
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
def test_a_missing_or_repeated_column_is_a_fault_of_its_keypoint(tmp_path, header, match):
    n = header.split("\n")[0].count(",")
    rows = "".join(f"{frame}{',1' * n}\n" for frame in range(3))
    poses = read(tmp_path, header + rows)
    assert list(poses.faults) == ["n"] and match in poses.faults["n"]


def test_a_keypoint_that_is_never_tracked_is_missing_and_matters_if_it_is_used(tmp_path):
    poses = read(tmp_path, HEADER + "0,1,2,0.9,,,\n1,1,2,0.9,,4,1\n")
    assert not poses.faults and np.isnan(poses.position[:, 1]).all()
    with pytest.raises(
        InputError, match=r"^keypoint 'n' is never tracked\. Remove it from keypoints"
    ):
        align(poses, Align(centre="a b/c", forward="n"))


def test_a_fault_matters_only_if_its_keypoint_is_used(tmp_path):
    position, confidence, _ = simulate.simulate(300, 30, 0)
    position[5:7, simulate.KEYPOINTS.index("spine"), 0] = np.inf
    path = tmp_path / "f.csv"
    simulate.write_deeplabcut(path, position, confidence, simulate.KEYPOINTS)
    (poses,) = read_poses(path, 30).values()
    settings = Align(centre="tailbase", forward="nose")
    expected = r"^f\.csv: x of keypoint 'spine' is infinite in frame 5 \(2 such values\)"
    with pytest.raises(InputError, match=expected):
        align(poses, settings)
    used = {name: [name] for name in ("nose", "left_ear", "tailbase")}
    assert align(poses, settings, used).valid.any()


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (HEADER, "contains a header but no frames"),
        (HEADER + "0,1,2,0.5,3,4,0.9\n", "contains only one frame"),
        (HEADER + "0,,,,,,\n1,,,,,,\n", "every coordinate is missing"),
        (HEADER + "labeled-data/v/img001.png,1,2,0.5,3,4,0.9\n", "contains only one frame"),
        (PLAIN + "labeled-data/v/img001.png,1,2\n", "human-labelled"),
        (PLAIN + "0,1,what\n1,1,2\n", "y of keypoint 'a' is 'what' in frame 0, which is not a num"),
        (
            "scorer,s,s,s,s\nbodyparts,a,a,a,a\ncoords,x,y,x,y\n0,1,2,3,4\n1,1,2,3,4\n",
            "'a' has 2 columns x",
        ),
    ],
)
def test_a_file_without_usable_poses_is_refused_in_one_line(tmp_path, text, match):
    refuse(tmp_path, text, match)
