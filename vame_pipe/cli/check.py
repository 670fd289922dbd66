"""Check a configuration and the files it names."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", type=Path, default=Path("config.yaml"), help="default: config.yaml"
    )


def run(options: argparse.Namespace) -> None:
    from vame_pipe.config import check

    config = check.load(options.config, generated={})
    log.info("%s: OK (%d sessions)", options.config, len(config.sessions))
