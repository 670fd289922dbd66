"""Compare groups of animals by the motifs of a model: tables, figures, a text for a paper."""

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
        help='sessions as JSON: {"NAME": {"group": ..., "subject": ..., "pair": ..., "px_per_cm": ...}}',
    )


def run(options: argparse.Namespace) -> None:
    from vame_pipe.core.layout import Layout
    from vame_pipe.motifs.groups import compare_groups
    from vame_pipe.motifs.members import parse_members
    from vame_pipe.motifs.recording import Folders

    layout = Layout(options.results)
    folders = Folders(
        layout.motifs(options.model), layout.latents_folder(options.model), layout.aligned_folder
    )
    compare_groups(folders, parse_members(options.sessions), layout.groups(options.model))
