"""Create the MLflow experiment (run once, before training)."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tracking-uri",
        help="default: an SQLite file next to --out; $MLFLOW_TRACKING_URI takes precedence",
    )
    parser.add_argument("--experiment", required=True, help="experiment name")
    parser.add_argument(
        "--out", type=Path, required=True, help="output file (JSON), for train --mlflow-config"
    )


def run(options: argparse.Namespace) -> None:
    from vame_pipe.tracking.store import initialise

    # the workflow passes an empty URI if none is configured
    initialise(options.tracking_uri or None, options.experiment, options.out)
