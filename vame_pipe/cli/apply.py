"""Align, encode and label pose files with a trained model, without a configuration."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from vame_pipe.cli.arguments import positive
from vame_pipe.core.pose_formats import POSE_FORMATS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("poses", nargs="+", type=Path, metavar="FILE", help="pose files")
    parser.add_argument("--model", required=True, help="model.pt, or models:/NAME@ALIAS of MLflow")
    parser.add_argument(
        "--segmentation",
        type=Path,
        help="folder with segmentation.npz and .json of that model (default: those of a registered model; "
        "without any, there are no motifs)",
    )
    parser.add_argument(
        "--tracking-uri",
        help="address of MLflow (default: environment variable MLFLOW_TRACKING_URI)",
    )
    parser.add_argument(
        "--fps", type=positive, help="frame rate of the recordings (default: as in the pose files)"
    )
    parser.add_argument(
        "--format",
        choices=POSE_FORMATS,
        help="format of the pose files (default: recognised by their content)",
    )
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda", "mps"), default="auto", help="default: auto"
    )
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="output folder; files that it holds of the same model are kept",
    )


def run(options: argparse.Namespace) -> None:
    from vame_pipe.core.device import choose_device
    from vame_pipe.motifs.apply import Application, apply
    from vame_pipe.tracking.download import locate

    with tempfile.TemporaryDirectory() as folder:
        found = locate(options.model, options.segmentation, options.tracking_uri, Path(folder))
        application = Application(
            model=found.model,
            segmentation=found.segmentation,
            fps=options.fps,
            out=options.out,
            format=options.format,
            device=choose_device(options.device),
            threads=options.threads,
        )
        apply(options.poses, application)
