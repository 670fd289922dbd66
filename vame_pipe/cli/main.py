"""The entry point of `vame-pipe`: one command per stage of the workflow, logging, exit codes."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from vame_pipe import __version__
from vame_pipe.cli import (
    align,
    apply,
    check,
    compare,
    compare_labels,
    describe,
    encode,
    ethogram,
    export,
    fetch_model,
    groups,
    import_vame,
    init,
    init_mlflow,
    inspect,
    keypoints,
    label,
    quality,
    report,
    report_external,
    schema,
    segment,
    simulate,
    status,
    train,
    upload_mlflow,
    videos,
    windows,
)
from vame_pipe.core.errors import InputError, Interrupted
from vame_pipe.core.logs import log_file

# each module imports its stage only when it runs: `align` must not pay for importing torch or MLflow
COMMANDS = {
    "init": init,
    "inspect": inspect,
    "check": check,
    "status": status,
    "keypoints": keypoints,
    "align": align,
    "windows": windows,
    "init-mlflow": init_mlflow,
    "train": train,
    "encode": encode,
    "segment": segment,
    "label": label,
    "describe": describe,
    "groups": groups,
    "apply": apply,
    "fetch-model": fetch_model,
    "quality": quality,
    "compare-labels": compare_labels,
    "export": export,
    "videos": videos,
    "ethogram": ethogram,
    "upload-mlflow": upload_mlflow,
    "compare": compare,
    "report": report,
    "report-external": report_external,
    "import-vame": import_vame,
    "simulate": simulate,
    "schema": schema,
}
RENAMED = {"latents": "encode", "track": "upload-mlflow", "mlflow": "init-mlflow"}
"""Commands of earlier versions and their present names."""
INVALID_INPUT = 2
INTERRUPTED = 75
"""Training was interrupted and can be resumed (EX_TEMPFAIL in sysexits.h)."""

log = logging.getLogger("vame_pipe")


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code.

    Parameters
    ----------
    argv : list of str, optional
        Arguments without the name of the program; default: those of the process.

    Returns
    -------
    int
        0 on success, 2 on invalid input, 75 if training was interrupted and can be resumed.
    """
    arguments = sys.argv[1:] if argv is None else argv
    parser = _parser()
    if arguments and arguments[0] in RENAMED:
        parser.error(f"'{arguments[0]}' is now called '{RENAMED[arguments[0]]}'")
    options = parser.parse_args(arguments)
    try:
        _configure_logging(options.log)
        options.run(options)
    except InputError as error:
        for line in error.problems:
            log.error("%s", line)
        return INVALID_INPUT
    except Interrupted as error:
        log.warning("%s", error)
        return INTERRUPTED
    return 0


def _parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; the help of a command is the docstring of its module."""
    parser = argparse.ArgumentParser(
        prog="vame-pipe", description="Run the individual stages of the vame_pipe workflow."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, module in COMMANDS.items():
        text = (module.__doc__ or "").partition("\n")[0]
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run=module.run)
        module.add_arguments(sub)
        sub.add_argument(
            "--log", type=Path, help="also log to this file; the terminal then shows only warnings"
        )
    return parser


def _configure_logging(path: Path | None) -> None:
    """Log to standard error. With a log file, log everything to it and only warnings to standard error."""
    terminal = logging.StreamHandler()
    terminal.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    handlers: list[logging.Handler] = [terminal]
    if path is not None:
        terminal.setLevel(logging.WARNING)
        handlers.append(log_file(path))
    logging.basicConfig(level=logging.WARNING, handlers=handlers, force=True)
    log.setLevel(logging.INFO)
    logging.captureWarnings(True)
