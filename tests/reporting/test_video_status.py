"""Which clips from videos are there and up to date."""

import os

from motif_project import new_project

from vame_pipe.config.configuration import Config
from vame_pipe.core import clip_facts, files, source
from vame_pipe.core.clip_facts import ClipFacts
from vame_pipe.reporting.items import NOT_YET, Item
from vame_pipe.reporting.video_status import find_clips

DONE = Item("describe", "m", "done", fingerprint="now")


def test_clips_are_cut_again_if_videos_motifs_or_the_library_change(tmp_path, monkeypatch):
    layout = new_project(tmp_path / "results").layout
    folder = layout.motifs("m")
    video = tmp_path / "a.mp4"
    video.touch()
    sessions = {
        "a": {"poses": "a.csv", "video": str(video)},
        "b": {"poses": "b.csv"},
        "c": {"poses": "c.csv", "video": "c.mp4", "use": "encode"},
    }
    config = Config(sessions=sessions, align={"centre": "tailbase", "forward": "nose"})

    def state(config=config, described=DONE):
        (item,) = find_clips(layout, config, described)
        return item.state, item.causes

    def write(**changes):
        made = {"motifs": [0], "notes": [], "sessions": {"a": [str(video)]}, "has_library": True}
        made |= {"description": "now", "stage_version": source.VIDEOS}
        clip_facts.write(ClipFacts(**made | changes), folder.videos.facts)
        for path in (folder.videos.clips, folder.videos.videos):
            files.write_text(path, "")

    assert state() == ("missing", (NOT_YET,))
    write()
    assert state() == ("done", ())
    assert state(described=Item("describe", "m", "outdated", ("why",))) == ("outdated", ("why",))
    nothing = Config(sessions={"b": sessions["b"]}, align=config.align)
    assert find_clips(layout, nothing, DONE) == []
    other = Config(
        sessions={"a": sessions["b"], "b": sessions["b"] | {"video": ["1.avi"]}}, align=config.align
    )
    assert state(other)[1] == (
        f"session a: video was {video}, is not set",
        "session b: video was not set, is 1.avi",
    )
    for changes, cause in (
        ({"has_library": False}, "videos can be read now"),
        (
            {"stage_version": 0},
            f"clips from videos of vame_pipe changed (version 0 to {source.VIDEOS})",
        ),
        ({"description": "x"}, "the motifs of model m were described again"),
    ):
        write(**changes)
        assert state() == ("outdated", (cause,))
    write()
    later = folder.videos.facts.stat().st_mtime_ns + 10**9
    os.utime(video, ns=(later, later))
    assert state() == ("outdated", (f"{video} changed",))
    folder.videos.facts.write_text("{}")
    assert "damaged" in state()[1][0]
