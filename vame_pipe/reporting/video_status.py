"""Which clips from videos are there and up to date."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vame_pipe.core import clip_facts, source
from vame_pipe.core.layout import Layout
from vame_pipe.reporting.differences import changes, versions
from vame_pipe.reporting.items import Compared, Item, find, made_again

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
    given = {name: session.videos for name, session in config.filmed.items()}

    def compare(path: Path) -> Compared:
        facts, made_ns = clip_facts.read(path), path.stat().st_mtime_ns
        causes = versions("clips from videos", facts.stage_version, source.VIDEOS)
        causes += made_again(described, facts.description)
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

    folder = layout.motifs(described.name).videos
    outputs = [folder.facts, folder.clips, folder.videos]
    item = find(layout, "videos", described.name, outputs, described.causes, compare)
    return [item] if given else []
