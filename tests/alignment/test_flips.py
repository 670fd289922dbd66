"""Stretches in which head and tail are swapped are found, repaired and counted."""

import numpy as np
import pytest
from conftest import make_poses

from vame_pipe.alignment.flips import find_flips
from vame_pipe.alignment.session import align
from vame_pipe.config.sections import Align
from vame_pipe.poses import simulate

FPS = 30.0
NOSE, TAIL = simulate.KEYPOINTS.index("nose"), simulate.KEYPOINTS.index("tailbase")
SETTINGS = Align(centre="tailbase", forward="nose")


def walk(n_frames=900, seed=0):
    return simulate.simulate(n_frames, FPS, seed)[0]


def swapped(position, where):
    position = position.copy()
    position[where, NOSE], position[where, TAIL] = (
        position[where, TAIL],
        position[where, NOSE].copy(),
    )
    return position


def test_swapped_ends_are_found_frame_by_frame():
    position = walk()
    truth = np.zeros(len(position), bool)
    for start, end in ((100, 140), (300, 303), (500, 620)):
        truth[start:end] = True
    flipped = find_flips(swapped(position, truth), TAIL, NOSE, FPS, simulate.BODY_PX)
    np.testing.assert_array_equal(flipped, truth)
    aligned = align(make_poses(swapped(position, truth), simulate.KEYPOINTS), SETTINGS)
    assert aligned.quality.flipped_fraction == pytest.approx(truth.mean())
    (warning,) = aligned.warnings
    assert "seem to be swapped (head for tail) in 18.1% of the frames" in warning
    assert (aligned.quality.n_flips, aligned.quality.n_flips_repaired) == (3, 1)
    kept = SETTINGS.model_copy(update={"outlier_threshold": None})
    aligned = align(make_poses(swapped(position, truth), simulate.KEYPOINTS), kept)
    np.testing.assert_array_equal(aligned.valid, ~truth | (np.arange(len(truth)) // 10 == 30))


def test_a_short_flip_is_repaired_and_changes_no_other_frame():
    """The whole animal is the wrong way round, not only both ends."""
    position = walk()
    turned = position.copy()
    middle = (position[300:305, [NOSE]] + position[300:305, [TAIL]]) / 2
    turned[300:305] = 2 * middle - position[300:305]
    plain = {"smooth_s": None, "outlier_threshold": None, "kinematics": False, "scale": False}
    settings = SETTINGS.model_copy(update=plain)
    right, repaired = (
        align(make_poses(p, simulate.KEYPOINTS), settings) for p in (position, turned)
    )
    assert repaired.quality.n_flips == repaired.quality.n_flips_repaired == 1
    assert repaired.valid.all()
    same = np.arange(900) // 5 != 60
    np.testing.assert_allclose(repaired.features[same], right.features[same], atol=1e-5)
    error = np.abs(repaired.features[~same] - right.features[~same])
    assert np.median(error) < 2  # pixels
    wrong = turned[302, NOSE] - turned[302, TAIL]
    assert wrong @ (position[302, NOSE] - position[302, TAIL]) < 0


def test_an_axis_that_is_named_the_wrong_way_round_costs_no_frame():
    """What is then at fault is the stretch in which it is the right way round."""
    position = walk()
    backwards = Align(centre="nose", forward="tailbase")
    aligned = align(make_poses(position, simulate.KEYPOINTS), backwards)
    assert aligned.quality.flipped_fraction == 1 and aligned.quality.n_flips == 0
    (warning,) = aligned.warnings
    assert "backwards in 100.0% of the frames" in warning and "exchange align.centre" in warning
    assert aligned.valid.all()
    stretch = np.zeros(900, bool)
    stretch[400:440] = True
    aligned = align(make_poses(swapped(position, stretch), simulate.KEYPOINTS), backwards)
    np.testing.assert_array_equal(aligned.valid, ~stretch)
    assert (aligned.quality.n_flips, aligned.quality.n_flips_repaired) == (1, 0)


@pytest.mark.parametrize("seed", range(5))
def test_ends_that_are_swapped_throughout_are_found_by_the_direction_of_travel(seed):
    position = walk(seed=seed)
    everywhere = np.ones(len(position), bool)
    right = find_flips(position, TAIL, NOSE, FPS, simulate.BODY_PX)
    assert right.mean() == 0
    wrong = find_flips(swapped(position, everywhere), TAIL, NOSE, FPS, simulate.BODY_PX)
    assert wrong.mean() == 1


def test_gaps_do_not_hide_which_end_is_the_head():
    position = walk(1800)
    truth = np.zeros(len(position), bool)
    truth[600:1000] = True
    position = swapped(position, truth)
    position[580:600] = np.nan
    position[1000:1020] = np.nan
    known = np.isfinite(position[:, NOSE, 0])
    flipped = find_flips(position, TAIL, NOSE, FPS, simulate.BODY_PX)
    np.testing.assert_array_equal(flipped, truth & known)
