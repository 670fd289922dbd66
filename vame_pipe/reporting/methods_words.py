"""The text for the methods section of a paper, from what `methods` has read."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import pandas as pd

from vame_pipe.core.group_facts import GroupFacts
from vame_pipe.core.metadata import AlignedMetadata, WindowsMetadata
from vame_pipe.core.motif_quality import MotifQuality
from vame_pipe.core.run_record import RunRecord
from vame_pipe.core.segmentation_facts import SegmentationFacts
from vame_pipe.reporting import methods_recordings
from vame_pipe.reporting.recordings import Recording
from vame_pipe.reporting.words import counted, joined

PACKAGES = ("torch", "numpy", "scikit-learn", "scipy", "snakemake")
"""Libraries that compute, named with their versions."""
VAME = (
    "Luxem, K., Mocellin, P., Fuhrmann, F., Kürsch, J., Miller, S. R., Palop, J. J., Remy, S., Bauer, P. "
    "Identifying behavioral structure from deep variational embeddings of animal motion. Communications "
    "Biology 5, 1267 (2022)."
)


@dataclass(frozen=True)
class Material:
    """What the text is written from.

    Attributes
    ----------
    recordings : list of Recording
        One per animal of each session.
    aligned : AlignedMetadata
        Of the first session; settings and keypoints are those of all.
    rates : list of float
        Frames per second of the recordings, each rate once, ascending.
    windows : WindowsMetadata
    runs : dict of str to RunRecord
        By model.
    best : RunRecord
        The model whose motifs are described.
    pca : float or None
        Fraction of the variance of a window that PCA explains.
    segmentation : SegmentationFacts
    quality : MotifQuality or None
        Of the motifs in the latents.
    motifs : pandas.DataFrame
        As in motifs.parquet.
    groups : GroupFacts or None
    package_versions : list of str
        Versions of vame_pipe that aligned the recordings.
    """

    recordings: list[Recording]
    aligned: AlignedMetadata
    rates: list[float]
    windows: WindowsMetadata
    runs: dict[str, RunRecord]
    best: RunRecord
    pca: float | None
    segmentation: SegmentationFacts
    quality: MotifQuality | None
    motifs: pd.DataFrame
    groups: GroupFacts | None
    package_versions: list[str]


def text(material: Material) -> str:
    """Return the text: paragraphs in Markdown, with a heading each."""
    sections = {
        "Recordings": methods_recordings.recordings(
            material.recordings, material.aligned, material.rates, material.windows
        ),
        "Alignment": methods_recordings.alignment(material.aligned),
        "Model": _model(material),
        "Motifs": _motifs(material),
        "Groups": material.groups.methods if material.groups else "",
        "Software": _software(material),
        "References": VAME,
    }
    shown = [f"## {title}\n\n{content}\n" for title, content in sections.items() if content]
    note = (
        "Generated from the results; every number was read from their files. Shorten it, and add what only "
        "you know: animals, camera, tracking."
    )
    return "\n".join(["# Methods\n", f"<!-- {note} -->\n", *shown])


def _model(material: Material) -> str:
    run, data, windows = material.best, material.best.data, material.windows
    use, found = run.params, run.summary
    seconds, future = data.length / data.fps, windows.future / data.fps
    predicts = f" and to predict the {future:g} s after it" if windows.future else ""
    balance = use.get("windows.balance", False)
    weighted = ", and weighted so that positions and motion count equally" if balance else ""
    sizes = [f"{key.removeprefix('model.')} = {use[key]}" for key in _sizes(use)]
    sentences = [
        f"A recurrent variational autoencoder (VAME, Luxem et al. 2022) with {use['model.zdims']} latent "
        f"dimensions ({', '.join(sizes)}) was trained to reconstruct windows of {data.length} frames "
        f"({seconds:g} s){predicts}. Features were standardised{weighted}.",
        f"{data.n_train:,} windows of {data.n_frames:,} valid frames were used for training, "
        f"{data.n_val:,} windows for validation: {use['windows.val_fraction']:.0%} of the frames of each "
        "recording in contiguous blocks, which share no frame with the training windows.",
        f"The model was trained with Adam for {counted(int(found['final/epochs']), 'epoch')} "
        f"({int(found['final/windows_seen']):,} windows; {run.stop}; batches of {use['train.batch_size']}, "
        f"highest learning rate {use['train.learning_rate']:g}, seed {use['train.seed']}); the weights "
        f"are those of epoch {int(found['final/best_epoch']) + 1}, which had the lowest validation loss.",
        _loss(use, bool(windows.future)),
        f"On the validation windows the model explains {found['final/r2_reconstruction']:.1%} of the "
        f"{'weighted ' if balance else ''}variance of a window"
        + (
            f" and {found['final/r2_prediction']:.1%} of that of the movement after it"
            if "final/r2_prediction" in found and windows.future
            else ""
        )
        + (
            f"; a principal component analysis with as many dimensions explains {material.pca:.1%}."
            if material.pca is not None
            else "."
        ),
        f"{int(found['final/active_units'])} of the latent dimensions carry information.",
    ]
    paragraphs = [" ".join(sentences)]
    if len(material.runs) > 1:
        paragraphs.append(_all_models(material))
    return "\n\n".join(paragraphs)


def _loss(use: dict[str, Any], predicts: bool) -> str:
    """Return the terms of the loss and their weights."""
    terms = [f"{use['train.prediction_weight']:g} for the predicted part"] if predicts else []
    terms += [
        f"{use['train.beta']:g} for the Kullback-Leibler divergence",
        f"{use['train.spectral_weight']:g} for the spectral term",
    ]
    return f"The loss is the squared error of a window, with weights of {joined(terms)}."


def _sizes(use: dict[str, Any]) -> list[str]:
    keys = [key for key in use if key.startswith("model.hidden_size")]
    return [key for key in keys if use[key] is not None]


def _all_models(material: Material) -> str:
    """Return a sentence on the choice of the model, and a table of all models."""
    rows = [
        "| model | latent dimensions | seed | epochs | error per validation window |",
        "|---|---|---|---|---|",
    ]
    for name, run in material.runs.items():
        cells = (run.params["model.zdims"], run.params["train.seed"])
        epochs, error = int(run.summary["final/epochs"]), run.error
        rows.append(f"| {name} | {cells[0]} | {cells[1]} | {epochs} | {error:.4g} |")
    choice = (
        f"This model, {material.best.name}, is the one of {len(material.runs)} models with the lowest "
        "squared error per validation window:"
    )
    return f"{choice}\n\n" + "\n".join(rows)


def _motifs(material: Material) -> str:
    facts, quality, used = material.segmentation, material.quality, material.motifs
    use = facts.settings
    how = (
        "a hidden Markov model with Gaussian emissions"
        if facts.method == "hmm"
        else "k-means clustering"
    )
    if quality is not None and quality.covariance is not None:
        shared = "shared by all states" if quality.covariance == "shared" else "of each state"
        how += f" and a covariance {shared}"
    sentences = [
        f"{counted(facts.n_motifs, 'motif')} were found in the latent vectors by {how}. The number: "
        f"{facts.reason_for_n}"
    ]
    if facts.method == "hmm":
        if use["bout_s"] is not None:
            sentences.append(
                f"Bouts were to have a median duration of {use['bout_s']:g} s at least."
            )
        sentences.append(
            f"Bouts whose motif had a mean posterior probability below {use['min_confidence']:g} were left "
            "without a motif."
        )
    if quality is not None and quality.adjusted_rand is not None:
        sentences.append(
            f"The segmentation was repeated with {use['seeds']} seeds, and the one that agrees best with "
            "the others was used; the mean adjusted Rand index between seeds was "
            f"{quality.adjusted_rand:.2f}."
        )
    if quality is not None:
        sentences.append(f"The median bout lasted {quality.median_bout_s:.2f} s.")
    n_merged = facts.n_motifs - len(used)
    if n_merged:
        were = "was" if n_merged == 1 else "were"
        sentences.append(
            f"{n_merged} of them {were} merged into others by hand, which left {len(used)}."
        )
    bouts = int(used["n_bouts"].sum())
    sentences.append(
        f"The training recordings have {bouts:,} bouts; the motifs were used in "
        f"{used['fraction'].min():.1%} to {used['fraction'].max():.1%} of the time with a motif."
    )
    return " ".join(sentences)


def _software(material: Material) -> str:
    libraries = [f"{name} {version(name)}" for name in PACKAGES]
    made = joined(material.package_versions)
    return (
        f"All steps were computed with vame_pipe {made} (Python {platform.python_version()}, "
        f"{', '.join(libraries)}); the model was trained on {material.best.source.get('device', 'cpu')}."
    )
