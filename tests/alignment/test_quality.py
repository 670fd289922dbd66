import numpy as np
import pytest
from conftest import make_poses, rotation
from hypothesis import given, settings
from hypothesis import strategies as st

from vame_pipe.alignment.quality import find_flips, find_placeholders
from vame_pipe.alignment.session import align, confidence_thresholds
from vame_pipe.config.sections import Align, Quantile
from vame_pipe.core.errors import InputError
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


@given(
    value=st.sampled_from([(0.0, 0.0), (-1.0, -1.0), (640.0, 480.0)]),
    frames=st.sets(st.integers(1, 890), min_size=4, max_size=60),
    keypoints=st.sets(st.integers(0, 7), min_size=2, max_size=8),
)
@settings(deadline=None, max_examples=30)
def test_one_value_in_place_of_missing_points_is_found(value, frames, keypoints):
    position = walk()
    truth = np.zeros(position.shape[:2], bool)
    truth[np.ix_(sorted(frames), sorted(keypoints))] = True
    position[truth] = value
    found, values = find_placeholders(position)
    np.testing.assert_array_equal(found, truth)
    assert values == [value]


def test_points_on_whole_pixels_are_no_placeholders():
    """An animal that sits still on whole pixels repeats its values, also between keypoints."""
    position = np.round(walk(3000) / 4) * 4
    position[500:900] = position[500]
    found, values = find_placeholders(position)
    assert not found.any() and values == []


def test_an_object_and_an_egocentric_centre_stay():
    position = walk()
    position[:, 2] = (0.0, 0.0)
    assert not find_placeholders(position)[0].any()


def test_placeholders_are_missing_counted_and_said(caplog):
    position = walk()
    position[100:136, NOSE] = 0.0
    aligned = align(make_poses(position, simulate.KEYPOINTS), "s", SETTINGS)
    assert not aligned.valid[100:136].any()
    assert aligned.qc["keypoints"]["nose"]["placeholders"] == pytest.approx(0.04)
    assert aligned.qc["keypoints"]["nose"]["below_confidence"] == 0
    assert "session s: 36 points of 'nose' lie at exactly (0, 0)" in caplog.text


def test_swapped_ends_are_found_frame_by_frame(caplog):
    position = walk()
    truth = np.zeros(len(position), bool)
    for start, end in ((100, 140), (300, 303), (500, 620)):
        truth[start:end] = True
    flipped = find_flips(swapped(position, truth), TAIL, NOSE, FPS, simulate.BODY_PX)
    np.testing.assert_array_equal(flipped, truth)
    aligned = align(
        make_poses(swapped(position, truth), simulate.KEYPOINTS),
        "s",
        SETTINGS,
    )
    assert aligned.qc["flipped_fraction"] == pytest.approx(truth.mean())
    assert "seem to be swapped (head for tail) in 18.1% of the frames" in caplog.text


@pytest.mark.parametrize("seed", range(5))
def test_ends_that_are_swapped_throughout_are_found_by_travel(seed):
    position = walk(seed=seed)
    everywhere = np.ones(len(position), bool)
    right = find_flips(position, TAIL, NOSE, FPS, simulate.BODY_PX)
    assert right.mean() == 0
    wrong = find_flips(swapped(position, everywhere), TAIL, NOSE, FPS, simulate.BODY_PX)
    assert wrong.mean() == 1


def test_gaps_do_not_hide_which_end_is_which():
    position = walk(1800)
    truth = np.zeros(len(position), bool)
    truth[600:1000] = True
    position = swapped(position, truth)
    position[580:600] = np.nan
    position[1000:1020] = np.nan
    known = np.isfinite(position[:, NOSE, 0])
    flipped = find_flips(position, TAIL, NOSE, FPS, simulate.BODY_PX)
    np.testing.assert_array_equal(flipped, truth & known)


def egocentric(n=300):
    """Poses whose centre is the origin and whose forward lies on the x axis."""
    rng = np.random.default_rng(0)
    position = np.zeros((n, 3, 2))
    position[:, 1, 0] = 50 + np.cumsum(rng.normal(0, 0.3, n))
    position[:, 2] = rng.normal((25, 10), 1, (n, 2))
    return make_poses(position, ("tailbase", "nose", "ear"))


def test_egocentric_poses_ask_for_no_kinematics():
    with pytest.raises(InputError, match=r"egocentric already\. Set align.kinematics to false"):
        align(egocentric(), "s", SETTINGS)
    plain = SETTINGS.model_copy(update={"kinematics": False, "outliers": None, "smooth": None})
    aligned = align(egocentric(), "s", plain)
    assert aligned.names == ["nose_x", "ear_x", "ear_y"] and aligned.valid.all()
    np.testing.assert_allclose(
        aligned.features[:, 0] * aligned.body_length, egocentric().position[:, 1, 0], rtol=1e-5
    )


def test_a_head_fixed_animal_can_be_aligned():
    """Its body axis stands still but for a tracker's noise, while paws move."""
    rng = np.random.default_rng(0)
    body = rotation(0.3) @ np.array([[0, 60, 30, 30], [0, 0, -20, 20]], float)
    position = body.T[None] + 200 + rng.normal(0, 0.4, (600, 4, 2))
    position[:, 2:] += 40 * np.sin(np.arange(600) / 7)[:, None, None]
    poses = make_poses(position, ("tailbase", "nose", "left", "right"))
    with pytest.raises(InputError, match=r"set align\.head_fixed to true"):
        align(poses, "s", SETTINGS)
    held = align(poses, "s", SETTINGS.model_copy(update={"head_fixed": True}))
    assert held.valid.all() and held.body_length == pytest.approx(60, rel=0.02)


def test_a_fraction_of_the_points_may_be_asked_for():
    confidence = np.stack([np.linspace(0, 12, 101), np.linspace(0, 1, 101)], axis=1)
    np.testing.assert_allclose(
        confidence_thresholds(confidence, Quantile(quantile=0.1)), [1.2, 0.1]
    )
    np.testing.assert_allclose(confidence_thresholds(confidence, 3.0), [3.0, 3.0])
