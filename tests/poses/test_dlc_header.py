"""Headers of DeepLabCut's files under other words, and animals that only the scorer tells apart."""

import numpy as np
import pose_files
import pytest
from pose_files import read_keypoints

from vame_pipe.poses.dlc_header import named_columns
from vame_pipe.poses.readers import read_poses

WORDS = [
    ("scorer", "individuals", "keypoints", "coord"),
    ("scorer", "individual", "bodypart", "coordinates"),
    ("Scorer", "animals", "Bodyparts", "COORDS"),
]


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("write", [pose_files.write_dlc_csv, pose_files.write_dlc_hdf5])
def test_other_words_for_the_rows_of_the_header_are_known(words, write, tmp_path):
    made, path = pose_files.recording(), tmp_path / "poses"
    write(path, made, words)
    animals = read_poses(path, 30)
    assert list(animals) == ["a", "b"] and read_keypoints(path) == list(made.keypoints)
    np.testing.assert_array_equal(animals["b"].position, made.position[:, 1])


@pytest.mark.parametrize("kind", ["csv", "h5"])
def test_animals_are_told_apart_by_the_scorer_alone(kind, tmp_path):
    made, path = pose_files.recording(), tmp_path / "poses"
    table = pose_files.dlc_table(made).droplevel(0, axis=1)
    table.columns = table.columns.set_names(["scorer", "bodyparts", "coords"])
    if kind == "csv":
        table.to_csv(path)
    else:
        table.to_hdf(path, key="df_with_missing", format="fixed")
    animals = read_poses(path, 30)
    assert list(animals) == ["a", "b"]
    np.testing.assert_array_equal(animals["b"].position, made.position[:, 1])


def test_a_scorer_that_differs_in_every_column_names_no_animal():
    """As in files that a table program has saved: net, net.1, net.2."""
    names = [("net", "nose", "x"), ("net.1", "nose", "y"), ("net.2", "tail", "x")]
    assert [column.individual for column in named_columns(names)] == ["", "", ""]


def test_two_columns_of_one_name_are_not_two_animals():
    names = [("net", "nose", "x"), ("net", "nose", "x")]
    assert [column.individual for column in named_columns(names)] == ["", ""]


def test_further_columns_of_a_keypoint_are_left_out(tmp_path):
    """As LightningPose's ensembles write them."""
    path = tmp_path / "p.csv"
    coords = "x,y,likelihood,x_ens_median,y_ens_var,zscore"
    path.write_text(
        f"scorer{',net' * 6}\nbodyparts{',paw' * 6}\ncoords,{coords}\n"
        "0,1,2,0.9,7,7,7\n1,3,4,0.8,7,7,7\n"
    )
    poses = read_poses(path, 30)["id_0"]
    np.testing.assert_array_equal(poses.position[:, 0], [[1, 2], [3, 4]])
    np.testing.assert_array_equal(poses.confidence[:, 0], [0.9, 0.8])
