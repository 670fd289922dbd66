"""Put a model that was trained elsewhere into a results folder."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from vame_pipe.cli.arguments import name


def optional_path(text: str) -> Path | None:
    """Return a path; None for an empty text, which stands for the default."""
    return Path(text) if text else None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", type=Path, help="results folder")
    parser.add_argument("--name", type=name, required=True, help="name of the model in it")
    parser.add_argument("--model", required=True, help="model.pt, or models:/NAME@ALIAS of MLflow")
    parser.add_argument(
        "--segmentation",
        type=optional_path,
        help="folder with its segmentation.npz and .json (default: those of the registered model)",
    )
    parser.add_argument("--tracking-uri", help="address of MLflow, as in the configuration")
    parser.add_argument(
        "--settings", required=True, help="section `align` of the configuration, as JSON"
    )


def run(options: argparse.Namespace) -> None:
    from vame_pipe.config import sections
    from vame_pipe.config.loading import parse
    from vame_pipe.core.layout import Layout
    from vame_pipe.motifs.external import install_model
    from vame_pipe.tracking.download import locate

    align = parse(sections.Align, options.settings)
    with tempfile.TemporaryDirectory() as folder:
        found = locate(
            options.model, options.segmentation, options.tracking_uri or None, Path(folder)
        )
        install_model(options.name, found.model, found.segmentation, align, Layout(options.results))
