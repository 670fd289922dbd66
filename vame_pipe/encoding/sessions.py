"""Encode aligned sessions from file to file."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from vame_pipe.core import files
from vame_pipe.core import novelty as novelty_record
from vame_pipe.core.device import Threads
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import novelty_file
from vame_pipe.core.metadata import (
    AlignedMetadata,
    LatentsMetadata,
    read_record,
    to_metadata,
    write_rejection,
)
from vame_pipe.core.schemas import INDEX_FIELDS
from vame_pipe.core.source import ENCODE
from vame_pipe.encoding import model_file
from vame_pipe.encoding.compatibility import check_compatible
from vame_pipe.encoding.encode import Encoder, latents_table, warn_of_unknown_features
from vame_pipe.encoding.novelty import write_novelty
from vame_pipe.windows.data import read_valid_rows

log = logging.getLogger(__name__)


def load_encoder(model_path: Path, device: str, threads: int = 1) -> Encoder:
    """Return a model that is ready to encode.

    Parameters
    ----------
    model_path : Path
        model.pt.
    device : str
        A torch device.
    threads : int
        Most CPU threads to use; fewer are used if other processes need the cores.
    """
    model = model_file.load(model_path)
    digest = files.file_fingerprint(model_path)
    return Encoder(model, model.network(device), digest, Threads(threads).adapt)


def encode_sessions(
    model_path: Path,
    targets: dict[Path, Path],
    device: str,
    scratch: Path | None = None,
    threads: int = 1,
    record_failure: bool = False,
    novelty: bool = False,
) -> None:
    """Write the latents of aligned sessions; files that are up to date are kept.

    Parameters
    ----------
    model_path : Path
        model.pt.
    targets : dict of Path to Path
        For each results/aligned/{session}.parquet: results/latents/{model}/{session}.parquet.
    device : str
        A torch device.
    scratch : Path, optional
        Folder for finished sessions, which are moved to their targets once all are done. A job that was
        interrupted resumes from it.
    threads : int
        Most CPU threads to use; fewer are used if other processes need the cores.
    record_failure : bool
        In place of the latents of a session that cannot be encoded, write the reasons, instead of raising;
        the report names them.
    novelty : bool
        Also write how far each session resembles the training sessions, next to its latents.

    Raises
    ------
    InputError
        If sessions could not be aligned or do not fit the model. The other sessions are still encoded.
    """
    encoder = load_encoder(model_path, device, threads)
    written = {path: scratch / out.name if scratch else out for path, out in targets.items()}
    problems = []
    for path, out in tqdm(written.items(), unit="session", disable=None):
        try:
            encode_session(encoder, path, out)
            if novelty:
                write_novelty(encoder.model, encoder.network, path, out)
        except InputError as error:
            if record_failure:
                _record_failure(error.problems, path.stem, out, novelty)
            else:
                problems += error.problems
    if problems:
        raise InputError(*problems)
    if scratch:
        for path, out in targets.items():
            out.parent.mkdir(parents=True, exist_ok=True)
            written[path].replace(out)
            if novelty:
                novelty_file(written[path]).replace(novelty_file(out))
            out.touch()  # an interrupted job may have written it; Snakemake refuses files older than inputs
        shutil.rmtree(scratch)


def _record_failure(problems: list[str], session: str, out: Path, novelty: bool) -> None:
    """Write the reasons why a session cannot be encoded, and log them."""
    for line in problems:
        log.warning("%s", line)
    write_rejection(out, problems)
    if novelty:
        novelty_record.write_rejection(session, problems, novelty_file(out))


def encode_session(encoder: Encoder, aligned: Path, out: Path) -> None:
    """Write the latents of a session, unless the file is up to date.

    Raises
    ------
    InputError
        If the session could not be aligned or does not fit the model.
    """
    meta = read_record(AlignedMetadata, aligned)
    check_compatible(encoder.model, meta, aligned)
    fingerprint = files.fingerprint(meta.fingerprint, encoder.fingerprint, ENCODE)
    if _is_up_to_date(out, fingerprint):
        return
    warn_of_unknown_features(encoder.model, meta.features)
    table, posterior_std = _encode_rows(encoder, aligned, meta)
    content = LatentsMetadata(
        model_fingerprint=encoder.fingerprint,
        aligned_fingerprint=meta.fingerprint,
        fingerprint=fingerprint,
        length=encoder.model.length,
        fps=meta.fps,
        posterior_std=posterior_std.tolist(),
        stage_version=ENCODE,
    )
    files.write_tables(out, [table], table.schema, to_metadata(content))


def _is_up_to_date(out: Path, fingerprint: str) -> bool:
    """Return whether a file of latents exists, is intact and has a fingerprint."""
    try:
        return read_record(LatentsMetadata, out).fingerprint == fingerprint
    except InputError:
        return False


def _encode_rows(
    encoder: Encoder, aligned: Path, meta: AlignedMetadata
) -> tuple[pa.Table, np.ndarray]:
    """Return what `latents_table` makes of an aligned session."""
    table, valid = pq.read_table(aligned), read_valid_rows(aligned)
    features = encoder.model.features or meta.features
    values = np.stack([table[name].to_numpy()[valid.position] for name in features], axis=1)
    index = table.select([field.name for field in INDEX_FIELDS])
    latents, posterior_std = latents_table(encoder, index, values, valid)
    if len(latents):
        log.info("session %s: %d latent vectors", meta.session, len(latents))
    else:
        log.warning(
            "session %s: no run of %d valid frames, so no latent vectors",
            *(meta.session, encoder.model.length),
        )
    return latents, posterior_std
