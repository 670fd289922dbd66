import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vame_pipe.motifs.grammar import (
    entropy_rate,
    probabilities,
    profile_distance,
    transition_counts,
    transition_distance,
    tree,
)


def stationary(chance):
    values, vectors = np.linalg.eig(chance.T)
    found = vectors[:, np.argmin(abs(values - 1))].real
    return found / found.sum()


def test_a_known_matrix_of_transitions_gives_the_known_entropy_rate():
    chance = np.array([[0, 0.5, 0.5], [0.25, 0, 0.75], [1, 0, 0]])
    weight = stationary(chance)
    entropy = np.array([1, 0.25 * 2 + 0.75 * np.log2(4 / 3), 0])
    counts = weight[:, None] * chance * 1e6
    assert entropy_rate(counts) == pytest.approx(weight @ entropy)


def test_a_sequence_drawn_from_a_matrix_has_about_its_entropy_rate():
    chance = np.array([[0, 0.9, 0.1], [0.2, 0, 0.8], [0.6, 0.4, 0]])
    rng, states = np.random.default_rng(0), [0]
    for uniform in rng.random(20_000):
        states.append(int(np.searchsorted(np.cumsum(chance[states[-1]]), uniform)))
    counts = transition_counts(np.array(states[:-1]), np.array(states[1:]), 3)
    np.testing.assert_allclose(probabilities(counts), chance, atol=0.02)
    logarithm = np.log2(chance, where=chance > 0, out=np.zeros((3, 3)))
    expected = -(stationary(chance) @ (chance * logarithm).sum(axis=1))
    assert entropy_rate(counts) == pytest.approx(expected, abs=0.01)


def test_bounds_of_the_entropy_rate():
    circle = np.roll(np.eye(5), 1, axis=1) * 7
    assert entropy_rate(circle) == 0.0
    assert entropy_rate(1 - np.eye(5)) == pytest.approx(2.0)
    assert entropy_rate(np.zeros((3, 3))) is None


@given(st.lists(st.lists(st.integers(0, 9), min_size=4, max_size=4), min_size=4, max_size=4))
def test_the_entropy_rate_never_exceeds_that_of_any_next_motif(counts):
    counts = np.array(counts) * (1 - np.eye(4, dtype=int))
    rate = entropy_rate(counts)
    assert (rate is None) == (counts.sum() == 0)
    assert rate is None or 0 <= rate <= np.log2(3) + 1e-12
    distance = transition_distance(counts)
    assert (distance == distance.T).all() and distance.min() >= 0 and distance.max() <= 1


def test_motifs_that_follow_one_another_are_one_community():
    counts = np.array([[0, 9, 0, 1], [8, 0, 1, 1], [0, 1, 0, 9], [1, 0, 9, 0]])
    found = tree(transition_distance(counts), 2)
    assert found.communities == [0, 0, 1, 1] and len(found.linkage) == 3
    heights = [row[2] for row in found.linkage]
    assert heights == sorted(heights)
    # average linkage: the last step joins at the mean of the four distances between the pairs
    between = transition_distance(counts)[:2, 2:]
    assert heights[-1] == pytest.approx(between.mean())


def test_profiles_are_compared_in_units_of_their_spread():
    means = np.array([[0, 0.0], [1000, 1.0], [2000, 0.0]])
    scaled = means / means.std(axis=0)
    expected = np.linalg.norm(scaled[:, None] - scaled[None], axis=2)
    np.testing.assert_allclose(profile_distance(means), expected)
    # what is not known, or the same everywhere, tells nothing
    unknown = np.column_stack([means, np.full(3, 5.0), [np.nan, np.nan, np.nan]])
    np.testing.assert_allclose(profile_distance(unknown), expected)


def test_one_motif_is_one_community_and_more_communities_than_motifs_are_all_motifs():
    assert tree(np.zeros((1, 1)), 4).communities == [0]
    assert tree(1 - np.eye(3), 9).communities == [0, 1, 2]
