"""Cut clips of each motif from the videos of the sessions."""

from __future__ import annotations

import argparse
from pathlib import Path

from vame_pipe.cli.arguments import RESULTS, name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", type=Path, help=RESULTS)
    parser.add_argument("--model", type=name, required=True, help="name of the model")
    parser.add_argument("--out", type=Path, required=True, help="output folder")


def run(options: argparse.Namespace) -> None:
    from vame_pipe.config.loading import load_run
    from vame_pipe.core.layout import Layout
    from vame_pipe.videos.clips import write_videos

    layout = Layout(options.results)
    write_videos(layout, options.model, load_run(layout.config).filmed, options.out)
