"""Write simulated recordings with known motifs."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from vame_pipe.cli.arguments import positive

log = logging.getLogger(__name__)


def count(text: str) -> int:
    """Return a whole number above 0."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number above 0, found {text!r}")
    return value


def whole(text: str) -> int:
    """Return a whole number that is not negative."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"must be a whole number, 0 or more, found {text!r}")
    return value


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder",
        type=Path,
        help="folder for the recordings sim-1.csv, ... and their motifs sim-1.motifs.csv, ...",
    )
    parser.add_argument(
        "--sessions", type=count, default=4, help="number of recordings (default: 4)"
    )
    parser.add_argument(
        "--frames", type=count, default=5000, help="frames per recording (default: 5000)"
    )
    parser.add_argument(
        "--fps", type=positive, default=30.0, help="frames per second (default: 30)"
    )
    parser.add_argument(
        "--treated",
        type=whole,
        default=0,
        help="the last recordings, of animals that rear more (default: 0)",
    )
    parser.add_argument("--seed", type=whole, default=0, help="random seed (default: 0)")


def run(options: argparse.Namespace) -> None:
    from vame_pipe.poses.simulate import write_recordings

    write_recordings(
        *(options.folder, options.sessions, options.frames, options.fps, options.seed),
        n_treated=options.treated,
    )
    recordings = "1 recording" if options.sessions == 1 else f"{options.sessions} recordings"
    frames = "1 frame" if options.frames == 1 else f"{options.frames} frames"
    log.info("%s of %s in %s", recordings, frames, options.folder)
