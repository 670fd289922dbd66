"""Describe the motifs of a model: movement, typical bouts, transitions, names."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from vame_pipe.cli.arguments import name


def skeleton(text: str) -> list[list[str]] | None:
    """Return pairs of keypoints between which there is a line; None means near ones."""
    pairs = json.loads(text)
    if pairs is not None and not (
        isinstance(pairs, list)
        and all(isinstance(pair, list) and list(map(type, pair)) == [str, str] for pair in pairs)
    ):
        raise argparse.ArgumentTypeError(f'must be [["nose", "neck"], ...], found {text!r}')
    return pairs


def count(text: str) -> int:
    """Return a number of things, at least one."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, found {text!r}")
    return value


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "motifs",
        type=Path,
        help="output folder of `segment`; `described` and `clips` are added to it",
    )
    parser.add_argument("--model", type=name, required=True, help="name of the model")
    parser.add_argument(
        "--latents", type=Path, required=True, help="folder of latents of the model"
    )
    parser.add_argument("--aligned", type=Path, required=True, help="folder of aligned recordings")
    parser.add_argument("--names", default="[]", help="rows of the table of motif names, as JSON")
    parser.add_argument(
        "--skeleton", type=skeleton, help="key `skeleton` of config.yaml, as JSON (default: null)"
    )
    parser.add_argument(
        "--communities", type=count, default=4, help="groups of motifs (default: %(default)s)"
    )
    parser.add_argument(
        "--scales-from",
        type=Path,
        help="configuration of the run, results/config.yaml: if its sessions have px_per_cm, lengths are "
        "in centimetres (default: in the unit of the aligned recordings)",
    )


def run(options: argparse.Namespace) -> None:
    from vame_pipe.config.loading import load_run
    from vame_pipe.config.motif_names import parse_names
    from vame_pipe.core.layout import MotifFolder
    from vame_pipe.motifs.describe import Wishes, describe
    from vame_pipe.motifs.recording import Folders

    config = load_run(options.scales_from) if options.scales_from else None
    folders = Folders(MotifFolder(options.motifs), options.latents, options.aligned)
    wishes = Wishes(
        options.model,
        parse_names(options.names),
        options.skeleton,
        options.communities,
        config.scales(config.training_sessions) if config else {},
    )
    describe(folders, wishes)
