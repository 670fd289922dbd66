"""Types of command-line arguments that several commands share."""

from __future__ import annotations

import argparse
import json
import math
import re
from pathlib import Path

RESULTS = "results folder, with the config.yaml that every run of the workflow writes there"
NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"


def positive(text: str) -> float:
    """Return a number above 0."""
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number above 0, found {text!r}")
    return value


def name(text: str) -> str:
    """Return a name that is safe as a file name: it cannot lead to another folder."""
    if not re.fullmatch(NAME, text):
        raise argparse.ArgumentTypeError(
            "must contain only letters, digits, '.', '_' and '-', and start with a letter, a digit or '_'; "
            f"found {text!r}"
        )
    return text


def keypoints(text: str) -> dict[str, list[str]] | None:
    """Return the keypoints to use, each with its names in the files; None means all keypoints."""
    content = json.loads(text)
    if content is None:
        return None
    if not isinstance(content, dict) or not all(
        isinstance(names, list) and all(isinstance(n, str) for n in names)
        for names in content.values()
    ):
        raise argparse.ArgumentTypeError(
            f'must be {{"NAME": ["name in the files", ...]}}, found {text!r}'
        )
    return content


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add the argument for the configuration: one or several files, which are merged as snakemake does."""
    parser.add_argument(
        "--config",
        nargs="+",
        type=Path,
        default=[Path("config.yaml")],
        help="configuration files, of which later ones take precedence (default: config.yaml)",
    )


def add_sessions(parser: argparse.ArgumentParser) -> None:
    """Add the argument for the names of sessions."""
    parser.add_argument(
        "--sessions",
        nargs="+",
        type=name,
        help="sessions to show, by name (default: all of RESULTS/config.yaml that are not excluded)",
    )


def add_results(parser: argparse.ArgumentParser) -> None:
    """Add the arguments for the results folder and the models in it."""
    parser.add_argument("results", type=Path, help="results folder")
    parser.add_argument(
        "--models", nargs="+", type=name, help="model names (default: all trained models)"
    )
