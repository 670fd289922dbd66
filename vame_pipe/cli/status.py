"""Print what is done, missing or outdated, and what the next run will compute and why."""

from __future__ import annotations

import argparse
import os
import sys

from vame_pipe.cli.arguments import add_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)


def run(options: argparse.Namespace) -> None:
    from vame_pipe.config import check
    from vame_pipe.config.loading import load
    from vame_pipe.core.digests import DIGEST_CACHE, combined, pose_digests
    from vame_pipe.reporting import plan, status

    config = load(*options.config)
    poses = {n: s.files for n, s in config.analysed.items() if all(map(os.path.exists, s.files))}
    paths = {path for files in poses.values() for path in files}
    digests = pose_digests(paths, DIGEST_CACHE, save=False)  # this command writes no file
    of_sessions = {name: combined([digests[p] for p in files]) for name, files in poses.items()}
    items = status.find_status(config, of_sessions)
    planned = [f"  {line}" for line in plan.plan(items)]
    heading = "The next `snakemake` run will compute:" if planned else "Everything is up to date."
    lines = [*plan.describe(items), *check.excluded(config)]
    sys.stdout.write("\n".join([*lines, "", heading, *planned]) + "\n")
