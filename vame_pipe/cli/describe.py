"""Describe the motifs of a model: movement, typical bouts, transitions, names."""

from __future__ import annotations

import argparse
from pathlib import Path

from vame_pipe.cli.arguments import name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "motifs",
        type=Path,
        help="output folder of `segment`; `described` and `clips` are added to it",
    )
    parser.add_argument("--model", type=name, required=True, help="name of the model")
    parser.add_argument(
        "--latents", type=Path, required=True, help="folder of latents of the model"
    )
    parser.add_argument("--aligned", type=Path, required=True, help="folder of aligned recordings")
    parser.add_argument(
        "--sessions", nargs="+", type=name, required=True, help="sessions to describe, by name"
    )
    parser.add_argument("--names", default="[]", help="rows of the table of motif names, as JSON")
    parser.add_argument("--skeleton", default="null", help="key `skeleton` of config.yaml, as JSON")
    parser.add_argument(
        "--communities", type=int, default=4, help="groups of motifs (default: %(default)s)"
    )


def run(options: argparse.Namespace) -> None:
    import json

    from vame_pipe.config.motif_names import parse_names
    from vame_pipe.core.layout import MotifFolder
    from vame_pipe.motifs.describe import Wishes, describe
    from vame_pipe.motifs.recording import Folders

    folders = Folders(MotifFolder(options.motifs), options.latents, options.aligned)
    wishes = Wishes(
        options.model,
        parse_names(options.names),
        json.loads(options.skeleton),
        options.communities,
    )
    describe(folders, options.sessions, wishes)
