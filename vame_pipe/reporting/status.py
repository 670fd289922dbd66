"""Which results are there and up to date.

Everything is derived from the files of the results folder and from the configuration; nothing is stored.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vame_pipe.core import files, keypoint_choice, source
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout
from vame_pipe.core.metadata import (
    AlignedMetadata,
    ComparisonMetadata,
    LatentsMetadata,
    WindowsMetadata,
    read_record,
)
from vame_pipe.core.run_record import RunRecord
from vame_pipe.core.run_record import read as read_run
from vame_pipe.reporting.current import has_windows, read_facts
from vame_pipe.reporting.description_status import find_description
from vame_pipe.reporting.differences import changes, versions
from vame_pipe.reporting.external_status import find_external
from vame_pipe.reporting.group_status import find_groups
from vame_pipe.reporting.label_status import find_labelled
from vame_pipe.reporting.motif_status import Encoded, find_all_labels, find_segmentation
from vame_pipe.reporting.plan import Item, find_failure, find_item
from vame_pipe.reporting.quality_status import find_quality, left_out

if TYPE_CHECKING:
    from vame_pipe.config.configuration import Config
    from vame_pipe.config.sections import Session


@dataclass(frozen=True)
class AlignedSession:
    """An aligned session, and the fingerprint of its content if it is there."""

    item: Item
    fingerprint: str | None = None


@dataclass(frozen=True)
class TrainedModel:
    """A trained model, and the SHA-256 of its file if it is there."""

    item: Item
    digest: str | None = None


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
        name: _aligned(layout, config, name, session, digests.get(name))
        for name, session in config.analysed.items()
    }
    external = find_external(
        layout,
        config,
        lambda model, item, digest, session: _latents(
            layout, model, TrainedModel(item, digest), session, sessions[session], True
        ),
    )
    if not config.trains:
        return [*(session.item for session in sessions.values()), *external]
    trained_on = {name: sessions[name] for name in config.training_sessions}
    windows = _windows(layout, config, trained_on)
    fingerprints = {name: session.fingerprint for name, session in sessions.items()}
    remade = [cause for session in sessions.values() for cause in session.item.causes]
    quality = find_quality(layout, config, fingerprints, [*remade, *windows.causes])
    models = {name: _model(layout, config, name, windows) for name in config.variants}
    latents = {
        model: {
            session: _latents(layout, model, trained, session, aligned, session not in trained_on)
            for session, aligned in sessions.items()
        }
        for model, trained in models.items()
    }
    motifs = {
        model: find_segmentation(
            layout, model, config.motifs, {session: encoded[session] for session in trained_on}
        )
        for model, encoded in latents.items()
    }
    labels = find_all_labels(layout, motifs, latents, trained_on)
    segmented = [each.item for each in motifs.values()]
    compared = []
    for name in models:
        item = find_description(layout, name, config, motifs[name])
        labelled = [label for label in labels if label.name.startswith(f"{name}/")]
        made = layout, name, config, latents[name], [item, *labelled]
        compared += [find_groups(*made)]
        segmented += [item, *find_labelled(*made)]
    trained_models = [model.item for model in models.values()]
    upload = _upload(layout, config, [*trained_models, *segmented])
    comparison = _comparison(layout, models, _without(trained_on, left_out(layout)), [upload])
    items = [*(session.item for session in sessions.values()), windows, quality, *trained_models]
    items += [each.item for encoded in latents.values() for each in encoded.values()]
    items += [*segmented, *labels, *compared, upload, comparison]
    return [*items, _report(layout, models, sessions, items), *external]


def _without(
    sessions: dict[str, AlignedSession], excluded: Mapping[str, str]
) -> dict[str, AlignedSession]:
    """Return the sessions that the windows job did not leave out."""
    return {name: session for name, session in sessions.items() if name not in excluded}


def _aligned(
    layout: Layout, config: Config, name: str, session: Session, digest: str | None
) -> AlignedSession:
    outputs = [layout.aligned(name), layout.quality(name)]
    if not outputs[0].exists():
        return AlignedSession(find_item(layout, "align", name, outputs, find_failure(layout, name)))
    try:
        meta = read_record(AlignedMetadata, outputs[0])
    except InputError as error:
        return AlignedSession(find_item(layout, "align", name, outputs, error.problems))
    causes = versions("alignment", meta.stage_version, source.ALIGN)
    if digest not in (None, meta.poses_digest):
        causes.append(f"{' or '.join(Path(path).name for path in session.files)} changed")
    causes += changes("align.", meta.settings, config.align.model_dump())
    keypoints = meta.settings.get("keypoints")
    causes += changes("", {"keypoints": keypoints}, {"keypoints": _keypoints(layout, config)})
    now = session.model_dump(include={"format", "group", "metadata", "individuals", "starts_s"})
    now["fps"] = session.fps or meta.source_fps
    then = vars(meta) | {"fps": meta.source_fps, "individuals": meta.selected}
    causes += changes(f"session {name}: ", then, now)
    return AlignedSession(find_item(layout, "align", name, outputs, causes), meta.fingerprint)


def _keypoints(layout: Layout, config: Config) -> dict[str, list[str]] | None:
    """Return the keypoints to use; those that are left out are known once their job has run."""
    if config.align.drop_bad_keypoints is None or not layout.keypoints.exists():
        return config.aliases
    return keypoint_choice.read(layout.keypoints).kept


def _windows(layout: Layout, config: Config, sessions: dict[str, AlignedSession]) -> Item:
    folder = layout.windows_folder
    outputs = [folder.frames, folder.index, folder.session_faults]
    causes = [cause for session in sessions.values() for cause in session.item.causes]
    if not folder.frames.exists():
        return find_item(layout, "windows", "windows", outputs, causes)
    try:
        meta = read_record(WindowsMetadata, folder.frames)
    except InputError as error:
        return find_item(layout, "windows", "windows", outputs, error.problems)
    causes += versions("windows", meta.stage_version, source.WINDOWS)
    causes += changes("windows.", meta.settings, config.windows.model_dump())
    causes += changes("qc.", {"min_valid": meta.min_valid}, {"min_valid": config.qc.min_valid})
    causes += _session_changes(meta.aligned, _without(sessions, meta.excluded))
    return find_item(layout, "windows", "windows", outputs, causes)


def _model(layout: Layout, config: Config, name: str, windows: Item) -> TrainedModel:
    folder = layout.model(name)
    if not folder.run.exists():
        interrupted = any(layout.checkpoints(name).glob("*.pt"))
        causes = ["training was interrupted and resumes"] if interrupted else list(windows.causes)
        return TrainedModel(find_item(layout, "train", name, [folder.run], causes))
    digest = files.file_fingerprint(folder.weights) if folder.weights.exists() else None
    try:
        record = read_run(folder.run)
    except InputError as error:
        return TrainedModel(
            find_item(layout, "train", name, folder.outputs, error.problems), digest
        )
    causes = [*windows.causes, *_model_changes(config, name, record)]
    if not causes:
        meta = read_record(WindowsMetadata, layout.windows_folder.frames)
        causes += [] if has_windows(record, meta) else ["the windows changed since it was trained"]
    return TrainedModel(find_item(layout, "train", name, folder.outputs, causes), digest)


def _model_changes(config: Config, name: str, record: RunRecord) -> list[str]:
    """Return the settings of a model that differ from those that it was trained with."""
    model, train = config.variant(name)
    model = model.for_preset(train.preset)
    now = {f"model.{key}": value for key, value in model.model_dump().items()}
    now |= {f"train.{key}": value for key, value in train.model_dump().items()}
    if train.batch_size is None:  # chosen by the device
        del now["train.batch_size"]
    changed = changes("", record.params, now)
    return [*versions("training", record.stage_version, source.TRAIN), *changed]


def _latents(
    layout: Layout,
    model: str,
    trained: TrainedModel,
    session: str,
    aligned: AlignedSession,
    is_new: bool,
) -> Encoded:
    """Return the latents of one session by one model."""
    path = layout.latents(model, session)
    outputs = [path, layout.novelty(model, session)] if is_new else [path]
    causes, fingerprint = [*trained.item.causes, *aligned.item.causes], None
    if not causes and path.exists():
        try:
            meta = read_record(LatentsMetadata, path)
        except InputError as error:
            causes = error.problems
        else:
            fingerprint = meta.fingerprint
            causes = versions("encoding", meta.stage_version, source.ENCODE)
            if meta.model_fingerprint != trained.digest:
                causes.append(f"model {model} was trained again")
            if meta.aligned_fingerprint != aligned.fingerprint:
                causes.append(f"session {session} was aligned again")
    item = find_item(layout, "encode", f"{model}/{session}", outputs, causes)
    return Encoded(item, fingerprint)


def _upload(layout: Layout, config: Config, inputs: list[Item]) -> Item:
    causes = [cause for item in inputs for cause in item.causes]
    try:
        address, uploaded = (
            json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
            for path in (layout.experiment, layout.uploaded)
        )
        if address:
            now = config.mlflow.model_dump()
            causes += [f"mlflow.{key} changed" for key in now if address[key] != now[key]]
        if uploaded:
            causes += _model_list(uploaded["runs"], config.variants)
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
    layout: Layout,
    models: dict[str, TrainedModel],
    sessions: dict[str, AlignedSession],
    inputs: list[Item],
) -> Item:
    tables = [layout.comparison, layout.similarity]
    outputs = [*tables, *(path.with_suffix(".csv") for path in tables)]
    causes = [cause for item in inputs for cause in item.causes]
    if layout.comparison.exists():
        try:
            meta = read_record(ComparisonMetadata, layout.comparison)
        except InputError as error:
            causes += error.problems
        else:
            causes += versions("comparison", meta.stage_version, source.COMPARE)
            causes += _made_from(meta.models, models, meta.aligned, sessions)
    return find_item(layout, "compare", layout.comparison.name, outputs, causes)


def _report(
    layout: Layout,
    models: dict[str, TrainedModel],
    sessions: dict[str, AlignedSession],
    inputs: list[Item],
) -> Item:
    causes = [cause for item in inputs for cause in item.causes]
    facts = read_facts(layout.report) if layout.report.exists() else None
    if facts:
        causes += versions("report", facts.stage_version, source.REPORT)
        causes += _made_from(facts.models, models, facts.aligned, sessions)
        if not causes and facts.comparison != files.file_fingerprint(layout.comparison):
            causes.append("the models were compared again")
    elif layout.report.exists():
        causes.append(f"{layout.report.name} is of another version")
    return find_item(layout, "report", layout.report.name, [layout.report], causes)


def _made_from(
    digests: Mapping[str, str],
    models: dict[str, TrainedModel],
    aligned: Mapping[str, str],
    sessions: dict[str, AlignedSession],
) -> list[str]:
    """Return which models and sessions are not those that a result was made from."""
    again = [
        f"model {name} was trained again"
        for name, digest in digests.items()
        if name in models and models[name].item.state == "done" and models[name].digest != digest
    ]
    return [*_model_list(digests, models), *again, *_session_changes(aligned, sessions)]


def _model_list(before: Iterable[str], now: Iterable[str]) -> list[str]:
    before, now = list(before), list(now)
    added = [f"model {name} is new" for name in now if name not in before]
    return [*added, *(f"model {name} was removed" for name in before if name not in now)]


def _session_changes(before: Mapping[str, str], sessions: dict[str, AlignedSession]) -> list[str]:
    """Return which sessions are new, removed or aligned again, given the fingerprints before."""
    causes = [f"session {name} is new" for name in sessions if name not in before]
    causes += [f"session {name} was removed" for name in before if name not in sessions]
    return causes + [
        f"session {name} was aligned again"
        for name, fingerprint in before.items()
        if name in sessions
        and sessions[name].item.state == "done"
        and sessions[name].fingerprint != fingerprint
    ]
