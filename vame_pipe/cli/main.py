"""The entry point of `vame-pipe`: one command per stage of the workflow, logging, exit codes."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from vame_pipe import __version__
from vame_pipe.cli import (
    align,
    check,
    compare,
    encode,
    import_vame,
    init_mlflow,
    report,
    schema,
    simulate,
    train,
    upload_mlflow,
    windows,
)
from vame_pipe.core.errors import InputError, Interrupted
from vame_pipe.core.logs import log_file

# the modules of the commands import their stage when they run: `align` must not pay for torch or MLflow
COMMANDS = {
    "check": check,
    "align": align,
    "windows": windows,
    "init-mlflow": init_mlflow,
    "train": train,
    "encode": encode,
    "upload-mlflow": upload_mlflow,
    "compare": compare,
    "report": report,
    "import-vame": import_vame,
    "simulate": simulate,
    "schema": schema,
}
INVALID_INPUT = 2
INTERRUPTED = 75
"""Training was interrupted and can be resumed (EX_TEMPFAIL in sysexits.h)."""

log = logging.getLogger("vame_pipe")


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code.

    0 on success, 2 on invalid input, 75 if training was interrupted and can be resumed.
    """
    options = _parser().parse_args(argv)
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
    parser = argparse.ArgumentParser(
        prog="vame-pipe", description="Run single stages of the vame_pipe workflow."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, module in COMMANDS.items():
        text = module.__doc__.splitlines()[0]
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run=module.run)
        module.add_arguments(sub)
        sub.add_argument(
            "--log", type=Path, help="also log to this file; the terminal then shows only warnings"
        )
    return parser


def _configure_logging(path: Path | None) -> None:
    """Log to standard error; with a log file, everything goes there and only warnings to both."""
    terminal = logging.StreamHandler()
    terminal.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    handlers: list[logging.Handler] = [terminal]
    if path is not None:
        terminal.setLevel(logging.WARNING)
        handlers.append(log_file(path))
    logging.basicConfig(level=logging.WARNING, handlers=handlers, force=True)
    log.setLevel(logging.INFO)
    logging.captureWarnings(True)
