"""Train one model."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from vame_pipe.cli.arguments import name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `vame-pipe train`."""
    parser.add_argument("--name", type=name, required=True, help="model name")
    parser.add_argument(
        "--sweep",
        help="the entry under `models` that this model was expanded from (default: NAME)",
    )
    parser.add_argument(
        "--variant", help="name without the seed, to group models that differ in it (default: NAME)"
    )
    parser.add_argument("--windows", type=Path, required=True, help="output folder of `windows`")
    parser.add_argument("--model", required=True, help="section `model` of config.yaml, as JSON")
    parser.add_argument("--train", required=True, help="section `train` of config.yaml, as JSON")
    parser.add_argument(
        "--mlflow-config", type=Path, help="output of `init-mlflow` (default: no tracking)"
    )
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")
    parser.add_argument(
        "--checkpoints",
        type=Path,
        required=True,
        help="folder for checkpoints; training resumes from them if they match",
    )
    parser.add_argument("--out", type=Path, required=True, help="output folder")


def run(options: argparse.Namespace) -> None:
    """Train a model; its log file in the checkpoint folder survives failed jobs."""
    from vame_pipe.config import sections
    from vame_pipe.config.loading import parse
    from vame_pipe.core.logs import log_file
    from vame_pipe.tracking.tracker import source_tags, tracker_for
    from vame_pipe.training.run import TrainingJob, train_model

    job = TrainingJob(
        name=options.name,
        sweep=options.sweep or options.name,
        variant=options.variant or options.name,
        model=parse(sections.Model, options.model),
        train=parse(sections.Train, options.train),
        windows=options.windows,
        checkpoints=options.checkpoints,
        out=options.out,
        threads=options.threads,
    )
    # Snakemake deletes the log of a job that it repeats; this one stays
    logging.getLogger().addHandler(log_file(options.checkpoints / "train.log"))
    train_model(job, tracker_for(options.mlflow_config), source_tags())
