"""What is there, and what the next run of the workflow would do and why.

Everything is derived from the files of the results folder and from the configuration; nothing is stored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vame_pipe.core import files, source
from vame_pipe.core.errors import InputError, listing
from vame_pipe.core.layout import Layout
from vame_pipe.core.run_record import RunRecord
from vame_pipe.core.run_record import read as read_run
from vame_pipe.core.schemas import AlignedMetadata, LatentsMetadata, WindowsMetadata, read_record

if TYPE_CHECKING:
    from vame_pipe.config.configuration import Config
    from vame_pipe.config.sections import Session

State = Literal["done", "missing", "outdated"]

NOT_YET = "not computed yet"
NOUNS = {
    "align": ("alignment", "alignments"),
    "windows": ("set of windows", "sets of windows"),
    "train": ("model", "models"),
    "encode": ("encoding", "encodings"),
    "compare": ("comparison", "comparisons"),
    "report": ("report", "reports"),
}


@dataclass(frozen=True)
class Item:
    """One result of one stage.

    Attributes
    ----------
    stage : str
    name : str
        The session, the model, or both.
    state : {'done', 'missing', 'outdated'}
    causes : tuple of str
        Why it has to be computed; empty if it is done.
    """

    stage: str
    name: str
    state: State
    causes: tuple[str, ...] = ()


@dataclass(frozen=True)
class AlignedSession:
    """An aligned session, and the fingerprint of its content if it is there."""

    item: Item
    fingerprint: str | None = None


def find_status(config: Config, digests: Mapping[str, str]) -> list[Item]:
    """Return every result that the configuration asks for, and whether it is up to date.

    Parameters
    ----------
    config : Config
    digests : mapping of str to str
        SHA-256 of the pose file of each session; sessions without one are not compared with their file.
    """
    layout = Layout(Path(config.results))
    settings = config.align.model_dump() | {"keypoints": config.aliases}
    sessions = {
        name: _aligned(layout, name, session, settings, digests.get(name))
        for name, session in config.sessions.items()
    }
    trained_on = {
        name: sessions[name] for name, session in config.sessions.items() if session.use == "train"
    }
    windows = _windows(layout, config, trained_on)
    models = [_model(layout, config, name, windows) for name in config.variants]
    latents = [item for model in models for item in _latents(layout, model, sessions)]
    items = [*(session.item for session in sessions.values()), windows, *models, *latents]
    compared = _table(layout.comparison, "compare", [*models, *latents])
    return [*items, compared, _table(layout.report, "report", [*items, compared])]


def describe(items: list[Item]) -> list[str]:
    """Return the status of every stage, one line each, then one line per reason with what it concerns."""
    lines = []
    for stage in NOUNS:
        of_stage = [item for item in items if item.stage == stage]
        counts = Counter(item.state for item in of_stage)
        lines.append(f"{stage:8} {', '.join(f'{n} {state}' for state, n in counts.items())}")
        concerned: dict[tuple[str, ...], list[str]] = {}
        for item in of_stage:
            if item.causes:
                concerned.setdefault(item.causes, []).append(item.name)
        lines += [f"         {listing(n)}: {'; '.join(c)}" for c, n in concerned.items()]
    return lines


def plan(items: list[Item]) -> list[str]:
    """Return what the next run would compute, one line for each cause; empty if everything is done.

    Examples
    --------
    >>> plan([Item("align", "m7", "outdated", ("m7.csv changed",)),
    ...       Item("train", "vame", "outdated", ("m7.csv changed",))])
    ['m7.csv changed: 1 alignment, 1 model']
    """
    jobs: dict[str, Counter[str]] = {}
    for item in items:
        for cause in item.causes:
            jobs.setdefault(cause, Counter())[item.stage] += 1
    groups: dict[str, list[str]] = {}
    for cause, counts in jobs.items():
        work = ", ".join(f"{n} {NOUNS[stage][n != 1]}" for stage, n in counts.items())
        groups.setdefault(work, []).append(cause)
    return [f"{listing(causes, limit=4)}: {work}" for work, causes in groups.items()]


def _item(stage: str, name: str, path: Path, causes: Iterable[str]) -> Item:
    """Return a result that is there, if nothing speaks against it."""
    causes = tuple(dict.fromkeys(causes))
    if not path.exists():
        return Item(stage, name, "missing", causes or (NOT_YET,))
    return Item(stage, name, "outdated" if causes else "done", causes)


def _aligned(
    layout: Layout,
    name: str,
    session: Session,
    settings: dict[str, Any],
    digest: str | None,
) -> AlignedSession:
    path = layout.aligned(name)
    if not path.exists():
        return AlignedSession(_item("align", name, path, []))
    try:
        meta = read_record(AlignedMetadata, path)
    except InputError as error:
        return AlignedSession(_item("align", name, path, error.problems))
    causes = _versions("alignment", meta.stage_version, source.ALIGN)
    if digest not in (None, meta.poses_digest):
        causes.append(f"{Path(session.poses).name} changed")
    causes += _changes("align.", meta.settings, settings)
    before = {"fps": meta.source_fps, "group": meta.group, "metadata": meta.metadata}
    now = {"fps": session.fps, "group": session.group, "metadata": session.metadata}
    causes += _changes(f"session {name}: ", before, now)
    return AlignedSession(_item("align", name, path, causes), meta.fingerprint)


def _windows(layout: Layout, config: Config, sessions: dict[str, AlignedSession]) -> Item:
    path = layout.windows_folder.frames
    causes = [cause for session in sessions.values() for cause in session.item.causes]
    if not path.exists():
        return _item("windows", "windows", path, causes)
    try:
        meta = read_record(WindowsMetadata, path)
    except InputError as error:
        return _item("windows", "windows", path, error.problems)
    causes += _versions("windows", meta.stage_version, source.WINDOWS)
    causes += _changes("windows.", meta.settings, config.windows.model_dump())
    causes += [f"session {name} is new" for name in sessions if name not in meta.aligned]
    causes += [f"session {name} was removed" for name in meta.aligned if name not in sessions]
    causes += [
        f"session {name} was aligned again"
        for name, fingerprint in meta.aligned.items()
        if name in sessions
        and sessions[name].item.state == "done"
        and sessions[name].fingerprint != fingerprint
    ]
    return _item("windows", "windows", path, causes)


def _model(layout: Layout, config: Config, name: str, windows: Item) -> Item:
    folder = layout.model(name)
    if not folder.run.exists():
        interrupted = any(layout.checkpoints(name).glob("*.pt"))
        causes = ["training was interrupted and resumes"] if interrupted else list(windows.causes)
        return _item("train", name, folder.run, causes)
    try:
        record = read_run(folder.run)
    except InputError as error:
        return _item("train", name, folder.run, error.problems)
    causes = [*windows.causes, *_model_changes(config, name, record)]
    if (
        not causes
        and record.data.aligned
        != read_record(WindowsMetadata, layout.windows_folder.frames).aligned
    ):
        causes.append("the windows changed since it was trained")
    return _item("train", name, folder.weights, causes)


def _model_changes(config: Config, name: str, record: RunRecord) -> list[str]:
    """Return the settings of a model that differ from those that it was trained with."""
    model, train = config.variant(name)
    model = model.for_preset(train.preset)
    now = {f"model.{key}": value for key, value in model.model_dump().items()}
    now |= {f"train.{key}": value for key, value in train.model_dump().items()}
    if train.batch_size is None:  # chosen by the device
        del now["train.batch_size"]
    changed = _changes("", record.params, now)
    return [*_versions("training", record.stage_version, source.TRAIN), *changed]


def _latents(layout: Layout, model: Item, sessions: dict[str, AlignedSession]) -> list[Item]:
    """Return the latents of every session by one model."""
    weights = layout.model(model.name).weights
    digest = files.file_fingerprint(weights) if weights.exists() else ""
    items = []
    for name, session in sessions.items():
        path = layout.latents(model.name, name)
        causes = [*model.causes, *session.item.causes]
        if not causes and path.exists():
            causes += _latents_changes(path, model.name, digest, name, session.fingerprint)
        items.append(_item("encode", f"{model.name}/{name}", path, causes))
    return items


def _latents_changes(
    path: Path, model: str, model_digest: str, session: str, aligned: str | None
) -> list[str]:
    """Return why latents are not those of the present model and the present aligned session."""
    try:
        meta = read_record(LatentsMetadata, path)
    except InputError as error:
        return error.problems
    causes = _versions("encoding", meta.stage_version, source.ENCODE)
    if meta.model_fingerprint != model_digest:
        causes.append(f"model {model} was trained again")
    if meta.aligned_fingerprint != aligned:
        causes.append(f"session {session} was aligned again")
    return causes


def _table(path: Path, stage: str, inputs: list[Item]) -> Item:
    return _item(stage, path.name, path, [cause for item in inputs for cause in item.causes])


def _versions(stage: str, before: int, now: int) -> list[str]:
    return [] if before == now else [f"{stage} of vame_pipe changed (version {before} to {now})"]


def _changes(prefix: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return the values that differ, one line each."""
    return [
        f"{prefix}{key} was {_shown(before.get(key))}, is {_shown(value)}"
        for key, value in now.items()
        if before.get(key) != value
    ]


def _shown(value: Any) -> str:
    return "not set" if value is None else str(value)
