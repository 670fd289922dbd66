"""Write simulated recordings with known motifs."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from vame_pipe.cli.arguments import positive

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder",
        type=Path,
        help="folder for the recordings sim-1.csv, ... and their motifs sim-1.motifs.csv, ...",
    )
    parser.add_argument("--sessions", type=int, default=4, help="number of recordings (default: 4)")
    parser.add_argument(
        "--frames", type=int, default=5000, help="frames per recording (default: 5000)"
    )
    parser.add_argument(
        "--fps", type=positive, default=30.0, help="frames per second (default: 30)"
    )
    parser.add_argument("--seed", type=int, default=0, help="random seed (default: 0)")


def run(options: argparse.Namespace) -> None:
    from vame_pipe.poses.simulate import write_recordings

    write_recordings(options.folder, options.sessions, options.frames, options.fps, options.seed)
    recordings = "1 recording" if options.sessions == 1 else f"{options.sessions} recordings"
    log.info("%s of %d frames in %s", recordings, options.frames, options.folder)
