"""Speeds and turn rates of rigid bodies with known movement."""

import numpy as np
from conftest import make_poses
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from test_egocentric import BODY, FPS, NAMES, RAW, animal, columns

from vame_pipe.alignment.egocentric import MIN_SPEED
from vame_pipe.alignment.kinematics import difference, names
from vame_pipe.alignment.session import align

MOVING = RAW.model_copy(update={"kinematics": True})


def test_speeds_have_the_documented_signs_and_units():
    n = 90
    still = np.zeros(n)
    t = np.arange(n) / FPS
    poses = make_poses(animal(still, np.stack([7 + 100 * t, still], 1)), NAMES)
    ahead = columns(align(poses, MOVING))
    np.testing.assert_allclose(ahead["speed_forward"], 2, atol=1e-4)  # 100 px/s, a body of 50 px
    np.testing.assert_allclose(ahead["speed_lateral"], 0, atol=1e-4)
    np.testing.assert_allclose(ahead["log_speed"], np.log(2 + MIN_SPEED), atol=1e-4)
    np.testing.assert_allclose(ahead["log_posture_speed"], np.log(MIN_SPEED), atol=1e-3)
    # if the animal faces the image's right, down is the animal's right
    poses = make_poses(animal(still, np.stack([7 + still, 25 * t], 1)), NAMES)
    right = columns(align(poses, MOVING))
    np.testing.assert_allclose(right["speed_lateral"], 0.5, atol=1e-4)
    np.testing.assert_allclose(right["speed_forward"], 0, atol=1e-4)


def test_turn_rate_does_not_jump_where_angles_wrap():
    heading = 1.5 * np.arange(300) / FPS  # more than two turns
    aligned = columns(align(make_poses(animal(heading, np.zeros((300, 2))), NAMES), MOVING))
    np.testing.assert_allclose(aligned["turn_rate"], 1.5, atol=1e-4)


def test_posture_speed_is_the_mean_over_keypoints():
    n = 60
    bodies = np.broadcast_to(BODY, (n, 4, 2)).copy()
    # one of three keypoints moves, by 0.9 body lengths per second
    bodies[:, 2, 0] += 0.9 * np.arange(n) / FPS
    poses = make_poses(7 + 50 * bodies + np.arange(n)[:, None, None], NAMES)
    speed = columns(align(poses, MOVING))["log_posture_speed"]
    np.testing.assert_allclose(np.exp(speed), 0.3 + MIN_SPEED, atol=1e-3)


def test_speeds_in_space_have_a_vertical_part():
    n = 60
    t = np.arange(n) / FPS
    plane = animal(np.zeros(n), np.stack([7 + 30 * t, np.zeros(n)], 1))
    height = np.broadcast_to(40 * t[:, None], (n, 4)).copy()
    height[:, 3] += 10 * t  # one of three keypoints rises faster than the others
    poses = make_poses(np.concatenate([plane, height[..., None]], axis=2), NAMES)
    found = columns(align(poses, MOVING.model_copy(update={"scale": False})))
    assert [name for name in found if "speed" in name or "turn" in name] == names(3)
    np.testing.assert_allclose(found["speed_forward"], 30, atol=1e-3)
    np.testing.assert_allclose(found["speed_vertical"], 40, atol=1e-3)
    np.testing.assert_allclose(found["speed_lateral"], 0, atol=1e-3)
    added = MIN_SPEED * 50
    np.testing.assert_allclose(np.exp(found["log_speed"]), 50 + added, rtol=1e-5)
    np.testing.assert_allclose(
        np.exp(found["log_posture_speed"]), (40 + 40 + 50) / 3 + added, rtol=1e-5
    )


@given(known=hnp.arrays(bool, st.integers(1, 30)))
@settings(max_examples=50)
def test_rates_of_change_are_those_of_a_loop_over_the_frames(known):
    values = np.where(known, np.arange(len(known)) ** 2.0, np.nan)
    expected = np.full(len(known), np.nan)
    for i in np.flatnonzero(known):
        steps = [values[j + 1] - values[j] for j in (i - 1, i) if 0 <= j < len(known) - 1]
        steps = [step for step in steps if not np.isnan(step)]
        if steps:
            expected[i] = np.mean(steps) * FPS
    np.testing.assert_allclose(difference(values, FPS), expected)
