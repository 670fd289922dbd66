"""What is in a pose file, and the settings that are suggested for it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vame_pipe.cli.main import main
from vame_pipe.poses.contract import Poses
from vame_pipe.poses.keypoint_names import CENTRE, FORWARD, end_of_axis, words
from vame_pipe.poses.simulate import KEYPOINTS, simulate, write_deeplabcut
from vame_pipe.poses.suggestion import describe_suggestion, suggest
from vame_pipe.poses.summary import MAX_SAMPLE, _sample, describe, summarise

POSITION, CONFIDENCE, _ = simulate(600, 30, 0)
NAMES = list(KEYPOINTS)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Tailroot", "tail_base"),
        ("LeftEar", "ear_l"),
        ("Hind Paw R", "hindPawRight"),
        ("bodycentre", "Body_center"),
        ("Snout", "nose"),
    ],
)
def test_spellings_of_the_same_keypoint_have_the_same_words(one, other):
    assert words(one) == words(other)


def test_keypoints_that_differ_have_other_words():
    names = ["left_ear", "right_ear", "ear", "spine1", "spine2", "tail", "tailbase", "tail_tip"]
    assert len({words(name) for name in names}) == len(names)


@pytest.mark.parametrize(
    ("names", "axis"),
    [
        (["head", "thorax", "abdomen", "wingL"], ("abdomen", "head")),
        (["nose", "headcentre", "bodycentre", "tailbase", "tailtip"], ("tailbase", "nose")),
        (["Snout", "Front Paw R", "Butt/Proximal Tail"], ("Butt/Proximal Tail", "Snout")),
        (["paw1", "paw2"], (None, None)),
    ],
)
def test_the_body_axis_is_found_by_names(names, axis):
    assert (end_of_axis(names, CENTRE), end_of_axis(names, FORWARD)) == axis


def test_without_names_the_steady_axis_that_leads_is_chosen():
    shuffled = [2, 0, 6]  # right_ear, nose, tailbase
    assert [NAMES[k] for k in shuffled] == ["right_ear", "nose", "tailbase"]
    found, _ = suggest(POSITION[:, shuffled], CONFIDENCE[:, shuffled], ["a", "b", "c"])
    assert (found.centre, found.forward, found.by_name) == ("c", "b", False)


@given(st.floats(0, 6.3), st.sampled_from([0.0, 0.1]), st.booleans())
@settings(max_examples=15, deadline=None)
def test_the_camera_is_below_if_left_and_right_are_swapped(angle, n_wrong, below):
    """At any angle of the camera, although a tracker swaps some; a side view does not tell."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    position = POSITION * ([1, -1] if below else 1)
    wrong, sides = slice(int(n_wrong * len(position))), [1, 2, 4, 5]
    position = position.copy()
    position[wrong, sides] = position[wrong, [2, 1, 5, 4]]
    found, _ = suggest(position @ turn.T, CONFIDENCE, NAMES)
    assert found.camera == ("below" if below else "above")
    assert any("camera: below" in x for x in describe_suggestion(found, True)) == below
    position[::2, sides] = position[::2, [2, 1, 5, 4]]
    assert suggest(position, CONFIDENCE, NAMES)[0].camera is None


def test_one_jump_of_the_tracker_does_not_turn_the_body_axis():
    shuffled = [2, 0, 6]
    position = POSITION[:, shuffled].copy()
    axis = position[300, 1] - position[300, 2]
    position[300] -= 1000 * axis
    found, _ = suggest(position[:301], CONFIDENCE[:301, shuffled], ["a", "b", "c"])
    assert (found.centre, found.forward) == ("c", "b")


def test_of_a_long_recording_frames_that_follow_one_another_are_looked_at():
    n_frames = 3 * MAX_SAMPLE
    position = np.arange(n_frames, dtype=float)[:, None, None] * np.ones((1, 2, 2))
    poses = Poses(position, np.ones((n_frames, 2)), ("a", "b"), 30, "x")
    sample, confidence = _sample(poses, ["b"])
    assert sample.shape == (MAX_SAMPLE, 1, 2) and confidence.shape == (MAX_SAMPLE, 1)
    assert (np.diff(sample[:, 0, 0]) == 1).mean() > 0.99 and sample.max() > 0.98 * n_frames


def test_what_is_on_no_animal_or_rarely_known_is_left_out():
    position, confidence = POSITION.copy(), np.ones_like(CONFIDENCE)
    position[:, 2] = [500, 400]
    confidence[:400, 4] = 0.1
    position[100:, 7] = np.nan
    found, kept = suggest(position, confidence, NAMES)
    assert found.leave_out == {
        NAMES[2]: "does not move, like an object or a corner of the arena",
        NAMES[4]: "known in only 33% of the frames",
        NAMES[7]: "known in only 17% of the frames",
    }
    assert found.min_confidence == 0.6 and kept[4] == pytest.approx(1 / 3)
    assert found.valid == pytest.approx(
        np.isfinite(position[:, [0, 1, 3, 5, 6]]).all((1, 2)).mean()
    )


