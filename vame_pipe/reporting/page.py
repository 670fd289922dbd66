"""The report: one HTML file, that needs nothing else, of what was computed and how good it is."""

from __future__ import annotations

import base64
import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from vame_pipe.core import files
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout
from vame_pipe.core.run_record import RunRecord, differing_params, read_history, read_runs
from vame_pipe.core.schemas import AlignedMetadata, WindowsMetadata, read_record
from vame_pipe.poses import readers
from vame_pipe.reporting import comparison, figures
from vame_pipe.reporting.similarity import read_latents

EXCERPT_S = 20.0
"""Length of the traces: long enough to see movements, short enough to see frames."""
MAX_TRACES = 100
"""Sessions with a trace, those that need a look first: each takes 20 kB of the page."""
MAX_POINTS = 2000
"""Points of a projection, over all sessions: more hide each other."""
FEW_VALID, MUCH_MISSING, MANY_OUTLIERS, ODD_SIZE = 0.8, 0.2, 0.05, 1.5
"""A session needs a look with a smaller share of valid frames, a keypoint that is missing or jumps in a
larger one, or a body length this many times the median of all, or less than one part in as many."""
MANY_PLACEHOLDERS, MANY_FLIPPED = 0.01, 0.005
"""Also with more placeholders of missing points in a keypoint, or more frames with head for tail."""
FIRST = ("final/r2_reconstruction", "pca/r2_reconstruction", "final/r2_prediction")
"""Figures that the comparison begins with, after what varied."""
PACKAGES = ("vame_pipe", "torch", "numpy", "pandas", "pyarrow", "snakemake", "mlflow")


