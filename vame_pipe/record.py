"""Send to MLflow what it lacks of the results: once, into the run of each training."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from vame_pipe import compare, store, tracking

log = logging.getLogger(__name__)

RECORDED, MODEL = "recorded", "model_digest"
"""Tags of a run: fingerprints of the artifacts, and of the model, that it has."""
FAILURES = "mlflow/failures.txt"


def track(
    results: Path, models: list[str], uri: str, experiment: str
) -> tuple[dict[str, str | None], bool]:
    """Send what MLflow lacks of some models.

    A store that fails is reported and stops nothing; call this again later.

    Parameters
    ----------
    results : Path
        The results folder.
    models : list of str
    uri, experiment : str
        MLflow's store, name of the experiment; models are registered under that name too.

    Returns
    -------
    runs : dict of str to str
        The run of each model; None where there is none.
    complete : bool
        Whether all has been sent.
    """
    abouts = compare.read_runs(results, models)
    keys = compare.varied(abouts)
    runs: dict[str, str | None] = {name: about["run_id"] for name, about in abouts.items()}
    try:
        target = tracking.open_store(uri, experiment)
        for name, about in abouts.items():
            varies = ", ".join(f"{key}={about['params'][key]}" for key in keys)
            runs[name] = tracking.patiently(_send, target, results, about, varies)
        best = min(models, key=lambda name: compare.error(abouts[name]))
        tracking.patiently(tracking.mark_best, target, runs[best])
    except Exception as error:  # a store's many layers raise what they like
        log.warning(
            "MLflow fails, not all is recorded. Run snakemake again, or `vame-pipe track %s`. %s",
            results,
            tracking.describe(error),
        )
        return runs, False
    return runs, True


def _send(target: tracking.Store, results: Path, about: dict[str, Any], varies: str) -> str:
    """Bring the run of a model up to date; return its id."""
    client, folder = target.client, results / "models" / about["name"]
    run_id = tracking.open_run(target, about)
    history = [json.loads(line) for line in (folder / compare.METRICS).read_text().splitlines()]
    tracking.send_results(client, run_id, about, history)
    has = client.get_run(run_id).data.tags
    sessions = about["data"]["profile"]["sessions"]
    latents = [results / "latents" / about["name"] / f"{session}.parquet" for session in sessions]
    latents = [path for path in latents if path.exists()]
    quality = [results / "aligned" / f"{session}.qc.json" for session in sessions]
    artifacts = sorted(path for path in folder.iterdir() if path.is_file())
    digests = [store.file_fingerprint(path) for path in latents]
    wanted = {
        "varies": varies,
        "latents_digest": store.fingerprint(digests),
        RECORDED: store.fingerprint(
            digests, [store.file_fingerprint(p) for p in (*artifacts, *quality)]
        ),
    }
    if has.get(RECORDED) != wanted[RECORDED]:
        for path in artifacts:
            client.log_artifact(run_id, str(path))
        for path in latents:
            client.log_artifact(run_id, str(path), "latents")
        qc = {path.name.removesuffix(".qc.json"): json.loads(path.read_text()) for path in quality}
        client.log_dict(run_id, qc, "qc.json")
    model = folder / "model.pt"
    digest = store.file_fingerprint(model)
    if has.get(MODEL) != digest:
        tags = {"model": about["name"], "varies": varies}
        tracking.log_model(target, run_id, model, about, tags)
        client.set_tag(run_id, MODEL, digest)
    for key, value in wanted.items():  # last: who finds them need not look further
        if has.get(key) != value:
            client.set_tag(run_id, key, value)
    log.info("model %s is in MLflow as run %s", about["name"], run_id)
    return run_id


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
