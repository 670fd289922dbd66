"""Poses check themselves when they are made."""

import numpy as np
import pytest

from vame_pipe.core.errors import InputError
from vame_pipe.poses.contract import Poses


def test_negative_confidence_is_refused():
    with pytest.raises(InputError, match="confidence must be 0 or more"):
        Poses(np.ones((2, 1, 2)), -np.ones((2, 1)), ("a",), 30, "f.csv")


def test_inconsistent_shapes_are_refused_with_what_was_expected():
    with pytest.raises(InputError, match=r"\(2, 1, 2\) .* \(3, 1\) .* expected \(n_frames, n_key"):
        Poses(np.ones((2, 1, 2)), np.ones((3, 1)), ("a",), 30, "f.csv")


def test_duplicated_keypoint_names_are_refused():
    with pytest.raises(InputError, match="keypoint names are duplicated: 'a'"):
        Poses(np.ones((2, 2, 2)), np.ones((2, 2)), ("a", "a"), 30, "f.csv")


def test_a_keypoint_without_a_name_is_refused():
    with pytest.raises(InputError, match="a keypoint has no name"):
        Poses(np.ones((2, 2, 2)), np.ones((2, 2)), ("a", ""), 30, "f.csv")


def test_a_point_without_a_score_is_accepted_in_two_and_three_dimensions():
    confidence = np.array([[np.nan], [0.5]])
    flat = Poses(np.ones((2, 1, 2)), confidence, ("a",), 30, "f.csv")
    solid = Poses(np.ones((2, 1, 3)), np.full((2, 1), np.nan), ("a",), 30, "f.csv")
    assert (flat.dimensions, solid.dimensions) == (2, 3)
    with pytest.raises(InputError, match=r"confidence must be 0 or more .* from 0.5 to inf"):
        Poses(np.ones((2, 1, 2)), np.array([[0.5], [np.inf]]), ("a",), 30, "f.csv")
    with pytest.raises(InputError, match="inconsistent"):
        Poses(np.ones((2, 1, 4)), confidence, ("a",), 30, "f.csv")
