"""3D poses of Anipose: columns, frame numbers, damaged files."""

import numpy as np
import pandas as pd
import pose_files
import pytest
from pose_files import read_keypoints

from vame_pipe.core.errors import InputError
from vame_pipe.poses.readers import read_header, read_poses


@pytest.fixture
def path(tmp_path):
    pose_files.write_anipose(tmp_path / "p.csv", pose_files.recording(n_animals=1, n_dimensions=3))
    return tmp_path / "p.csv"


def test_what_belongs_to_no_keypoint_is_left_out(path):
    assert read_keypoints(path) == ["nose", "left ear", "tail"]
    assert read_header(path).first_label == "0"


def test_frames_are_numbered_by_their_column_or_in_order(path):
    table = pd.read_csv(path)
    table.assign(fnum=np.arange(len(table)) + 100).to_csv(path, index=False)
    assert read_poses(path, 30)["id_0"].first_frame == 100
    table.drop(columns="fnum").to_csv(path, index=False)
    poses = read_poses(path, 30)["id_0"]
    assert poses.first_frame == 0 and len(poses.position) == len(table)


def test_a_frame_number_that_is_none_is_refused(path):
    path.write_text(path.read_text().replace(",59\n", ",fifty\n"))
    with pytest.raises(
        InputError, match=r"p\.csv: its column fnum has 'fifty', which is not a frame"
    ):
        read_poses(path, 30)


def test_a_keypoint_without_height_is_a_fault_of_this_keypoint(path):
    table = pd.read_csv(path)
    table.rename(columns={"tail_z": "other"}).to_csv(path, index=False)
    assert read_keypoints(path) == ["nose", "left ear"]


def test_a_table_without_coordinates_is_refused(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("time,nose_x,nose_y\n0,1,2\n1,1,2\n")
    with pytest.raises(InputError, match="its first row names no keypoint with columns _x, _y and"):
        read_poses(path, 30, "anipose")
