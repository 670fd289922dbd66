"""Agreement between segmentations, timing of boundaries, and the choice of the number of motifs."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, mutual_info_score

from vame_pipe.core.agreement import adjusted_rand, contingency, variation_of_information
from vame_pipe.core.motif_quality import MotifQuality
from vame_pipe.motifs.quality import agreement, choose_n, fewest_sessions
from vame_pipe.motifs.timing import find_lag


def entropy(labels):
    return mutual_info_score(labels, labels)


def test_agreement_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    one = rng.integers(5, size=500)
    other = np.where(rng.random(500) < 0.6, one, rng.integers(4, size=500))
    table = contingency(one, other)
    assert adjusted_rand(table) == pytest.approx(adjusted_rand_score(one, other))
    expected = entropy(one) + entropy(other) - 2 * mutual_info_score(one, other)
    assert variation_of_information(table) == pytest.approx(expected)


def test_permuted_labels_agree_fully():
    one = np.random.default_rng(0).integers(5, size=500)
    table = contingency(one, np.array([3, 0, 4, 1, 2])[one])
    assert adjusted_rand(table) == 1 and variation_of_information(table) == pytest.approx(0)


def test_the_central_seed_is_the_one_that_agrees_best_with_the_others():
    rng = np.random.default_rng(0)
    truth = rng.integers(4, size=1000)

    def noisy(fraction):
        return np.where(rng.random(1000) < fraction, rng.integers(4, size=1000), truth)

    found = agreement([noisy(0.5), noisy(0.3), truth, noisy(0.4)])
    assert found.central == 2 and 0 < found.rand < 1 and found.rand_se > 0
    alone = agreement([truth])
    assert alone.central == 0 and alone.rand is None


def scan_of(**rand):
    """Qualities of numbers n4=(agreement, standard error), ..."""
    return [
        MotifQuality("latents", int(name[1:]), "shared", *values, 0.1, -1.0, 0.5, 3.0, 2)
        for name, values in rand.items()
    ]


def test_the_largest_number_within_one_standard_error_of_the_best_is_chosen():
    scan = scan_of(n4=(0.8, 0.01), n6=(0.90, 0.02), n7=(0.89, 0.01), n8=(0.87, 0.01))
    n, reason = choose_n(scan)
    assert n == 7
    assert reason == (
        "7 is the largest number at which seeds agree (0.89 adjusted Rand) within one standard error of "
        "the best (0.90 at 6 motifs, standard error 0.02)."
    )


def test_a_number_below_the_floor_is_not_chosen_though_it_is_within_the_error():
    assert choose_n(scan_of(n4=(0.55, 0.2), n6=(0.51, 0.2), n8=(0.49, 0.2)))[0] == 6


def test_a_scan_without_agreement_says_so():
    n, reason = choose_n(scan_of(n4=(0.3, 0.1), n6=(0.25, 0.1)))
    assert n == 4
    assert reason == (
        "4 is the number at which seeds agree best, but only to 0.30 (adjusted Rand), below 0.5: the data "
        "support none of the numbers tried."
    )


def test_a_single_number_is_taken_as_it_is():
    assert choose_n(scan_of(n15=(0.2, 0.1))) == (15, "15 is the number that motifs.n sets.")


def test_one_seed_gives_the_smallest_number():
    n, reason = choose_n(scan_of(n6=(None, None), n4=(None, None)))
    assert n == 4 and "with one seed (motifs.seeds) none can be compared" in reason


def test_a_motif_of_one_session_is_counted():
    assert fewest_sessions(np.array([0, 1, 0, 1, 2]), np.array([0, 0, 1, 1, 1])) == 1


@pytest.mark.parametrize("lag", [-4, 0, 6])
def test_boundaries_are_moved_to_where_the_features_change(lag):
    rng = np.random.default_rng(0)
    state = np.repeat(np.arange(200) % 3, rng.integers(20, 80, size=200))
    change = rng.random(len(state))
    change[np.flatnonzero(np.diff(state)) + 1 + lag] += 2
    found = find_lag(state, np.zeros(len(state), int), change, 15, 30)
    assert found.lag == lag and found.z > 20


def test_boundaries_without_a_change_are_not_moved():
    rng = np.random.default_rng(1)
    state = np.repeat(np.arange(200) % 3, rng.integers(20, 80, size=200))
    found = find_lag(state, np.zeros(len(state), int), rng.random(len(state)), 15, 30)
    assert found.lag == 0 and abs(found.z) < 4


def test_the_score_of_chance_is_0_though_the_best_row_was_searched():
    scores = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        state = np.repeat(np.arange(100) % 3, rng.integers(20, 80, size=100))
        found = find_lag(state, np.zeros(len(state), int), rng.random(len(state)), 15, 30)
        scores.append(found.z)
    assert abs(np.mean(scores)) < 0.35 and np.std(scores) < 1.5


def test_no_boundary_has_no_score():
    nothing = np.zeros(500, int)
    found = find_lag(nothing, nothing, np.random.default_rng(0).random(500), 15, 30)
    assert found.lag == 0 and found.z is None
