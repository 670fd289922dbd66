"""Features in the animal's frame of reference, from rigid bodies at known places."""

import numpy as np
import pytest
from conftest import make_poses, rotation
from hypothesis import given, settings
from hypothesis import strategies as st

from vame_pipe.alignment.session import align
from vame_pipe.config.sections import Align
from vame_pipe.core.errors import InputError

FPS = 30.0
NAMES = ("tail", "nose", "left", "right")
# the animal's own frame, body lengths: x ahead, y to its right (the image's y points down)
BODY = np.array([[0, 0], [1, 0], [0.5, -0.2], [0.5, 0.2]])
RAW = Align(centre="tail", forward="nose", outlier_threshold=None, smooth_s=None, kinematics=False)


def animal(heading, centre, size=50.0, body=BODY):
    """Place a rigid body, `(n_frames, 4, 2)` pixels, at headings (radians) and centres (pixels)."""
    turned = np.einsum("nij,kj->nki", rotation(np.asarray(heading)), np.broadcast_to(body, (4, 2)))
    return np.asarray(centre)[:, None] + size * turned


def walking(n_frames, heading=0.0):
    """A rigid body that moves by one pixel per frame along both axes of the image."""
    return animal(np.full(n_frames, heading), np.cumsum(np.ones((n_frames, 2)), 0))


def columns(aligned):
    return dict(zip(aligned.names, aligned.features.T, strict=True))


@given(
    st.lists(st.floats(-1.5, 1.5), min_size=3, max_size=20),
    st.floats(1, 500),
    st.floats(5, 500),
)
@settings(deadline=None)
def test_a_known_rotation_is_undone_frame_by_frame(turns, x, size):
    """Of any size, but not of half a turn in one frame: then head and tail would have been swapped."""
    headings = np.cumsum(turns)
    centre = x + np.outer(np.linspace(0, 3 * size, len(headings)), [1, 0.5])
    aligned = align(make_poses(animal(headings, centre, size), NAMES), RAW)
    assert aligned.names == ["nose_x", "left_x", "left_y", "right_x", "right_y"]
    expected = np.broadcast_to([1, 0.5, -0.2, 0.5, 0.2], aligned.features.shape)
    np.testing.assert_allclose(aligned.features, expected, atol=1e-5)
    assert aligned.quality.body_length_px == pytest.approx(size, rel=1e-6)


def test_features_are_in_pixels_without_scaling():
    poses = make_poses(walking(50, heading=1.0), NAMES)
    aligned = columns(align(poses, RAW.model_copy(update={"scale": False})))
    np.testing.assert_allclose(aligned["nose_x"], 50, rtol=1e-6)
    np.testing.assert_allclose(aligned["right_y"], 10, rtol=1e-6)


def test_a_body_axis_that_is_not_in_the_file_is_refused():
    poses = make_poses(walking(60), NAMES)
    with pytest.raises(
        InputError, match="'belly' is not in its file, which has: tail, nose, left, right"
    ):
        align(poses, Align.model_validate(RAW.model_dump() | {"centre": "belly"}))


def test_aliases_select_and_rename_keypoints():
    poses = make_poses(walking(60, heading=1.0), ("Tail", "Snout", "l", "r"))
    aliases = {"tail": ["TailBase", "Tail"], "nose": ["Snout", "Nose"], "right": ["r"]}
    aligned = align(poses, RAW, aliases)
    assert aligned.names == ["nose_x", "right_x", "right_y"]
    np.testing.assert_allclose(aligned.features[0], [1, 0.5, 0.2], atol=1e-5)
    with pytest.raises(InputError, match="'a' or 'b' is not in its file"):
        align(poses, RAW, aliases | {"ear": ["a", "b"]})


def test_a_body_axis_outside_of_the_selected_keypoints_is_refused():
    poses = make_poses(walking(60), NAMES)
    with pytest.raises(InputError) as error:
        align(poses, RAW, {"nose": ["nose"], "left": ["left"]})
    assert error.value.problems == [
        "align.centre 'tail' is not in keypoints, which has: nose, left. Set it to one of these."
    ]


def test_one_keypoint_is_not_enough_for_a_body_axis(real_poses):
    from vame_pipe.poses.readers import read_poses

    poses = read_poses(real_poses / "reject/nose-only.csv", 30)["id_0"]
    with pytest.raises(InputError, match="A body axis needs two"):
        align(poses, Align(centre="nose", forward="objectA"))
