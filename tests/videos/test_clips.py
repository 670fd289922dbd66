"""Clips of motifs show the bouts that they are named after."""

import dataclasses
import importlib.util

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from filmed_project import (
    BLOCK,
    HEIGHT,
    WIDTH,
    make_project,
    mark_of,
    position,
    session,
    write_poses,
    write_video,
)
from PIL import ImageColor

from vame_pipe.core import clip_facts
from vame_pipe.core.colours import motif_colour
from vame_pipe.core.errors import InputError
from vame_pipe.core.files import file_fingerprint
from vame_pipe.core.folders import VideoFolder
from vame_pipe.videos import clips, drawing, video_file
from vame_pipe.videos.clips import HEAD_PX, PANEL_PX, write_videos
from vame_pipe.videos.filmed import find_filmed, read_tracks


@pytest.fixture(scope="module")
def sessions(tmp_path_factory):
    """Sessions whose files differ in what they may differ in."""
    f = tmp_path_factory.mktemp("files")
    (f / "text.mp4").write_text("no video")
    return {
        # its first frame has the number 15
        "late": session(write_poses(f / "late.csv", 85, 15), str(write_video(f / "late.mp4", 100))),
        # the second file's numbers begin again, and so does its video
        "parts": session(
            [write_poses(f / "p1.csv", 60), write_poses(f / "p2.csv", 60)],
            [
                str(write_video(f / "p1.avi", 60, codec="mjpeg")),
                str(write_video(f / "p2.mp4", 60, first=100)),
            ],
        ),
        "pair": session(
            write_poses(f / "pair.csv", 90, names=("mum", "pup")),
            str(write_video(f / "pair.mp4", 70)),  # its last 20 frames are lost
        ),
        "fast": session(write_poses(f / "fast.csv", 80), str(write_video(f / "fast.mp4", 160, 60))),
        "gone": session(write_poses(f / "gone.csv", 60), str(f / "gone.mp4")),
        "text": session(write_poses(f / "text.csv", 60), str(f / "text.mp4")),
        "other": session(write_poses(f / "other.csv", 60), str(write_video(f / "o.mp4", 37, 60))),
    }


@pytest.fixture(scope="module", params=[None, 60.0], ids=["as recorded", "upsampled"])
def layout(request, sessions, tmp_path_factory):
    return make_project(tmp_path_factory.mktemp("project"), sessions, request.param)


@pytest.fixture(scope="module")
def written(layout, sessions):
    """The tables of clips and of videos."""
    out = layout.motifs("m").videos.root
    write_videos(layout, "m", sessions, out)
    return out, pd.read_csv(out / "clips.csv"), pd.read_csv(out / "videos.csv")


def pictures_of(path):
    facts = video_file.read_facts(path)
    return [picture for _, picture in video_file.pictures(facts, 0, facts.n_frames - 1)]


def shown_number(picture):
    """The number of the picture of the video that a clip shows, which has black above and below."""
    scale = PANEL_PX / WIDTH
    return mark_of(picture, scale, top=HEAD_PX + (WIDTH - HEIGHT) / 2 * scale)


def is_framed(picture, motif):
    """Whether the frame of a clip has the colour of the motif, not that of the time around the bout."""
    found = picture[HEAD_PX + 2 : HEAD_PX + 4, 20:-20].mean(axis=(0, 1))
    colours = [ImageColor.getrgb(colour) for colour in (motif_colour(motif), clips.OUTSIDE)]
    return np.argmin([np.abs(found - colour).sum() for colour in colours]) == 0


def first_number(name, start_frame):
    """The mark in the video of the first frame of a bout."""
    if name == "parts" and start_frame >= 60:
        return 100 + start_frame - (60 + 1 + 30)  # a pause of unknown length is 1 s
    return 2 * start_frame if name == "fast" else start_frame


