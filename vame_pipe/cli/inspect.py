"""Show what is in pose files, and settings that suit them; needs no configuration."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from vame_pipe.core.pose_formats import POSE_FORMATS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="pose files")
    parser.add_argument(
        "--format",
        help=f"format of the files: {', '.join(POSE_FORMATS)} (default: recognised by their content)",
    )
    parser.add_argument("--plot", type=Path, help="also write pictures, as one HTML file")


def run(options: argparse.Namespace) -> None:
    from vame_pipe.core.errors import InputError
    from vame_pipe.poses.summary import describe
    from vame_pipe.reporting.inspection import inspect

    summaries, problems = inspect(options.files, options.format, options.plot)
    for summary in summaries:
        sys.stdout.write("\n".join([*describe(summary), ""]) + "\n")
    if problems:
        raise InputError(*problems)
