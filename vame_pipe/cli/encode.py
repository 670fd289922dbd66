"""Encode every window of one or more aligned recordings."""

from __future__ import annotations

import argparse
from pathlib import Path

from vame_pipe.cli.arguments import name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=Path, required=True, help="model.pt")
    parser.add_argument("--aligned", type=Path, required=True, help="folder of aligned recordings")
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--sessions", nargs="+", type=name, help="session names")
    chosen.add_argument(
        "--windows", type=Path, help="output folder of `windows`: encode the sessions listed in it"
    )
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda", "mps"), default="auto", help="default: auto"
    )
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")
    parser.add_argument(
        "--scratch",
        type=Path,
        help="folder for finished sessions, which are moved to --out once all are done; an interrupted job "
        "resumes from it",
    )
    parser.add_argument(
        "--record-failure",
        action="store_true",
        help="if a session cannot be encoded, write the reason to its output and exit with 0; `report` "
        "names it and fails",
    )
    parser.add_argument(
        "--novelty",
        action="store_true",
        help="also write {session}.novelty.json: how far each session resembles the training sessions",
    )
    parser.add_argument("--out", type=Path, required=True, help="output folder")


def run(options: argparse.Namespace) -> None:
    from vame_pipe.core.device import choose_device
    from vame_pipe.core.layout import WindowsFolder, session_file
    from vame_pipe.core.metadata import WindowsMetadata, read_record
    from vame_pipe.encoding.sessions import encode_sessions

    sessions = options.sessions
    if options.windows:
        windows = read_record(WindowsMetadata, WindowsFolder(options.windows).frames)
        sessions = [*windows.sessions, *windows.excluded]
    encode_sessions(
        options.model,
        {session_file(options.aligned, s): session_file(options.out, s) for s in sessions},
        choose_device(options.device),
        options.scratch,
        options.threads,
        options.record_failure,
        options.novelty,
    )
