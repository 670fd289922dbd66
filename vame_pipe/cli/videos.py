"""Cut clips of each motif from the videos of the sessions."""

from __future__ import annotations

import argparse
from pathlib import Path

from vame_pipe.cli.arguments import name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", type=Path, help="results folder")
    parser.add_argument("--model", type=name, required=True, help="name of the model")
    parser.add_argument(
        "--sessions",
        required=True,
        help="sessions with a video, as JSON: {NAME: {keys of a session in config.yaml}}",
    )
    parser.add_argument("--out", type=Path, required=True, help="output folder")


def run(options: argparse.Namespace) -> None:
    import json

    from vame_pipe.config.sections import Session
    from vame_pipe.core.layout import Layout
    from vame_pipe.videos.clips import write_videos

    content = json.loads(options.sessions)
    sessions = {session: Session.model_validate(keys) for session, keys in content.items()}
    write_videos(Layout(options.results), options.model, sessions, options.out)
