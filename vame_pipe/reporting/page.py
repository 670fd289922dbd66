"""The report: one self-contained HTML file on the recordings, the models and their comparison."""

from __future__ import annotations

import base64
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq
from plotly.offline import get_plotlyjs

from vame_pipe.core import files
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout
from vame_pipe.core.metadata import (
    AlignedMetadata,
    ComparisonMetadata,
    QualityMetadata,
    WindowsMetadata,
    read_record,
)
from vame_pipe.core.run_record import RunRecord, best_model, differing_params, read_runs
from vame_pipe.core.source import REPORT
from vame_pipe.poses.parts import PoseSource
from vame_pipe.reporting import (
    described,
    figures,
    group_section,
    label_section,
    motif_pages,
    motifs,
    recordings,
    video_section,
)
from vame_pipe.reporting.current import REPORT_TAG, ReportFacts, require_current
from vame_pipe.reporting.new_recordings import read_new
from vame_pipe.reporting.projection import Projection, project_latents
from vame_pipe.reporting.quality_section import read_quality_section
from vame_pipe.reporting.recordings import Recording
from vame_pipe.reporting.templates import template
from vame_pipe.reporting.traces import EXCERPT_S, pose_sources, trace_excerpt

if TYPE_CHECKING:
    from vame_pipe.config.configuration import Config

MAX_TRACES = 100
"""Recordings with a trace, flagged ones first: each takes 20 kB of the page."""
LEADING_COLUMNS = ("final/r2_reconstruction", "pca/r2_reconstruction", "final/r2_prediction")
"""Metrics that the comparison begins with, after the settings that differ."""
PACKAGES = (
    *("vame_pipe", "torch", "numpy", "pandas", "pyarrow", "scikit-learn"),
    *("snakemake", "mlflow"),
)


@dataclass(frozen=True)
class Totals:
    """Numbers of the first lines of the page.

    Attributes
    ----------
    n_sessions, n_encoded, n_flagged : int
        All sessions, those that no model was trained on, those with flags.
    minutes : float
        Length of all sessions together.
    """

    n_sessions: int
    n_encoded: int
    n_flagged: int
    minutes: float


@dataclass(frozen=True)
class Windows:
    """The windows that the models were trained on, and numbers of them."""

    meta: WindowsMetadata
    n_frames: int
    n_train: int
    n_val: int


@dataclass(frozen=True)
class Column:
    """A column of the comparison.

    Attributes
    ----------
    name : str
    differs : bool
        Whether it is a setting that differs between the models.
    values : list of str
        One per model.
    """

    name: str
    differs: bool
    values: list[str]


@dataclass(frozen=True)
class ModelSection:
    """A model on the page.

    Attributes
    ----------
    run : RunRecord
    losses, reconstructions, spectrum : str
        PNG images, base64.
    projection : dict or None
        Figure; None if there is only one latent dimension.
    latents : str
        Folder of the latents.
    """

    run: RunRecord
    losses: str
    reconstructions: str
    spectrum: str
    projection: dict[str, Any] | None
    latents: str


def write(
    layout: Layout, config: Config, sessions: list[str], models: list[str], out: Path
) -> None:
    """Write the report.

    Parameters
    ----------
    layout : Layout
        The results folder, as the stages of the workflow filled it.
    config : Config
        With which they did.
    sessions, models : list of str
    out : Path
        HTML file.

    Raises
    ------
    InputError
        If files of a session or of a model are missing, or were made from other data.
    """
    _require_files(layout, config, sessions, models)
    runs = read_runs(layout, models)
    digests = require_current(layout, runs, sessions)
    quality = read_record(QualityMetadata, layout.qc)
    rows = recordings.read_recordings(layout, sessions, quality.settings["warn_valid"])
    table = _read_comparison(layout, digests)
    settings = layout.config.read_text(encoding="utf-8") if layout.config.exists() else ""
    sources = pose_sources(config.analysed)
    best = best_model(runs)
    named = described.read_described(layout, best)
    projections = {model: project_latents(layout, model, sessions) for model in runs}
    page = template("page.html.jinja").render(
        tag=REPORT_TAG,
        facts=_facts(layout, config, sessions, digests).as_json(),
        plotly=get_plotlyjs(),
        totals=_totals(rows),
        motifs=motifs.read_motifs(layout, models, best, sessions, config.groups, named),
        described=motif_pages.read_pages(layout, best, named, projections[best]),
        groups=group_section.read_groups(layout, best, named),
        labels=label_section.read_labels(layout, best) if config.labelled else None,
        videos=(
            video_section.read_videos(layout, best, out.parent)
            if config.filmed
            else video_section.VideoSection()
        ),
        recordings=rows,
        new_recordings=read_new(layout, best, sessions),
        limits=recordings,
        warn_valid=quality.settings["warn_valid"],
        quality=read_quality_section(layout, rows, sources, named.facts.bones),
        traces=_draw_traces(layout, rows[:MAX_TRACES], sources),
        excerpt_s=EXCERPT_S,
        windows=_read_windows(layout),
        models=[_section(layout, run, projections[run.name]) for run in runs.values()],
        best=runs[best],
        pca=dict(zip(table["model"], table["pca/r2_reconstruction"], strict=True)),
        scores=figures.embedded(figures.scores(table)),
        columns=_columns(table, differing_params(runs)),
        similarity=_draw_similarity(layout, models),
        versions={name: version(name) for name in PACKAGES} | {"python": platform.python_version()},
        settings=settings,
        config=layout.config.as_posix(),
        database=layout.mlflow_database.as_posix(),
    )
    files.write_text(out, page)


