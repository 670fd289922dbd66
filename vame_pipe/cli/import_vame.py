"""Convert a model trained with VAME to a model file."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from vame_pipe.cli.arguments import positive

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--weights", type=Path, required=True, help="state dict that VAME saved (.pkl)"
    )
    parser.add_argument(
        "--config", type=Path, required=True, help="config.yaml of the VAME project"
    )
    parser.add_argument("--features", help="comma-separated feature names, in training order")
    parser.add_argument("--fps", type=positive, help="frame rate the model was trained at")
    parser.add_argument("--mean", type=Path, help=".npy with the per-feature mean (default: 0)")
    parser.add_argument(
        "--std", type=Path, help=".npy with the per-feature standard deviation (default: 1)"
    )
    parser.add_argument("--out", type=Path, required=True, help="output file: model.pt")


def run(options: argparse.Namespace) -> None:
    from vame_pipe.encoding import model_file, vame_import

    model = vame_import.read_vame(
        options.weights,
        options.config,
        options.features and options.features.split(","),
        options.fps,
        options.mean,
        options.std,
    )
    model_file.save(model, options.out)
    log.info("%s: %d features, windows of %d frames", options.out, len(model.mean), model.length)
