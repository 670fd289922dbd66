"""Write the report of a model that was trained elsewhere, one HTML file."""

from __future__ import annotations

import argparse
from pathlib import Path

from vame_pipe.cli.arguments import RESULTS, add_sessions, name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", type=Path, help=RESULTS)
    parser.add_argument("--model", type=name, required=True, help="name of the model")
    add_sessions(parser)
    parser.add_argument("--names", default="[]", help="rows of the table of motif names, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="output file (HTML)")


def run(options: argparse.Namespace) -> None:
    from vame_pipe.config.loading import load_run
    from vame_pipe.config.motif_names import parse_names
    from vame_pipe.core import segmentation_facts
    from vame_pipe.core.layout import Layout
    from vame_pipe.motifs.names import resolve
    from vame_pipe.reporting.new_recordings import write_external

    layout, rows = Layout(options.results), parse_names(options.names)
    facts = segmentation_facts.read(layout.motifs(options.model).settings)
    motifs = resolve(rows, facts.n_motifs, facts.fingerprint)
    config = load_run(layout.config)
    sessions = options.sessions or list(config.analysed)
    write_external(layout, config, options.model, sessions, motifs, options.out)
