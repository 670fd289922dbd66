"""Choose the keypoints to use: those that are tracked well enough in all recordings together."""

from __future__ import annotations

import argparse
from pathlib import Path

from vame_pipe.cli.arguments import RESULTS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", type=Path, help=RESULTS)
    parser.add_argument("--out", type=Path, required=True, help="output file (JSON)")


def run(options: argparse.Namespace) -> None:
    from vame_pipe.alignment.choose_keypoints import choose_keypoints
    from vame_pipe.config.loading import load_run
    from vame_pipe.core.layout import Layout

    config = load_run(Layout(options.results).config)
    choose_keypoints(config.deciding, config.align, config.aliases, options.out)
