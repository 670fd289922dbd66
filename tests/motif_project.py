"""Small folders of latents with known states, as the stages before write them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from aligned_files import write_aligned

from vame_pipe.config.sections import Windows
from vame_pipe.core import files
from vame_pipe.core.layout import Layout
from vame_pipe.core.metadata import AlignedMetadata, LatentsMetadata, read_record, to_metadata
from vame_pipe.core.schemas import INDEX_FIELDS, feature_fields, latent_names
from vame_pipe.core.source import ENCODE
from vame_pipe.motifs.inputs import Inputs, find_inputs
from vame_pipe.windows.build import build
from vame_pipe.windows.data import read_valid_rows, window_starts

LENGTH, ZDIMS = 5, 4
"""Rows of a window, at 10 rows per second, and dimensions of the latents."""


def draw_states(n_rows, n_states=3, seed=0, mean_bout=15) -> np.ndarray:
    """States of rows in bouts, the first states more often than the later ones."""
    rng = np.random.default_rng(seed)
    chance = np.arange(n_states, 0, -1) / np.arange(1, n_states + 1).sum()
    states = []
    while len(states) < n_rows:
        states += [rng.choice(n_states, p=chance)] * int(rng.integers(8, 2 * mean_bout))
    return np.array(states[:n_rows])


@dataclass
class Project:
    """A results folder, up to the latents of one model."""

    layout: Layout

    def add(self, session, valid, states=None, spread=0.3, seed=0, model="m", **aligned) -> None:
        """Write an aligned session and its latents, which are the states of their rows, with noise."""
        path = write_aligned(self.layout.aligned_folder, session, valid, seed=seed, **aligned)
        meta, rows = read_record(AlignedMetadata, path), read_valid_rows(path)
        starts = window_starts(rows.run, LENGTH)
        centre = rows.position[starts + LENGTH // 2]
        rng = np.random.default_rng(seed)
        values = spread * rng.normal(size=(len(centre), ZDIMS))
        if states is not None:
            values += 3 * np.eye(max(ZDIMS, states.max() + 1))[states[centre]][:, :ZDIMS]
        index = pq.read_table(path, columns=[f.name for f in INDEX_FIELDS]).take(pa.array(centre))
        fields = [*INDEX_FIELDS, *feature_fields(latent_names(ZDIMS))]
        columns = [*index.columns, *map(pa.array, values.T.astype(np.float32))]
        table = pa.Table.from_arrays(columns, schema=pa.schema(fields))
        digest = files.file_fingerprint(self.layout.model(model).weights)
        record = LatentsMetadata(
            model_fingerprint=digest,
            aligned_fingerprint=meta.fingerprint,
            fingerprint=files.fingerprint(session, seed, digest),
            length=LENGTH,
            fps=meta.fps,
            posterior_std=[0.3] * ZDIMS,
            stage_version=ENCODE,
        )
        target = self.layout.latents(model, session)
        files.write_tables(target, [table], table.schema, to_metadata(record))

    def inputs(self, *sessions, model="m", min_valid=None) -> Inputs:
        """The training sessions."""
        aligned = [self.layout.aligned(name) for name in sessions]
        settings, windows = Windows(length_s=0.5, future_s=0.1), self.layout.windows_folder.root
        build(aligned, settings, windows, min_valid)
        folders = self.layout.latents_folder(model), self.layout.aligned_folder
        return find_inputs(
            *folders, self.layout.windows_folder.root, self.layout.model(model).weights
        )


def new_project(folder: Path) -> Project:
    """Return an empty project with two models that are nothing but names."""
    layout = Layout(folder)
    for name in ("m", "other"):
        files.write_text(layout.model(name).weights, name)
    return Project(layout)
