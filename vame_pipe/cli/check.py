"""Check a configuration and the files it names."""

from __future__ import annotations

import argparse
import logging

from vame_pipe.cli.arguments import add_config

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `vame-pipe check`."""
    add_config(parser)


def run(options: argparse.Namespace) -> None:
    """Report every problem of a configuration, one line each, or that there is none."""
    from vame_pipe.config import check
    from vame_pipe.poses.simulate import DEMO_POSES, KEYPOINTS

    config = check.load(*options.config, generated=dict.fromkeys(DEMO_POSES, KEYPOINTS))
    for line in check.excluded(config):
        log.info("%s", line)
    for line in check.warnings(config, on_cluster=False):
        log.warning("%s", line)
    names, count = ", ".join(map(str, options.config)), len(config.analysed)
    sessions = "one session" if count == 1 else f"{count} sessions"
    left_out = f", {len(config.excluded)} excluded" if config.excluded else ""
    log.info("%s: OK (%s%s)", names, sessions, left_out)
