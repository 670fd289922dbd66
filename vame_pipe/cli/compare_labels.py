"""Compare the motifs and latents of a model with labels that people gave."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from vame_pipe.cli.arguments import name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", type=Path, help="results folder")
    parser.add_argument("--model", type=name, required=True, help="name of the model")
    parser.add_argument(
        "--sessions",
        type=json.loads,
        required=True,
        help='labelled sessions as JSON: {"NAME": {"labels": FILE, "subject": ...}}',
    )


def run(options: argparse.Namespace) -> None:
    from vame_pipe.core.layout import Layout
    from vame_pipe.motifs.annotations import compare_labels
    from vame_pipe.motifs.labelled_rows import parse_sources

    compare_labels(Layout(options.results), options.model, parse_sources(options.sessions))
