"""VAME (Variational Animal Motion Embedding) as a Snakemake workflow.

From Python: `read_poses`, `align`, `load_model` and `encode`, in this order.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vame_pipe.alignment.session import align
    from vame_pipe.encoding.encode import encode
    from vame_pipe.encoding.model_file import load as load_model
    from vame_pipe.poses.readers import read_poses

__all__ = ["__version__", "align", "encode", "load_model", "read_poses"]
__version__ = "0.2.0"

_PUBLIC = {
    "read_poses": ("vame_pipe.poses.readers", "read_poses"),
    "align": ("vame_pipe.alignment.session", "align"),
    "load_model": ("vame_pipe.encoding.model_file", "load"),
    "encode": ("vame_pipe.encoding.encode", "encode"),
}


def __getattr__(name: str) -> Any:
    """Import a public function when it is first used: reading poses must not pay for torch."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'vame_pipe' has no attribute '{name}'")
    module, function = _PUBLIC[name]
    return getattr(importlib.import_module(module), function)
