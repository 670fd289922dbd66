"""Speeds and turn rates of rigid bodies with known movement."""

import numpy as np
from conftest import make_poses
from test_egocentric import BODY, FPS, NAMES, RAW, animal, columns

from vame_pipe.alignment.egocentric import MIN_SPEED
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
