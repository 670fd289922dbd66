"""Write a config.yaml for a folder of pose files."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from vame_pipe.cli.arguments import positive

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="pose files, or folders of them"
    )
    parser.add_argument(
        "--fps",
        type=positive,
        help="frame rate of recordings for which neither the file nor a video of the same length tells",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("config.yaml"),
        help="file to write (default: config.yaml); an existing one is never overwritten",
    )


def run(options: argparse.Namespace) -> None:
    from vame_pipe.config.starter import make_starter
    from vame_pipe.config.starter_text import require_new, write_starter
    from vame_pipe.core.errors import listing, shortened
    from vame_pipe.core.logs import Once

    for handler in logging.getLogger().handlers:
        handler.addFilter(Once())
    require_new(options.out)
    starter = make_starter(options.paths, options.fps)
    written = write_starter(starter, options.out)
    for line in starter.skipped:
        log.warning("not used: %s", shortened(line, 200))
    if not starter.windows.fits:
        log.warning("no windows fit: %s", starter.windows.note)
    if starter.mirrored:
        swapped = listing(starter.mirrored)
        log.warning("left and right are swapped in some recordings only: %s", swapped)
    count = len(starter.sessions)
    sessions = "one session" if count == 1 else f"{count} sessions"
    option = "" if options.out.name == "config.yaml" else f" --configfile {options.out.name}"
    folder = "" if options.out.parent == Path() else f" in {options.out.parent}"
    names = " and ".join(map(str, written))
    command = f"snakemake --cores 4 --resources gpu=1{option}"
    log.info("%s: written (%s). Next%s: %s", names, sessions, folder, command)
