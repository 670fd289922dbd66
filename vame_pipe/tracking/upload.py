"""Upload to MLflow whatever it is missing of the results, into the run of each model."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vame_pipe.core import files
from vame_pipe.core.agreement import ModelAgreement, model_agreement
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout, MotifFolder
from vame_pipe.core.run_record import (
    RunRecord,
    best_model,
    differing_params,
    read_history,
    read_runs,
)
from vame_pipe.tracking import motifs
from vame_pipe.tracking.address import Address, read_address
from vame_pipe.tracking.registry import (
    MODEL_TAG,
    content_digest,
    register,
    set_best_alias,
)
from vame_pipe.tracking.runs import log_batch, open_run, send_results
from vame_pipe.tracking.store import (
    Store,
    open_store,
    redact_error,
    retry_on_conflict,
    store_errors,
)

log = logging.getLogger(__name__)

CONTENT_TAG = "recorded"
"""Tag of a run: SHA-256 of the artifacts that it has."""


@dataclass(frozen=True)
class Uploaded:
    """Result of an upload.

    Attributes
    ----------
    experiment : str
    run_ids : dict of str to str or None
        MLflow run of each model; None for a model without one.
    complete : bool
        Whether MLflow has everything now.
    """

    experiment: str
    run_ids: dict[str, str | None]
    complete: bool


@dataclass(frozen=True)
class TrainedModel:
    """The results of one model, as they go to MLflow.

    Attributes
    ----------
    record : RunRecord
    history : list of dict
        metrics.jsonl, one entry per epoch.
    artifacts, latents : list of Path
        Files to send; the model file is the first artifact.
    motifs : dict of Path to str
        Files to send, and the folder of the artifacts that each belongs to.
    motif_quality : dict of str to float
        Metrics of the motifs.
    quality : dict
        Tracking quality, by session.
    folder : MotifFolder
        Where its motifs are.
    digest : str
        SHA-256 of the model file and its segmentation.
    tags : dict of str to str
        Tags of a run that has all of it.
    """

    record: RunRecord
    history: list[dict[str, Any]]
    artifacts: list[Path]
    latents: list[Path]
    motifs: dict[Path, str]
    motif_quality: dict[str, float]
    quality: dict[str, Any]
    folder: MotifFolder
    digest: str
    tags: dict[str, str]


def upload(layout: Layout, models: list[str], out: Path | None = None) -> Uploaded:
    """Upload whatever MLflow is missing of some models.

    If MLflow fails, this logs a warning and counts the failure; call it again later.

    Parameters
    ----------
    layout : Layout
        Its experiment file holds the address of the store.
    models : list of str
        Names of the models. They are also registered, under the name of the experiment.
    out : Path, optional
        JSON file for the experiment and the run ids, see `read_run_ids`.

    Raises
    ------
    InputError
        If a file is missing, or the experiment has been deleted.
    """
    address = read_address(layout.experiment)
    result = _upload(layout, models, address)
    if out:
        files.write_json(out, {"experiment": result.experiment, "runs": result.run_ids})
    if not result.complete:
        files.write_text(layout.failed_uploads, f"{failures(layout) + 1}\n")
    return result


def read_run_ids(path: Path) -> dict[str, str | None]:
    """Return the MLflow run of each model from the file that `upload` wrote; None for a model without one.

    Raises
    ------
    InputError
        If the file is missing or damaged.
    """
    command = f"Run `vame-pipe upload-mlflow --out {path}`"
    if not path.is_file():
        raise InputError(f"{path}: no such file. {command}.")
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))["runs"])
    except (ValueError, KeyError, TypeError):
        raise InputError(
            f"{path}: not an output of upload-mlflow; the file is damaged. {command} again."
        ) from None


def failures(layout: Layout) -> int:
    """Return the number of incomplete uploads so far.

    It is a parameter of the rule that calls `upload-mlflow`: an incomplete upload changes it, so that the
    next run of the workflow tries again.
    """
    path = layout.failed_uploads
    return int(path.read_text(encoding="utf-8")) if path.exists() else 0


def read_results(
    layout: Layout,
    record: RunRecord,
    keys: list[str],
    agreement: ModelAgreement | None,
) -> TrainedModel:
    """Return the results of a model.

    Parameters
    ----------
    layout : Layout
    record : RunRecord
    keys : list of str
        The settings that differ between the models.
    agreement : ModelAgreement or None
        Of its motifs with those of models that differ only in their seed.

    Raises
    ------
    InputError
        With one line per missing file.
    """
    name, sessions = record.name, record.data.sessions
    artifacts = layout.model(name).artifacts
    quality = {session: layout.quality(session) for session in sessions}
    others = [*artifacts, *quality.values()]
    missing = [path for path in others if not path.exists()]
    if missing:
        raise InputError(*(f"model {name}: {path} not found. Run snakemake." for path in missing))
    latents = [layout.latents(name, session) for session in sessions]
    latents = [path for path in latents if path.exists()]
    digests = [files.file_fingerprint(path) for path in latents]
    motif_files = motifs.motif_files(layout, name, sessions)
    between_models = agreement.metrics if agreement else {}
    return TrainedModel(
        record=record,
        history=read_history(layout.model(name).metrics),
        artifacts=artifacts,
        latents=latents,
        motifs={path: motifs.artifact_folder(layout, name, path) for path in motif_files},
        motif_quality=motifs.motif_metrics(layout.motifs(name).quality)
        | motifs.label_metrics(layout.motifs(name).labelled.facts)
        | between_models,
        quality={session: json.loads(path.read_text()) for session, path in quality.items()},
        folder=layout.motifs(name),
        digest=content_digest(layout.model(name).weights, layout.motifs(name)),
        tags=motifs.motif_tags(layout.motifs(name).quality)
        | {
            "varies": ", ".join(f"{key}={record.params[key]}" for key in keys),
            "latents_digest": files.fingerprint(digests),
            CONTENT_TAG: files.fingerprint(
                digests, [files.file_fingerprint(path) for path in [*others, *motif_files]]
            ),
        },
    )


def _upload(layout: Layout, models: list[str], address: Address) -> Uploaded:
    records = read_runs(layout, models)
    keys = differing_params(records)
    agreement = model_agreement(layout, records)
    trained = {
        name: read_results(layout, record, keys, agreement.get(name))
        for name, record in records.items()
    }
    run_ids = {name: record.run_id for name, record in records.items()}
    try:
        store = open_store(address)
        versions = {}
        for name, model in trained.items():
            run_ids[name], versions[name] = retry_on_conflict(_send, store, model)
        retry_on_conflict(set_best_alias, store, versions[best_model(records)])
    except store_errors() as error:
        log.warning(
            "upload to MLflow is incomplete. Run snakemake again, or `vame-pipe upload-mlflow %s`. "
            "Cause: %s",
            layout.root,
            redact_error(error, address.uri),
        )
        return Uploaded(address.experiment, run_ids, complete=False)
    return Uploaded(address.experiment, run_ids, complete=True)


def _send(store: Store, model: TrainedModel) -> tuple[str, Any]:
    """Bring the run of a model up to date; return its id and the version of the registered model."""
    client, record = store.client, model.record
    run_id = open_run(store, record)
    send_results(client, run_id, record, model.history)
    run = client.get_run(run_id).data
    current = run.tags
    if not model.motif_quality.items() <= run.metrics.items():
        log_batch(client, run_id, model.motif_quality, len(model.history))
    if current.get(CONTENT_TAG) != model.tags[CONTENT_TAG]:
        for path in model.artifacts:
            client.log_artifact(run_id, str(path))
        for path in model.latents:
            client.log_artifact(run_id, str(path), "latents")
        for path, folder in model.motifs.items():
            client.log_artifact(run_id, str(path), folder)
        client.log_dict(run_id, model.quality, "qc.json")
    tags = {"model": record.name, "varies": model.tags["varies"], MODEL_TAG: model.digest}
    version = register(store, run_id, model.artifacts[0], model.folder, record, tags)
    # written last: their presence marks the upload as complete
    for key, value in {MODEL_TAG: model.digest, **model.tags}.items():
        if current.get(key) != value:
            client.set_tag(run_id, key, value)
    log.info("model %s is in MLflow as run %s", record.name, run_id)
    return run_id, version