def _require_files(layout: Layout, config: Config, sessions: list[str], models: list[str]) -> None:
    windows = layout.windows_folder
    required = [windows.frames, windows.index, windows.session_faults]
    required += [layout.comparison, layout.similarity, layout.qc]
    for session in sessions:
        required += [layout.aligned(session), layout.quality(session)]
    for model in models:
        folder = layout.model(model)
        required += [folder.run, folder.losses, folder.reconstructions, folder.spectrum]
        required += [layout.latents(model, session) for session in sessions]
    required += motifs.required_files(layout, models, sessions)
    required += described.required_files(layout, models)
    required += group_section.required_files(layout, models)
    required += label_section.required_files(layout, models) if config.labelled else []
    required += video_section.required_files(layout, models) if config.filmed else []
    problems = [
        f"report: {path} not found. Run snakemake." for path in required if not path.exists()
    ]
    if problems:
        raise InputError(*problems)


def _read_comparison(layout: Layout, digests: dict[str, str]) -> pd.DataFrame:
    """Return the rows of the comparison that belong to models; raise InputError if it is out of date.

    Parameters
    ----------
    layout : Layout
    digests : dict of str to str
        SHA-256 of each model file.
    """
    path, command = layout.comparison, "Run `vame-pipe compare` first."
    made_from = read_record(ComparisonMetadata, path)
    problems = []
    for model, digest in digests.items():
        if model not in made_from.models:
            problems.append(f"report: model {model} is not in {path}. {command}")
        elif made_from.models[model] != digest:
            problems.append(f"report: {path} is of an earlier model {model}. {command}")
    if made_from.aligned != read_record(WindowsMetadata, layout.windows_folder.frames).aligned:
        problems.append(f"report: {path} is of other training sessions. {command}")
    if problems:
        raise InputError(*problems)
    table = pd.read_parquet(path)
    return table[table["model"].isin(list(digests))].reset_index(drop=True)


def _facts(
    layout: Layout, config: Config, sessions: list[str], digests: dict[str, str]
) -> ReportFacts:
    """Return what the report is made from."""
    metas = {session: read_record(AlignedMetadata, layout.aligned(session)) for session in sessions}
    return ReportFacts(
        aligned={session: meta.fingerprint for session, meta in metas.items()},
        models=digests,
        comparison=files.file_fingerprint(layout.comparison),
        config=config.digest,
        stage_version=REPORT,
    )


def _totals(rows: list[Recording]) -> Totals:
    minutes = {recording.session: recording.minutes for recording in rows}  # of one animal each
    return Totals(
        n_sessions=len(minutes),
        n_encoded=len({recording.session for recording in rows if recording.use == "encode"}),
        n_flagged=len({recording.session for recording in rows if recording.flags}),
        minutes=sum(minutes.values()),
    )


def _draw_traces(
    layout: Layout, rows: list[Recording], sources: dict[str, PoseSource]
) -> list[dict[str, Any]]:
    """Return a figure per recording."""
    excerpts = (trace_excerpt(layout, row, sources.get(row.session)) for row in rows)
    return [figures.embedded(figures.trace(excerpt)) for excerpt in excerpts]


def _read_windows(layout: Layout) -> Windows:
    windows = layout.windows_folder
    split = pq.read_table(windows.index, columns=["split"])["split"]
    counts = {row["values"]: row["counts"] for row in pc.value_counts(split).to_pylist()}
    return Windows(
        meta=read_record(WindowsMetadata, windows.frames),
        n_frames=pq.read_metadata(windows.frames).num_rows,
        n_train=counts["train"],
        n_val=counts["val"],
    )


def _section(layout: Layout, run: RunRecord, projected: Projection) -> ModelSection:
    """Return what the page shows of a model."""
    folder = layout.model(run.name)
    several = len(projected.variances) > 1
    losses, reconstructions, spectrum = (
        base64.b64encode(path.read_bytes()).decode()
        for path in (folder.losses, folder.reconstructions, folder.spectrum)
    )
    return ModelSection(
        run=run,
        losses=losses,
        reconstructions=reconstructions,
        spectrum=spectrum,
        projection=figures.embedded(figures.projection(projected)) if several else None,
        latents=layout.latents_folder(run.name).as_posix(),
    )


def _columns(table: pd.DataFrame, differing: list[str]) -> list[Column]:
    """Return the columns of the comparison in the order of the page."""
    shown = table.drop(columns=["sweep", "variant", "best"])
    leading = [*shown.columns[: shown.columns.get_loc("final/reconstruction")], *LEADING_COLUMNS]
    names = [*leading, *(name for name in shown if name not in leading)]
    return [
        Column(name, name in differing, [_cell(value) for value in shown[name]])
        for name in names
        if name in shown
    ]


def _cell(value: Any) -> str:
    """Return a value as text, empty if it is missing."""
    if pd.isna(value):
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _draw_similarity(layout: Layout, models: list[str]) -> dict[str, Any] | None:
    pairs = pd.read_parquet(layout.similarity)
    pairs = pairs[pairs["model"].isin(models) & pairs["other"].isin(models)]
    return figures.embedded(figures.similarity(pairs, models)) if len(pairs) else None
