"""Which aligned sessions, windows, models and latents are there and up to date."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vame_pipe.core import files, keypoint_choice, source
from vame_pipe.core.errors import LEAVE_OUT, InputError
from vame_pipe.core.layout import Layout
from vame_pipe.core.metadata import (
    AlignedMetadata,
    LatentsMetadata,
    QualityMetadata,
    WindowsMetadata,
    read_record,
)
from vame_pipe.core.run_record import read as read_run
from vame_pipe.reporting.current import has_windows
from vame_pipe.reporting.differences import changes, scale_changes, versions
from vame_pipe.reporting.items import Compared, Item, causes_of, find, made_again, made_from

if TYPE_CHECKING:
    from vame_pipe.config.configuration import Config


def find_aligned(layout: Layout, config: Config, name: str, digest: str | None) -> Item:
    """Return the state of an aligned session.

    Parameters
    ----------
    layout : Layout
    config : Config
    name : str
        The session.
    digest : str or None
        SHA-256 of its pose file; None: it is not compared.
    """
    session = config.analysed[name]

    def compare(path: Path) -> Compared:
        meta = read_record(AlignedMetadata, path)
        causes = versions("alignment", meta.stage_version, source.ALIGN)
        if digest not in (None, meta.poses_digest):
            causes.append(f"{' or '.join(Path(path).name for path in session.files)} changed")
        causes += changes("align.", meta.settings, config.align.model_dump())
        then = {"keypoints": meta.settings.get("keypoints")}
        causes += changes("", then, {"keypoints": _keypoints(layout, config)})
        now = session.model_dump(include={"format", "individuals", "starts_s"})
        now["fps"] = session.fps or meta.source_fps
        before = vars(meta) | {"fps": meta.source_fps, "individuals": meta.selected}
        return causes + changes(f"session {name}: ", before, now), meta.fingerprint

    outputs = [layout.aligned(name), layout.quality(name)]
    causes = [] if outputs[0].exists() else find_failure(layout, name)
    return find(layout, "align", name, outputs, causes, compare)


def find_failure(layout: Layout, session: str) -> list[str]:
    """Return that the last alignment of a session without a file failed; nothing if there was none."""
    log = layout.log("align", session)
    failed = log.exists() and LEAVE_OUT in log.read_text(encoding="utf-8", errors="replace")
    return [f"alignment of {session} failed, see {log}"] if failed else []


def _keypoints(layout: Layout, config: Config) -> dict[str, list[str]] | None:
    """Return the keypoints to use; those that are left out are known once their job has run."""
    if config.align.drop_bad_keypoints is None or not layout.keypoints.exists():
        return config.aliases
    return keypoint_choice.read(layout.keypoints).kept


def find_windows(layout: Layout, config: Config, sessions: Mapping[str, Item]) -> Item:
    """Return the state of the windows of the training sessions."""

    def compare(path: Path) -> Compared:
        meta = read_record(WindowsMetadata, path)
        causes = versions("windows", meta.stage_version, source.WINDOWS)
        causes += changes("windows.", meta.settings, config.windows.model_dump())
        causes += changes("qc.", {"min_valid": meta.min_valid}, {"min_valid": config.qc.min_valid})
        causes += [f"session {n} was removed" for n in meta.excluded if n not in sessions]
        return causes + made_from("session", meta.aligned, used(layout, sessions)), None

    folder = layout.windows_folder
    outputs = [folder.frames, folder.index, folder.session_faults]
    return find(layout, "windows", "windows", outputs, causes_of(sessions.values()), compare)


def used(layout: Layout, sessions: Mapping[str, Item]) -> dict[str, Item]:
    """Return what belongs to training sessions, without those that the windows job left out."""
    try:
        excluded = read_record(WindowsMetadata, layout.windows_folder.frames).excluded
    except InputError:  # reported where the windows are needed
        excluded = {}
    return {name: item for name, item in sessions.items() if name not in excluded}


def find_quality(
    layout: Layout, config: Config, sessions: Mapping[str, Item], windows: Item
) -> Item:
    """Return the state of the table of the tracking quality."""

    def compare(path: Path) -> Compared:
        meta = read_record(QualityMetadata, path)
        causes = versions("quality", meta.stage_version, source.QUALITY)
        causes += changes("qc.", meta.settings, config.qc.model_dump())
        scales = config.scales(sessions)
        causes += scale_changes(meta.px_per_cm, scales, sessions)
        for name in {**meta.excluded, **config.excluded}:
            why, why_now = meta.excluded.get(name), config.excluded.get(name)
            causes += changes(f"session {name}: ", {"exclude": why}, {"exclude": why_now})
        for name in [n for n in meta.aligned if n in sessions]:
            now = config.analysed[name].group
            causes += changes(f"session {name}: ", {"group": meta.groups.get(name)}, {"group": now})
        return causes + made_from("session", meta.aligned, sessions), None

    causes = causes_of([*sessions.values(), windows])
    return find(layout, "quality", layout.qc.name, [layout.qc], causes, compare)


def find_model(layout: Layout, config: Config, name: str, windows: Item) -> Item:
    """Return the state of a trained model; its fingerprint is the SHA-256 of its file."""
    folder = layout.model(name)

    def compare(path: Path) -> Compared:
        record = read_run(path)
        causes = versions("training", record.stage_version, source.TRAIN)
        causes += changes("", record.params, _settings(config, name))
        if not causes and windows.is_done:
            meta = read_record(WindowsMetadata, layout.windows_folder.frames)
            if not has_windows(record, meta):
                causes.append("the windows changed since it was trained")
        return causes, files.file_fingerprint(folder.weights) if folder.weights.exists() else None

    causes = windows.causes
    if not folder.run.exists() and any(layout.checkpoints(name).glob("*.pt")):
        causes = ("training was interrupted and resumes",)
    return find(layout, "train", name, [folder.run, *folder.outputs], causes, compare)


def _settings(config: Config, name: str) -> dict[str, Any]:
    """Return the settings of a model as its run record has them."""
    model, train = config.variant(name)
    model = model.for_preset(train.preset)
    now = {f"model.{key}": value for key, value in model.model_dump().items()}
    now |= {f"train.{key}": value for key, value in train.model_dump().items()}
    if train.batch_size is None:  # chosen by the device
        del now["train.batch_size"]
    return now


def find_latents(layout: Layout, model: Item, session: Item, is_new: bool) -> Item:
    """Return the state of the latents of one session by one model.

    Parameters
    ----------
    layout : Layout
    model, session : Item
    is_new : bool
        Whether the model was not trained on the session.
    """

    def compare(path: Path) -> Compared:
        meta = read_record(LatentsMetadata, path)
        causes = versions("encoding", meta.stage_version, source.ENCODE)
        causes += made_again(model, meta.model_fingerprint)
        return causes + made_again(session, meta.aligned_fingerprint), meta.fingerprint

    names = model.name, session.name
    outputs = [layout.latents(*names), *([layout.novelty(*names)] if is_new else [])]
    return find(layout, "encode", "/".join(names), outputs, causes_of([model, session]), compare)
