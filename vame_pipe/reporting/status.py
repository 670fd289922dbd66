"""Which results are there and up to date.

Everything is derived from the files of the results folder and from the configuration; nothing is stored.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from vame_pipe.core import files, source
from vame_pipe.core.layout import Layout
from vame_pipe.core.metadata import ComparisonMetadata, read_record
from vame_pipe.reporting.differences import versions
from vame_pipe.reporting.external_status import find_external
from vame_pipe.reporting.items import (
    Compared,
    Item,
    causes_of,
    find,
    find_item,
    made_from,
    members,
)
from vame_pipe.reporting.motif_status import find_motifs
from vame_pipe.reporting.plan import in_order
from vame_pipe.reporting.report_status import find_report
from vame_pipe.reporting.training_status import (
    find_aligned,
    find_latents,
    find_model,
    find_quality,
    find_windows,
    used,
)

if TYPE_CHECKING:
    from vame_pipe.config.configuration import Config


def find_status(config: Config, digests: Mapping[str, str]) -> list[Item]:
    """Return every result that the configuration asks for, and whether it is up to date.

    Parameters
    ----------
    config : Config
    digests : mapping of str to str
        SHA-256 of the pose file of each session; sessions without one are not compared with their file.
    """
    layout = Layout(Path(config.results))
    sessions = {
        name: find_aligned(layout, config, name, digests.get(name)) for name in config.analysed
    }
    items = [*sessions.values(), *(_trained(layout, config, sessions) if config.trains else [])]
    for name, model in config.external.items():
        items += find_external(layout, config, name, model, sessions)
    return in_order(items)


def _trained(layout: Layout, config: Config, sessions: Mapping[str, Item]) -> list[Item]:
    """Return the state of the models of this results folder and of all that is made from them."""
    trained_on = {name: sessions[name] for name in config.training_sessions}
    windows = find_windows(layout, config, trained_on)
    models = {name: find_model(layout, config, name, windows) for name in config.variants}
    items = [windows, find_quality(layout, config, sessions, windows), *models.values()]
    for name, model in models.items():
        latents = {
            session: find_latents(layout, model, aligned, session not in trained_on)
            for session, aligned in sessions.items()
        }
        items += [*latents.values(), *find_motifs(layout, config, name, latents)]
    uploaded = [item for item in items if item.stage in ("train", "segment", "describe", "labels")]
    upload = _upload(layout, config, uploaded)
    comparison = _comparison(layout, models, used(layout, trained_on), upload)
    inputs = [*sessions.values(), *items, upload, comparison]
    report = find_report(layout, config, layout.report, models, sessions, inputs, comparison)
    return [*items, upload, comparison, report]


def _upload(layout: Layout, config: Config, inputs: Iterable[Item]) -> Item:
    causes = causes_of(inputs)
    try:
        address, uploaded = (
            json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
            for path in (layout.experiment, layout.uploaded)
        )
        if address:
            now = config.mlflow.model_dump()
            causes += [f"mlflow.{key} changed" for key in now if address[key] != now[key]]
        if uploaded:
            causes += members("model", uploaded["runs"], config.variants)
            if None in uploaded["runs"].values() or _is_newer(
                layout.failed_uploads, layout.uploaded
            ):
                causes.append("the last upload to MLflow was incomplete")
    except (ValueError, KeyError, TypeError, AttributeError):
        causes.append(f"a file in {layout.mlflow} is damaged")
    return find_item(layout, "upload", "MLflow", [layout.uploaded], causes)


def _is_newer(path: Path, other: Path) -> bool:
    return path.exists() and path.stat().st_mtime_ns > other.stat().st_mtime_ns


def _comparison(
    layout: Layout, models: Mapping[str, Item], sessions: Mapping[str, Item], upload: Item
) -> Item:
    def compare(path: Path) -> Compared:
        meta = read_record(ComparisonMetadata, path)
        causes = versions("comparison", meta.stage_version, source.COMPARE)
        causes += made_from("model", meta.models, models)
        causes += made_from("session", meta.aligned, sessions)
        return causes, files.file_fingerprint(path)

    tables = [layout.comparison, layout.similarity]
    outputs = [*tables, *(path.with_suffix(".csv") for path in tables)]
    return find(layout, "compare", layout.comparison.name, outputs, upload.causes, compare)
