"""Features in the animal's frame of reference, from rigid bodies at known places."""

import numpy as np
import pytest
from conftest import make_poses, rotation
from hypothesis import given, settings
from hypothesis import strategies as st

from vame_pipe.alignment.session import align
from vame_pipe.config.sections import Align
from vame_pipe.core.errors import InputError
from vame_pipe.poses import simulate
from vame_pipe.poses.readers import read_poses

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
    assert RAW.axis_problems(["nose", "_Tail"]) == [
        "align.centre 'tail' is not in keypoints, which has: nose, _Tail. Set it to one of these. Did you "
        "mean '_Tail'?"
    ]


def test_one_keypoint_is_not_enough_for_a_body_axis(real_poses):
    poses = read_poses(real_poses / "reject/nose-only.csv", 30)["id_0"]
    with pytest.raises(InputError, match="A body axis needs two"):
        align(poses, Align(centre="nose", forward="objectA"))


def in_space(position, height):
    """Add heights `(n_frames, n_keypoints)` to positions in the plane."""
    return np.concatenate([position, np.broadcast_to(height, position.shape[:2])[..., None]], -1)


HEIGHTS = np.array([0.1, 0.3, 0.0, 0.2])


@given(
    st.lists(st.floats(-1.5, 1.5), min_size=3, max_size=20), st.floats(-500, 500), st.floats(5, 500)
)
@settings(max_examples=30)
def test_in_three_dimensions_yaw_is_undone_and_heights_are_from_the_floor(turns, z, size):
    headings = np.cumsum(turns)
    centre = 5 + np.outer(np.linspace(0, 3 * size, len(headings)), [1, 0.5])
    position = in_space(animal(headings, centre, size), z + size * HEIGHTS)
    aligned = align(make_poses(position, NAMES), RAW)
    found, unit = columns(aligned), np.hypot(1, 0.2)  # the body axis is inclined
    assert aligned.quality.floor == pytest.approx(z, abs=1e-6)
    assert aligned.quality.body_length_px == pytest.approx(size * unit, rel=1e-6)
    assert list(found) == [
        *("tail_z", "nose_x", "nose_z"),
        *("left_x", "left_y", "left_z", "right_x", "right_y", "right_z"),
    ]
    for k, name in enumerate(NAMES):
        for axis, letter in enumerate("xyz"):
            if f"{name}_{letter}" in found:
                expected = [*BODY[k], HEIGHTS[k]][axis] / unit
                np.testing.assert_allclose(found[f"{name}_{letter}"], expected, atol=1e-4)


@given(pitch=st.floats(-1.2, 1.2), roll=st.floats(-1.2, 1.2))
@settings(max_examples=20)
def test_pitch_and_roll_are_not_undone(pitch, roll):
    """A body that is pitched and rolled keeps its shape in the animal's frame."""
    body = np.column_stack([BODY, HEIGHTS])
    body[:, [1, 2]] = body[:, [1, 2]] @ rotation(roll).T
    body[:, [0, 2]] = body[:, [0, 2]] @ rotation(pitch).T
    headings = np.linspace(0, 2, 30)
    moved = animal(headings, np.cumsum(np.ones((30, 2)), 0), 50, body[:, :2])
    position = in_space(moved, 50 * body[:, 2])
    found = columns(align(make_poses(position, NAMES), RAW.model_copy(update={"scale": False})))
    yaw = np.arctan2(body[1, 1] - body[0, 1], body[1, 0] - body[0, 0])
    plane = (body[:, :2] - body[0, :2]) @ rotation(-yaw).T
    for k, name in enumerate(NAMES):
        expected = {"x": plane[k, 0], "y": plane[k, 1], "z": body[k, 2] - body[:, 2].min()}
        for letter, value in expected.items():
            if f"{name}_{letter}" in found:
                np.testing.assert_allclose(found[f"{name}_{letter}"], 50 * value, atol=1e-3)


