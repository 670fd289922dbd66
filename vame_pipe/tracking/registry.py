"""Logged models and the registered model in MLflow."""

from __future__ import annotations

import logging
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from vame_pipe.core import files, segmentation_facts
from vame_pipe.core.layout import ModelFolder, MotifFolder
from vame_pipe.core.run_record import RunRecord
from vame_pipe.tracking.runs import log_batch
from vame_pipe.tracking.store import Store

PACKAGE = Path(__file__).parents[1]
MODEL_TAG = "model_digest"
"""Tag of a run, a logged model and a version of the registered model: SHA-256 of model.pt and, if there is
one, its segmentation."""
ARTIFACTS = "artifacts"
"""Folder of the model file and the segmentation in a logged model."""
MODEL_NAME = ModelFolder(Path()).weights.name


def register(
    store: Store,
    run_id: str,
    model: Path,
    motifs: MotifFolder,
    record: RunRecord,
    tags: dict[str, str],
) -> Any:
    """Return the version of the registered model that holds a model file; create it if there is none.

    The store is searched every time, because someone may have deleted the version.

    Parameters
    ----------
    store : Store
    run_id : str
        Run of the model.
    model : Path
        The model file.
    motifs : MotifFolder
        Its motifs; the version also holds the segmentation, if there is one.
    record : RunRecord
    tags : dict of str to str
        Tags of the version; for `MODEL_TAG` see `content_digest`.

    Returns
    -------
    mlflow.entities.model_registry.ModelVersion
    """
    from mlflow.exceptions import MlflowException

    client = store.client
    name = store.registered_model.replace("'", "\\'")
    versions = client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'")
    # for a version without the tag, the run's own tag counts
    of_run = client.get_run(run_id).data.tags.get(MODEL_TAG)
    same = [each for each in versions if each.tags.get(MODEL_TAG, of_run) == tags[MODEL_TAG]]
    if same:
        return max(same, key=lambda each: int(each.version))
    logged = find_model(store, run_id, tags[MODEL_TAG])
    if logged is None:
        logged = log_model(store, run_id, model, motifs, record, tags)
    try:
        client.create_registered_model(store.registered_model)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    return client.create_model_version(
        store.registered_model, logged.artifact_location, run_id, tags, model_id=logged.model_id
    )


def find_model(store: Store, run_id: str, digest: str) -> Any | None:
    """Return the logged model of a run with the given SHA-256 of the model file; None if there is none."""
    found = store.client.search_logged_models(
        [store.experiment_id], f"source_run_id = '{run_id}' AND tags.{MODEL_TAG} = '{digest}'"
    )
    return next((each for each in found if each.status == "READY"), None)


def content_digest(model: Path, motifs: MotifFolder) -> str:
    """Return the SHA-256 of a model file and, if there is one, its segmentation."""
    digest = files.file_fingerprint(model)
    if not has_segmentation(motifs):
        return digest
    return files.fingerprint(digest, segmentation_facts.read(motifs.settings).fingerprint)


def has_segmentation(motifs: MotifFolder) -> bool:
    """Return whether both files of a segmentation exist."""
    return motifs.segmentation.exists() and motifs.settings.exists()


def log_model(
    store: Store,
    run_id: str,
    model: Path,
    motifs: MotifFolder,
    record: RunRecord,
    tags: dict[str, str],
) -> Any:
    """Log a model file as a model that MLflow can load; return the logged model.

    Uses the client, because `mlflow.pyfunc.log_model` depends on the state of the whole process. For the
    input and output of the model see `vame_pipe.tracking.pyfunc_model`.
    """
    from mlflow.entities import LoggedModelOutput

    client, name = store.client, record.name.replace(".", "_")  # MLflow allows no dot
    params = {key: str(value) for key, value in record.params.items()}
    logged = client.create_logged_model(store.experiment_id, name, run_id, tags, params, "encoder")
    with tempfile.TemporaryDirectory() as folder:
        save_model(Path(folder) / "model", model, motifs, record, logged.model_id)
        client.log_model_artifacts(logged.model_id, f"{folder}/model")
    step = int(record.summary["final/epochs"])
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step)])
    log_batch(client, run_id, record.summary, step, record.ended, logged.model_id)
    return client.finalize_logged_model(logged.model_id, "READY")


def save_model(
    folder: Path, model: Path, motifs: MotifFolder, record: RunRecord, model_id: str
) -> None:
    """Write a model in MLflow's layout, with a copy of this package as its code."""
    import mlflow
    import numpy as np
    from mlflow.models import Model, ModelSignature
    from mlflow.types import Schema, TensorSpec

    data, zdims = record.data, int(record.params["model.zdims"])
    frames = TensorSpec(np.dtype("float32"), (-1, -1, len(data.features)))
    output = Schema([TensorSpec(np.dtype("float32"), (-1, zdims))])
    artifacts, metadata = {"model": str(model)}, {"features": data.features, "length": data.length}
    if has_segmentation(motifs):
        artifacts |= {"segmentation": str(motifs.segmentation), "settings": str(motifs.settings)}
        metadata["lag"] = segmentation_facts.read(motifs.settings).lag
        output = Schema(
            [
                TensorSpec(np.dtype("float32"), (-1, zdims), "latents"),
                TensorSpec(np.dtype("int64"), (-1,), "motif"),
                TensorSpec(np.dtype("float32"), (-1,), "confidence"),
            ]
        )
    pins = [f"{name}=={version(name)}" for name in ("mlflow", "numpy", "pyarrow", "torch")]
    # MLflow warns that type hints and an input example are missing, and ignores filters of warnings
    logging.getLogger("py.warnings").setLevel(logging.ERROR)
    mlflow.pyfunc.save_model(
        folder,
        python_model=str(PACKAGE / "tracking/pyfunc_model.py"),
        code_paths=[str(PACKAGE)],
        artifacts=artifacts,
        signature=ModelSignature(Schema([frames]), output),
        pip_requirements=[pin.partition("+")[0] for pin in pins],
        metadata=metadata | {"fps": data.fps},
        mlflow_model=Model(model_id=model_id),
    )


def set_best_alias(store: Store, model_version: Any) -> None:
    """Give the alias `best` to a version of the registered model, unless it already has it."""
    if "best" not in model_version.aliases:
        store.client.set_registered_model_alias(
            store.registered_model, "best", model_version.version
        )
