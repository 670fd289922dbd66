"""Tabulate the tracking quality of all sessions."""

from __future__ import annotations

import argparse
from pathlib import Path

from vame_pipe.cli.arguments import RESULTS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", type=Path, help=RESULTS)


def run(options: argparse.Namespace) -> None:
    from vame_pipe.config.loading import load_run
    from vame_pipe.core.layout import Layout
    from vame_pipe.reporting.quality_table import write_quality_table

    layout = Layout(options.results)
    config = load_run(layout.config)
    sessions = list(config.analysed)
    scales = config.scales(sessions)
    write_quality_table(layout, sessions, config.qc, scales, config.excluded, config.groups)