def test_the_frame_that_is_cut_is_the_one_of_the_bout(written, layout):
    out, table, _ = written
    bouts = pq.read_table(layout.motifs("m").described.bouts).to_pandas()
    assert set(table["motif"]) == {0, 1} and len(table) == 8
    assert set(table["session"]) == {"late", "parts", "pair", "fast"}
    seen = []
    for row in table.itertuples():
        own = bouts[(bouts["session"] == row.session) & (bouts["individual"] == row.individual)]
        bout = own[own["start_s"] == row.start_s].iloc[0]
        assert bout["motif"] == row.motif
        pictures = pictures_of(out / row.file)
        inside = [is_framed(picture, row.motif) for picture in pictures]
        marks = [shown_number(picture) for picture in pictures]
        start, end = (first_number(row.session, bout[f"{name}_frame"]) for name in ("start", "end"))
        assert marks[inside.index(True)] == start
        assert max(m for m, own in zip(marks, inside, strict=True) if own) == end
        assert (np.diff(marks) >= 0).all()
        seen.append(row.session)
    assert "parts" in seen and "pair" in seen


def test_the_grid_has_the_clips_of_the_motif(written):
    out, table, _ = written
    names = {f"motif_0{k}.mp4" for k in (0, 1)} | set(table["file"])
    assert {path.name for path in out.iterdir()} == names | {
        *("clips.csv", "videos.csv", "videos.json")
    }
    for motif, own in table.groupby("motif"):
        grid = pictures_of(out / f"motif_{motif:02d}.mp4")
        assert grid[0].shape[1] == 2 * PANEL_PX
        alone = [pictures_of(out / name) for name in own["file"]]
        assert len(grid) == max(map(len, alone))
        assert shown_number(grid[0]) == shown_number(alone[0][0])
        right = grid[0][:, PANEL_PX:]
        assert shown_number(right) == shown_number(alone[1][0])
    assert table.loc[table["motif"] == 0, "name"].unique().tolist() == ["rest"]


def test_every_video_has_a_row_that_says_what_is_wrong(written, sessions):
    _, _, rows = written
    notes = (
        rows.astype({"note": object}).fillna({"note": ""}).groupby("session")["note"].agg(" ".join)
    )
    assert notes["late"] == notes["parts"].strip() == ""
    assert "The last 20 frames (0.67 s) have no picture" in notes["pair"]
    assert "has 60 fps, its poses 30" in notes["fast"]
    assert notes["gone"].startswith("session gone: video ") and "no such file" in notes["gone"]
    assert "text.mp4: cannot be read (" in notes["text"]
    assert "neither the number nor the duration fits" in notes["other"]
    assert rows.groupby("session")["n_frames"].apply(list)["parts"] == [60, 60]


def test_the_facts_have_every_note_once_with_its_session(written, layout, sessions):
    out, table, rows = written
    facts = clip_facts.read(VideoFolder(out).facts)
    assert facts.motifs == sorted(set(table["motif"])) and facts.has_library
    assert facts.sessions["parts"] == sessions["parts"].video and set(facts.sessions) == set(
        sessions
    )
    assert facts.description == file_fingerprint(layout.motifs("m").described.description)
    assert all(note.startswith("session ") for note in facts.notes)
    named = {note.split(":")[0] for note in facts.notes}
    assert named == {f"session {s}" for s in ("pair", "fast", "gone", "text", "other")}
    assert len(facts.notes) == len(set(facts.notes)) == rows["note"].str.len().gt(0).sum()


def test_animals_are_where_the_poses_are(layout, sessions):
    filmed = find_filmed("pair", sessions["pair"], layout)
    tracks = read_tracks(filmed, layout)
    frames = np.array([0, 33, 89, 90])
    for animal, name in enumerate(("mum", "pup")):
        found = tracks.points(name, frames)
        np.testing.assert_allclose(found[:3], position(frames[:3], animal))
        assert np.isnan(found[3]).all()
    parts = read_tracks(find_filmed("parts", sessions["parts"], layout), layout)
    np.testing.assert_allclose(parts.points("id_0", np.array([91])), position(np.array([0])))


