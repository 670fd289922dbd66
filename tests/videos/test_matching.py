"""Which picture shows which frame, and what is said about differences."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vame_pipe.core.errors import InputError
from vame_pipe.core.parts import Part
from vame_pipe.videos.matching import place
from vame_pipe.videos.video_file import VideoFacts


def video(n, fps=30.0, name="a.mp4"):
    return VideoFacts(Path(name), fps, 64, 48, np.arange(n))


def one(n, part, fps=30.0, video_fps=30.0):
    (found,) = place([video(n, video_fps)], [part], [part.first_frame], fps)
    return found


def shown(placement, *frames):
    return placement.pictures(np.array(frames)).tolist()


def problem(*arguments):
    with pytest.raises(InputError) as error:
        place(*arguments)
    (line,) = error.value.problems
    return line


def test_frame_k_is_picture_k():
    found = one(300, Part("a.csv", 0, 300))
    assert shown(found, -1, 0, 299, 300) == [-1, 0, 299, -1] and found.notes == ()


def test_poses_that_begin_late_have_the_numbers_of_the_video():
    found = one(300, Part("a.csv", 40, 260))
    assert shown(found, 39, 40, 299) == [-1, 40, 299] and found.notes == ()


def test_a_video_that_begins_with_the_poses_is_shifted_and_that_is_said():
    found = one(260, Part("a.csv", 40, 260))
    assert shown(found, 39, 40, 299) == [-1, 0, 259]
    assert found.notes == (
        "video a.mp4: begins with the poses in a.csv, whose first frame has the number 40: shifted by 40 "
        "frames.",
    )


def test_a_lost_tail_is_named_and_has_no_pictures():
    found = one(285, Part("a.csv", 0, 300))
    assert shown(found, 284, 285, 299) == [284, -1, -1]
    (note,) = found.notes
    assert "has 285 frames, but the poses in a.csv go on to frame 299." in note
    assert "The last 15 frames (0.50 s) have no picture" in note


def test_a_video_that_goes_on_after_the_poses_is_named():
    found = one(330, Part("a.csv", 10, 290))
    assert shown(found, 10, 299) == [10, 299]
    assert found.notes == (
        "video a.mp4: goes on for 30 frames (1.00 s) after the last pose in a.csv.",
    )


def test_pictures_of_another_rate_are_found_by_their_time():
    found = one(600, Part("a.csv", 0, 300), 30.0, 60.0)
    assert shown(found, 0, 1, 299) == [0, 2, 598]
    assert found.notes[0].startswith("video a.mp4: has 60 fps, its poses 30; the durations agree")
    late = one(600, Part("a.csv", 100, 200), 30.0, 60.0)
    assert shown(late, 100, 299) == [200, 598]
    begins = one(400, Part("a.csv", 100, 200), 30.0, 60.0)
    assert shown(begins, 100, 299) == [0, 398]


def test_a_wrong_rate_in_the_file_does_not_matter_if_the_numbers_agree():
    found = one(300, Part("a.csv", 0, 300), 100.0, 25.0)
    assert shown(found, 0, 299) == [0, 299]
    assert found.notes == (
        "video a.mp4: says 25 fps, its poses 100; the number of frames is the same, so they are taken one "
        "by one.",
    )


def test_a_video_that_cannot_be_that_of_the_poses_is_refused():
    part = Part("a.csv", 0, 300)
    assert "neither the number nor the duration fits" in problem([video(450, 60)], [part], [0], 30)
    late = Part("a.csv", 100, 300)
    assert "it is unknown which of them it shows" in problem([video(350)], [late], [100], 30.0)
    assert "it is unknown which of them it shows" in problem([video(50)], [late], [100], 30.0)


def test_each_pose_file_has_its_own_video():
    """The second file's numbers begin again at 0, the third's go on from the second on the time axis."""
    parts = [Part("1.csv", 0, 100), Part("2.csv", 131, 50), Part("3.csv", 200, 50)]
    videos = [video(100, name="1.mp4"), video(52, name="2.mp4"), video(50, name="3.mp4")]
    found = place(videos, parts, [0, 2, 200], 30.0)
    assert [shown(each, 99, 131, 180, 200, 249) for each in found] == [
        [99, -1, -1, -1, -1],
        [-1, 2, 51, -1, -1],
        [-1, -1, -1, 0, 49],
    ]
    assert [each.notes for each in found] == [(), (), ()]


def test_one_video_of_several_pose_files_goes_on_or_is_joined():
    parts = [Part("1.csv", 0, 100), Part("2.csv", 130, 50)]
    with_pause = place([video(180)], parts, [0, 130], 30.0)
    assert [shown(each, 99, 130) for each in with_pause] == [[99, -1], [-1, 130]]
    joined = place([video(150)], parts, [0, 0], 30.0)
    assert [shown(each, 99, 130) for each in joined] == [[99, -1], [-1, 100]]
    assert "it is unknown where each begins" in problem([video(140)], parts, [0, 0], 30.0)
    together = [Part("1.csv", 5, 100), Part("2.csv", 105, 50)]
    short = place([video(150)], together, [5, 105], 30.0)
    assert [shown(each, 5, 105) for each in short] == [[0, -1], [-1, 100]]


@given(st.integers(0, 50), st.integers(20, 80), st.sampled_from([0.5, 1.0, 2.0]))
def test_frames_of_pictures_are_the_inverse(first, n, ratio):
    found = one(round((first + n) * ratio), Part("a.csv", first, n), 30.0, 30.0 * ratio)
    frames = np.arange(first, first + n)
    numbers = found.pictures(frames)
    known = numbers >= 0
    assert known.mean() >= 0.9
    back = found.frames(numbers[known])
    inside = np.isfinite(back)
    assert inside.mean() >= 0.9
    assert np.abs(back[inside] - frames[known][inside]).max() <= 0.5 / ratio + 1e-9
