"""A trained model with its motifs, which several tests apply to other recordings."""

import dataclasses
from pathlib import Path

from models import write_model_of

from vame_pipe.config.sections import Motifs
from vame_pipe.core.layout import Layout
from vame_pipe.encoding import model_file
from vame_pipe.encoding.model_file import Reference
from vame_pipe.encoding.sessions import encode_sessions
from vame_pipe.motifs.inputs import find_inputs
from vame_pipe.motifs.segment import segment
from vame_pipe.windows import data as window_data


def make_model(data: Path, folder: Path) -> Layout:
    """A model of two recordings, and its motifs, as the workflow writes them."""
    layout = Layout(folder)
    model = layout.model("m").weights
    write_model_of(data / "windows", model)
    meta = window_data.load(data / "windows").meta
    reference = Reference(0.5, meta.body_lengths, meta.source_rates)
    model_file.save(dataclasses.replace(model_file.load(model), reference=reference), model)
    sessions = {name: data / f"aligned/{name}.parquet" for name in ("sim-1", "sim-2")}
    encode_sessions(
        model, {path: layout.latents("m", name) for name, path in sessions.items()}, "cpu"
    )
    inputs = find_inputs(layout.latents_folder("m"), data / "aligned", data / "windows", model)
    segment(inputs, Motifs(n=3, seeds=2), layout.motifs("m").root)
    return layout
