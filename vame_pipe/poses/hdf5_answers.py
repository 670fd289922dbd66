"""The process that reads HDF5 pose files for another one, see `hdf5_process`."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from vame_pipe.core.errors import InputError, shortened

if TYPE_CHECKING:
    from vame_pipe.poses.hdf5_table import Stored

WALL_S_PER_CPU_S = 60
"""Storage can be slow."""


def main() -> None:
    """Answer questions until the parent closes the pipe, at the latest when it ends."""
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(
        sys.stderr.fileno(), sys.stdout.fileno()
    )  # so that no output of a library gets into the answers
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    for number in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)  # ends the process, even inside the library
    try:
        import resource

        from vame_pipe.poses import hdf5_formats
        from vame_pipe.poses.hdf5_access import Damaged
    except ImportError as error:
        _send(output, {"problem": str(error)})
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    np.seterr(all="ignore")
    _send(output, {"problem": None})
    for line in sys.stdin.buffer:
        question = json.loads(line)
        path, shown = question["path"], question["shown"]
        _limit_time(question["cpu_s"])
        try:
            with hdf5_formats.open_poses(path, question["format"]) as (format, stored):
                _answer(output, format, stored, question["wanted"])
            _send(output, {})  # only after the file is closed and its lock released
        except InputError as error:
            _send(output, {"problems": [p.replace(path, shown) for p in error.problems]})
        except BrokenPipeError:
            return
        except Damaged as error:
            problem = f"{shown}: cannot be read as HDF5: {shortened(str(error), 200)}."
            _send(output, {"problems": [f"{problem} Re-export it."]})
        except Exception as error:  # a damaged file can cause any exception
            reason = shortened(" ".join(str(error).split()) or type(error).__name__, 200)
            problem = (
                f"{shown}: cannot be read as HDF5 ({reason}). It may be truncated, damaged or "
                "in use. Re-export it."
            )
            _send(output, {"problems": [problem]})
        _limit_time(0)


def _limit_time(cpu_s: float) -> None:
    """Have the system end this process after some processor time; 0: no limit."""
    signal.setitimer(signal.ITIMER_PROF, cpu_s)
    signal.setitimer(signal.ITIMER_REAL, cpu_s * WALL_S_PER_CPU_S)


def _answer(output: IO[bytes], format: str, stored: Stored, wanted: list[int] | None) -> None:
    n_rows = stored.n_rows if wanted is not None else min(1, stored.n_rows)
    head = {
        "format": format,
        "columns": stored.columns,
        "n_rows": n_rows,
        "not_numbers": stored.not_numbers,
        "fps": stored.fps,
        "tracked": stored.tracked,
    }
    _send(output, head)
    for labels, values in stored.slabs(n_rows, wanted or []):
        numbers = np.empty((len(values), values.shape[1] + 1))
        numbers[:, 1:] = values
        is_text = isinstance(labels, list)
        numbers[:, 0] = np.nan if is_text else labels
        _send(output, {"n_rows": len(values), "labels": labels if is_text else None}, numbers)


def _send(output: IO[bytes], message: dict[str, Any], numbers: np.ndarray | None = None) -> None:
    output.write(json.dumps(message).encode() + b"\n")
    if numbers is not None:
        output.write(numbers.data)
    output.flush()


if __name__ == "__main__":
    main()