def test_the_floor_can_be_given():
    position = in_space(walking(60), 7 + 50 * HEIGHTS)
    settings = RAW.model_copy(update={"floor": 2.0, "scale": False})
    found = columns(align(make_poses(position, NAMES), settings))
    np.testing.assert_allclose(found["nose_z"], 5 + 15, rtol=1e-6)


def simulated(seed, dimensions):
    """A simulated animal `(300, 8, 2 or 3)` that rears."""
    position = simulate.simulate(300, FPS, seed)[0]
    if dimensions == 2:
        return position
    height = 10 + 4 * np.sin(np.arange(300) / 20)[:, None] * np.arange(8)
    return in_space(position, height)


WHOLE = Align(centre="tailbase", forward="nose")


@pytest.mark.parametrize("axis", [None, "rigid"])
@pytest.mark.parametrize("dimensions", [2, 3])
@given(
    seed=st.integers(0, 9),
    yaw=st.floats(-3, 3),
    shift=st.tuples(*[st.floats(-200, 200)] * 3),
    scale=st.floats(0.2, 5),
)
@settings(max_examples=4)
def test_features_depend_neither_on_place_nor_direction_nor_size(
    dimensions, axis, seed, yaw, shift, scale
):
    """Outliers are left in: a running median of each coordinate depends a little on the direction."""
    settings = WHOLE.model_copy(update={"axis": axis, "outlier_threshold": None})
    position = simulated(seed, dimensions)
    moved = position * scale
    moved[..., :2] = moved[..., :2] @ rotation(yaw).T
    moved += shift[:dimensions]
    one = align(make_poses(position, simulate.KEYPOINTS), settings)
    other = align(make_poses(moved, simulate.KEYPOINTS), settings)
    assert one.names == other.names
    np.testing.assert_allclose(one.features, other.features, atol=2e-4)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_mirrored_recording_seen_from_below_is_that_from_above(dimensions):
    position = simulated(0, dimensions)
    mirrored = position * ([1, -1, 1][:dimensions])
    above = align(make_poses(position, simulate.KEYPOINTS), WHOLE)
    below = WHOLE.model_copy(update={"camera": "below"})
    np.testing.assert_array_equal(
        above.features, align(make_poses(mirrored, simulate.KEYPOINTS), below).features
    )
    wrong = align(make_poses(mirrored, simulate.KEYPOINTS), WHOLE)
    for name, sign in (
        ("left_ear_y", -1),
        ("turn_rate", -1),
        ("speed_lateral", -1),
        ("log_speed", 1),
    ):
        column = above.names.index(name)
        np.testing.assert_allclose(wrong.features[:, column], sign * above.features[:, column])


def test_a_real_recording_in_three_dimensions_is_turned_about_the_vertical_only(real_poses):
    (poses,) = read_poses(real_poses / "dlc-3d/reachingDEMO_3D.h5", 30).values()
    used = ("Right_elbow", "Right_wrist", "R_Finger1", "R_Finger2")
    settings = Align.model_validate(
        RAW.model_dump() | {"centre": used[0], "forward": used[1], "scale": False, "floor": 0}
    )
    found = columns(align(poses, settings, {name: [name] for name in used}))
    raw = poses.position[:, [poses.keypoints.index(name) for name in used]]
    arm, finger = raw[:, 1] - raw[:, 0], raw[:, 2] - raw[:, 0]
    length = np.hypot(*arm.T[:2])
    ahead = (finger * arm)[:, :2].sum(axis=1) / length
    side = (arm[:, 0] * finger[:, 1] - arm[:, 1] * finger[:, 0]) / length
    np.testing.assert_allclose(found["R_Finger1_x"], ahead, atol=1e-4)
    np.testing.assert_allclose(found["R_Finger1_y"], side, atol=1e-4)
    np.testing.assert_allclose(found["Right_wrist_x"], length, rtol=1e-5)
    np.testing.assert_allclose(found["R_Finger1_z"], raw[:, 2, 2], rtol=1e-5)
    np.testing.assert_allclose(found["Right_elbow_z"], raw[:, 0, 2], rtol=1e-5)
