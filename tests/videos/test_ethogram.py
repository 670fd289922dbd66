"""The video of a session with its motifs below."""

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from filmed_project import (
    HEIGHT,
    WIDTH,
    make_project,
    mark_of,
    session,
    write_poses,
    write_video,
)
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageColor

from vame_pipe.cli.main import main
from vame_pipe.core import files
from vame_pipe.core.colours import NO_MOTIF, motif_colour
from vame_pipe.core.errors import InputError
from vame_pipe.videos import ethogram, video_file
from vame_pipe.videos.ethogram import BAR_PX, MIN_WIDTH, WORDS_PX, Labels, write_ethogram

SCALE = MIN_WIDTH / WIDTH


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    f = tmp_path_factory.mktemp("files")
    sessions = {
        "pair": session(
            write_poses(f / "pair.csv", 50, 10, names=("mum", "pup")),
            str(write_video(f / "pair.mp4", 70)),
        ),
        "parts": session(
            [write_poses(f / "p1.csv", 40), write_poses(f / "p2.csv", 40, 40)],
            [
                str(write_video(f / "p1.avi", 38, codec="mjpeg")),
                str(write_video(f / "p2.mp4", 40, first=100)),
            ],
        ),
        "none": session(write_poses(f / "none.csv", 50), None),
    }
    return make_project(f, sessions), sessions


def made(project, name, path, *span):
    layout, sessions = project
    write_ethogram(name, sessions[name], layout, "m", path, *span)
    facts = video_file.read_facts(path)
    return facts, [p for _, p in video_file.pictures(facts, 0, facts.n_frames - 1)]


def test_every_picture_of_the_poses_is_shown_over_its_motif(project, tmp_path):
    facts, pictures = made(project, "pair", tmp_path / "pair.mp4")
    assert (facts.n_frames, facts.fps, facts.width) == (50, 30, MIN_WIDTH)
    assert facts.height == HEIGHT * SCALE + 2 * (WORDS_PX + BAR_PX) + WORDS_PX
    assert [mark_of(picture, SCALE) for picture in pictures] == list(range(10, 60))
    table = pq.read_table(project[0].motifs("m").session("pair")).to_pandas()
    for animal, name in enumerate(("mum", "pup")):
        own = table[table["individual"] == name].set_index("frame")["motif"]
        y = int(HEIGHT * SCALE + animal * (WORDS_PX + BAR_PX) + WORDS_PX + BAR_PX / 2)
        for frame in (11, 23, 33, 43, 53):
            found = pictures[frame - 10][y - 3 : y + 3, MIN_WIDTH // 2 + 3].mean(axis=0)
            motif = own[frame]
            colour = NO_MOTIF if np.isnan(motif) else motif_colour(int(motif))
            assert np.abs(found - ImageColor.getrgb(colour)).max() < 45, (name, frame)


def test_pose_files_follow_one_another_and_a_lost_tail_is_left_out(project, tmp_path, caplog):
    facts, pictures = made(project, "parts", tmp_path / "parts.mp4")
    assert facts.n_frames == 78
    marks = [mark_of(picture, SCALE) for picture in pictures]
    assert marks == [*range(38), *range(100, 140)]
    assert "p1.avi: has 38 frames, but the poses in p1.csv go on to frame 39" in caplog.text


def test_a_part_of_the_recording_can_be_shown(project, tmp_path):
    _, pictures = made(project, "pair", tmp_path / "part.mp4", (1.0, 1.5))
    assert [mark_of(picture, SCALE) for picture in pictures] == list(range(30, 46))
    with pytest.raises(
        InputError, match=r"no picture between 7 and 9 s. The poses go from 0\.33 to"
    ):
        made(project, "pair", tmp_path / "no.mp4", (7.0, 9.0))
    assert not (tmp_path / "no.mp4").exists()


def test_the_command_says_what_is_missing(project, tmp_path, capsys):
    layout, sessions = project
    content = {name: each.model_dump(exclude_none=True) for name, each in sessions.items()}
    align = {"centre": "tail", "forward": "nose"}
    files.write_text(layout.config, yaml.safe_dump({"sessions": content, "align": align}))
    common = ["--results", str(layout.root), "--model=m", f"--out={tmp_path / 'a.mp4'}"]
    assert main(["ethogram", "--session=none", *common]) == 2
    assert main(["ethogram", "--session=nobody", *common]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert "session none: names no video. Set sessions.none.video and run snakemake." in first
    assert "session nobody: is not in the configuration, which has: none, pair, parts." in second
    assert list(tmp_path.iterdir()) == []
    assert main(["ethogram", "--session=pair", "--stop-s=0.5", *common]) == 0
    assert video_file.read_facts(tmp_path / "a.mp4").n_frames == 6


@given(st.lists(st.integers(-1, 3), min_size=2, max_size=20), st.floats(0, 5))
def test_the_motif_at_a_time_is_that_of_the_nearest_row(motifs, start):
    labels = Labels(start + np.arange(len(motifs)) / 30, np.array(motifs), 30.0)
    times = start + (np.arange(len(motifs)) + 0.3) / 30
    assert labels.at(times).tolist() == motifs
    assert labels.at(times[[0, -1]] + [-1, 1]).tolist() == [-2, -2]
    assert ethogram.AROUND_S > 0
