"""Compare models with each other and with PCA."""

from __future__ import annotations

import argparse
from pathlib import Path

from vame_pipe.cli.arguments import add_results


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_results(parser)
    parser.add_argument(
        "--runs", type=Path, help="output of `upload-mlflow --out` (default: no MLflow runs)"
    )


def run(options: argparse.Namespace) -> None:
    from vame_pipe.core.layout import Layout
    from vame_pipe.core.run_record import require_models
    from vame_pipe.reporting.comparison import compare
    from vame_pipe.tracking.upload import read_run_ids

    layout = Layout(options.results)
    run_ids = read_run_ids(options.runs) if options.runs else {}
    compare(layout, options.models or require_models(layout), run_ids)