def test_a_selected_animal_may_be_missing_in_some_of_the_files(tmp_path):
    """As in alignment."""
    poses = [
        write_poses(tmp_path / "a.csv", 40, names=("mum", "pup")),
        write_poses(tmp_path / "b.csv", 30, 40, names=("mum",)),
    ]
    video = str(write_video(tmp_path / "v.avi", 70, codec="mjpeg"))
    source = session(poses, video, individuals=["mum", "pup"])
    layout = make_project(tmp_path, {"s": source})
    tracks = read_tracks(find_filmed("s", source, layout), layout)
    assert [list(animals) for animals in tracks.positions] == [["mum", "pup"], ["mum"]]
    np.testing.assert_allclose(tracks.points("mum", np.array([69])), position(np.array([69])))
    assert np.isnan(tracks.points("pup", np.array([69]))).all()


def test_a_pose_file_that_was_changed_is_refused(layout, sessions, tmp_path):
    path = write_poses(tmp_path / "late.csv", 70, 15)
    changed = sessions["late"].model_copy(update={"poses": path})
    filmed = find_filmed("late", changed, layout)
    with pytest.raises(
        InputError, match=r"session late: late\.csv was changed after it was aligned"
    ):
        read_tracks(filmed, layout)


def test_a_video_of_another_size_is_named(layout, sessions, caplog):
    filmed = find_filmed("late", sessions["late"], layout)
    (placement,) = filmed.placements
    small = dataclasses.replace(placement.video, width=WIDTH // 2)
    other = dataclasses.replace(filmed, placements=[dataclasses.replace(placement, video=small)])
    read_tracks(filmed, layout)
    assert not caplog.records
    points = position(np.arange(15, 100)).reshape(-1, 2)
    read_tracks(other, layout)
    share = 100 * (points[:, 0] > WIDTH // 2).mean()
    assert f"session late: {share:.0f}% of the points in late.csv are outside the p" in caplog.text
    assert "(32 x 48 pixels): is the video scaled or cropped?" in caplog.text


def test_the_view_follows_small_animals_and_stays_in_the_picture():
    points = np.array([[[600.0, 20.0], [620.0, 30.0]]])
    view = drawing.view_of(points, 22.0, 640, 480)
    assert view == drawing.View(582.5, 0.0, 55.0)
    picture = np.zeros((480, 640, 3), np.uint8)
    picture[25, 610] = 255
    panel = np.asarray(view.cut(picture, 110))
    y, x = np.unravel_index(panel[..., 0].argmax(), panel.shape[:2])
    np.testing.assert_allclose(view.place(np.array([610.5, 25.5]), 110), [x + 0.5, y + 0.5], atol=1)
    unknown = drawing.view_of(np.full((3, 2, 2), np.nan), 22.0, 640, 480)
    assert unknown == drawing.View(0.0, -80.0, 640.0)
    assert np.asarray(unknown.cut(picture + 9, 64))[[0, 32, 63], 32, 0].tolist() == [0, 9, 0]


def test_without_the_library_nothing_fails(layout, sessions, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    write_videos(layout, "m", {"late": sessions["late"]}, tmp_path / "out")
    (warning,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert warning.endswith("Run: pip install 'vame_pipe[video]'")
    rows = pd.read_csv(tmp_path / "out" / "videos.csv")
    assert rows["note"].tolist() == [warning]
    assert len(pd.read_csv(tmp_path / "out" / "clips.csv")) == 0
    facts = clip_facts.read(VideoFolder(tmp_path / "out").facts)
    assert (facts.motifs, facts.notes, facts.has_library) == ([], [warning], False)
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_blocks_of_marks_are_above_the_animals():
    assert position(np.arange(24))[..., 1].min() > BLOCK and clips.MAX_FPS == 30
