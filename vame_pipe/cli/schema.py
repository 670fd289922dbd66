"""Print the JSON schema of config.yaml."""

from __future__ import annotations

import argparse
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """This command has no arguments."""


def run(options: argparse.Namespace) -> None:
    """Print the schema to standard output."""
    from vame_pipe.config.loading import schema

    sys.stdout.write(schema())
