"""Write the report, one self-contained HTML file."""

from __future__ import annotations

import argparse
from pathlib import Path

from vame_pipe.cli.arguments import add_results, name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_results(parser)
    parser.add_argument(
        "--sessions", nargs="+", type=name, required=True, help="sessions to show, by name"
    )
    parser.add_argument("--out", type=Path, required=True, help="output file (HTML)")


def run(options: argparse.Namespace) -> None:
    from vame_pipe.core.layout import Layout
    from vame_pipe.core.run_record import require_models
    from vame_pipe.reporting import page

    layout = Layout(options.results)
    page.write(layout, options.sessions, options.models or require_models(layout), options.out)
