"""Compare groups of animals by the motifs of a model: tables, figures, a text for a paper."""

from __future__ import annotations

import argparse
from pathlib import Path

from vame_pipe.cli.arguments import RESULTS, name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", type=Path, help=RESULTS)
    parser.add_argument("--model", type=name, required=True, help="name of the model")


def run(options: argparse.Namespace) -> None:
    from vame_pipe.config.loading import load_run
    from vame_pipe.core.layout import Layout
    from vame_pipe.motifs.groups import compare_groups
    from vame_pipe.motifs.members import members_of
    from vame_pipe.motifs.recording import Folders

    layout = Layout(options.results)
    folders = Folders(
        layout.motifs(options.model), layout.latents_folder(options.model), layout.aligned_folder
    )
    members = members_of(load_run(layout.config).analysed)
    compare_groups(folders, members, layout.groups(options.model))