@pytest.mark.parametrize(("scale", "shift"), [(10.0, 0.0), (0.3, 0.2)])
def test_a_confidence_on_another_scale_gets_a_quantile(scale, shift):
    rng = np.random.default_rng(0)
    confidence = shift + scale * rng.beta(5, 2, CONFIDENCE.shape)
    found, kept = suggest(POSITION, confidence, NAMES)
    assert found.min_confidence is None
    known = np.isfinite(POSITION).all(axis=2).mean(axis=0)
    np.testing.assert_allclose(kept, 0.9 * known, atol=0.01)


def test_points_that_were_lost_are_not_kept_by_a_quantile():
    rng = np.random.default_rng(0)
    lost = rng.random(CONFIDENCE.shape) < 0.2
    found, _ = suggest(POSITION, np.where(lost, 0.01, 0.99), NAMES)
    assert found.min_confidence == 0.6
    assert found.valid >= 0.5 and {found.centre, found.forward} == {"tailbase", "nose"}
    assert all("a frame needs all keypoints" in why for why in found.leave_out.values())


def test_a_threshold_that_keeps_a_keypoint_is_named_unless_its_points_were_lost():
    """The lowest tenth of scores from 0.3 to 0.7 is below 0.34."""
    confidence = np.ones_like(CONFIDENCE)
    confidence[:, 1] = np.linspace(0.3, 0.7, 600)
    confidence[:350, 4] = 0.001
    found, _ = suggest(POSITION, confidence, NAMES)
    assert found.leave_out[NAMES[1]] == (
        "known in only 25% of the frames; a min_confidence of 0.34 for it would keep 90%"
    )
    assert found.leave_out[NAMES[4]] == "known in only 42% of the frames"


def test_inspect_says_why_a_keypoint_is_missing(tmp_path, capsys):
    path = tmp_path / "a.csv"
    write_deeplabcut(path, POSITION, CONFIDENCE, KEYPOINTS)
    lines = path.read_text().split("\n")
    cells = lines[3 + 12].split(",")
    cells[1 + 3 * NAMES.index("left_ear")] = "lost"
    lines[3 + 12] = ",".join(cells)
    path.write_text("\n".join(lines))
    assert main(["inspect", str(path)]) == 0
    fault = (
        "x of keypoint 'left_ear' is 'lost' in frame 12, which is not a number. Clear such cells"
    )
    assert f"  leave out   left_ear: {fault}" in capsys.readouterr().out


def test_a_file_without_two_keypoints_of_an_animal_gets_no_body_axis(tmp_path):
    objects = np.broadcast_to([[5.0, 5.0], [90.0, 90.0]], (600, 2, 2))
    position = np.concatenate([POSITION[:, :1], objects], axis=1)
    names = ("nose", "objectA", "objectB")
    write_deeplabcut(tmp_path / "a.csv", position, np.ones((600, 3)), names)
    found, _ = summarise(tmp_path / "a.csv")
    assert found.suggestion.centre is None
    assert (
        describe(found)[-1]
        == "  suggested   nothing: a body axis needs two keypoints of the animal"
    )


def test_inspect_shows_every_file_and_draws_them(recordings, tmp_path, capsys):
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    page = tmp_path / "inspect.html"
    good = recordings / "sim-1.csv"
    command = ["inspect", str(good), str(tmp_path / "bad.csv"), "--plot", str(page)]
    assert main(command) == 2
    printed = capsys.readouterr()
    assert "  frames      900 (0 to 899)" in printed.out
    assert "  suggested   centre: tailbase, forward: nose" in printed.out
    assert (
        printed.err.count("ERROR") == 1 and "bad.csv: is not in a supported format" in printed.err
    )
    text = page.read_text()
    assert text.count("<figure>") == 3 and "http" not in text.replace("http-equiv", "")
    assert "usual posture, nose to the right" in text and ">left_ear</text>" in text
    assert main(["inspect", str(good)]) == 0


def test_the_body_axis_is_of_keypoints_that_are_tracked_and_move():
    """A long axis is of no use if it is rarely known, or if one end stays where it is."""
    rng = np.random.default_rng(0)
    body = np.cumsum(rng.normal(size=(2000, 1, 2)), axis=0)
    offset = np.array([[0.0, 0], [30, 0], [12, 5], [200, 0]])
    position = body + offset + rng.normal(size=(2000, 4, 2)) * 0.2
    wall = np.full((2000, 1, 2), [500.0, 0]) + rng.normal(size=(2000, 1, 2)) * 1.5
    position = np.concatenate([position, wall, wall], axis=1)
    position[rng.random(2000) < 0.3, 3] = np.nan
    names = ["a", "b", "c", "often lost", "lick", "joystick"]
    found, _ = suggest(position, np.full(position.shape[:2], np.nan), names)
    assert {found.centre, found.forward} == {"a", "b"} and not found.by_name
    assert found.leave_out["joystick"] == "is an object, by its name"
