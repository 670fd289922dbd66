"""Write a video of a session with the motifs of its animals below the picture."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from vame_pipe.cli.arguments import name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--session", type=name, required=True, help="name of the session")
    parser.add_argument("--out", type=Path, required=True, help="output file (MP4)")
    parser.add_argument(
        "--results",
        type=Path,
        default=Path("results"),
        help="results folder (default: %(default)s)",
    )
    parser.add_argument("--model", type=name, help="name of the model (default: the best one)")
    parser.add_argument(
        "--start-s", type=float, default=0.0, help="begin at this time (default: the beginning)"
    )
    parser.add_argument(
        "--stop-s", type=float, default=math.inf, help="end at this time (default: the end)"
    )


def run(options: argparse.Namespace) -> None:
    from vame_pipe.config.loading import load_run
    from vame_pipe.core.layout import Layout
    from vame_pipe.core.run_record import best_model, read_runs, require_models
    from vame_pipe.videos.ethogram import require_video, write_ethogram

    layout = Layout(options.results)
    source = require_video(load_run(layout.config).sessions, options.session)
    model = options.model or best_model(read_runs(layout, require_models(layout)))
    span = options.start_s, options.stop_s
    write_ethogram(options.session, source, layout, model, options.out, span)