def write(layout: Layout, sessions: list[str], models: list[str], out: Path) -> None:
    """Write the report.

    Parameters
    ----------
    layout : Layout
        The results folder, as the workflow's stages filled it.
    sessions, models : list of str
    out : Path
        HTML file.

    Raises
    ------
    InputError
        If a session or a model lacks files.
    """
    _require(layout, sessions, models)
    config = layout.config
    settings = config.read_text(encoding="utf-8") if config.exists() else ""
    recordings = read_recordings(layout, sessions)
    sources = (yaml.safe_load(settings) or {}).get("sessions", {})
    traced = [
        trace(layout, r["session"], sources.get(r["session"])) for r in recordings[:MAX_TRACES]
    ]
    table = pd.read_parquet(layout.comparison)
    runs = read_runs(layout, models)
    comparison.require_current(layout, runs, runs[models[0]].data.fingerprint)
    best = table.loc[table["best"], "model"].item()
    pages = Environment(
        loader=PackageLoader("vame_pipe.reporting", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = pages.get_template("page.html.jinja").render(
        plotly=get_plotlyjs(),
        recordings=recordings,
        limits=(FEW_VALID, MUCH_MISSING, MANY_OUTLIERS, ODD_SIZE),
        traces=[figures.trace(excerpt) for excerpt in traced],
        excerpt_s=EXCERPT_S,
        windows=_windows(layout),
        models=[_model(layout, runs[name], sessions) for name in models],
        scores=figures.scores(table),
        columns=_columns(table),
        varied=differing_params(runs),
        similarity=_similarity(layout, models),
        versions={name: version(name) for name in PACKAGES} | {"python": platform.python_version()},
        runs=runs,
        best=best,
        settings=settings,
        results=layout.root.as_posix(),
    )
    files.write_text(out, page)


def _require(layout: Layout, sessions: list[str], models: list[str]) -> None:
    required = [layout.comparison, layout.similarity]
    for session in sessions:
        required += [layout.aligned(session), layout.quality(session)]
    for model in models:
        folder = layout.model(model)
        required += [folder.run, folder.metrics, folder.reconstructions]
        required += [layout.latents(model, session) for session in sessions]
    problems = [
        f"report: {path} not found. Run snakemake." for path in required if not path.exists()
    ]
    if problems:
        raise InputError(*problems)


def read_recordings(layout: Layout, sessions: list[str]) -> list[dict[str, Any]]:
    """Return the quality of each animal of each session; those that are flagged come first."""
    index = pq.read_table(layout.index, columns=["session", "individual"]).to_pandas()
    counts = index.value_counts(["session", "individual"]).to_dict()
    trained = set(read_record(WindowsMetadata, layout.frames).sessions)
    faults = json.loads(layout.session_faults.read_text())
    recordings = []
    for name in sessions:
        content = json.loads(layout.quality(name).read_text())
        for individual, quality in content["individuals"].items():
            keypoints = quality["keypoints"]
            recordings.append(
                {
                    "session": name,
                    "individual": individual,
                    "name": name if len(content["individuals"]) == 1 else f"{name}, {individual}",
                    "use": "train" if name in trained else "encode",
                    "frames": quality["n_rows"],
                    "minutes": quality["n_rows"] / content["fps"] / 60,
                    "valid": quality["valid_fraction"],
                    "windows": counts.get((name, individual), 0),
                    "body_length": quality["body_length_px"],
                    "keypoints": keypoints,
                    "flipped": quality["flipped_fraction"],
                    "mirrored": name in faults["mirrored"],
                    "copies": [
                        other
                        for group in faults["same_recording"]
                        for other in group
                        if name in group and other != name
                    ],
                    "worst": max(keypoints, key=lambda k: keypoints[k]["missing"]),
                }
            )
    median = float(np.median([r["body_length"] for r in recordings]))
    for recording in recordings:
        recording["flags"] = flags(recording, median)
    return sorted(recordings, key=lambda r: -len(r["flags"]))


def flags(recording: dict[str, Any], median_length: float) -> list[str]:
    """Say in words why a session needs a look; nothing if it needs none.

    Parameters
    ----------
    recording : dict
        `valid` and `flipped`, fractions of its frames; `windows`; `body_length`, px; `keypoints`, for
        each the fractions `missing`, `outliers` and `placeholders`; `mirrored`; `copies`, sessions.
    median_length : float
        Median body length of all sessions, px.
    """
    said = ["has no window"] if recording["use"] == "train" and not recording["windows"] else []
    if recording["valid"] < FEW_VALID:
        said.append(f"{1 - recording['valid']:.0%} of frames not valid")
    for name, quality in recording["keypoints"].items():
        if quality["missing"] > MUCH_MISSING:
            said.append(f"{name} missing in {quality['missing']:.0%}")
        if quality["outliers"] > MANY_OUTLIERS:
            said.append(f"{name} jumps in {quality['outliers']:.0%}")
        if quality["placeholders"] > MANY_PLACEHOLDERS:
            said.append(f"{name} is a placeholder, as (0, 0), in {quality['placeholders']:.0%}")
    if recording["flipped"] > MANY_FLIPPED:
        said.append(f"head and tail seem swapped in {recording['flipped']:.1%}")
    if recording["mirrored"]:
        said.append("left and right seem swapped, compared with other sessions")
    if recording["copies"]:
        said.append(f"the same recording as {', '.join(recording['copies'])}")
    ratio = recording["body_length"] / median_length
    if not 1 / ODD_SIZE <= ratio <= ODD_SIZE:
        said.append(f"body length {ratio:.2g} x the median of all sessions")
    return said


def trace(layout: Layout, name: str, source: dict[str, Any] | None) -> dict[str, Any]:
    """Return an excerpt from the middle of a session, of one keypoint as recorded and as aligned.

    Parameters
    ----------
    layout : Layout
    name : str
        Of the session.
    source : dict, optional
        Its `poses` and `fps`; without, or without the file, the recorded part is None.
    """
    path = layout.aligned(name)
    meta = read_record(AlignedMetadata, path)
    features = set(meta.features)
    # centre and forward do not move, or on one axis only; with two keypoints there is no other
    free = [k for k in meta.keypoints if {f"{k}_x", f"{k}_y"} <= features]
    keypoint = free[0] if free else meta.settings["forward"]
    axes = "xy" if free else "x"
    names = ["time_s", *(f"{keypoint}_{axis}" for axis in axes)]
    aligned = pq.read_table(path, columns=names).to_pandas().to_numpy()
    begin = aligned[len(aligned) // 2, 0] - EXCERPT_S / 2
    raw = None
    if source is not None and Path(source["poses"]).exists():
        aliases = meta.settings["keypoints"] or {keypoint: [keypoint]}
        recording = next(iter(readers.read_poses(source["poses"], source["fps"]).values()))
        number = next(i for i, k in enumerate(recording.keypoints) if k in aliases[keypoint])
        frame = recording.first_frame + np.arange(len(recording.position))
        raw = np.column_stack([frame / recording.fps, recording.position[:, number]])

    def excerpt(part: np.ndarray) -> np.ndarray:
        return part[(part[:, 0] >= begin) & (part[:, 0] < begin + EXCERPT_S)]

    return {
        "session": name,
        "keypoint": keypoint,
        "unit": "body lengths" if meta.settings["scale"] else "px",
        "raw": None if raw is None else excerpt(raw),
        "aligned": excerpt(aligned),
    }


def _windows(layout: Layout) -> dict[str, Any]:
    meta = read_record(WindowsMetadata, layout.frames)
    split = pq.read_table(layout.index, columns=["split"])["split"]
    counts = {row["values"]: row["counts"] for row in pc.value_counts(split).to_pylist()}
    frames = pq.read_metadata(layout.frames).num_rows
    return vars(meta) | {"frames": frames, "train": counts["train"], "val": counts["val"]}


def _model(layout: Layout, run: RunRecord, sessions: list[str]) -> dict[str, Any]:
    """Return the figures of a model."""
    folder = layout.model(run.name)
    history = read_history(folder.metrics)
    points, variances = project(layout, run.name, sessions)
    shares = variances[:2] / variances.sum()
    picture = base64.b64encode(folder.reconstructions.read_bytes()).decode()
    drawn = {
        "curves": figures.curves(history, run.summary["final/best_epoch"]),
        "spectrum": figures.spectrum(variances),
    }
    if len(variances) > 1:
        drawn["projection"] = figures.projection(points, shares)
    return {"name": run.name, "reconstructions": picture, "figures": drawn}


def project(layout: Layout, model: str, sessions: list[str]) -> tuple[pd.DataFrame, np.ndarray]:
    """Project the latents of all sessions on their first two principal components.

    Returns
    -------
    points : pandas.DataFrame
        Every n-th latent of each session: `x`, `y`, `session`, `minutes`, `speed`.
    variances : numpy.ndarray
        `(zdims,)`, of all components over all latents, the largest first.
    """
    paths = {session: layout.latents(model, session) for session in sessions}
    count = sum(pq.read_metadata(path).num_rows for path in paths.values())
    step, kept, total, gram = max(1, count // MAX_POINTS), {}, 0.0, 0.0
    for session in sessions:  # one at a time: together they may be large
        latents = read_latents(paths[session])
        kept[session] = latents[::step].copy()
        total, gram = total + latents.sum(axis=0), gram + latents.T @ latents
    mean = total / count
    variances, vectors = np.linalg.eigh(gram / count - np.outer(mean, mean))
    first = vectors[:, ::-1][:, :2]
    first = first * np.sign(first[np.abs(first).argmax(axis=0), np.arange(first.shape[1])])
    parts = []
    for session, path in paths.items():
        part = pq.read_table(path, columns=["individual", "row", "time_s"]).to_pandas()[::step]
        place = (kept[session] - mean) @ first
        part["x"], part["y"] = place[:, 0], place[:, -1]
        part["session"], part["minutes"] = session, part["time_s"] / 60
        parts.append(part.assign(speed=_speed(layout.aligned(session), part)))
    points = pd.concat(parts, ignore_index=True)
    scaled = read_record(AlignedMetadata, layout.aligned(sessions[0])).settings["scale"]
    points.attrs["speed_unit"] = "body lengths/s" if scaled else "px/s"
    return points, variances[::-1].clip(min=0)


def _speed(aligned: Path, part: pd.DataFrame) -> np.ndarray:
    """Return the animal's speed at the rows of latents; NaN if alignment kept no kinematics."""
    if "log_speed" not in pq.read_schema(aligned).names:
        return np.full(len(part), np.nan)
    speed = pq.read_table(aligned, columns=["individual", "row", "log_speed"]).to_pandas()
    key = ["individual", "row"]
    keyed = speed.astype({"individual": str}).set_index(key)["log_speed"]
    return np.exp(keyed.reindex(part.astype({"individual": str}).set_index(key).index).to_numpy())


def _columns(table: pd.DataFrame) -> dict[str, list[Any]]:
    """Return the comparison's columns as the page shows them; nothing for a missing run."""
    shown = table.drop(columns=["sweep", "variant", "best"])
    first = [*shown.columns[: shown.columns.get_loc("final/reconstruction")], *FIRST]
    order = [*first, *(name for name in shown if name not in first)]
    return {name: [_shown(value) for value in shown[name]] for name in order if name in shown}


def _shown(value: Any) -> str:
    if pd.isna(value):
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _similarity(layout: Layout, models: list[str]) -> dict[str, Any] | None:
    pairs = pd.read_parquet(layout.similarity)
    return figures.similarity(pairs, models) if len(pairs) else None
