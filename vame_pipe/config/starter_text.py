"""The text of a new config.yaml, with a comment wherever a person has to decide, and its Snakefile."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import yaml

from vame_pipe.config.starter import Starter, StarterSession
from vame_pipe.config.starter_files import recording_name
from vame_pipe.config.starter_windows import WindowChoice
from vame_pipe.core import files
from vame_pipe.core.errors import InputError, listing, shortened
from vame_pipe.core.machine import has_gpu

log = logging.getLogger(__name__)

WORKFLOW = Path(__file__).parents[2] / "Snakefile"
"""The workflow of the clone that the package is installed from."""
SNAKEFILE = """\
# Written by vame-pipe init: runs the workflow in this folder.
include: {path!r}


rule here:
    \"\"\"Every result; a rule that is included cannot be the default.\"\"\"
    default_target: True
    input:
        rules.all.input,
"""
MAX_REASON = 200
"""Characters of the reason why a file is not used."""
SMALL_MODEL = {
    "zdims": 12,
    "hidden_size_layer_1": 64,
    "hidden_size_rec": 64,
    "hidden_size_pred": 64,
}
"""For computers without a GPU."""


def require_new(out: Path) -> None:
    """Check that a file does not exist yet.

    Raises
    ------
    InputError
        If it does.
    """
    if out.exists():
        raise InputError(
            f"{out}: exists and is not overwritten. Give another file with --out, or use another folder."
        )


def write_starter(starter: Starter, out: Path) -> list[Path]:
    """Write a configuration, and a Snakefile next to it if there is none; return the files.

    Parameters
    ----------
    starter : Starter
    out : Path
        YAML file.

    Raises
    ------
    InputError
        If the configuration exists.
    """
    require_new(out)
    elsewhere = out.parent.resolve() != Path.cwd()
    files.write_text(out, text(starter, small=not has_gpu(), absolute=elsewhere))
    written = [out]
    workflow = out.parent / "Snakefile"
    if not workflow.exists() and WORKFLOW.exists():
        files.write_text(workflow, SNAKEFILE.format(path=str(WORKFLOW)))
        written.append(workflow)
    return written


def text(starter: Starter, small: bool, absolute: bool = False) -> str:
    """Return a configuration as YAML.

    Parameters
    ----------
    starter : Starter
    small : bool
        Use a small network, for a computer without a GPU.
    absolute : bool
        Write absolute paths of the pose files, because Snakemake will run in another folder.
    """
    lines = [
        "# Written by vame-pipe init. Lines with CHECK need a person. All keys: docs/settings.md",
        "",
        "results: results",
        "",
        *_sessions(starter.sessions, absolute),
        *(
            f"  # not used: {shortened(_one_line(reason), MAX_REASON)}"
            for reason in starter.skipped
        ),
        "",
        *_keypoints(starter),
        "",
        *_align(starter),
        "",
        *_windows(starter.windows),
    ]
    if small:
        lines += [
            "",
            "# This computer has no GPU, so the network is small. Delete these lines to get VAME's sizes.",
            "model:",
            *(f"  {key}: {value}" for key, value in SMALL_MODEL.items()),
        ]
    return "\n".join(lines) + "\n"


def _sessions(sessions: list[StarterSession], absolute: bool) -> list[str]:
    given = any(session.fps_from == "option" for session in sessions)
    other = [session.name for session in sessions if session.fps_from == "other video"]
    lines = []
    if given:
        lines.append("# CHECK: the frame rate was given by --fps; is it that of every recording?")
    if other:
        lines.append(
            f"# CHECK: the frame rate of {listing(other)} is that of a video with another number of frames "
            "than the poses; if it is wrong, set fps."
        )
    lines += _groups(sessions)
    lines.append("sessions:")
    for session in sessions:
        path = session.summary.path.resolve() if absolute else session.summary.path
        content: dict[str, Any] = {"poses": str(path), "fps": _number(session.fps)}
        content |= {"group": session.group} if session.group else {}
        content |= {"metadata": session.metadata} if session.metadata else {}
        content |= {"exclude": session.exclude} if session.exclude else {}
        lines.append(f"  {_inline(session.name)}: {_inline(content)}")
    return lines


def _groups(sessions: list[StarterSession]) -> list[str]:
    """Return what a person has to decide about groups, if there are any."""
    grouped = [session for session in sessions if session.group]
    if not grouped:
        return []
    groups: dict[str, set[str]] = {}
    for session in grouped:
        groups.setdefault(recording_name(session.summary.path), set()).add(str(session.group))
    repeated = [name for name, found in groups.items() if len(found) > 1]
    same = f" Files in several groups have the same name: {listing(repeated)}." if repeated else ""
    lines = [
        "# CHECK: the groups are the names of folders.",
        f"# CHECK: the others are compared with {grouped[0].group}, the first group here. To change that, "
        "move a session of another group to the top.",
        "# CHECK: every session counts as another animal. Give the recordings of one animal the same "
        f"subject, as in subject: m1.{same}",
    ]
    return [_one_line(line) for line in lines]


def _keypoints(starter: Starter) -> list[str]:
    lines = [f"# not used: {_one_line(name)}: {why}" for name, why in starter.dropped.items()]
    plain = all(names == [name] for name, names in starter.keypoints.items())
    if plain:
        return [*lines, f"keypoints: {_inline(list(starter.keypoints))}"]
    lines.append("# CHECK: names that seem to be of the same keypoint.")
    lines.append("keypoints:")
    return lines + [f"  {_inline(name)}: {_inline(n)}" for name, n in starter.keypoints.items()]


def _align(starter: Starter) -> list[str]:
    settings = starter.align
    note = "" if starter.by_name else "  # CHECK: chosen by how the keypoints move"
    lines = [
        "align:",
        f"  centre: {_inline(settings.centre)}{note}",
        f"  forward: {_inline(settings.forward)}{note}",
        f"  min_confidence: {_inline(settings.model_dump()['min_confidence'])}",
    ]
    if starter.mirrored:
        lines.append(
            "  # CHECK: left and right are swapped in some recordings only, as in a mirror: "
            f"{listing(starter.mirrored)}"
        )
    if settings.camera == "below":
        lines.append("  camera: below  # CHECK: left and right are swapped, as seen from below")
    if settings.fps is not None:
        lines.append(f"  fps: {settings.fps:g}  # the recordings differ: all are resampled to this")
    if settings.head_fixed:
        lines.append("  head_fixed: true  # CHECK: the body axis does not move")
    return lines


def _windows(choice: WindowChoice) -> list[str]:
    lines = [
        "windows:",
        f"  length_s: {choice.settings.length_s:g}",
        f"  future_s: {choice.settings.future_s:g}",
    ]
    if not choice.fits:
        return [f"# CHECK: these windows do not fit: {choice.note}", *lines]
    return [f"# Shorter than usual: {choice.note}", *lines] if choice.note else lines


def _inline(value: Any) -> str:
    """Return a value as YAML on one line."""
    shown = yaml.safe_dump(
        [value], default_flow_style=True, width=10**9, allow_unicode=True, sort_keys=False
    )
    return shown.strip()[1:-1]


def _number(value: float) -> float:
    """Return a whole number without decimals."""
    return int(value) if value == int(value) else value


def _one_line(text: str) -> str:
    return " ".join(text.split())
