"""What MLflow gets of the motifs of a model: files and quality."""

from __future__ import annotations

from pathlib import Path

from vame_pipe.core import label_facts, motif_quality
from vame_pipe.core.layout import Layout

FOLDER = "motifs"
"""Folder of the artifacts, and prefix of the metrics."""


def motif_files(layout: Layout, model: str, sessions: list[str]) -> list[Path]:
    """Return the files of a model that exist: segmentation, tables, plots, clips, groups, sessions."""
    folder = layout.motifs(model)
    paths = [*folder.outputs, *folder.described.outputs, *folder.labelled.outputs]
    paths += [*sorted(folder.clips.glob("*.gif")), *layout.groups(model).outputs]
    return [path for path in [*paths, *map(folder.session, sessions)] if path.exists()]


def artifact_folder(layout: Layout, model: str, path: Path) -> str:
    """Return the folder of the artifacts for one of `motif_files`.

    Examples
    --------
    >>> layout = Layout(Path("results"))
    >>> artifact_folder(layout, "vame", layout.motifs("vame").described.bouts)
    'motifs/described'
    """
    groups = layout.groups(model)
    if path.parent in (groups.tables, groups.figures):
        return "groups"
    return (Path(FOLDER) / path.parent.relative_to(layout.motifs(model).root)).as_posix()


def motif_metrics(quality: Path) -> dict[str, float]:
    """Return the quality of the motifs that were chosen, and of those of PCA; nothing without the file.

    Parameters
    ----------
    quality : Path
        quality.parquet of a model.

    Returns
    -------
    dict of str to float
        For example `motifs/adjusted_rand` and `motifs/pca_adjusted_rand`. Numbers that are not known, such
        as the agreement between seeds if there is one seed, are left out.
    """
    if not quality.exists():
        return {}
    return {
        f"{FOLDER}/{'pca_' if row.representation == 'pca' else ''}{name}": value
        for row in motif_quality.read(quality)
        if row.chosen
        for name, value in row.numbers.items()
    }


def label_metrics(facts: Path) -> dict[str, float]:
    """Return how far motifs and latents hold what people labelled; nothing without the file.

    Parameters
    ----------
    facts : Path
        labels.json of a model.

    Returns
    -------
    dict of str to float
        For example `labels/overlap` and `labels/pca_overlap`.
    """
    return label_facts.read(facts).metrics if facts.exists() else {}


def motif_tags(quality: Path) -> dict[str, str]:
    """Return the covariance that was used for the motifs and for those of PCA; nothing without the file.

    Parameters
    ----------
    quality : Path
        quality.parquet of a model.

    Returns
    -------
    dict of str to str
        For example `motifs_covariance` and `motifs_pca_covariance`.
    """
    if not quality.exists():
        return {}
    return {
        f"{FOLDER}_{'pca_' if row.representation == 'pca' else ''}covariance": row.covariance
        for row in motif_quality.read(quality)
        if row.chosen and row.covariance
    }
