"""Upload to MLflow whatever it is missing."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from vame_pipe.cli.arguments import add_results
from vame_pipe.core.errors import InputError

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_results(parser)
    parser.add_argument(
        "--out", type=Path, help="write the run ids to this file (JSON), and exit 0 if MLflow fails"
    )


def run(options: argparse.Namespace) -> None:
    from vame_pipe.core.layout import Layout
    from vame_pipe.core.run_record import require_models
    from vame_pipe.tracking.upload import upload

    layout = Layout(options.results)
    models = options.models or require_models(layout)
    result = upload(layout, models, options.out)
    if result.complete:
        log.info("MLflow experiment %s is up to date: %s", result.experiment, ", ".join(models))
    elif not options.out:
        raise InputError("upload to MLflow is incomplete; see the warning above")
