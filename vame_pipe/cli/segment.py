"""Find motifs in the latents of the training sessions of one model."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--latents", type=Path, required=True, help="folder of latents of the model"
    )
    parser.add_argument("--aligned", type=Path, required=True, help="folder of aligned recordings")
    parser.add_argument("--windows", type=Path, required=True, help="output folder of `windows`")
    parser.add_argument("--model", type=Path, required=True, help="model.pt")
    parser.add_argument(
        "--settings", required=True, help="section `motifs` of config.yaml, as JSON"
    )
    parser.add_argument("--out", type=Path, required=True, help="output folder")


def run(options: argparse.Namespace) -> None:
    from vame_pipe.config import sections
    from vame_pipe.config.loading import parse
    from vame_pipe.motifs.inputs import find_inputs
    from vame_pipe.motifs.segment import segment

    settings = parse(sections.Motifs, options.settings)
    inputs = find_inputs(options.latents, options.aligned, options.windows, options.model)
    segment(inputs, settings, options.out)
