"""Find motifs in the latents of the training sessions of a model, and write them for each session."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from vame_pipe.config.sections import Motifs
from vame_pipe.core import files, motif_quality
from vame_pipe.core.layout import MotifFolder
from vame_pipe.core.metadata import AlignedMetadata, WindowsMetadata, read_record
from vame_pipe.core.motif_quality import MotifQuality, Representation
from vame_pipe.core.source import SEGMENT
from vame_pipe.motifs import segmentation
from vame_pipe.motifs.bouts import find_bouts, transitions, usage
from vame_pipe.motifs.figures import plot_motifs
from vame_pipe.motifs.inputs import Inputs, Latents, read_latents
from vame_pipe.motifs.labels import used_rows, write_labels
from vame_pipe.motifs.quality import FLOOR, choose_n
from vame_pipe.motifs.sample import Sample, sample_latents, sample_pca
from vame_pipe.motifs.scan import Scaled, Trial, scaled, select, try_number
from vame_pipe.motifs.segmentation import Segmentation

log = logging.getLogger(__name__)

SHORT = 0.8
"""Fraction of `bout_s` below which a median bout is called short."""


def segment(inputs: Inputs, settings: Motifs, out: Path) -> None:
    """Write the segmentation of the latents of a model, and the motifs of every training session.

    Computes with one thread, so that the result does not depend on the machine's number of cores.

    Parameters
    ----------
    inputs : Inputs
    settings : Motifs
    out : Path
        Output folder.
    """
    torch.set_num_threads(1)
    folder = MotifFolder(out)
    sample = sample_latents(inputs)
    log.info(
        "%d of the rows of %d sessions are used to find motifs",
        len(sample.values),
        len(inputs.sessions),
    )
    trials, data = _scan(sample, "latents", settings, inputs.windows)
    chosen, reason = choose_n([trial.quality for trial in trials.values()])
    log.info("number of motifs: %s", reason)
    log.info("motifs are placed %d rows after the centre of a window", trials[chosen].lag)
    found = Segmentation(
        arrays={"offset": data.offset, "scale": sample.unit} | trials[chosen].arrays,
        method=settings.method,
        lag=trials[chosen].lag,
        fps=inputs.windows.fps,
        model_fingerprint=inputs.model_fingerprint,
        latents={session.name: session.meta.fingerprint for session in inputs.sessions},
        settings=settings.for_segmentation(),
        stage_version=SEGMENT,
        reason_for_n=reason,
    )
    found = numbered_by_usage(found, (read_latents(s.latents) for s in inputs.sessions))
    _warn(found, chosen, trials[chosen].quality)
    pca, _ = _scan(sample_pca(sample, inputs.windows.length), "pca", settings, inputs.windows)
    segmentation.save(found, folder)
    bouts, used = _write_sessions(found, inputs, folder)
    of_all = replace(trials[chosen].quality, n_sessions_min=_fewest_sessions(used))
    trials[chosen] = replace(trials[chosen], quality=of_all)
    scan = [
        replace(trial.quality, chosen=n == chosen)
        for each in (trials, pca)
        for n, trial in each.items()
    ]
    motif_quality.write(scan, folder.quality)
    plot_motifs(bouts.to_pandas(), used.to_pandas(), scan, folder)


def numbered_by_usage(found: Segmentation, latents: Iterable[Latents]) -> Segmentation:
    """Return a segmentation whose motif 0 is the one of most rows in the results, and so on.

    The fit orders its states by the rows of the sample. Here all rows count, without those that are too
    uncertain for a motif. Of motifs with the same number of rows, the present first one stays first.

    Parameters
    ----------
    found : Segmentation
    latents : iterable of Latents
        Of each training session.
    """
    rows = sum((used_rows(found, each) for each in latents), np.zeros(found.n_motifs, np.int64))
    order = np.argsort(-rows, kind="stable")
    return replace(found, arrays=select(found.arrays, order))


def _scan(
    sample: Sample, representation: Representation, settings: Motifs, windows: WindowsMetadata
) -> tuple[dict[int, Trial], Scaled]:
    """Return the segmentation for each number of motifs, and the scaled sample."""
    data, trials = scaled(sample), {}
    for n in settings.numbers:
        trials[n] = try_number(data, representation, n, settings, windows)
        quality = trials[n].quality
        log.info("%s, %d motifs: %s", representation, n, quality.describe())
    return trials, data


def _warn(found: Segmentation, n: int, quality: MotifQuality) -> None:
    """Log warnings about what a person should know of a segmentation."""
    if found.n_motifs < n:
        log.warning(
            "%d motifs were asked for, the data support %d: the others are used in no row and are left out",
            *(n, found.n_motifs),
        )
    if found.n_motifs == 1:
        log.warning("all rows are in one motif: the latent space has collapsed, or motifs.n is 1")
    wanted = found.settings["bout_s"]
    if found.method == "hmm" and wanted and quality.median_bout_s < SHORT * wanted:
        log.warning(
            "the median bout is %.2f s, shorter than motifs.bout_s (%g s): longer ones would cost a motif",
            *(quality.median_bout_s, wanted),
        )
    if quality.adjusted_rand is not None and quality.adjusted_rand < FLOOR:
        log.warning(
            "seeds agree only to %.2f (adjusted Rand): do not trust single motifs, try fewer",
            quality.adjusted_rand,
        )


def _fewest_sessions(used: pa.Table) -> int:
    """Return the number of sessions that use the motif that the fewest sessions use.

    Parameters
    ----------
    used : pyarrow.Table
        Usage of all sessions.
    """
    table = used.to_pandas().groupby(["motif", "session"], observed=True)["n_rows"].sum()
    return int((table > 0).groupby("motif").sum().min())


def _write_sessions(
    found: Segmentation, inputs: Inputs, folder: MotifFolder
) -> tuple[pa.Table, pa.Table]:
    """Write the motifs of every session, and the tables of all sessions; return bouts and usage."""
    parts = []
    for session in inputs.sessions:
        labels = write_labels(found, session, folder.session(session.name))
        individuals = list(read_record(AlignedMetadata, session.aligned).individuals)
        bouts = find_bouts(labels, found.fps)
        used = usage(bouts, individuals, session.name, found.n_motifs)
        parts.append((bouts, used, transitions(bouts, individuals, session.name)))
    for session in inputs.excluded:
        write_labels(found, session, folder.session(session.name))
    bouts, used, followed = (
        pa.concat_tables(tables).unify_dictionaries().combine_chunks()
        for tables in zip(*parts, strict=True)
    )
    paths = (folder.bouts, folder.usage, folder.transitions)
    for table, path in zip((bouts, used, followed), paths, strict=True):
        files.write_tables(path, [table], table.schema, files.metadata())
    return bouts, used
