"""Cleaning of positions: placeholders, thresholds, outliers, gaps, frame rate, smoothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.ndimage import median_filter

from vame_pipe.alignment import cleaning
from vame_pipe.alignment.geometry import running_median
from vame_pipe.config.sections import Quantile
from vame_pipe.poses import simulate

FPS = 30.0


def path(n=600, seed=0):
    """One keypoint on a smooth path with tracking noise, pixels."""
    rng = np.random.default_rng(seed)
    t = np.arange(n) / FPS
    xy = np.stack([300 + 100 * np.sin(t), 200 + 80 * np.cos(0.7 * t)], axis=1)
    return (xy + rng.normal(0, 0.5, xy.shape))[:, None]


def simulated(n_frames=900):
    return simulate.simulate(n_frames, FPS, 0)[0]


@given(
    value=st.sampled_from([(0.0, 0.0), (-1.0, -1.0), (640.0, 480.0)]),
    frames=st.sets(st.integers(1, 890), min_size=4, max_size=60),
    keypoints=st.sets(st.integers(0, 7), min_size=2, max_size=8),
)
@settings(deadline=None, max_examples=30)
def test_a_value_in_place_of_missing_points_is_found(value, frames, keypoints):
    position = simulated()
    truth = np.zeros(position.shape[:2], bool)
    truth[np.ix_(sorted(frames), sorted(keypoints))] = True
    position[truth] = value
    found, values = cleaning.find_placeholders(position)
    np.testing.assert_array_equal(found, truth)
    assert values == [value]


def test_points_on_whole_pixels_are_not_placeholders():
    """An animal that sits still repeats its whole pixels, also between keypoints."""
    position = np.round(simulated(3000) / 4) * 4
    position[500:900] = position[500]
    found, values = cleaning.find_placeholders(position)
    assert not found.any() and values == []


def test_a_keypoint_that_never_moves_is_not_a_placeholder():
    position = simulated()
    position[:, 2] = (0.0, 0.0)
    assert not cleaning.find_placeholders(position)[0].any()


def test_a_threshold_is_a_number_or_a_fraction_for_all_keypoints_or_for_some():
    confidence = np.stack([np.linspace(0, 12, 101), np.linspace(0, 1, 101)], axis=1)
    names, tenth = ["nose", "tail"], Quantile(quantile=0.1)

    def thresholds(min_confidence):
        known = np.ones(confidence.shape, bool)
        return cleaning.confidence_thresholds(confidence, known, min_confidence, names)

    np.testing.assert_allclose(thresholds(tenth), [1.2, 0.1])
    np.testing.assert_allclose(thresholds(3.0), [3.0, 3.0])
    np.testing.assert_allclose(thresholds({"nose": tenth}), [1.2, 0.6])
    np.testing.assert_allclose(thresholds({"tail": 0.3, "default": 2.0}), [2.0, 0.3])


def test_points_that_are_missing_or_have_no_score_do_not_change_a_quantile():
    confidence, known = np.full((303, 2), np.nan), np.ones((303, 2), bool)
    confidence[::3, 0] = np.linspace(0, 12, 101)
    confidence[1::3, 0], known[1::3] = 0.0, False
    found = cleaning.confidence_thresholds(
        confidence, known, Quantile(quantile=0.1), ["nose", "tail"]
    )
    np.testing.assert_allclose(found, [1.2, 0.0])


@given(
    hnp.arrays(float, st.integers(1, 40), elements=st.integers(-9, 9)),
    st.sampled_from([1, 3, 13, 25]),
)
@settings(max_examples=40)
def test_the_running_median_is_that_of_scipy(values, width):
    values = np.tile(values, 300)  # more than one chunk
    expected = median_filter(values, width, mode="nearest")
    np.testing.assert_array_equal(running_median(values, width), expected)


def test_jumps_are_outliers_and_movement_is_not():
    position = path()
    truth = np.zeros(600, bool)
    truth[[50, 200, 201, 202, 450]] = True
    position[truth] += 70
    found = cleaning.find_outliers(position, factor=8.0, fps=FPS, length=60.0)
    np.testing.assert_array_equal(found[:, 0], truth)


def test_outliers_depend_neither_on_the_origin_nor_on_the_size():
    position = path()
    position[100] += 70
    found = cleaning.find_outliers(position, 8.0, FPS, 60.0)
    np.testing.assert_array_equal(found, cleaning.find_outliers(3 * position + 50, 8.0, FPS, 180.0))


masks = hnp.arrays(bool, st.integers(2, 60))


@given(known=masks, max_gap=st.integers(0, 8))
@settings(deadline=None)
def test_gaps_are_filled_up_to_a_length_and_no_further(known, max_gap):
    """Compare with a loop over the gaps; on a straight line, interpolation returns the line."""
    line = np.stack([np.arange(len(known)) * 2.0, np.arange(len(known)) * -1.0], axis=1)[:, None]
    expected = np.where(known[:, None, None], line, np.nan)
    position = expected.copy()
    i = 0
    while i < len(known):
        j = i
        while j < len(known) and not known[j]:
            j += 1
        if j > i and i > 0 and j < len(known) and j - i <= max_gap:
            expected[i:j] = line[i:j]
        i = j + 1
    np.testing.assert_allclose(cleaning.fill_gaps(position, max_gap), expected, atol=1e-9)


@given(known=masks)
@settings(deadline=None)
def test_the_mask_can_be_rebuilt_from_its_runs(known):
    rebuilt = np.zeros(len(known), bool)
    for start, end in zip(*cleaning.runs(known), strict=True):
        assert end > start
        rebuilt[start:end] = True
        assert end == len(known) or not known[end]
    np.testing.assert_array_equal(rebuilt, known)


def fitted(run, window):
    """Fit a parabola to the window around each frame of a run, or to its first or last window."""
    half = window // 2
    windows = np.lib.stride_tricks.sliding_window_view(run, window, axis=0)
    offsets = np.arange(window) - half
    parabolas = np.polynomial.polynomial.polyfit(offsets, windows.reshape(-1, window).T, 2)
    parabolas = parabolas.reshape(3, len(windows), -1)
    frames = np.arange(len(run))
    nearest = np.clip(frames - half, 0, len(windows) - 1)
    powers = (frames - half - nearest)[None, :, None] ** np.arange(3)[:, None, None]
    return (parabolas[:, nearest] * powers).sum(axis=0)


@given(gap=st.integers(0, 90), length=st.integers(1, 30), window=st.integers(3, 15))
@settings(deadline=None, max_examples=50)
def test_each_run_is_smoothed_by_itself_with_parabolas(gap, length, window):
    position = path(120)
    position[gap : gap + length] = np.nan
    odd = window + 1 - window % 2
    expected = position.copy()
    for start, end in zip(*cleaning.runs(np.isfinite(position[:, 0, 0])), strict=True):
        if end - start >= odd:
            expected[start:end, 0] = fitted(position[start:end, 0], odd)
    np.testing.assert_allclose(cleaning.smooth(position, window), expected, atol=1e-8)


def test_a_window_that_is_not_longer_than_the_order_has_no_effect():
    position = path(60)
    np.testing.assert_array_equal(cleaning.smooth(position, 1), position)


def test_halving_the_frame_rate_keeps_every_second_frame():
    position = path(101)
    half, time_s, fps = cleaning.resample(position, 60.0, 30.0)
    np.testing.assert_array_equal(half, position[::2])
    np.testing.assert_allclose(time_s, np.arange(51) / 30)
    assert fps == 30


@pytest.mark.parametrize("target", [25.0, 50.0, 12.0])
def test_resampling_a_straight_line_returns_the_line(target):
    t = np.arange(301) / 30
    line = np.stack([5 * t, 100 - 3 * t], axis=1)[:, None]
    position, time_s, _ = cleaning.resample(line, 30.0, target)
    np.testing.assert_allclose(position[:, 0, 0], 5 * time_s, atol=1e-9)
    assert time_s[-1] == pytest.approx(10, abs=1 / target)


def test_resampling_does_not_bridge_a_gap():
    position = path(90)
    position[40:50] = np.nan
    out, time_s, _ = cleaning.resample(position, 30.0, 25.0)
    lost = np.isnan(out[:, 0, 0])
    np.testing.assert_array_equal(lost, (time_s * 30 > 39) & (time_s * 30 < 50))
