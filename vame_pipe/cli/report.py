"""Write the report, one self-contained HTML file."""

from __future__ import annotations

import argparse
from pathlib import Path

from vame_pipe.cli.arguments import add_results, add_sessions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_results(parser)
    add_sessions(parser)
    parser.add_argument("--out", type=Path, required=True, help="output file (HTML)")
    parser.add_argument(
        "--methods",
        type=Path,
        help="also write a text for the methods section of a paper (Markdown)",
    )


def run(options: argparse.Namespace) -> None:
    from vame_pipe.config.loading import load_run
    from vame_pipe.core.layout import Layout
    from vame_pipe.core.run_record import require_models
    from vame_pipe.reporting import methods, page

    layout = Layout(options.results)
    models = options.models or require_models(layout)
    config = load_run(layout.config)
    sessions = options.sessions or list(config.analysed)
    page.write(layout, config, sessions, models, options.out)
    if options.methods is not None:
        methods.write(layout, sessions, models, options.methods)
