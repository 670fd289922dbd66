"""Files of SLEAP (.slp): tracks, instances without a track, corrections, versions, damaged references."""

import json

import h5py
import numpy as np
import pose_files
import pytest

from vame_pipe.core.errors import InputError
from vame_pipe.poses import animals
from vame_pipe.poses.readers import read_header, read_poses


@pytest.fixture
def made():
    return pose_files.recording()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "p.slp"


def refuse(path, match):
    with pytest.raises(InputError, match=match) as error:
        read_poses(path, 30)
    assert len(error.value.problems) == 1


def change(path, table, field, row, value):
    with h5py.File(path, "a") as file:
        values = file[table][:]
        values[field][row] = value
        file[table][:] = values


def test_instances_without_a_track_have_places(made, path):
    pose_files.write_sleap(path, made, tracks=False)
    found = read_poses(path, 30)
    assert list(found) == ["id_0", "id_1"]
    np.testing.assert_array_equal(found["id_0"].position, made.position[:, 0])
    np.testing.assert_array_equal(found["id_1"].position, made.position[:, 1])


def test_what_a_person_corrected_counts_and_has_no_score(made, path):
    pose_files.write_sleap(path, made)
    with h5py.File(path, "a") as file:
        instances, points = file["instances"][:], file["pred_points"][:3]
        frames = file["frames"][:]
        corrected = instances[-1].copy()  # of animal b in the last frame
        corrected["instance_type"], corrected["from_predicted"] = 0, len(instances) - 1
        corrected["point_id_start"], corrected["point_id_end"] = 0, 3
        frames["instance_id_end"][-1] += 1
        user = np.empty(3, pose_files.POINT)
        user["x"], user["y"], user["visible"] = [1, 2, 3], [4, 5, 6], [True, True, False]
        for name, table in (
            ("instances", np.append(instances, corrected)),
            ("points", user),
            ("frames", frames),
        ):
            del file[name]
            file[name] = table
        assert len(points) == 3
    poses = read_poses(path, 30)["b"]
    np.testing.assert_array_equal(poses.position[-1], [[1, 4], [2, 5], [np.nan, np.nan]])
    np.testing.assert_array_equal(poses.confidence[-1], [np.nan, np.nan, 0])
    np.testing.assert_array_equal(poses.position[:-1], made.position[:-1, 1])


def test_pixels_of_old_versions_begin_half_a_pixel_earlier(made, path):
    pose_files.write_sleap(path, made, version=1.0)
    np.testing.assert_allclose(read_poses(path, 30)["a"].position, made.position[:, 0] - 0.5)
    pose_files.write_sleap(path, made, version=3.0)
    refuse(
        path, r"p\.slp: has version 3 of SLEAP's format, which is not known\. Export it as analysis"
    )


def test_the_frame_rate_of_the_video_is_used_if_the_file_has_it(made, path):
    pose_files.write_sleap(path, made, fps=48)
    assert read_header(path).fps == 48 and read_poses(path)["a"].fps == 48


def test_frames_without_an_animal_are_missing(made, path):
    made.position[20:25] = np.nan
    pose_files.write_sleap(path, made)
    poses = read_poses(path, 30)["a"]
    np.testing.assert_array_equal(poses.position, made.position[:, 0])


def test_several_videos_or_skeletons_are_refused(made, path):
    pose_files.write_sleap(path, made, videos=2)
    refuse(path, "has poses of 2 videos. Export one file per video")
    pose_files.write_sleap(path, made)
    change(path, "instances", "skeleton", -1, 1)
    refuse(path, "has instances of 2 skeletons")


def test_the_longest_of_many_tracks_are_read(path, caplog, monkeypatch):
    monkeypatch.setattr(animals, "MAX_ANIMALS", 2)
    made = pose_files.recording(n_frames=100, n_animals=4)
    made.position[10:, 1] = np.nan
    made.position[:95, 2] = np.nan
    pose_files.write_sleap(path, made)
    assert list(read_poses(path, 30)) == ["a", "d"]
    assert "p.slp: contains 4 tracks; the 2 longest are read, 9" in caplog.text
    assert list(read_poses(path, 30, individuals=["b"])) == ["b"]


@pytest.mark.parametrize(
    ("table", "field", "value", "match"),
    [
        ("frames", "instance_id_end", 10**6, "its frames refer to instances that do not exist"),
        ("frames", "instance_id_start", 0, "its frames share instances"),
        ("instances", "track", 7, "its instances refer to tracks that do not exist"),
        ("instances", "point_id_end", 10**6, "an instance does not have 3 points"),
        ("frames", "frame_idx", 2**62, "increasing frame numbers|too many frames are missing"),
    ],
)
def test_references_that_lead_nowhere_are_refused(made, path, table, field, value, match):
    pose_files.write_sleap(path, made)
    change(path, table, field, -1, value)
    refuse(path, match)


def test_metadata_that_names_no_nodes_is_refused(made, path):
    pose_files.write_sleap(path, made)
    for text in ("{", json.dumps({"skeletons": []}), "[]", "1"):
        with h5py.File(path, "a") as file:
            file["metadata"].attrs["json"] = text
        refuse(path, "its metadata does not name the nodes of the skeleton")
