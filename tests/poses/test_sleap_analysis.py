"""Analysis files of SLEAP: order of the axes, scores, nameless and empty tracks."""

import itertools

import h5py
import numpy as np
import pose_files
import pytest

from vame_pipe.core.errors import InputError
from vame_pipe.poses.readers import read_header, read_poses


@pytest.fixture
def made():
    return pose_files.recording()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "p.analysis.h5"


@pytest.mark.parametrize(
    "dims", list(itertools.permutations(("frame", "track", "node", "xy")))[::5]
)
def test_axes_are_in_the_order_that_the_file_states(made, path, dims):
    pose_files.write_sleap_analysis(path, made, dims=dims)
    found = read_poses(path, 30)
    for a, poses in enumerate(found.values()):
        np.testing.assert_array_equal(poses.position, made.position[:, a])
        np.testing.assert_array_equal(poses.confidence, made.confidence[:, a])


def test_a_file_without_scores_and_names_of_tracks_is_read(made, path):
    pose_files.write_sleap_analysis(path, made, tracks=False, scores=False)
    found = read_poses(path, 30)
    assert list(found) == ["id_0", "id_1"]
    there = ~np.isnan(made.position[:, 0, :, 0])
    assert np.isnan(found["id_0"].confidence[there]).all()


def test_tracks_of_the_same_name_stay_apart(made, path):
    pose_files.write_sleap_analysis(path, made)
    with h5py.File(path, "a") as file:
        del file["track_names"]
        file["track_names"] = [b"fly", b"fly"]
    assert list(read_poses(path, 30)) == ["fly", "fly_2"]
    assert read_header(path).tracked == {"fly": 60, "fly_2": 53}


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("node_names", [b"a", b"b"], "tracks has shape .* for 2 nodes"),
        ("point_scores", np.zeros((2, 2, 2)), "point_scores has shape"),
        ("track_occupancy", np.zeros((2, 2)), "track_occupancy has shape"),
        ("tracks", np.array([[[[b"a"]]]]), "tracks is "),
    ],
)
def test_arrays_that_do_not_fit_are_refused(made, path, name, content, match):
    pose_files.write_sleap_analysis(path, made)
    with h5py.File(path, "a") as file:
        del file[name]
        file[name] = content
    with pytest.raises(InputError, match=match):
        read_poses(path, 30)
