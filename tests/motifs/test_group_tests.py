"""Tests of differences between groups: known p, power and false discoveries of simulated studies."""

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vame_pipe.motifs import group_tests
from vame_pipe.motifs.group_tests import ALPHA, effect, permutation_p

FEW = settings(max_examples=15, deadline=None)
WHOLE = st.integers(-9, 9).map(float)


def circle_mean(degrees):
    return np.angle(np.exp(1j * np.radians(degrees)).mean(), deg=True)


@pytest.mark.parametrize("circular", [False, True])
def test_small_groups_are_compared_by_every_division_of_the_subjects(circular):
    rng = np.random.default_rng(4)
    first, second = rng.normal(0, 40, (3, 3)), rng.normal(50, 40, (3, 4))
    found = permutation_p([first, second], paired=False, circular=circular)

    def distance(a, b):
        if not circular:
            return abs(b.mean() - a.mean())
        return abs((circle_mean(b) - circle_mean(a) + 180) % 360 - 180)

    for p, a, b in zip(found, first, second, strict=True):
        every = np.append(a, b)
        distances = [
            distance(every[list(chosen)], np.delete(every, chosen))
            for chosen in combinations(range(7), 3)
        ]
        assert p == pytest.approx(np.mean(np.array(distances) >= distance(a, b) - 1e-9))


@FEW
@given(arrays(float, (2, 5), elements=WHOLE))
def test_pairs_are_compared_by_every_exchange_within_pairs(values):
    gap = values[1] - values[0]
    sums = [abs(gap @ np.array(signs)) for signs in product([1, -1], repeat=5)]
    found = permutation_p([values[:1], values[1:]], paired=True)
    assert found[0] == pytest.approx(np.mean(np.array(sums) >= abs(gap.sum()) - 1e-9))


@FEW
@example(np.array([[0.0] * 6, [1, -4, -1, 0, 1, -5], [0] * 6]))  # equal sums that round differently
@given(arrays(float, (3, 6), elements=WHOLE))
def test_the_order_of_subjects_and_groups_and_a_shift_change_no_p(values):
    first, second = values[:, :3], values[:, 3:]
    p = permutation_p([first, second], paired=False)
    assert ((p > 0) & (p <= 1)).all()
    np.testing.assert_allclose(p, permutation_p([second[:, ::-1] + 7, first + 7], paired=False))
    np.testing.assert_allclose(p, permutation_p([first * 3, second * 3], paired=False))


def test_more_subjects_are_compared_by_random_permutations_which_are_always_the_same():
    first, second = np.zeros((1, 10)), np.ones((1, 10))
    found = permutation_p([first, second], paired=False)
    assert found[0] == 1 / (group_tests.N_RESAMPLES + 1)  # (b + 1) / (n + 1) with b = 0
    assert found[0] == group_tests.smallest_p([10, 10], paired=False)
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2, 5, 12))
    runs = [permutation_p(list(values), paired=False).tobytes() for _ in range(2)]
    assert runs[0] == runs[1]


def test_more_than_two_groups_have_one_test_of_all_of_them():
    groups = [np.array([[1.0, 2.0]]), np.array([[5.0, 6.0]]), np.array([[9.0, 10.0]])]
    # 3! of the 90 divisions into three pairs separate the groups like this
    assert permutation_p(groups, paired=False)[0] == pytest.approx(6 / 90)
    assert group_tests.smallest_p([2, 2, 2], paired=False) == pytest.approx(6 / 90)
    # of pairs: 3! of the 6 ** 2 exchanges
    assert permutation_p(groups, paired=True)[0] == pytest.approx(6 / 36)
    assert group_tests.smallest_p([2, 2, 2], paired=True) == pytest.approx(6 / 36)


def test_a_motif_that_nobody_uses_has_no_difference():
    nothing = np.zeros((1, 4))
    assert permutation_p([nothing, nothing], paired=False)[0] == 1
    found = effect(nothing, nothing, paired=False)
    assert (found.difference[0], found.low[0], found.high[0]) == (0, 0, 0)
    assert np.isnan(found.size[0])


