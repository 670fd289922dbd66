"""Pictures of pose files before there is a configuration."""

import warnings

import numpy as np
import pytest

from vame_pipe.poses.contract import Poses
from vame_pipe.poses.simulate import KEYPOINTS, simulate, write_deeplabcut
from vame_pipe.poses.summary import summarise
from vame_pipe.reporting.inspection import draw, draw_path, draw_presence, draw_usual_posture

POSITION, CONFIDENCE, _ = simulate(300, 30, 0)


def test_an_animal_without_a_body_axis_has_only_the_picture_of_its_keypoints(tmp_path):
    """As a fragment of a track; the settings are suggested from all animals of the file."""
    write_deeplabcut(tmp_path / "a.csv", POSITION, CONFIDENCE, KEYPOINTS)
    summary, _ = summarise(tmp_path / "a.csv")
    no_nose, no_spine = POSITION.copy(), POSITION.copy()
    no_nose[:, KEYPOINTS.index("nose")] = np.nan
    no_spine[:, KEYPOINTS.index("spine")] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for position, n_pictures in ((POSITION, 3), (no_nose, 1), (no_spine, 3)):
            pictures = draw(summary, "a", Poses(position, CONFIDENCE, KEYPOINTS, 30, "a.csv"))
            assert len(pictures) == n_pictures
            assert not any("nan" in picture.drawing for picture in pictures)


def test_a_path_is_broken_where_the_keypoint_is_missing():
    points = np.stack([np.arange(6.0), 2 * np.arange(6.0)], axis=1)
    points[2] = np.nan
    drawing = draw_path(points)
    assert drawing.count("<polyline") == 2
    assert 'points="0,0 32,64"' in drawing and 'points="96,192 128,256 160,320"' in drawing


def test_the_usual_posture_looks_to_the_right_whatever_the_heading():
    posture = np.array([[0.0, 0.0], [2.0, 0.0], [1.0, -0.5]])  # back, front, left of the animal
    angles = np.linspace(0, 6, 50)
    turn = np.stack(
        [np.stack([np.cos(angles), np.sin(angles)]), np.stack([-np.sin(angles), np.cos(angles)])]
    )  # (from, to, frame)
    position = np.einsum("ka,abt->tkb", posture, turn) + 100
    drawing = draw_usual_posture(position, [0, 1, 2], ["back", "front", "left"], 0, 1)
    for x, y in ((-0.5, 0), (0.5, 0), (0, -0.25)):
        assert f'cx="{x:.2f}" cy="{y:.2f}"' in drawing.replace("-0.00", "0.00")


@pytest.mark.parametrize("n_frames", [3, 1000])
def test_presence_is_the_fraction_of_known_points_over_time(n_frames):
    known = np.ones((n_frames, 2), bool)
    known[: n_frames // 2, 1] = False
    drawing = draw_presence(known, ["always", "<late"])
    shares = [float(part.split('"')[0]) for part in drawing.split('fill-opacity="')[1:]]
    n_bins = min(120, n_frames)
    assert shares[:n_bins] == [1.0] * n_bins
    assert np.mean(shares[n_bins:]) == pytest.approx(known[:, 1].mean(), abs=0.01)
    assert "&lt;late" in drawing
