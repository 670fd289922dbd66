"""Features of the partner, on scenes whose numbers are known."""

import dataclasses

import numpy as np
import pytest
from conftest import make_poses, rotation
from hypothesis import given, settings
from hypothesis import strategies as st
from test_egocentric import FPS, NAMES, RAW, animal

from vame_pipe.alignment import social
from vame_pipe.alignment.session import align, align_animals
from vame_pipe.config.sections import Align
from vame_pipe.core.errors import InputError

SOCIAL = RAW.model_copy(update={"social": True})
SIZE = 50.0


def scene(n_frames=60):
    """A looks to the right of the image and stands; B is right of it and in front, and comes closer.

    B looks down in the image, so it is turned to A's right by a quarter of a turn. In body lengths of A,
    B's centre goes from (3, 4) at the start by (-0.3, -0.4) per second.
    """
    t = np.arange(n_frames)[:, None] / FPS
    still = np.zeros(n_frames)
    place = np.array([3.0, 4.0]) * (1 - t / 10)
    return {
        "a": animal(still, np.full((n_frames, 2), 100.0), SIZE),
        "b": animal(still + np.pi / 2, 100 + SIZE * place, SIZE),
    }, place


def aligned(positions, settings=SOCIAL):
    animals = {
        name: dataclasses.replace(make_poses(position, NAMES), individual=name)
        for name, position in positions.items()
    }
    return align_animals(animals, settings)


def partner(found):
    """The features of the partner by name."""
    return {
        name: values
        for name, values in zip(found.names, found.features.T, strict=True)
        if name.startswith("partner_")
    }


def test_what_one_animal_sees_of_another_on_a_known_scene():
    positions, place = scene()
    found = aligned(positions)
    a = partner(found["a"])
    assert tuple(a) == social.NAMES and len(a) == 13
    distance = np.hypot(*place.T)
    nose, tail = np.array([1.0, 0.0]), np.zeros(2)
    other_nose = place + np.array([0, 1])  # B looks down in the image
    corners = np.stack(
        [[0, 0], [0, 1], [0.2, 0.5], [-0.2, 0.5]]
    )  # B's keypoints from its tail base
    own = np.stack([[0, 0], [1, 0], [0.5, -0.2], [0.5, 0.2]])
    gaps = place[:, None, None] + corners[:, None] - own
    expected = {
        "partner_forward": place[:, 0],
        "partner_lateral": place[:, 1],
        "partner_heading_cos": 0.0,
        "partner_heading_sin": 1.0,
        "partner_log_nose_nose": np.log(np.hypot(*(other_nose - nose).T) + 0.01),
        "partner_log_nose_tail": np.log(np.hypot(*(place - nose).T) + 0.01),
        "partner_log_tail_nose": np.log(np.hypot(*(other_nose - tail).T) + 0.01),
        "partner_log_nearest": np.log(np.hypot(gaps[..., 0], gaps[..., 1]).min(axis=(1, 2)) + 0.01),
        "partner_approach": 0.5,
        "partner_speed_forward": -0.3,
        "partner_speed_lateral": -0.4,
        "partner_bearing_cos": place[:, 0] / distance,
        "partner_bearing_sin": place[:, 1] / distance,
    }
    for name, values in expected.items():
        np.testing.assert_allclose(a[name], np.broadcast_to(values, 60), atol=2e-5, err_msg=name)


def test_each_animal_of_a_pair_has_its_own_view():
    """B looks down: what lies to the left and above in the image is behind it and to its right."""
    positions, place = scene()
    b = partner(aligned(positions)["b"])
    np.testing.assert_allclose(b["partner_forward"], -place[:, 1], atol=2e-5)
    np.testing.assert_allclose(b["partner_lateral"], place[:, 0], atol=2e-5)
    np.testing.assert_allclose(b["partner_heading_sin"], -1, atol=2e-5)
    np.testing.assert_allclose(b["partner_approach"], 0.5, atol=2e-5)
    np.testing.assert_allclose(b["partner_speed_forward"], 0, atol=2e-5)
    a = partner(aligned(positions)["a"])
    np.testing.assert_allclose(b["partner_log_nose_tail"], a["partner_log_tail_nose"], atol=2e-5)


@given(yaw=st.floats(-3, 3), shift=st.floats(-99, 99), scale=st.floats(0.2, 5))
@settings(max_examples=10)
def test_the_view_depends_neither_on_place_nor_direction_nor_size(yaw, shift, scale):
    positions, _ = scene(20)
    moved = {name: scale * p @ rotation(yaw).T + shift for name, p in positions.items()}
    for name, found in aligned(positions).items():
        np.testing.assert_allclose(aligned(moved)[name].features, found.features, atol=1e-4)


