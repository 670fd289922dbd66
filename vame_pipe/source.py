"""Hash of the source that a stage runs, so that a workflow reruns it when its code changes."""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path

PACKAGE = Path(__file__).parent


def closure(*modules: str) -> list[str]:
    """Return the modules of this package that some modules import, directly or not, and themselves.

    Imports for type checking alone do not count: they run no code.
    """
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _imported(ast.parse(_path(name).read_text(encoding="utf-8")))
    return sorted(found)


def source_hash(*modules: str) -> str:
    """SHA-256 of the source of `closure(*modules)`, shortened."""
    digest = hashlib.sha256()
    for name in closure(*modules):
        digest.update(_path(name).read_bytes())
    return digest.hexdigest()[:16]


def _path(module: str) -> Path:
    return PACKAGE / f"{module}.py"


def _imported(node: ast.AST) -> list[str]:
    names = []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.ImportFrom) and child.module == "vame_pipe":
            names += [a.name for a in child.names if _path(a.name).exists()]
        elif isinstance(child, ast.ImportFrom) and (child.module or "").startswith("vame_pipe."):
            names.append(child.module.removeprefix("vame_pipe."))
        names += _imported(child)
    return names
