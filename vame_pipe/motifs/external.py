"""Put a model that was trained elsewhere, and its segmentation, into the results folder."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

from vame_pipe.config.sections import Align
from vame_pipe.core import files
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout, MotifFolder
from vame_pipe.encoding import model_file
from vame_pipe.encoding.compatibility import differing_settings
from vame_pipe.motifs import segmentation

log = logging.getLogger(__name__)


def install_model(
    name: str, model: Path, source: MotifFolder | None, align: Align, layout: Layout
) -> None:
    """Check a model and its segmentation, and copy both.

    Parameters
    ----------
    name : str
        Name of the model in the configuration.
    model : Path
        The model file.
    source : MotifFolder or None
        Its segmentation.
    align : Align
        The section `align` of the configuration, with which sessions are aligned.
    layout : Layout
        The results folder.

    Raises
    ------
    InputError
        If a file is missing or damaged, the segmentation is of another model, or if the model needs another
        alignment. Nothing is copied then.
    """
    if source is None:
        raise InputError(
            f"models.{name}: the registered model has no segmentation. Add `segmentation: FOLDER`, with "
            "its segmentation.npz and segmentation.json."
        )
    loaded, found = model_file.load(model), segmentation.load(source)
    target = layout.motifs(name)
    digest = files.file_fingerprint(model)
    problems = []
    if found.model_fingerprint != digest:
        problems.append(
            f"models.{name}: the segmentation in {source.root} belongs to model "
            f"{found.model_fingerprint[:8]}, but {model} is model {digest[:8]}. Give the folder of that "
            "model, results/motifs/MODEL of the run in which it was trained."
        )
    problems += [
        f"models.{name}: {key} is {json.dumps(here)} in the configuration, {json.dumps(there)} in the "
        f"model. Set {key} to {json.dumps(there)}."
        for key, here, there in differing_settings(loaded, align.model_dump())
    ]
    if problems:
        raise InputError(*problems)
    for path, copy in (
        (model, layout.model(name).weights),
        (source.segmentation, target.segmentation),
        (source.settings, target.settings),
    ):
        with files.atomic(copy) as temporary:
            shutil.copyfile(path, temporary)
    log.info("model %s: %d motifs, windows of %d frames", name, found.n_motifs, loaded.length)
