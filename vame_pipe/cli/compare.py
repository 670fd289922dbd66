"""Compare models with each other and with PCA."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from vame_pipe.cli.arguments import add_results


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_results(parser)
    parser.add_argument(
        "--runs", type=Path, help="output of `upload-mlflow --out` (default: no MLflow runs)"
    )


def run(options: argparse.Namespace) -> None:
    from vame_pipe.core.errors import InputError
    from vame_pipe.core.layout import Layout
    from vame_pipe.core.run_record import require_models
    from vame_pipe.reporting.comparison import compare

    layout, run_ids = Layout(options.results), {}
    if options.runs:
        if not options.runs.is_file():
            raise InputError(f"--runs {options.runs}: no such file. Run `vame-pipe upload-mlflow`.")
        run_ids = json.loads(options.runs.read_text(encoding="utf-8"))["runs"]
    compare(layout, options.models or require_models(layout), run_ids)
