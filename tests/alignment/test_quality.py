"""Placeholders, objects, thresholds, poses that are egocentric already."""

import dataclasses

import numpy as np
import pytest
from conftest import make_poses, rotation
from test_egocentric import NAMES, RAW, animal, walking

from vame_pipe.alignment.session import align
from vame_pipe.config.sections import Align, Quantile
from vame_pipe.core.errors import InputError
from vame_pipe.poses import simulate

FPS = 30.0
NOSE, TAIL = simulate.KEYPOINTS.index("nose"), simulate.KEYPOINTS.index("tailbase")
SETTINGS = Align(centre="tailbase", forward="nose")


def walk(n_frames=900, seed=0):
    return simulate.simulate(n_frames, FPS, seed)[0]


def test_placeholders_are_missing_and_counted_and_cause_a_warning(caplog):
    position = walk()
    position[100:136, NOSE] = 0.0
    aligned = align(make_poses(position, simulate.KEYPOINTS), SETTINGS)
    assert not aligned.valid[100:136].any()
    nose = aligned.quality.keypoints["nose"]
    assert nose.placeholders == pytest.approx(0.04) and nose.below_confidence == 0
    (warning,) = aligned.warnings
    assert warning.startswith("36 points of 'nose' at exactly (0, 0), which programs write")
    assert caplog.text == ""  # whoever calls `align` decides what to log


def test_a_threshold_that_removes_most_points_is_reported_with_one_that_keeps_most():
    position = walk()
    poses = make_poses(position, simulate.KEYPOINTS)
    rng = np.random.default_rng(0)
    poses.confidence[:, NOSE] = rng.uniform(0, 1, 900)
    poses.confidence[:, TAIL] = rng.uniform(0, 12, 900)
    settings = SETTINGS.model_copy(update={"min_confidence": {"nose": 0.75}, "max_gap_s": 1.0})
    (warning,) = align(poses, settings).warnings
    lost = (poses.confidence[:, NOSE] < 0.75).mean()
    start, _, suggested = warning.partition("'nose'; ")
    assert start == f"align.min_confidence 0.75 removes {lost:.0%} of the points of "
    threshold = float(suggested.split()[0])
    assert 0.90 <= (poses.confidence[:, NOSE] >= threshold).mean() < 0.93
    assert align(poses, settings).quality.keypoints["nose"].threshold == 0.75


def test_points_without_a_score_are_trusted():
    poses = make_poses(walk(), simulate.KEYPOINTS)
    poses.confidence[:] = np.nan
    for rule in (0.6, Quantile(quantile=0.3), {"nose": 5.0}):
        aligned = align(poses, SETTINGS.model_copy(update={"min_confidence": rule}))
        assert aligned.valid.all() and aligned.warnings == []
        assert aligned.quality.keypoints["nose"].below_confidence == 0


def test_jumps_and_the_spread_of_the_body_length_are_counted():
    position = walk()
    position[400:] += 300
    aligned = align(make_poses(position, simulate.KEYPOINTS), SETTINGS)
    lengths = np.hypot(*(position[:, NOSE] - position[:, TAIL]).T)
    low, high = np.quantile(lengths, [0.05, 0.95])
    spread = (high - low) / np.median(lengths)
    n_jumps = align(make_poses(walk(), simulate.KEYPOINTS), SETTINGS).quality.n_jumps
    assert aligned.quality.n_jumps == n_jumps + 1 and aligned.quality.floor is None
    assert aligned.quality.body_length_spread == pytest.approx(spread, rel=0.05)  # of cleaned poses


def egocentric(n=300):
    """Poses whose centre is the origin and whose forward lies on the x axis."""
    rng = np.random.default_rng(0)
    position = np.zeros((n, 3, 2))
    position[:, 1, 0] = 50 + np.cumsum(rng.normal(0, 0.3, n))
    position[:, 2] = rng.normal((25, 10), 1, (n, 2))
    return make_poses(position, ("tailbase", "nose", "ear"))


def test_egocentric_poses_are_refused_with_kinematics_and_accepted_without():
    with pytest.raises(InputError, match=r"egocentric already\. Set align.kinematics to false"):
        align(egocentric(), SETTINGS)
    plain = SETTINGS.model_copy(
        update={"kinematics": False, "outlier_threshold": None, "smooth_s": None}
    )
    aligned = align(egocentric(), plain)
    assert aligned.names == ["nose_x", "ear_x", "ear_y"] and aligned.valid.all()
    np.testing.assert_allclose(
        aligned.features[:, 0] * aligned.quality.body_length_px,
        egocentric().position[:, 1, 0],
        rtol=1e-5,
    )


def test_a_head_fixed_animal_can_be_aligned():
    """Its body axis is stationary except for tracking noise, while its paws move."""
    rng = np.random.default_rng(0)
    body = rotation(0.3) @ np.array([[0, 60, 30, 30], [0, 0, -20, 20]], float)
    position = body.T[None] + 200 + rng.normal(0, 0.4, (600, 4, 2))
    position[:, 2:] += 40 * np.sin(np.arange(600) / 7)[:, None, None]
    poses = make_poses(position, ("tailbase", "nose", "left", "right"))
    with pytest.raises(InputError, match=r"set align\.head_fixed to true"):
        align(poses, SETTINGS)
    held = align(poses, SETTINGS.model_copy(update={"head_fixed": True}))
    assert held.valid.all() and held.quality.body_length_px == pytest.approx(60, rel=0.02)


def test_an_object_cannot_end_the_body_axis_but_an_animal_may_turn_on_the_spot():
    position = animal(np.linspace(0, 9, 300), np.cumsum(np.ones((300, 2)), 0))
    pivoting = position - position[:, :1]
    assert align(make_poses(pivoting, NAMES), RAW).valid.all()
    position[:, 0] = [150.0, 150.0]
    with pytest.raises(
        InputError, match=r"'tail' does not move while .* set align.head_fixed to true"
    ):
        align(make_poses(position, NAMES), RAW)


def test_an_object_among_the_keypoints_causes_a_warning():
    position = walking(300)
    position[:, 2] = [150.0, 150.0]
    assert align(make_poses(position, NAMES), RAW).warnings == [
        "'left' does not move while other keypoints do: if it is an object or a corner of the arena, "
        "remove it from keypoints"
    ]
    position[:, 3] = [10.0, 150.0]
    (warning,) = align(make_poses(position, NAMES), RAW).warnings
    assert warning.startswith("'left', 'right' do not move while other keypoints do: if they are")


def test_keypoints_without_a_confident_point_are_refused():
    poses = make_poses(walking(60), NAMES)
    poses = dataclasses.replace(poses, confidence=poses.confidence * 0.9)
    with pytest.raises(InputError) as error:
        align(poses, RAW.model_copy(update={"min_confidence": 1.0}))
    assert error.value.problems == [
        "keypoints 'tail', 'nose', 'left', 'right' have no usable point: the highest confidence is 0.9, "
        "align.min_confidence is 1. Remove them from keypoints, or lower align.min_confidence."
    ]
