"""Choose the keypoints to use: those that are tracked well enough in all recordings together."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from vame_pipe.cli.arguments import keypoints


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sessions",
        type=json.loads,
        required=True,
        help='recordings, as JSON: {"NAME": {"poses": "FILE", "fps": 30}, ...}',
    )
    parser.add_argument(
        "--settings", required=True, help="section `align` of the configuration, as JSON"
    )
    parser.add_argument(
        "--keypoints",
        type=keypoints,
        help='keypoints to choose from, as JSON: {"NAME": ["name in the file", ...], ...} (default: all)',
    )
    parser.add_argument("--out", type=Path, required=True, help="output file (JSON)")


def run(options: argparse.Namespace) -> None:
    from vame_pipe.alignment.choose_keypoints import choose_keypoints
    from vame_pipe.config import sections
    from vame_pipe.config.loading import parse

    sessions = {
        name: parse(sections.Session, json.dumps(session))
        for name, session in options.sessions.items()
    }
    settings = parse(sections.Align, options.settings)
    choose_keypoints(sessions, settings, options.keypoints, options.out)
