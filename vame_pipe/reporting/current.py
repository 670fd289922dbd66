"""Whether results were made from what is in the results folder now."""

from __future__ import annotations

import dataclasses
import html
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vame_pipe.core import files, segmentation_facts
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout
from vame_pipe.core.metadata import (
    AlignedMetadata,
    LatentsMetadata,
    MotifsMetadata,
    Record,
    WindowsMetadata,
    read_record,
)
from vame_pipe.core.run_record import RunRecord

REPORT_TAG = "vame_pipe"
"""Name of the meta element of the report that holds its facts."""
HEAD_BYTES = 1_000_000
"""The facts of a report are in its first bytes; they grow with the number of sessions."""


@dataclass(frozen=True)
class ReportFacts:
    """What a report was made from, as its meta element holds it.

    Attributes
    ----------
    aligned : dict of str to str
        For each session the `fingerprint` of its aligned file.
    models : dict of str to str
        For each model the SHA-256 of its file.
    comparison : str
        SHA-256 of the comparison; empty without one.
    config : str
        `digest` of the configuration.
    stage_version : int
        See `core.source`.
    """

    aligned: dict[str, str]
    models: dict[str, str]
    comparison: str
    config: str
    stage_version: int

    def as_json(self) -> str:
        """Return the content of the meta element."""
        return json.dumps(dataclasses.asdict(self))


def read_facts(report: Path) -> ReportFacts | None:
    """Return what a report was made from; None if it does not tell."""
    with report.open("rb") as file:
        head = file.read(HEAD_BYTES).decode("utf-8", errors="replace")
    found = re.search(rf'<meta name="{REPORT_TAG}" content="([^"]*)">', head)
    try:
        return ReportFacts(**json.loads(html.unescape(found.group(1)))) if found else None
    except (ValueError, TypeError):
        return None


def has_windows(run: RunRecord, windows: WindowsMetadata) -> bool:
    """Return whether a model was trained on the windows that a results folder holds now."""
    settings = {f"windows.{key}": value for key, value in windows.settings.items()}
    return run.data.aligned == windows.aligned and settings.items() <= run.params.items()


def require_current(
    layout: Layout, runs: dict[str, RunRecord], sessions: list[str]
) -> dict[str, str]:
    """Return the SHA-256 of each model file, if models and latents are of what is there now.

    Parameters
    ----------
    layout : Layout
    runs : dict of str to RunRecord
        By model.
    sessions : list of str
        Sessions whose latents are checked.

    Raises
    ------
    InputError
        With every session that could not be aligned or encoded, and with every model and file of latents
        that was made from something else.
    """
    windows = read_record(WindowsMetadata, layout.windows_folder.frames)
    problems: list[str] = []
    aligned = {s: _read(AlignedMetadata, layout.aligned(s), problems) for s in sessions}
    digests = {}
    for name, run in runs.items():
        if not has_windows(run, windows):
            problems.append(other_windows(layout, name))
            continue
        digests[name] = files.file_fingerprint(layout.model(name).weights)
        for session, meta in aligned.items():
            path = layout.latents(name, session)
            made_from = _read(LatentsMetadata, path, problems)
            if made_from is None or meta is None:
                continue
            if made_from.model_fingerprint != digests[name]:
                problems.append(f"{path}: was made by another model.pt. Encode the session again.")
            elif made_from.aligned_fingerprint != meta.fingerprint:
                problems.append(
                    f"{path}: was made from another aligned recording. Encode the session again."
                )
    if problems:
        raise InputError(*dict.fromkeys(problems))
    return digests


def require_current_motifs(layout: Layout, models: Iterable[str], sessions: Sequence[str]) -> None:
    """Raise InputError unless all motifs are of the present latents and of the model's segmentation.

    Parameters
    ----------
    layout : Layout
    models : iterable of str
    sessions : sequence of str

    Raises
    ------
    InputError
        With every session that could not be labelled, and with every file that was made from something
        else.
    """
    problems: list[str] = []
    for model in models:
        segmentation = segmentation_facts.read(layout.motifs(model).settings).fingerprint
        for session in sessions:
            path = layout.motifs(model).session(session)
            made_from = _read(MotifsMetadata, path, problems)
            latents = _read(LatentsMetadata, layout.latents(model, session), problems)
            if made_from is None or latents is None:
                continue
            if made_from.segmentation_fingerprint != segmentation:
                problems.append(f"{path}: was made by another segmentation. Run snakemake.")
            elif made_from.latents_fingerprint != latents.fingerprint:
                problems.append(f"{path}: was made from other latents. Run snakemake.")
    if problems:
        raise InputError(*dict.fromkeys(problems))


def other_windows(layout: Layout, model: str) -> str:
    """Return the problem of a model that was trained on other windows."""
    return (
        f"model {model}: was trained on other windows than those in {layout.windows_folder.root}. Train it "
        "again, or choose models of the same windows with --models."
    )


def _read(kind: type[Record], path: Path, problems: list[str]) -> Record | None:
    """Return the metadata of a file; if it cannot be read, add the reasons to the problems."""
    try:
        return read_record(kind, path)
    except InputError as error:
        problems += error.problems
        return None
