"""Align, encode and label pose files with a trained model, without a configuration."""

from __future__ import annotations

import argparse
from pathlib import Path

from vame_pipe.cli.arguments import positive
from vame_pipe.core.pose_formats import POSE_FORMATS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("poses", nargs="+", type=Path, metavar="FILE", help="pose files")
    parser.add_argument("--model", type=Path, required=True, help="model.pt")
    parser.add_argument(
        "--segmentation",
        type=Path,
        help="folder with segmentation.npz and .json of that model (default: no motifs)",
    )
    parser.add_argument("--fps", type=positive, required=True, help="frame rate of the recordings")
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

    application = Application(
        model=options.model,
        segmentation=options.segmentation,
        fps=options.fps,
        out=options.out,
        format=options.format,
        device=choose_device(options.device),
        threads=options.threads,
    )
    apply(options.poses, application)
