"""What a job may request from the machine. The rules use it, so it does not import torch."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vame_pipe.config.sections import Model

MAX_THREADS = 4
SMALL_HIDDEN = 64
"""Up to this hidden size a second thread gains nothing: benchmarks/README.md, "A busy machine"."""


def useful_threads(model: Model) -> int:
    """Return how many CPU threads training or encoding with a model can make use of.

    Examples
    --------
    >>> from vame_pipe.config.sections import Model
    >>> useful_threads(Model())
    4
    """
    sizes = (model.hidden_size_layer_1, model.hidden_size_rec, model.hidden_size_pred)
    return 1 if max(sizes) <= SMALL_HIDDEN else MAX_THREADS


def has_gpu() -> bool:
    """Return whether this machine has a GPU that torch can compute on."""
    if platform.system() == "Darwin":
        return platform.machine() == "arm64"
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0") in {"", "-1"}:
        return False
    return Path("/dev/kfd").exists() or _has_nvidia()


def _has_nvidia() -> bool:
    program = shutil.which("nvidia-smi")
    if program is None:
        return False
    try:
        listed = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return listed.stdout.startswith("GPU")
