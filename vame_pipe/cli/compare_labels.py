"""Compare the motifs and latents of a model with labels that people gave."""

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
    from vame_pipe.motifs.annotations import compare_labels
    from vame_pipe.motifs.labelled_rows import label_sources

    layout = Layout(options.results)
    compare_labels(layout, options.model, label_sources(load_run(layout.config).labelled))
