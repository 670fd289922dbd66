"""Assign the motifs of a segmentation to a session that it was not made from."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--segmentation", type=Path, required=True, help="output folder of `segment`"
    )
    parser.add_argument("--latents", type=Path, required=True, help="latents of the session")
    parser.add_argument("--aligned", type=Path, required=True, help="aligned recording")
    parser.add_argument(
        "--record-failure",
        action="store_true",
        help="if the session has no latents, record the reason in the output and exit 0; `report` names it",
    )
    parser.add_argument("--out", type=Path, required=True, help="file to write")


def run(options: argparse.Namespace) -> None:
    from vame_pipe.core.layout import MotifFolder
    from vame_pipe.motifs import segmentation
    from vame_pipe.motifs.labels import label

    loaded = segmentation.load(MotifFolder(options.segmentation))
    label(loaded, options.latents, options.aligned, options.out, options.record_failure)
