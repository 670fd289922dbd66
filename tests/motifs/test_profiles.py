from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vame_pipe.motifs.movement import movement
from vame_pipe.motifs.profiles import (
    N_PHASES,
    circular,
    posture_table,
    profile_table,
    statistics,
    sum_session,
    total,
)

FPS = 10.0


def meta(keypoints=("tail", "nose"), scale=True):
    settings = {"centre": keypoints[0], "forward": keypoints[1], "scale": scale}
    animals = {"id_0": SimpleNamespace(body_length_px=50.0)}
    return SimpleNamespace(keypoints=list(keypoints), settings=settings, individuals=animals)


def make_features(n_rows, seed=0, **changes):
    rng = np.random.default_rng(seed)
    names = ("speed_forward", "speed_lateral", "turn_rate", "log_posture_speed", "nose_x")
    return {name: rng.normal(size=n_rows) for name in names} | changes


def sums_of(features, motif, bouts, n_motifs, **more):
    moved = movement(features, meta(**more))
    return sum_session(moved, np.array(motif), np.array(bouts), FPS, n_motifs)


def test_means_and_spreads_are_those_of_the_rows_of_a_motif():
    motif = np.array([0, 0, 1, -1, 1, 1, 0])
    features = make_features(7)
    found = statistics(sums_of(features, motif, [[0, 0, 1], [1, 4, 5], [0, 6, 6]], 2))
    expected = {
        "speed": np.hypot(features["speed_forward"], features["speed_lateral"]),
        "speed_forward": features["speed_forward"],
        "turn_rate": np.degrees(features["turn_rate"]),
        "turning": abs(np.degrees(features["turn_rate"])),
        "elongation": abs(features["nose_x"]),
        "posture_speed": np.maximum(np.exp(features["log_posture_speed"]) - 0.01, 0),
    }
    for name, values in expected.items():
        for k in (0, 1):
            rows = values[motif == k]
            assert found[name][0][k] == pytest.approx(rows.mean())
            assert found[name][1][k] == pytest.approx(rows.std(), abs=1e-9)


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        pytest.param((270.0, 270.0), (270, 0), id="more than half a turn keeps its sign"),
        pytest.param((360.0, 720.0), (540, 180), id="whole turns count"),
        pytest.param((170.0, -170.0), (0, 170), id="turns to both sides cancel out"),
    ],
)
def test_turns_during_bouts_are_sums_of_turning(turns, expected):
    rate = np.radians(np.repeat(turns, 5)) * FPS / 5
    features = make_features(10, turn_rate=rate)
    found = statistics(sums_of(features, [0] * 10, [[0, 0, 4], [0, 5, 9]], 1))["heading_change"]
    assert (found[0][0], found[1][0]) == pytest.approx(expected, abs=1e-4)


def test_the_direction_of_movement_is_weighted_by_speed():
    features = make_features(
        3, speed_forward=np.array([2.0, 0.0, 0]), speed_lateral=np.array([0, 2.0, 0])
    )
    mean, _ = statistics(sums_of(features, [0] * 3, [[0, 0, 2]], 1))["direction"]
    assert mean[0] == pytest.approx(45)


@given(st.lists(st.floats(-180, 180), min_size=1, max_size=8), st.floats(-180, 180))
def test_turning_all_angles_turns_their_mean(angles, turn):
    def mean_of(degrees):
        vectors = np.exp(1j * np.radians(degrees))
        return circular(np.array([[vectors.sum()], [len(degrees)]]))

    mean, spread = mean_of(np.array(angles))
    turned, same = mean_of(np.array(angles) + turn)
    if np.isfinite(mean[0]) and spread[0] < 150:
        difference = (turned[0] - mean[0] - turn + 180) % 360 - 180
        assert abs(difference) < 1e-4
        assert same[0] == pytest.approx(spread[0], abs=1e-3)


def test_sessions_add_up():
    features = make_features(12)
    motif = np.array([0, 0, 0, 1, 1, 1, 0, 0, 1, 1, -1, 1])
    bouts = [[0, 0, 2], [1, 3, 5], [0, 6, 7], [1, 8, 9], [1, 11, 11]]
    whole = statistics(sums_of(features, motif, bouts, 2))
    halves = total(
        [
            sums_of({k: v[:6] for k, v in features.items()}, motif[:6], bouts[:2], 2),
            sums_of(
                {k: v[6:] for k, v in features.items()},
                motif[6:],
                [[k, a - 6, b - 6] for k, a, b in bouts[2:]],
                2,
            ),
        ]
    )
    for name, (mean, spread) in statistics(halves).items():
        np.testing.assert_allclose(mean, whole[name][0])
        np.testing.assert_allclose(spread, whole[name][1], atol=1e-9)


def test_a_motif_without_rows_has_no_numbers_and_no_posture():
    sums = sums_of(make_features(3), [1, 1, 1], [[1, 0, 2]], 3)
    rows = [row for row in profile_table(sums, [0, 5, 8], "px").to_pylist() if row["motif"] != 5]
    assert {row["mean"] for row in rows} == {None} == {row["spread"] for row in rows}
    assert set(posture_table(sums, [0, 5, 8], ["tail", "nose"])["motif"].to_pylist()) == {5}


def test_a_bout_of_one_row_is_that_posture_at_every_phase():
    sums = sums_of(make_features(2, nose_x=np.array([1.0, 3.0])), [0, 1], [[0, 0, 0], [1, 1, 1]], 2)
    table = posture_table(sums, [0, 1], ["tail", "nose"]).to_pandas()
    nose = table[(table["keypoint"] == "nose") & (table["motif"] == 1)]
    assert nose["x"].tolist() == [3.0] * N_PHASES and nose["phase"].tolist()[-1] == 1.0
    assert table["z"].isna().all()


def test_the_mean_posture_follows_the_bouts_from_their_first_to_their_last_row():
    x = np.array([0.0, 1, 2, 3, 4, 10, 10, 10])
    sums = sums_of(make_features(8, nose_x=x), [0] * 8, [[0, 0, 4], [0, 5, 7]], 1)
    table = posture_table(sums, [0], ["tail", "nose"]).to_pandas()
    nose = table.loc[table["keypoint"] == "nose", "x"]
    np.testing.assert_allclose(nose, [5, 5.5, 6, 6.5, 7])


def test_three_dimensions_have_a_height_and_count_in_the_speed():
    features = make_features(4, tail_z=np.full(4, 0.1), nose_z=np.full(4, 0.5))
    features |= {"speed_vertical": np.full(4, 2.0)}
    found = statistics(sums_of(features, [0] * 4, [[0, 0, 3]], 1))
    assert found["height"][0][0] == pytest.approx(0.3)
    flat = np.hypot(features["speed_forward"], features["speed_lateral"])
    assert found["speed"][0][0] == pytest.approx(np.hypot(flat, 2.0).mean())


def test_without_kinematics_only_the_posture_is_measured():
    found = statistics(sums_of({"nose_x": np.array([1.0, 2.0])}, [0, 0], [[0, 0, 1]], 1))
    assert list(found) == ["elongation"] and found["elongation"][0][0] == 1.5
