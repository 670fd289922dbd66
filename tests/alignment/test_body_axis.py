"""Where an animal points: two points, a line through several, the rigid fit to the median posture."""

import numpy as np
import pytest
from conftest import make_poses, rotation
from hypothesis import given, settings
from hypothesis import strategies as st
from test_egocentric import BODY, NAMES, RAW, animal, columns

from vame_pipe.alignment.body_axis import line_heading, rigid_heading
from vame_pipe.alignment.session import align
from vame_pipe.config.sections import Align
from vame_pipe.core.errors import InputError

SPINE = ("tail", "back", "neck", "nose", "ear")


def directions(angle):
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def spine(heading, bend, rng):
    """A spine `(n_frames, 5, 2)` with a bent tail and an ear on one side, 50 pixels long."""
    body = np.array([[0, 0], [0.4, 0], [0.7, 0], [1, 0], [0.9, 0.15]])
    bodies = np.tile(body, (len(heading), 1, 1))
    bodies[:, 0, 1] += bend
    turned = np.einsum("nij,nkj->nki", rotation(heading), bodies)
    return 50 * turned + rng.uniform(0, 300, (len(heading), 1, 2))


@given(
    points=st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=3, max_size=6),
    angle=st.floats(-3, 3),
)
@settings(max_examples=30)
def test_the_line_is_the_least_squares_fit_from_back_to_front(points, angle):
    position = np.array(points)
    position[:, 0] += 20 * np.arange(len(points))
    position = position @ rotation(angle).T
    _, _, axes = np.linalg.svd(position - position.mean(axis=0))
    expected = axes[0] * np.sign(axes[0] @ (position[-1] - position[0]))
    found = line_heading(position[None], list(range(len(points))))
    np.testing.assert_allclose(found[0], expected, atol=1e-7)


def test_two_points_give_their_direction_and_coinciding_ones_none():
    position = np.array([[[1.0, 2.0], [4.0, 6.0]], [[1.0, 2.0], [1.0, 2.0]]])
    found = line_heading(position, [0, 1])
    np.testing.assert_allclose(found[0], [0.6, 0.8])
    assert np.isnan(found[1]).all()


def test_the_rigid_fit_is_the_best_of_all_rotations():
    """Compare with a search over angles: the least sum of squared distances to the median posture."""
    rng = np.random.default_rng(0)
    heading = rng.uniform(-3, 3, 40)
    position = spine(heading, rng.normal(0, 0.05, 40), rng) + rng.normal(0, 2, (40, 5, 2))
    guess = line_heading(position, [0, 3])
    turned = np.einsum("nij,nkj->nki", rotation(-np.arctan2(guess[:, 1], guess[:, 0])), position)
    median = np.median(turned - turned.mean(axis=1, keepdims=True), axis=0)
    median -= median.mean(axis=0)
    angles = np.linspace(-np.pi, np.pi, 3601)
    fitted = np.einsum("aij,kj->aki", rotation(angles), median)
    centred = position - position.mean(axis=1, keepdims=True)
    cost = np.square(centred[:, None] - fitted).sum(axis=(2, 3))
    best = angles[cost.argmin(axis=1)]
    found = rigid_heading(position, guess)
    error = np.abs(np.angle((found[:, 0] + 1j * found[:, 1]) * np.exp(-1j * best)))
    assert error.max() < 2 * np.pi / 3600


def test_more_points_than_two_make_the_heading_less_sensitive_to_a_bent_tail():
    rng = np.random.default_rng(0)
    heading = np.cumsum(rng.normal(0, 0.05, 600))
    position = spine(heading, 0.3 * np.sin(np.arange(600) / 9), rng)

    def error(found):
        turn = (found[:, 0] + 1j * found[:, 1]) * np.exp(-1j * heading)
        return np.angle(turn / np.mean(turn)).std()

    two = line_heading(position, [0, 3])
    line = line_heading(position, [0, 1, 2, 3])
    assert error(rigid_heading(position, two)) < error(line) < error(two)


def test_the_axis_of_a_rigid_body_only_turns_its_features():
    poses = make_poses(animal(np.linspace(0, 5, 90), np.cumsum(np.ones((90, 2)), 0)), NAMES)

    def features(axis):
        return columns(align(poses, RAW.model_copy(update={"axis": axis})))

    two = features(None)
    assert "nose_y" not in two
    np.testing.assert_equal(features(["tail", "nose"]), two)
    rigid = features("rigid")
    np.testing.assert_allclose(rigid.pop("nose_y"), 0, atol=1e-5)
    for name, values in two.items():
        np.testing.assert_allclose(rigid[name], values, atol=1e-5)
    oblique = features(["tail", "right", "nose"])
    points = BODY[[0, 3, 1]]
    axis = np.linalg.svd(points - points.mean(axis=0))[2][0]
    axis *= np.sign(axis[0])
    turned = BODY @ rotation(-np.arctan2(axis[1], axis[0])).T
    for k, name in enumerate(NAMES[1:], 1):
        np.testing.assert_allclose(oblique[f"{name}_x"], turned[k, 0], atol=1e-5)
        np.testing.assert_allclose(oblique[f"{name}_y"], turned[k, 1], atol=1e-5)
    assert np.abs(oblique["right_y"]).min() > 0.1  # the point in the middle counts


def test_of_two_keypoints_no_coordinate_is_always_zero():
    poses = make_poses(animal(np.linspace(0, 5, 90), np.cumsum(np.ones((90, 2)), 0)), NAMES)
    for axis in (None, ["tail", "nose"], "rigid"):
        settings = RAW.model_copy(update={"axis": axis})
        aligned = align(poses, settings, {"tail": ["tail"], "nose": ["nose"]})
        assert aligned.names == ["nose_x"]


def test_an_axis_names_keypoints_that_are_there_and_each_once():
    poses = make_poses(animal(np.zeros(30), np.ones((30, 2))), NAMES)
    wrong = RAW.model_copy(update={"axis": ["tail", "belly", "nose"]})
    with pytest.raises(InputError, match=r"'belly' is not in its file, .*Set align.axis to one"):
        align(poses, wrong)
    with pytest.raises(InputError, match=r"align.axis 'belly' is not in keypoints"):
        align(poses, wrong, {name: [name] for name in NAMES})
    with pytest.raises(ValueError, match="axis lists a keypoint twice"):
        Align(centre="tail", forward="nose", axis=["tail", "tail"])
