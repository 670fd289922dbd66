"""A text for the methods section of a paper, every number of it from the files of the results."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from vame_pipe.core import files, group_facts, motif_quality, segmentation_facts
from vame_pipe.core.layout import Layout
from vame_pipe.core.metadata import AlignedMetadata, QualityMetadata, WindowsMetadata, read_record
from vame_pipe.core.run_record import best_model, read_runs
from vame_pipe.reporting import described, recordings
from vame_pipe.reporting.methods_words import Material, text


def write(layout: Layout, sessions: list[str], models: list[str], out: Path) -> None:
    """Write the text as Markdown.

    Parameters
    ----------
    layout : Layout
        The results folder, as the stages of the workflow filled it.
    sessions, models : list of str
    out : Path

    Raises
    ------
    InputError
        If a file is missing or damaged.
    """
    files.write_text(out, text(read(layout, sessions, models)))


def read(layout: Layout, sessions: list[str], models: list[str]) -> Material:
    """Return what the text is written from."""
    runs = read_runs(layout, models)
    best = best_model(runs)
    warn_valid = read_record(QualityMetadata, layout.qc).settings["warn_valid"]
    metas = [read_record(AlignedMetadata, layout.aligned(session)) for session in sessions]
    written_by = {files.read_metadata(layout.aligned(s))["package_version"] for s in sessions}
    table = pd.read_parquet(layout.comparison).set_index("model")
    folder = layout.motifs(best)
    chosen = [
        row
        for row in motif_quality.read(folder.quality)
        if row.chosen and row.representation == "latents"
    ]
    groups = layout.groups(best).facts
    return Material(
        recordings=recordings.read_recordings(layout, sessions, warn_valid),
        aligned=metas[0],
        rates=sorted({meta.source_fps for meta in metas}),
        windows=read_record(WindowsMetadata, layout.windows_folder.frames),
        runs=runs,
        best=runs[best],
        pca=_known(table["pca/r2_reconstruction"].get(best)),
        segmentation=segmentation_facts.read(folder.settings),
        quality=chosen[0] if chosen else None,
        motifs=described.read_described(layout, best).motifs,
        groups=group_facts.read(groups) if groups.exists() else None,
        package_versions=sorted(written_by),
    )


def _known(value: float | None) -> float | None:
    return None if value is None or pd.isna(value) else float(value)
