"""Which clips from videos are there and up to date."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vame_pipe.core import clip_facts, files, source
from vame_pipe.core.layout import Layout
from vame_pipe.reporting.differences import changes, versions
from vame_pipe.reporting.items import Compared, Item, find

if TYPE_CHECKING:
    from vame_pipe.config.configuration import Config


def find_clips(layout: Layout, config: Config, described: Item) -> list[Item]:
    """Return the state of the clips of the motifs of a model; nothing if no session names a video.

    Videos are compared by their time stamps, as Snakemake does.

    Parameters
    ----------
    layout : Layout
    config : Config
    described : Item
        The description of the motifs.
    """
    given = {name: config.sessions[name].videos for name in config.training_sessions}
    given = {name: videos for name, videos in given.items() if videos}
    folder = layout.motifs(described.name)

    def compare(path: Path) -> Compared:
        facts, made_ns = clip_facts.read(path), path.stat().st_mtime_ns
        causes = versions("clips from videos", facts.stage_version, source.VIDEOS)
        described_now = folder.described.description
        if described_now.exists() and facts.description != files.file_fingerprint(described_now):
            causes.append(f"the motifs of model {described.name} were described again")
        if clip_facts.has_library() and not facts.has_library:
            causes.append("videos can be read now")
        for name in {**facts.sessions, **given}:
            before, now = (
                {"video": " + ".join(videos[name]) if name in videos else None}
                for videos in (facts.sessions, given)
            )
            causes += changes(f"session {name}: ", before, now)
        paths = [Path(video) for videos in given.values() for video in videos]
        newer = [p for p in paths if p.exists() and p.stat().st_mtime_ns > made_ns]
        return causes + [f"{p} changed" for p in newer], None

    outputs = [folder.videos.facts, folder.videos.clips, folder.videos.videos]
    return (
        [find(layout, "videos", described.name, outputs, described.causes, compare)]
        if given
        else []
    )
