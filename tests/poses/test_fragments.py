"""Fragments of tracks are counted over all animals."""

import numpy as np
import pose_files
import pytest

from vame_pipe.poses.fragments import fragments
from vame_pipe.poses.readers import read_poses


def test_fragments_of_all_animals_are_counted(tmp_path):
    made = pose_files.recording(n_frames=100)
    position = np.ones_like(made.position)
    position[:10] = np.nan
    position[40:50, 0] = np.nan
    position[60:, 1, 0] = np.nan  # one keypoint is still there
    position[70:, 1] = np.nan
    made = pose_files.Recording(position, np.ones(position.shape[:3]))
    pose_files.write_sleap_analysis(tmp_path / "p.h5", made)
    found = fragments(read_poses(tmp_path / "p.h5", 25))
    assert (found.n_fragments, found.longest_s) == (3, 60 / 25)
    assert found.covered_fraction == pytest.approx(0.9)
