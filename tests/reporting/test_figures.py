import json

import numpy as np
import pandas as pd
import pytest

from vame_pipe.reporting import figures
from vame_pipe.reporting.projection import Projection
from vame_pipe.reporting.traces import TraceExcerpt


def drawn(figure):
    return json.loads(figure.to_json())


def make_projection(n_sessions, speed=1.0):
    sessions = [f"m{i}" for i in range(n_sessions)]
    points = pd.DataFrame({"x": 1.23456, "y": -2.0, "session": sessions, "minutes": 3.0})
    return Projection(points.assign(speed=speed), np.array([3.0, 1.0]), "px/s")


def test_a_keypoint_that_moves_along_x_only_has_one_aligned_line():
    """Missing positions are gaps, the second panel carries the legend."""
    recorded = np.array([[0.0, 1.0, 2.0], [0.1, np.nan, np.nan]])
    excerpt = TraceExcerpt("m1", "nose", "px", recorded, np.array([[0.0, 1.0], [0.1, 1.23456789]]))
    figure = drawn(figures.trace(excerpt))
    assert [(line["name"], line["yaxis"]) for line in figure["data"]] == [
        ("x", "y"),
        ("y", "y"),
        ("x", "y2"),
    ]
    assert [line["y"] for line in figure["data"]] == [[1.0, None], [2.0, None], [1.0, 1.23457]]
    assert [line["showlegend"] for line in figure["data"]] == [False, False, True]
    assert figure["layout"]["xaxis"]["matches"] == "x2"
    assert figure["layout"]["yaxis2"]["title"]["text"] == "Position (px)"


def test_sessions_have_a_colour_each_until_there_are_too_many():
    few = drawn(figures.projection(make_projection(8)))
    names = [dots.get("name") for dots in few["data"]]
    assert names == [*(f"m{i}" for i in range(8)), None, None]
    assert len({dots["marker"]["color"] for dots in few["data"][:8]}) == 8
    assert few["layout"]["showlegend"]
    many = drawn(figures.projection(make_projection(9)))
    assert [dots.get("name") for dots in many["data"][:2]] == ["all sessions", "highlighted"]
    assert many["data"][0]["x"] == [1.235] * 9 and many["data"][1]["x"] == []
    assert not many["layout"]["showlegend"]


@pytest.mark.parametrize(
    ("speed", "titles"),
    [(1.0, ["By session", "By time", "By speed"]), (np.nan, ["By session", "By time"])],
)
def test_a_projection_is_coloured_by_speed_if_it_is_known(speed, titles):
    figure = drawn(figures.projection(make_projection(2, speed)))
    assert [title["text"] for title in figure["layout"]["annotations"]] == titles
    assert figure["layout"]["xaxis2"]["matches"] == "x"
    assert figure["layout"]["xaxis"]["title"]["text"] == "Component 1 (75%)"
    assert len(figure["data"]) == 2 + len(titles) - 1


def test_similarity_is_a_square_with_an_empty_diagonal():
    pairs = pd.DataFrame(
        {"model": ["a", "b"], "other": ["b", "a"], "cka": [0.5, 0.5], "r2": [0.12345, 0.9]}
    )
    cka, r2 = drawn(figures.similarity(pairs, ["a", "b"]))["data"]
    assert cka["z"] == [[None, 0.5], [0.5, None]] and r2["z"] == [[None, 0.123], [0.9, None]]
    assert cka["texttemplate"] == "%{z:.2f}" and r2["showscale"] and not cka["showscale"]
    many = [f"m{i}" for i in range(13)]
    assert "texttemplate" not in drawn(figures.similarity(pairs, many))["data"][0]
