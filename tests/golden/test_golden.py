"""The numbers of each stage change only together with the version of the stage.

If a change of numbers is meant, raise the stage's version in vame_pipe/core/source.py and write the new
numbers with `python -m pytest tests/golden --update-golden`.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from vame_pipe.alignment.session import align_session
from vame_pipe.config.sections import Align, Model, Motifs, Session, Train, Windows
from vame_pipe.core import description, source
from vame_pipe.core.layout import Layout
from vame_pipe.encoding.sessions import encode_sessions
from vame_pipe.motifs import group_table, recording, segmentation, subjects
from vame_pipe.motifs.describe import Wishes, describe
from vame_pipe.motifs.inputs import find_inputs
from vame_pipe.motifs.recording import Folders
from vame_pipe.motifs.segment import segment
from vame_pipe.motifs.subjects import Study, Subject
from vame_pipe.poses.simulate import write_recordings
from vame_pipe.reporting.comparison import compare
from vame_pipe.tracking.tracker import NullTracker
from vame_pipe.training.run import TrainingJob, train_model
from vame_pipe.windows.build import build

FOLDER = Path(__file__).parent
SESSIONS = ("sim-1", "sim-2")
TOLERANCE = {
    **{"train": 2e-3, "encode": 2e-3, "compare": 2e-3},
    **dict.fromkeys(("segment", "describe", "groups"), 2e-2),
}
"""Relative; processors round differently, and training amplifies it. Other stages: 1e-5."""


def summary(values) -> list[float]:
    """A few numbers that change if any value does."""
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    weights = np.cos(np.arange(len(values)))
    return [len(values), values.mean(), values.std(), float(values @ weights) / len(values)]


def columns(path, names=None) -> dict[str, list[float]]:
    table = pd.read_parquet(path)
    names = names or table.select_dtypes("number").columns
    return {name: summary(table[name]) for name in names}


def of_groups(folders) -> dict[str, list[float]]:
    """What two recordings do, and the comparison of eight made-up animals by the same measures."""
    found = segmentation.load(folders.motifs)
    described = description.read(folders.motifs.described.description)
    for session in recording.find_sessions(folders, SESSIONS, found):
        measures, values = subjects.measure(recording.read(folders, session), described)
    animals = [Subject(f"m{k}", "ab"[k % 2], None, 1) for k in range(8)]
    made_up = np.random.default_rng(0).normal(size=(len(measures), 8)) + np.arange(8) % 2
    motifs = {motif.number: motif.name for motif in described.motifs}
    table = group_table.compare(Study(measures, animals, made_up), motifs)
    names = ("difference", "hedges_g", "low", "high", "p", "q", "smallest_p")
    return {"measured": summary(values["id_0"])} | {name: summary(table[name]) for name in names}


@pytest.fixture(scope="module")
def numbers(tmp_path_factory) -> dict[str, dict[str, list[float]]]:
    """Numbers of every stage, of a small run."""
    folder = tmp_path_factory.mktemp("golden")
    layout = Layout(folder / "results")
    write_recordings(folder, n_sessions=2, n_frames=600, fps=30, seed=3)
    for name in SESSIONS:
        align_session(
            name,
            Session(poses=str(folder / f"{name}.csv"), fps=30),
            Align(centre="tailbase", forward="nose"),
            None,
            layout.aligned(name),
            layout.quality(name),
        )
    build(
        [layout.aligned(name) for name in SESSIONS],
        Windows(length_s=0.5, future_s=0.2),
        layout.windows_folder.root,
    )
    torch.set_num_threads(1)
    for seed in (1, 2):
        name = f"m-s{seed}"
        job = TrainingJob(
            name=name,
            sweep="m",
            variant="m",
            model=Model(zdims=3, hidden_size_layer_1=8, hidden_size_rec=8, hidden_size_pred=8),
            train=Train(max_epochs=2, device="cpu", seed=seed),
            windows=layout.windows_folder.root,
            checkpoints=layout.checkpoints(name),
            out=layout.model(name).root,
        )
        record = train_model(job, NullTracker(), {})
        targets = {layout.aligned(s): layout.latents(name, s) for s in SESSIONS}
        encode_sessions(layout.model(name).weights, targets, "cpu")
    compare(layout, ["m-s1", "m-s2"], {})
    inputs = find_inputs(
        layout.latents_folder("m-s2"),
        layout.aligned_folder,
        layout.windows_folder.root,
        layout.model("m-s2").weights,
    )
    motifs = layout.motifs("m-s2")
    segment(inputs, Motifs(n=3, seeds=2), motifs.root)
    folders = Folders(motifs, layout.latents_folder("m-s2"), layout.aligned_folder)
    describe(folders, Wishes("m-s2", [], None, 2))
    untimed = record.summary.keys() - {"final/seconds", "final/windows_per_second"}
    return {
        "simulate": {
            name: summary(values)
            for name, values in pd.read_csv(folder / "sim-1.csv", header=[1, 2], index_col=0)
            .T.groupby(level=0)
            .mean()
            .T.items()
        },
        "align": columns(layout.aligned("sim-1")),
        "windows": columns(layout.windows_folder.index, ["start", "offset"])
        | columns(layout.windows_folder.frames),
        "train": {name: [record.summary[name]] for name in sorted(untimed)},
        "encode": columns(layout.latents("m-s2", "sim-2")),
        "segment": columns(layout.motifs("m-s2").session("sim-2"), ["motif", "confidence", "bout"])
        | columns(layout.motifs("m-s2").usage)
        | columns(layout.motifs("m-s2").quality),
        "describe": columns(motifs.described.profiles)
        | columns(motifs.described.bouts, ["distance", "duration_s"]),
        "groups": of_groups(folders),
        "compare": columns(layout.similarity, ["cka", "r2"])
        | columns(layout.comparison, ["pca/r2_reconstruction"]),
    }


@pytest.mark.parametrize(
    "stage",
    [
        *("simulate", "align", "windows", "train", "encode", "segment", "describe", "groups"),
        "compare",
    ],
)
def test_numbers_of_a_stage_change_only_with_its_version(stage, numbers, request):
    path, version = FOLDER / f"{stage}.json", getattr(source, stage.upper())
    if request.config.getoption("--update-golden"):
        content = {"version": version, "numbers": numbers[stage]}
        path.write_text(json.dumps(content, indent=1) + "\n")
    golden = json.loads(path.read_text())
    assert golden["version"] == version, f"write the numbers of version {version}: --update-golden"
    assert golden["numbers"].keys() == numbers[stage].keys()
    for name, values in golden["numbers"].items():
        close = np.allclose(
            values, numbers[stage][name], rtol=TOLERANCE.get(stage, 1e-5), atol=1e-6
        )
        assert close, (
            f"{stage}: {name} was {values}, is {numbers[stage][name]}; see the top of this file"
        )
