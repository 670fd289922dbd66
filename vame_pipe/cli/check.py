"""Check a configuration and the files it names."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `vame-pipe check`."""
    parser.add_argument(
        "--config", type=Path, default=Path("config.yaml"), help="default: config.yaml"
    )


def run(options: argparse.Namespace) -> None:
    """Report every problem of a configuration, one line each, or that there is none."""
    from vame_pipe.config import check

    config = check.load(options.config, generated={})
    count = len(config.sessions)
    log.info("%s: OK (%s)", options.config, "one session" if count == 1 else f"{count} sessions")
