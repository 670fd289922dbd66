"""Send to MLflow what it does not have of the results: once, into the run of each training."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vame_pipe import compare, store, tracking
from vame_pipe.errors import InputError

log = logging.getLogger(__name__)

RECORDED = "recorded"
"""Tag of a run: fingerprint of the artifacts that it has."""
FAILURES = "mlflow/failures.txt"
ARTIFACTS = (
    *("model.pt", "config.yaml", compare.RUN, compare.METRICS),
    *("losses.png", "reconstructions.png", "spectrum.png"),
)
"""What a training leaves, by name: what a killed one left half written is not sent."""


@dataclass(frozen=True)
class Trained:
    """What the results folder holds of a model.

    Attributes
    ----------
    about : dict
        run.json.
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

    about: dict[str, Any]
    history: list[dict[str, Any]]
    artifacts: list[Path]
    latents: list[Path]
    quality: dict[str, Any]
    digest: str
    tags: dict[str, str]


def track(
    results: Path, models: list[str], place: tracking.Address
) -> tuple[dict[str, str | None], bool]:
    """Send what MLflow does not have of some models.

    A store that fails is reported and stops nothing; call this again later.

    Parameters
    ----------
    results : Path
        The results folder.
    models : list of str
    place : tracking.Address
        MLflow's store and experiment; models are registered under the experiment's name too.

    Returns
    -------
    runs : dict of str to str
        The run of each model; None where there is none.
    complete : bool
        Whether all has been sent.

    Raises
    ------
    InputError
        If a file of a model is not there, or the experiment has been deleted.
    """
    abouts = compare.read_runs(results, models)
    keys = compare.varied(abouts)
    trained = {name: read(results, about, keys) for name, about in abouts.items()}
    best = min(models, key=lambda name: compare.error(abouts[name]))
    runs: dict[str, str | None] = {name: about["run_id"] for name, about in abouts.items()}
    try:
        target = tracking.open_store(*place)
        versions = {}
        for name, files in trained.items():
            runs[name], versions[name] = tracking.patiently(_send, target, files)
        tracking.patiently(tracking.mark_best, target, versions[best])
    except tracking.store_errors() as error:
        log.warning(
            "MLflow fails, not all is recorded. Run snakemake again, or `vame-pipe track %s`. %s",
            results,
            tracking.describe(error, place.uri),
        )
        return runs, False
    return runs, True


def read(results: Path, about: dict[str, Any], keys: list[str]) -> Trained:
    """Return what the results folder holds of a model.

    Parameters
    ----------
    results : Path
    about : dict
        Its run.json.
    keys : list of str
        The parameters that vary between the models.

    Raises
    ------
    InputError
        With every file that is not there.
    """
    name, sessions = about["name"], about["data"]["profile"]["sessions"]
    folder = results / "models" / name
    artifacts = [folder / artifact for artifact in ARTIFACTS]
    quality = [results / "aligned" / f"{session}.qc.json" for session in sessions]
    missing = [path for path in (*artifacts, *quality) if not path.exists()]
    if missing:
        raise InputError(
            *(f"model {name}: {path} is not there. Make it with snakemake." for path in missing)
        )
    latents = [results / "latents" / name / f"{session}.parquet" for session in sessions]
    latents = [path for path in latents if path.exists()]
    digests = [store.file_fingerprint(path) for path in latents]
    others = [store.file_fingerprint(path) for path in (*artifacts, *quality)]
    return Trained(
        about=about,
        history=[json.loads(line) for line in (folder / compare.METRICS).read_text().splitlines()],
        artifacts=artifacts,
        latents=latents,
        quality={
            s: json.loads(path.read_text()) for s, path in zip(sessions, quality, strict=True)
        },
        digest=store.file_fingerprint(folder / "model.pt"),
        tags={
            "varies": ", ".join(f"{key}={about['params'][key]}" for key in keys),
            "latents_digest": store.fingerprint(digests),
            RECORDED: store.fingerprint(digests, others),
        },
    )


def _send(target: tracking.Store, trained: Trained) -> tuple[str, Any]:
    """Bring the run of a model up to date; return its id and the version of the registered model."""
    client, about = target.client, trained.about
    run_id = tracking.open_run(target, about)
    tracking.send_results(client, run_id, about, trained.history)
    has = client.get_run(run_id).data.tags
    if has.get(RECORDED) != trained.tags[RECORDED]:
        for path in trained.artifacts:
            client.log_artifact(run_id, str(path))
        for path in trained.latents:
            client.log_artifact(run_id, str(path), "latents")
        client.log_dict(run_id, trained.quality, "qc.json")
    tags = {
        "model": about["name"],
        "varies": trained.tags["varies"],
        tracking.MODEL: trained.digest,
    }
    version = tracking.register(target, run_id, trained.artifacts[0], about, tags)
    # last: who finds these need not look further
    for key, value in {tracking.MODEL: trained.digest, **trained.tags}.items():
        if has.get(key) != value:
            client.set_tag(run_id, key, value)
    log.info("model %s is in MLflow as run %s", about["name"], run_id)
    return run_id, version


def failures(results: Path) -> int:
    """Return how many times not all could be sent.

    It is a parameter of the rule that calls `track`: after a failure it has changed, so that the next
    run of the workflow tries again.
    """
    path = results / FAILURES
    return int(path.read_text()) if path.exists() else 0


def note_failures(results: Path, times: int) -> None:
    """Write what `failures` returns, if it has changed."""
    if times != failures(results):
        store.write_text(results / FAILURES, f"{times}\n")
