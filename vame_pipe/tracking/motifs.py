"""What MLflow gets of the motifs of a model: files and quality."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from vame_pipe.core.layout import Layout

FOLDER = "motifs"
"""Folder of the artifacts, and prefix of the metrics."""
METRICS = (
    *("n", "adjusted_rand", "adjusted_rand_se", "variation_of_information", "log_likelihood"),
    *("median_bout_s", "boundary_z", "n_sessions_min"),
)
"""Columns of quality.parquet that become metrics."""


def motif_files(layout: Layout, model: str, sessions: list[str]) -> list[Path]:
    """Return the motif files of a model that exist: segmentation, tables, plots, motifs of sessions."""
    folder = layout.motifs(model)
    return [path for path in [*folder.outputs, *map(folder.session, sessions)] if path.exists()]


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
    table = pd.read_parquet(quality)
    return {
        f"{FOLDER}/{'pca_' if row['representation'] == 'pca' else ''}{name}": float(row[name])
        for row in table[table["chosen"]].to_dict("records")
        for name in METRICS
        if pd.notna(row[name])
    }
