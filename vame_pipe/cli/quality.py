"""Tabulate the tracking quality of all sessions."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from vame_pipe.cli.arguments import name, scales


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", type=Path, help="results folder")
    parser.add_argument("--sessions", nargs="+", type=name, required=True, help="session names")
    parser.add_argument(
        "--settings",
        default="{}",
        help="section `qc` of config.yaml, as JSON (default: its defaults)",
    )
    parser.add_argument(
        "--px-per-cm", type=scales, default={}, help='scales, as JSON: {"SESSION": NUMBER, ...}'
    )
    parser.add_argument(
        "--excluded",
        type=json.loads,
        default={},
        help='sessions that are left out, as JSON: {"SESSION": "reason", ...}',
    )


def run(options: argparse.Namespace) -> None:
    from vame_pipe.config import sections
    from vame_pipe.config.loading import parse
    from vame_pipe.core.layout import Layout
    from vame_pipe.reporting.quality_table import write_quality_table

    settings = parse(sections.Qc, options.settings)
    write_quality_table(
        Layout(options.results), options.sessions, settings, options.px_per_cm, options.excluded
    )
