"""Send to MLflow what it does not have of the results: once, into the run of each training."""

from __future__ import annotations

import dataclasses
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vame_pipe.core import files
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout
from vame_pipe.core.run_record import RunRecord, differing_params, read_history, read_runs
from vame_pipe.tracking import store

log = logging.getLogger(__name__)

RECORDED = "recorded"
"""Tag of a run: fingerprint of the artifacts that it has."""


@dataclass(frozen=True)
class Trained:
    """What the results folder holds of a model.

    Attributes
    ----------
    record : RunRecord
    history : list of dict
        metrics.jsonl.
    artifacts, latents : list of Path
        The files to send.
    quality : dict of str to dict
        That of the tracking, by session.
    digest : str
        Fingerprint of model.pt.
    tags : dict of str to str
        Of a run that has all of it.
    """

    record: RunRecord
    history: list[dict[str, Any]]
    artifacts: list[Path]
    latents: list[Path]
    quality: dict[str, Any]
    digest: str
    tags: dict[str, str]


def upload(
    layout: Layout, models: list[str], address: store.Address
) -> tuple[dict[str, str | None], bool]:
    """Send to MLflow what it does not have of some models.

    If MLflow fails, this logs a warning and returns; call it again later.

    Parameters
    ----------
    layout : Layout
    models : list of str
    address : store.Address
        MLflow's store and experiment; models are registered under the experiment's name too.

    Returns
    -------
    runs : dict of str to str
        The run of each model; None if there is none.
    complete : bool
        Whether everything has been sent.

    Raises
    ------
    InputError
        If a file of a model is missing, or the experiment has been deleted.
    """
    records = read_runs(layout, models)
    keys = differing_params(records)
    trained = {name: read(layout, record, keys) for name, record in records.items()}
    best = min(models, key=lambda name: records[name].error)
    runs: dict[str, str | None] = {name: record.run_id for name, record in records.items()}
    try:
        target = store.open_store(address)
        versions = {}
        for name, each in trained.items():
            runs[name], versions[name] = store.retry_on_conflict(_send, target, each)
        store.retry_on_conflict(store.mark_best, target, versions[best])
    except store.store_errors() as error:
        log.warning(
            "upload to MLflow is incomplete. Run snakemake again, or `vame-pipe upload-mlflow %s`. %s",
            layout.root,
            store.describe(error, address.uri),
        )
        return runs, False
    return runs, True


def read(layout: Layout, record: RunRecord, keys: list[str]) -> Trained:
    """Return what the results folder holds of a model.

    Parameters
    ----------
    layout : Layout
    record : RunRecord
    keys : list of str
        The settings that differ between the models.

    Raises
    ------
    InputError
        With every file that is missing.
    """
    name, sessions = record.name, record.data.sessions
    artifacts = layout.model(name).artifacts
    quality = [layout.quality(session) for session in sessions]
    missing = [path for path in (*artifacts, *quality) if not path.exists()]
    if missing:
        raise InputError(*(f"model {name}: {path} not found. Run snakemake." for path in missing))
    latents = [layout.latents(name, session) for session in sessions]
    latents = [path for path in latents if path.exists()]
    digests = [files.file_fingerprint(path) for path in latents]
    others = [files.file_fingerprint(path) for path in (*artifacts, *quality)]
    return Trained(
        record=record,
        history=read_history(layout.model(name).metrics),
        artifacts=artifacts,
        latents=latents,
        quality={
            s: json.loads(path.read_text()) for s, path in zip(sessions, quality, strict=True)
        },
        digest=files.file_fingerprint(layout.model(name).weights),
        tags={
            "varies": ", ".join(f"{key}={record.params[key]}" for key in keys),
            "latents_digest": files.fingerprint(digests),
            RECORDED: files.fingerprint(digests, others),
        },
    )


def _send(target: store.Store, trained: Trained) -> tuple[str, Any]:
    """Bring the run of a model up to date; return its id and the version of the registered model."""
    client, record = target.client, trained.record
    run_id = store.open_run(target, record)
    record = dataclasses.replace(record, run_id=run_id)
    store.send_results(client, record, trained.history)
    has = client.get_run(run_id).data.tags
    if has.get(RECORDED) != trained.tags[RECORDED]:
        for path in trained.artifacts:
            client.log_artifact(run_id, str(path))
        for path in trained.latents:
            client.log_artifact(run_id, str(path), "latents")
        client.log_dict(run_id, trained.quality, "qc.json")
    tags = {
        "model": record.name,
        "varies": trained.tags["varies"],
        store.MODEL: trained.digest,
    }
    version = store.register(target, run_id, trained.artifacts[0], record, tags)
    # last: who finds these need not look further
    for key, value in {store.MODEL: trained.digest, **trained.tags}.items():
        if has.get(key) != value:
            client.set_tag(run_id, key, value)
    log.info("model %s is in MLflow as run %s", record.name, run_id)
    return run_id, version


def failures(layout: Layout) -> int:
    """Return how many times not all could be sent.

    It is a parameter of the rule that calls `track`: after a failure it has changed, so that the next
    run of the workflow tries again.
    """
    path = layout.failed_uploads
    return int(path.read_text()) if path.exists() else 0


def note_failures(layout: Layout, times: int) -> None:
    """Write what `failures` returns, if it has changed."""
    if times != failures(layout):
        files.write_text(layout.failed_uploads, f"{times}\n")