def test_a_group_of_one_has_a_difference_and_no_interval():
    found = effect(np.array([[1.0]]), np.array([[2.0, 4.0]]), paired=False)
    assert found.difference[0] == 2
    assert np.isnan([found.low[0], found.high[0], found.size[0]]).all()


def test_differences_of_angles_are_those_on_the_circle():
    rng = np.random.default_rng(1)
    first, second = 170 + rng.normal(0, 3, (1, 9)), -170 + rng.normal(0, 3, (1, 9))
    for paired in (False, True):
        found = effect(first, second, paired, circular=True)
        assert found.difference[0] == pytest.approx(20, abs=4)
        assert 14 < found.low[0] < found.difference[0] < found.high[0] < 26
    moved = effect(first + 100, second + 100, False, circular=True)
    np.testing.assert_allclose(moved.low, effect(first, second, False, circular=True).low)


def test_intervals_cover_the_true_difference_as_often_as_they_say():
    rng = np.random.default_rng(2)
    first, second = rng.normal(0, 1, (300, 20)), rng.normal(1, 1, (300, 20))
    found = effect(first, second, paired=False)
    covered = ((found.low < 1) & (found.high > 1)).mean()
    assert 0.9 <= covered <= 0.98
    assert np.median(found.size) == pytest.approx(1, abs=0.1)


N_STUDIES, N_MOTIFS = 200, 8


def studies(n_subjects, shift, seed, paired=False):
    """Simulated usage of two groups, `(2, N_STUDIES, N_MOTIFS, n_subjects)`; motif 0 of one is shifted.

    Subjects share a budget of time, and pairs are alike.
    """
    rng = np.random.default_rng(seed)
    usage = rng.normal(size=(2, N_STUDIES, N_MOTIFS, n_subjects))
    if paired:
        usage += 3 * rng.normal(size=(1, N_STUDIES, N_MOTIFS, n_subjects))
    usage[1, :, 0] += shift
    return usage - usage.mean(axis=2, keepdims=True) / 2


def found_in(usage, paired=False):
    """Which motifs of which studies have a q below the limit, `(N_STUDIES, N_MOTIFS)`."""
    rows = usage.reshape(2, N_STUDIES * N_MOTIFS, -1)
    p = permutation_p(list(rows), paired).reshape(N_STUDIES, N_MOTIFS)
    return np.stack([group_tests.false_discovery(each) for each in p]) < ALPHA


def test_without_a_difference_the_false_discovery_rate_is_as_stated(monkeypatch):
    monkeypatch.setattr(group_tests, "N_RESAMPLES", 1_999)
    wrong = found_in(studies(8, shift=0, seed=5)).any(axis=1).mean()
    assert wrong <= ALPHA + 2 * np.sqrt(ALPHA * (1 - ALPHA) / N_STUDIES)


@pytest.mark.parametrize("paired", [False, True])
def test_a_difference_in_one_motif_is_found_and_few_others(monkeypatch, paired):
    """2.5 standard deviations, ten animals (or pairs) a group, eight motifs."""
    monkeypatch.setattr(group_tests, "N_RESAMPLES", 1_999)
    found = found_in(studies(10, shift=2.5, seed=6, paired=paired), paired)
    print(f"power {found[:, 0].mean():.2f}")
    assert found[:, 0].mean() >= 0.8
    others = found[:, 1:].sum(axis=1) / np.maximum(found.sum(axis=1), 1)
    assert others.mean() <= ALPHA + 0.03


def test_two_animals_a_group_find_nothing_however_large_the_difference_is():
    assert not found_in(studies(2, shift=1e6, seed=7)).any()
    assert group_tests.smallest_p([2, 2], paired=False) > ALPHA
    # and five are the fewest that can find one of six motifs
    assert group_tests.enough_subjects(6, paired=False) == 5
