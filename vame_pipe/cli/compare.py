"""Compare models with each other and with PCA."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from vame_pipe.cli.arguments import add_results


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_results(parser)
    parser.add_argument("--runs", type=Path, help="output of `upload-mlflow --out`")


def run(options: argparse.Namespace) -> None:
    from vame_pipe.core.layout import Layout
    from vame_pipe.core.run_record import require_models
    from vame_pipe.reporting.comparison import compare

    layout = Layout(options.results)
    run_ids = json.loads(options.runs.read_text())["runs"] if options.runs else {}
    compare(layout, options.models or require_models(layout), run_ids)
