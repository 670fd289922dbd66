"""Videos are read picture by picture, whatever their format."""

import importlib.util
import struct

import numpy as np
import pytest
from filmed_project import HEIGHT, WIDTH, mark_of, marked, write_video
from hypothesis import given, settings
from hypothesis import strategies as st

from vame_pipe.core.errors import InputError
from vame_pipe.videos import video_file

N = 40
KINDS = {
    "b-frames.mp4": "libx264",
    "camera.avi": "mjpeg",
    "old.avi": "mpeg4",
    "no-count.mkv": "libx264",
    "disordered.avi": "libx264",
}


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    return {name: write_video(folder / name, N, 25, codec) for name, codec in KINDS.items()}


@pytest.mark.parametrize("name", KINDS)
def test_pictures_are_counted_and_each_is_the_one_with_its_number(videos, name):
    facts = video_file.read_facts(videos[name])
    assert (facts.n_frames, facts.fps, facts.width, facts.height) == (N, 25, WIDTH, HEIGHT)

    @given(st.tuples(st.integers(0, N - 1), st.integers(0, N - 1)))
    @settings(max_examples=8)
    def check(ends):
        first, last = sorted(ends)
        found = list(video_file.pictures(facts, first, last))
        assert [number for number, _ in found] == list(range(first, last + 1))
        assert [mark_of(picture) for _, picture in found] == [number for number, _ in found]

    check()


def test_what_is_written_is_read_again(tmp_path):
    with video_file.writer(tmp_path / "new" / "a.mp4", 29.97, WIDTH, HEIGHT) as add:
        for number in range(5):
            add(marked(number))
    facts = video_file.read_facts(tmp_path / "new" / "a.mp4")
    assert facts.fps == pytest.approx(29.97, abs=1e-3)
    assert [mark_of(picture) for _, picture in video_file.pictures(facts, 0, 4)] == [0, 1, 2, 3, 4]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.mp4"]


def test_the_same_pictures_make_the_same_file(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        write_of_noise(tmp_path / name)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def write_of_noise(path):
    rng = np.random.default_rng(0)
    with video_file.writer(path, 30, WIDTH, HEIGHT) as add:
        for _ in range(10):
            add(rng.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8))


def problem(path):
    with pytest.raises(InputError) as error:
        facts = video_file.read_facts(path)
        list(video_file.pictures(facts, 0, facts.n_frames - 1))
    (line,) = error.value.problems
    return line


def test_files_that_are_no_videos_are_named_in_one_line(videos, tmp_path):
    assert "no such file" in problem(tmp_path / "gone.mp4")
    (tmp_path / "text.mp4").write_text("frame,x,y\n" * 50)
    assert "text.mp4: cannot be read (" in problem(tmp_path / "text.mp4")
    (tmp_path / "empty.mp4").touch()
    assert "empty.mp4: cannot be read (" in problem(tmp_path / "empty.mp4")
    cut = videos["b-frames.mp4"].read_bytes()[:2000]
    (tmp_path / "cut.mp4").write_bytes(cut)
    assert "cut.mp4: cannot be read (" in problem(tmp_path / "cut.mp4")


@given(st.data())
@settings(max_examples=25)
def test_damaged_videos_have_pictures_or_a_problem_of_one_line(videos, tmp_path_factory, data):
    content = bytearray(videos[data.draw(st.sampled_from(list(KINDS)))].read_bytes())
    for _ in range(data.draw(st.integers(1, 20))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "video"
    path.write_bytes(content)
    try:
        facts = video_file.read_facts(path)
        found = list(video_file.pictures(facts, 0, facts.n_frames - 1))
        assert len(found) <= facts.n_frames
    except InputError as error:
        assert len(error.problems) == 1


@pytest.mark.parametrize(("matrix", "turned"), [((0, 1, -1, 0), 3), ((-1, 0, 0, -1), 2)])
def test_pictures_are_turned_as_the_file_says(videos, tmp_path, matrix, turned):
    """As phones store them: (x, y) is shown at (a x + c y, b x + d y)."""
    a, b, c, d = (struct.pack(">i", value << 16) for value in matrix)
    upright = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    content = videos["b-frames.mp4"].read_bytes()
    head, track, rest = content.rpartition(upright)  # the last one is that of the track
    assert track
    zero, one = struct.pack(">2i", 0, 1 << 30)[:4], struct.pack(">i", 1 << 30)
    turn = b"".join((a, b, zero, c, d, zero, zero, zero, one))
    (tmp_path / "phone.mp4").write_bytes(head + turn + rest)
    facts = video_file.read_facts(tmp_path / "phone.mp4")
    size = (WIDTH, HEIGHT) if turned == 2 else (HEIGHT, WIDTH)
    assert (facts.n_frames, facts.width, facts.height) == (N, *size)
    ((_, picture),) = video_file.pictures(facts, 11, 11)
    assert picture.shape == (facts.height, facts.width, 3)
    # (1, 0), to the right, is shown below if a = 0 and b = 1: turned to the right
    assert mark_of(np.rot90(picture, -turned)) == 11


def test_words_in_another_encoding_do_not_matter(videos, tmp_path):
    content = videos["b-frames.mp4"].read_bytes()
    assert b"isomiso2" in content
    (tmp_path / "words.mp4").write_bytes(content.replace(b"isomiso2", b"isom\xe4so2"))
    assert video_file.read_facts(tmp_path / "words.mp4").n_frames == N


def test_an_avi_that_was_cut_off_has_the_pictures_that_are_left(videos, tmp_path):
    (tmp_path / "cut.avi").write_bytes(videos["camera.avi"].read_bytes()[:20_000])
    facts = video_file.read_facts(tmp_path / "cut.avi")
    assert 10 < facts.n_frames < N
    found = list(video_file.pictures(facts, 0, 8))
    assert [mark_of(picture) for _, picture in found] == list(range(9))


def test_without_the_library_one_line_names_the_extra(videos, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    line = problem(videos["camera.avi"])
    assert line.endswith("PyAV is not installed. Run: pip install 'vame_pipe[video]'")
