"""A motif is described in words only where its profile is clear."""

import pytest

from vame_pipe.reporting.motif_phrases import phrase


@pytest.mark.parametrize(
    ("values", "scores", "expected"),
    [
        ({"speed": 0.1, "turning": 5.0}, {"speed": -0.8, "turning": -1.0}, "still"),
        (
            {"speed": 2.0, "speed_forward": 2.0, "turning": 5.0},
            {"speed": 1.5, "turning": -0.3},
            "fast, straight ahead",
        ),
        ({"turning": 60.0, "turn_rate": 50.0}, {"turning": 1.2}, "turns right"),
        ({"turning": 60.0, "turn_rate": 5.0}, {"turning": 1.2}, "turns"),
        (
            {"elongation": 0.8, "height": 2.0},
            {"elongation": -1.4, "height": 2.0},
            "short body, high",
        ),
        ({"speed": 1.0, "turning": 20.0}, {"speed": 0.2, "turning": 0.1}, ""),
        ({}, {}, ""),
    ],
)
def test_only_what_is_clear_is_said(values, scores, expected):
    assert phrase(values, scores, fastest=2.0) == expected
