import numpy as np
import pandas as pd
import pytest

from vame_pipe import simulate
from vame_pipe.errors import InputError
from vame_pipe.poses import read_keypoints, read_poses

HEADER = (
    "scorer,s,s,s,s,s,s\nbodyparts,a b/c,a b/c,a b/c,n,n,n\ncoords,x,y,likelihood,x,y,likelihood\n"
)


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
    poses = read(tmp_path, header + "0,0.5,2,3,1,4,0.9\n")
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
        (HEADER + "0,1,2,0.5,3,inf,0.9\n", "y of keypoint 'n' is infinite in frame 0"),
        (HEADER + "0,,,,,,\n1,,,,,,\n", "every coordinate is missing"),
        (HEADER + "0,1,2,0.5,3,what,0.9\n", "holds 'what' in frame 0"),
        (HEADER + "0,1,2,50,3,4,90\n", "expected 0 to 1"),
        (HEADER + "labeled-data/v/img001.png,1,2,0.5,3,4,0.9\n", "human-labelled"),
        ("scorer,s,s\nindividuals,m,m\nbodyparts,a,a\ncoords,x,y\n0,1,2\n", "individuals"),
        ("scorer,s,s,s\nbodyparts,a,a,a\ncoords,x,y,z\n0,1,2,3\n", "third dimension"),
        ("scorer,s,s,s,s\nbodyparts,a,a,a,a\ncoords,x,y,x,y\n0,1,2,3,4\n", "'a' occur twice"),
    ],
)
def test_unusable_files_are_refused_in_one_line(tmp_path, text, match):
    refuse(tmp_path, text, match)


def test_other_formats_and_absent_files_are_refused(tmp_path):
    refuse(tmp_path, "x", "not a format", name="poses.mat")
    refuse(tmp_path, "not hdf5", "cannot be read as DeepLabCut HDF5", name="poses.h5")
    with pytest.raises(InputError, match="no such file"):
        read_poses(tmp_path / "gone.csv", 30)


def test_a_truncated_hdf5_is_refused(tmp_path):
    frame = pd.DataFrame(
        np.ones((500, 3)),
        columns=pd.MultiIndex.from_product(
            [["s"], ["a"], ["x", "y", "likelihood"]], names=["scorer", "bodyparts", "coords"]
        ),
    )
    whole, cut = tmp_path / "whole.h5", tmp_path / "cut.h5"
    frame.to_hdf(whole, key="df")
    cut.write_bytes(whole.read_bytes()[:3000])
    assert read_poses(whole, 30).position.shape == (500, 1, 2)
    with pytest.raises(InputError, match="cannot be read as DeepLabCut HDF5"):
        read_poses(cut, 30)


def test_real_files(real_poses):
    """Figures from the files' own description, and of two formats of one recording."""
    (csv,) = (real_poses / "bsoid-openfield").glob("*.csv")
    (hdf5,) = (real_poses / "bsoid-openfield").glob("*.h5")
    a, b = read_poses(csv, 60), read_poses(hdf5, 60)
    assert a.position.shape == (7200, 6, 2)
    assert {"Snout", "Butt/Proximal Tail"} <= set(a.keypoints)
    assert a.keypoints == b.keypoints
    np.testing.assert_allclose(a.position, b.position, rtol=1e-6)
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
