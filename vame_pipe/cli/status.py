"""Print what is done, missing or outdated, and what the next run will compute and why."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from vame_pipe.cli.arguments import add_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)


def run(options: argparse.Namespace) -> None:
    from vame_pipe.config.loading import load
    from vame_pipe.core.digests import DIGEST_CACHE, pose_digests
    from vame_pipe.reporting import plan, status

    config = load(*options.config)
    poses = {n: s.poses for n, s in config.sessions.items() if Path(s.poses).exists()}
    digests = pose_digests(poses.values(), DIGEST_CACHE, save=False)  # this command writes no file
    items = status.find_status(config, {name: digests[path] for name, path in poses.items()})
    planned = [f"  {line}" for line in plan.plan(items)]
    heading = "The next `snakemake` run will compute:" if planned else "Everything is up to date."
    sys.stdout.write("\n".join([*plan.describe(items), "", heading, *planned]) + "\n")
