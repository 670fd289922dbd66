"""Choose the keypoints to use: those that are tracked well enough in all recordings together."""

from __future__ import annotations

import argparse
from pathlib import Path

from vame_pipe.cli.arguments import add_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--out", type=Path, required=True, help="output file (JSON)")


def run(options: argparse.Namespace) -> None:
    from vame_pipe.alignment.choose_keypoints import choose_keypoints
    from vame_pipe.config.loading import load

    config = load(*options.config)
    choose_keypoints(config.deciding, config.align, config.aliases, options.out)
