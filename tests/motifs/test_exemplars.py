import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vame_pipe.motifs.exemplars import (
    CONTEXT_S,
    MAX_CLIP_S,
    bout_distances,
    choose,
    clip,
    distances,
    skeleton_rows,
)
from vame_pipe.motifs.movement import Movement
from vame_pipe.motifs.skeleton import named_bones, nearest_tree

FPS = 20.0


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(1, 4), st.integers(0, 50)), min_size=1, max_size=12
    ),
    st.integers(1, 5),
)
def test_typical_bouts_are_those_that_trying_all_of_them_finds(bouts, n):
    """The nearest bout of each session in turn, then the second ones, and so on."""
    session, duration, distance = map(np.array, zip(*bouts, strict=True))
    found = choose(session, duration.astype(float), distance.astype(float), n)
    long_enough = np.flatnonzero(duration >= min(np.median(duration), sorted(duration)[-n:][0]))
    expected = []
    rest = sorted(long_enough, key=lambda i: (distance[i], i))
    while rest and len(expected) < n:
        turn, used = [], set()
        for i in rest:
            if session[i] not in used:
                used.add(session[i])
                turn.append(i)
        expected += turn
        rest = [i for i in rest if i not in turn]
    assert found.tolist() == expected[:n]


def test_one_bout_is_typical_and_bouts_without_latents_are_not():
    assert choose(np.array([4]), np.array([0.1]), np.array([9.0])).tolist() == [0]
    assert choose(np.zeros(2, int), np.ones(2), np.array([np.nan, 1.0])).tolist() == [1]
    assert choose(np.zeros(0, int), np.zeros(0), np.zeros(0)).tolist() == []


@pytest.mark.parametrize("n_covariances", [0, 1, 2])
def test_distances_are_from_the_centre_of_the_own_motif(n_covariances):
    rng = np.random.default_rng(0)
    values, motif = rng.normal(size=(9, 3)), rng.integers(0, 2, 9)
    arrays = {"offset": rng.normal(size=3), "scale": np.array([1, 2, 0.5])}
    arrays["mean"] = rng.normal(size=(2, 3))
    covariances = [np.cov(rng.normal(size=(3, 20))) for _ in range(n_covariances)]
    if covariances:
        arrays["covariance"] = np.array(covariances)
    found = distances(SimpleNamespace(arrays=arrays), values, motif)
    for row, k, distance in zip(values, motif, found, strict=True):
        residual = (row - arrays["offset"]) / arrays["scale"] - arrays["mean"][k]
        shape = covariances[k % n_covariances] if covariances else np.eye(3)
        assert distance == pytest.approx(np.sqrt(residual @ np.linalg.inv(shape) @ residual))


def test_the_distance_of_a_bout_is_the_root_mean_square_of_its_rows():
    position, distance = np.array([2, 3, 4, 8, 9]), np.array([1.0, 2, 3, 4, 5])
    found = bout_distances(position, distance, np.array([[2, 4], [8, 9], [5, 7]]))
    np.testing.assert_allclose(found, [np.sqrt(14 / 3), np.sqrt(41 / 2), np.nan])


def walk(n_rows, speed, turn_rate):
    """An animal of one body length that walks at constant speed and turns at a constant rate."""
    points = np.tile([[0.0, 0.0], [1.0, 0.0]], (n_rows, 1, 1))
    velocity = np.tile([speed, 0.0], (n_rows, 1))
    return Movement(points, {}, velocity, np.full(n_rows, turn_rate), "body lengths")


def test_a_clip_puts_the_animal_back_on_its_way():
    """Constant speed and turning rate make a circle of radius speed / rate, here to the right."""
    speed, rate = 2.0, np.pi
    found = clip(walk(200, speed, rate), np.zeros(200, int), 100, 119, FPS)
    angle, radius = rate * found.time_s, speed / rate
    expected = radius * np.stack([np.sin(angle), 1 - np.cos(angle)], axis=1)
    np.testing.assert_allclose(found.points[:, 0], expected, atol=5e-3)
    heading = found.points[:, 1] - found.points[:, 0]
    np.testing.assert_allclose(heading, np.stack([np.cos(angle), np.sin(angle)], axis=1), atol=1e-9)
    at_start = found.time_s == 0
    np.testing.assert_allclose(found.points[at_start][0], [[0, 0], [1, 0]], atol=1e-12)


def test_a_clip_has_context_in_the_same_run_only_and_a_largest_length():
    run = np.repeat([0, -1, 1, 2], [50, 5, 100, 20])
    moved = walk(len(run), 1.0, 0.0)
    context, longest = round(CONTEXT_S * FPS), round(MAX_CLIP_S * FPS)
    short = clip(moved, run, 56, 57, FPS)
    assert short.time_s[0] == -1 / FPS and short.time_s[-1] == (1 + context) / FPS
    assert short.time_s[short.inside].tolist() == [0, 1 / FPS]
    long = clip(moved, run, 60, 154, FPS)
    assert len(long.points) == longest + 2 * context and long.inside[context:].all()


def test_a_fast_recording_has_at_most_30_pictures_a_second_and_one_is_the_first_row():
    found = clip(walk(500, 1.0, 0.0), np.zeros(500, int), 200, 259, 100.0)
    assert np.diff(found.time_s) == pytest.approx(0.04) and 0 in found.time_s


def test_without_speeds_the_animal_stays_in_place():
    points = np.zeros((10, 2, 3))
    points[:, 1] = [1, 0, 0.5]
    found = clip(Movement(points, {}, None, None, "px"), np.zeros(10, int), 4, 6, FPS)
    np.testing.assert_array_equal(found.points[:, 1], np.tile([1, 0, 0.5], (len(found.points), 1)))
    table = skeleton_rows(found, 7, 2, ["tail", "nose"]).to_pandas()
    assert table["z"].tolist()[:2] == [0.0, 0.5] and set(table["motif"]) == {7}
    assert len(table) == 2 * len(found.points) and table["keypoint"].tolist()[:2] == [
        "tail",
        "nose",
    ]


def test_the_skeleton_joins_near_keypoints_with_the_shortest_lines():
    """A body in a row with two ears: all ways to join five points are tried."""
    body = np.array([[0, 0], [1, 0], [2, 0], [2.2, 0.3], [2.2, -0.3]])
    postures = body + 0.01 * np.random.default_rng(0).normal(size=(30, 5, 2))
    distance = np.median(np.linalg.norm(postures[:, :, None] - postures[:, None], axis=3), axis=0)

    def joins_all(pairs):
        reached = {0}
        for _ in pairs:
            reached |= {k for pair in pairs if reached & set(pair) for k in pair}
        return len(reached) == 5

    pairs = list(itertools.combinations(range(5), 2))
    trees = filter(joins_all, itertools.combinations(pairs, 4))
    best = min(trees, key=lambda tree: sum(distance[i, j] for i, j in tree))
    assert nearest_tree(postures) == sorted(map(list, best))
    assert nearest_tree(np.zeros((4, 3, 2))) != []  # keypoints at one place are joined as well
    assert nearest_tree(postures[:, :2]) == [[0, 1]]


def test_a_skeleton_of_unknown_keypoints_names_them():
    assert named_bones([["nose", "tail"]], ["tail", "nose"]) == [[1, 0]]
    with pytest.raises(
        ValueError, match="'ear' is not in the recordings, which have: 'tail', 'nose'"
    ):
        named_bones([["nose", "ear"], ["ear", "tail"]], ["tail", "nose"])
