"""NWB, movement, sleap-anipose and JABS: what is special to each."""

import h5py
import numpy as np
import pose_files
import pytest
from pose_files import read_keypoints

from vame_pipe.core.errors import InputError
from vame_pipe.poses.readers import read_header, read_poses


@pytest.fixture
def made():
    return pose_files.recording()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "p.h5"


def refuse(path, match):
    with pytest.raises(InputError, match=match) as error:
        read_poses(path, 30)
    assert len(error.value.problems) == 1


def test_animals_that_dlc2nwb_describes_are_told_apart(made, path):
    pose_files.write_nwb(path, made, described=True)
    found = read_poses(path)
    assert list(found) == ["a", "b"]
    order = [made.keypoints.index(name) for name in found["a"].keypoints]
    np.testing.assert_array_equal(found["b"].position, made.position[:, 1][:, order])


def test_nwb_counts_frames_by_time_stamps(made, path):
    pose_files.write_nwb(path, made)
    with h5py.File(path, "a") as file:
        stamps = file["processing/behavior/times"]
        rng = np.random.default_rng(0)
        stamps[:] = 5 + np.arange(60) / 30.0 + rng.uniform(-1e-4, 1e-4, 60)
        stamps[40:] += 3 / 30.0  # the camera lost three frames
    header, poses = read_header(path), read_poses(path)["a"]
    assert header.fps == pytest.approx(30, rel=1e-3) and len(poses.position) == 63
    np.testing.assert_array_equal(poses.position[43:], made.position[40:, 0])
    assert np.isnan(poses.position[40:43]).all()
    with h5py.File(path, "a") as file:
        file["processing/behavior/times"][:] = np.arange(60)
    assert read_header(path).fps is None  # these are frame numbers
    with h5py.File(path, "a") as file:
        file["processing/behavior/times"][30] = 0
    refuse(path, "its time stamps do not increase")


def test_nwb_has_the_rate_instead_of_time_stamps(made, path):
    pose_files.write_nwb(path, made)
    with h5py.File(path, "a") as file:
        for a in "ab":
            for series in file[f"processing/behavior/{a}"].values():
                if "timestamps" in series:
                    del series["timestamps"]
                    series["starting_time"] = 2.0
                    series["starting_time"].attrs["rate"] = 48.0
    assert read_poses(path)["b"].fps == 48


def test_nwb_without_poses_or_with_several_lengths_is_refused(made, path):
    pose_files.write_nwb(path, made)
    with h5py.File(path, "a") as file:
        series = file["processing/behavior/a/nose"]
        del series["data"]
        series["data"] = np.zeros((5, 2))
    refuse(path, r"have the sizes 5 x 2, 60 x 2; expected the same number of frames")
    with h5py.File(path, "a") as file:
        del file["processing"]
    refuse(path, "is an NWB file without poses")


def test_nothing_of_another_file_is_read_through_a_link(made, path, tmp_path):
    pose_files.write_nwb(tmp_path / "other.h5", made)
    with h5py.File(path, "w") as file:
        file.attrs["neurodata_type"] = "NWBFile"
        file["processing"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/processing")
    refuse(path, "is an NWB file without poses")


@pytest.mark.parametrize("plural", [False, True])
@pytest.mark.parametrize("time_unit", ["seconds", "frames"])
def test_movement_of_all_versions_is_read(made, path, plural, time_unit):
    pose_files.write_movement(path, made, plural=plural, time_unit=time_unit)
    assert read_header(path).fps == (25 if time_unit == "seconds" else None)
    found = read_poses(path, 25)
    np.testing.assert_array_equal(found["b"].position, made.position[:, 1])
    np.testing.assert_array_equal(found["b"].confidence, made.confidence[:, 1])


def test_movement_without_cartesian_coordinates_is_refused(made, path):
    pose_files.write_movement(path, made)
    with h5py.File(path, "a") as file:
        file["space"][:] = ["rho", "phi"]
    refuse(path, "its positions have the coordinates rho, phi; expected x and y")


def test_sleap_anipose_has_neither_names_nor_scores(path):
    made = pose_files.recording(n_dimensions=3)
    pose_files.write_sleap_anipose(path, made)
    found = read_poses(path, 30)
    assert read_header(path).format == "sleap-anipose" and list(found) == ["id_0", "id_1"]
    np.testing.assert_array_equal(found["id_1"].position, made.position[:, 1])
    assert read_keypoints(path) == ["node_0", "node_1", "node_2"]


def test_jabs_follows_an_animal_to_other_places_of_its_arrays(path):
    rng = np.random.default_rng(0)
    points = rng.integers(1, 800, (20, 2, 12, 2))  # 20 frames, 2 animals
    confidence = rng.uniform(0.1, 1, (20, 2, 12)).astype(np.float32).astype(float)
    confidence[3, 0, 5] = 0
    pose_files.write_jabs(path, points[:, 0], confidence[:, 0])  # version 2: one animal
    (one,) = read_poses(path, 30).values()
    expected = np.where(confidence[..., None] > 0, points, np.nan)
    np.testing.assert_array_equal(one.position, expected[:, 0])
    np.testing.assert_array_equal(one.confidence, confidence[:, 0])
    assert one.keypoints[0] == "nose" and one.keypoints[9] == "base_tail"

    swapped = np.arange(20) % 2 == 1
    place = np.where(swapped[:, None], [1, 0], [0, 1])  # of animals 1 and 2, in turns
    there = np.take_along_axis(points, place[..., None, None], 1)
    scores = np.take_along_axis(confidence, place[..., None], 1)
    identities = np.where(swapped[:, None], [2, 1], [1, 2])
    identities[:4, :] = np.where(identities[:4] == 2, 0, identities[:4])  # 2 appears late
    pose_files.write_jabs(path, there, scores, identities)
    found = read_poses(path, 30)
    assert list(found) == ["id_1", "id_2"]
    np.testing.assert_array_equal(found["id_1"].position, expected[:, 0])
    np.testing.assert_array_equal(found["id_2"].position[4:], expected[4:, 1])
    assert np.isnan(found["id_2"].position[:4]).all()

    counts = np.full(20, 1)  # version 3: only the first place is filled
    pose_files.write_jabs(path, points, confidence, np.tile([4, 0], (20, 1)), counts)
    (track,) = read_poses(path, 30).values()
    assert track.individual == "id_4"
    np.testing.assert_array_equal(track.position, expected[:, 0])
