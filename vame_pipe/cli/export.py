"""Export the results of sessions to NWB, BORIS, ELAN, netCDF or CSV."""

from __future__ import annotations

import argparse
from pathlib import Path

from vame_pipe.cli.arguments import name

FORMATS = ("nwb", "boris", "elan", "netcdf", "csv")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", type=Path, help="results folder")
    parser.add_argument("--to", choices=FORMATS, required=True, help="format")
    parser.add_argument(
        "--out", type=Path, help="output folder (default: RESULTS/export/MODEL/FORMAT)"
    )
    parser.add_argument(
        "--sessions", nargs="+", type=name, help="session names (default: all sessions)"
    )
    parser.add_argument("--model", type=name, help="model name (default: the best model)")


def run(options: argparse.Namespace) -> None:
    from vame_pipe.core.layout import Layout
    from vame_pipe.export.run import export

    layout = Layout(options.results)
    export(layout, options.to, options.out, options.sessions, options.model)
