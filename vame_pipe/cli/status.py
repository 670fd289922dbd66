"""Print what is done, missing or outdated, and what the next run would do and why."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from vame_pipe.cli.arguments import add_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)


def run(options: argparse.Namespace) -> None:
    from vame_pipe.config.loading import load
    from vame_pipe.core.files import file_fingerprint
    from vame_pipe.reporting import status

    config = load(*options.config)
    digests = {
        name: file_fingerprint(session.poses)
        for name, session in config.sessions.items()
        if Path(session.poses).exists()
    }
    items = status.find_status(config, digests)
    plan = status.plan(items) or ["nothing: everything is up to date"]
    lines = [*status.describe(items), "", "the next `snakemake` would do:", *plan]
    sys.stdout.write("\n".join(lines) + "\n")
