"""Convert the poses of one recording to egocentric features."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from vame_pipe.cli.arguments import keypoints, name, positive
from vame_pipe.core.pose_formats import POSE_FORMATS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--session", type=name, required=True, help="session name")
    parser.add_argument(
        "--poses",
        action="append",
        required=True,
        help="pose file; repeat it for a recording of several files, in the order of time",
    )
    parser.add_argument(
        "--starts-s",
        nargs="+",
        type=float,
        help="for several pose files: seconds at which each begins (default: by the frame numbers)",
    )
    parser.add_argument(
        "--fps", type=positive, help="frame rate of the recording (default: as in the pose file)"
    )
    parser.add_argument(
        "--individual", action="append", help="animal to use; repeat it for several (default: all)"
    )
    parser.add_argument(
        "--format",
        help=f"format of the pose file: {', '.join(POSE_FORMATS)} (default: recognised by its content)",
    )
    parser.add_argument(
        "--settings", required=True, help="section `align` of the configuration, as JSON"
    )
    parser.add_argument(
        "--keypoints",
        type=keypoints,
        help='keypoints to use, as JSON: {"NAME": ["name in the file", ...], ...} (default: all)',
    )
    parser.add_argument(
        "--keypoints-from",
        type=Path,
        help="file that `vame-pipe keypoints` has written, in place of --keypoints",
    )
    parser.add_argument("--out", type=Path, required=True, help="output file: features (Parquet)")
    parser.add_argument(
        "--qc", type=Path, required=True, help="output file: tracking quality (JSON)"
    )
    parser.add_argument(
        "--record-failure",
        action="store_true",
        help="if the recording is unusable, write the reason to the output and exit with 0; `windows` "
        "reports it and fails",
    )


def run(options: argparse.Namespace) -> None:
    from vame_pipe.alignment.session import align_session
    from vame_pipe.config import sections
    from vame_pipe.config.loading import parse
    from vame_pipe.core import keypoint_choice

    chosen = options.keypoints_from
    source = {
        "poses": options.poses,
        "fps": options.fps,
        "individuals": options.individual,
        "starts_s": options.starts_s or None,
        "format": options.format or None,
    }
    align_session(
        options.session,
        parse(sections.Session, json.dumps(source)),
        parse(sections.Align, options.settings),
        keypoint_choice.read(chosen).kept if chosen else options.keypoints,
        options.out,
        options.qc,
        options.record_failure,
    )
