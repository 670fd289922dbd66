"""Split aligned recordings into training and validation windows."""

from __future__ import annotations

import argparse
from pathlib import Path

from vame_pipe.cli.arguments import name, positive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--aligned", type=Path, required=True, help="folder of aligned recordings")
    sessions = parser.add_mutually_exclusive_group(required=True)
    sessions.add_argument("--sessions", nargs="+", type=name, help="session names")
    sessions.add_argument(
        "--sessions-from",
        type=Path,
        help="configuration of the run, results/config.yaml, in place of --sessions: those with use: train",
    )
    parser.add_argument(
        "--settings", required=True, help="section `windows` of config.yaml, as JSON"
    )
    parser.add_argument(
        "--min-valid",
        type=positive,
        help="leave out sessions with a smaller fraction of valid frames (default: none)",
    )
    parser.add_argument("--out", type=Path, required=True, help="output folder")


def run(options: argparse.Namespace) -> None:
    from vame_pipe.config import sections
    from vame_pipe.config.loading import load_run, parse
    from vame_pipe.core.layout import session_file
    from vame_pipe.windows.build import build

    sessions = options.sessions or load_run(options.sessions_from).training_sessions
    paths = [session_file(options.aligned, session) for session in sessions]
    build(paths, parse(sections.Windows, options.settings), options.out, options.min_valid)