def test_lengths_are_those_of_the_focal_animal_or_pixels():
    positions, place = scene()
    positions["b"] = 100 + (positions["b"] - 100) * [1, 1]
    large = positions | {"b": positions["b"][:, :1] + 2 * (positions["b"] - positions["b"][:, :1])}
    a, b = (partner(found) for found in aligned(large).values())
    np.testing.assert_allclose(a["partner_lateral"], place[:, 1], atol=2e-5)
    np.testing.assert_allclose(b["partner_lateral"], place[:, 0] / 2, atol=2e-5)
    pixels = SOCIAL.model_copy(update={"scale": False})
    a = partner(aligned(positions, pixels)["a"])
    np.testing.assert_allclose(a["partner_lateral"], SIZE * place[:, 1], rtol=1e-5)


def test_the_nearest_animal_is_the_partner_frame_by_frame_or_the_named_one():
    positions, _ = scene()
    still = np.zeros(60)
    away = np.where(np.arange(60) < 30, 2.0, 9.0)[:, None] * [0.0, -1.0]
    positions["c"] = animal(still, 100 + SIZE * away, SIZE)
    found = aligned(positions)
    side = partner(found["a"])["partner_lateral"]
    np.testing.assert_allclose(side[:30], -2, atol=2e-5)
    assert (side[30:] > 2).all()
    named = aligned(positions, SOCIAL.model_copy(update={"partner": "c"}))
    np.testing.assert_allclose(partner(named["a"])["partner_lateral"], away[:, 1], atol=2e-5)
    np.testing.assert_array_equal(named["c"].features, found["c"].features)  # it sees the nearest


def test_rows_without_a_partner_are_invalid_only_with_social_features():
    positions, _ = scene()
    positions["b"][20:40] = np.nan
    for social_too, expected in ((True, 40), (False, 60)):
        found = aligned(positions, RAW.model_copy(update={"social": social_too}))
        assert 60 * found["a"].quality.partner_missing == 60 - expected
        assert found["b"].quality.partner_missing == 0  # its own points are missing
        assert found["a"].valid.sum() == expected == 60 * found["a"].quality.valid_fraction
        assert found["b"].valid.sum() == 40


def test_an_animal_that_is_never_there_with_another_has_no_valid_row():
    positions, _ = scene()
    still = np.zeros(60)
    positions["c"] = animal(still, np.full((60, 2), 500.0), SIZE)
    positions["a"][30:] = positions["b"][30:] = np.nan
    positions["c"][:30] = np.nan
    found = aligned(positions)
    assert [found[name].valid.sum() for name in "abc"] == [30, 30, 0]
    with pytest.raises(InputError, match="no frame has all keypoints of one animal and those"):
        aligned({name: positions[name] for name in "ac"})


def test_heights_of_two_animals_are_measured_from_the_same_floor():
    """Each stands on the lowest of its own keypoints, but one of them sits a body length higher."""
    flat, _ = scene()
    positions = {
        name: np.concatenate([each, np.full((*each.shape[:2], 1), height)], axis=2)
        for (name, each), height in zip(flat.items(), (20.0, 20.0 + SIZE), strict=True)
    }
    place = (flat["b"][:, 0] - flat["a"][:, 0]) / SIZE
    for name, found in aligned(positions).items():
        between = np.exp(partner(found)["partner_log_tail_nose"]) - 0.01
        ahead = [0, 1] if name == "a" else [1, 0]  # the nose of the other, from its tail base
        apart = (place if name == "a" else -place) + ahead
        np.testing.assert_allclose(between, np.sqrt(np.sum(apart**2, axis=1) + 1), rtol=1e-5)


def test_the_problems_of_all_animals_are_reported_at_once():
    positions, _ = scene()
    for position in positions.values():
        position[:, 1] = np.nan
    with pytest.raises(InputError) as error:
        aligned(positions)
    assert [problem.split(" is never")[0] for problem in error.value.problems] == [
        "a: keypoint 'nose'",
        "b: keypoint 'nose'",
    ]


def test_in_space_distances_are_those_in_space():
    positions, place = scene()
    heights = {"a": 0.0, "b": 60.0}
    raised = {
        name: np.concatenate([p, np.full((60, 4, 1), heights[name])], axis=2)
        for name, p in positions.items()
    }
    a = partner(aligned(raised, SOCIAL.model_copy(update={"floor": 0.0}))["a"])
    distance = np.hypot(np.hypot(*(place - [1, 0]).T), 60 / SIZE)
    np.testing.assert_allclose(np.exp(a["partner_log_nose_tail"]), distance + 0.01, rtol=1e-4)
    np.testing.assert_allclose(a["partner_lateral"], place[:, 1], atol=2e-5)


def test_social_features_need_another_animal_in_the_same_frames():
    positions, _ = scene()
    with pytest.raises(InputError, match="only one animal"):
        align(make_poses(positions["a"], NAMES), SOCIAL)
    with pytest.raises(InputError, match=r"align\.partner 'z' is not among the animals: 'a', 'b'"):
        aligned(positions, SOCIAL.model_copy(update={"partner": "z"}))
    positions["b"] = positions["b"][1:]
    with pytest.raises(InputError, match="not tracked in the same frames"):
        aligned(positions)
    with pytest.raises(ValueError, match="partner is set, but social is false"):
        Align(centre="tail", forward="nose", partner="b")
