"""The text for the methods section has the numbers of the files."""

import dataclasses
import re

import pandas as pd
import pyarrow.parquet as pq
import pytest
from group_files import write_groups
from small_models import make_results

from vame_pipe import __version__
from vame_pipe.cli.main import main
from vame_pipe.config import loading
from vame_pipe.config.configuration import Config
from vame_pipe.config.sections import Qc
from vame_pipe.core import run_record, segmentation_facts
from vame_pipe.core.metadata import AlignedMetadata, WindowsMetadata, read_record
from vame_pipe.reporting import methods, methods_words
from vame_pipe.reporting.quality_table import write_quality_table

SESSIONS = ["sim-1", "sim-2", "sim-3"]


@pytest.fixture(scope="module")
def layout(data, tmp_path_factory):
    """A model of two recordings; a third one is only encoded."""
    root = tmp_path_factory.mktemp("methods") / "results"
    layout = make_results(root, data, {"small": 2}, SESSIONS)
    write_quality_table(layout, SESSIONS, Qc(), {}, {}, {})
    sessions = {name: {"poses": f"{name}.csv", "fps": 30} for name in SESSIONS}
    align = {"centre": "tailbase", "forward": "nose"}
    loading.write(Config.model_validate({"sessions": sessions, "align": align}), layout.config)
    return layout


@pytest.fixture(scope="module")
def material(layout):
    return methods.read(layout, SESSIONS, ["small"])


def words_of(material):
    """The text by heading, without line breaks."""
    parts = re.split(r"^## (.*)$", methods_words.text(material), flags=re.M)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_the_command_writes_the_text_next_to_the_report(layout, tmp_path):
    out = [f"--out={tmp_path / 'report.html'}", f"--methods={tmp_path / 'methods.md'}"]
    assert main(["report", str(layout.root), "--sessions", *SESSIONS, *out]) == 0
    expected = methods.text(methods.read(layout, SESSIONS, ["small"]))
    assert (tmp_path / "methods.md").read_text() == expected


def test_numbers_of_recordings_are_those_of_the_files(layout, material):
    text = words_of(material)["Recordings"]
    tables = [pq.read_table(layout.aligned(name)) for name in SESSIONS]
    runs = pd.concat([table.select(["run"]).to_pandas() for table in tables])["run"]
    meta = read_record(AlignedMetadata, layout.aligned("sim-1"))
    assert f"3 recordings with {len(runs) / meta.fps / 60:.1f} minutes in total were" in text
    assert "They show 3 animals" in text and "trained on 2 recordings" in text
    assert f"{len(meta.keypoints)} keypoints ({', '.join(meta.keypoints)})" in text
    assert f"at {meta.source_fps:g} frames per second" in text
    assert "1 recording changed no model and was only encoded." in text
    assert f"{(runs >= 0).mean():.1%} of the frames were valid" in text


def test_numbers_of_training_are_those_of_the_files(layout, material):
    text = words_of(material)["Model"]
    table = pd.read_parquet(layout.comparison).set_index("model")
    best = table["best"].idxmax()
    row, run = table.loc[best], run_record.read(layout.model(best).run)
    history = run_record.read_history(layout.model(best).metrics)
    windows = pq.read_table(layout.windows_folder.index)["split"].to_pylist()
    meta = read_record(WindowsMetadata, layout.windows_folder.frames)
    n_frames = pq.read_metadata(layout.windows_folder.frames).num_rows
    assert f"with {run.params['model.zdims']} latent dimensions" in text
    assert "weighted so that positions and motion count equally" in text
    assert f"windows of {meta.length} frames (0.5 s) and to predict the 0.2 s after it" in text
    assert f"{windows.count('train'):,} windows of {n_frames:,} valid frames" in text
    assert f"{windows.count('val'):,} windows for validation" in text
    lowest = min(history, key=lambda epoch: epoch["val/loss"])["epoch"]
    assert f"for {len(history)} epoch (" in text and f"those of epoch {lowest + 1}," in text
    assert f"{history[-1]['windows_seen']:,} windows; {run.stop}; batches of" in text
    assert f"seed {run.params['train.seed']})" in text
    for name in ("final/r2_reconstruction", "final/r2_prediction", "pca/r2_reconstruction"):
        assert f"{row[name]:.1%}" in text
    assert "|" not in text


def test_several_models_have_a_table(layout, material):
    row = pd.read_parquet(layout.comparison).iloc[0]
    error = row["final/reconstruction"] + row["final/prediction"]
    other = dataclasses.replace(
        material.best, params=material.best.params | {"model.zdims": 7, "train.seed": 3}
    )
    several = dataclasses.replace(material, runs={"small": material.best, "other": other})
    text = words_of(several)["Model"]
    assert "This model, small, is the one of 2 models with the lowest squared error per" in text
    assert f"| small | 2 | 0 | 1 | {error:.4g} |" in text
    assert f"| other | 7 | 3 | 1 | {error:.4g} |" in text


def test_numbers_of_motifs_are_those_of_the_files(layout, material):
    text = words_of(material)["Motifs"]
    folder = layout.motifs(material.best.name)
    facts = segmentation_facts.read(folder.settings)
    chosen = pq.read_table(folder.quality).to_pylist()[0]
    used = pd.read_parquet(folder.described.motifs)
    assert text.strip().startswith(f"{facts.n_motifs} motifs were found in the latent vectors by")
    assert facts.reason_for_n in text and "covariance shared by all states" in text
    assert f"was {chosen['adjusted_rand']:.2f}." in text
    assert f"The median bout lasted {chosen['median_bout_s']:.2f} s." in text
    assert f"{used['n_bouts'].sum():,} bouts" in text
    low, high = used["fraction"].min(), used["fraction"].max()
    assert f"in {low:.1%} to {high:.1%} of the time" in text
    assert "merged" not in text


def test_alignment_software_and_citation(material):
    text = words_of(material)
    use = material.aligned.settings
    assert f"confidence below {use['min_confidence']:g} counted as missing" in text["Alignment"]
    assert f"Gaps of up to {use['max_gap_s']:g} s were interpolated" in text["Alignment"]
    assert "tailbase was at the origin and nose lay on the positive x axis" in text["Alignment"]
    assert "log_speed and log_posture_speed." in text["Alignment"]
    assert f"vame_pipe {__version__} (Python" in text["Software"]
    assert "Communications Biology 5, 1267 (2022)" in text["References"]
    assert "Groups" not in text


def test_the_text_follows_the_settings(material):
    """What was not done is not in the text; what was done otherwise is told as it was."""
    settings = material.aligned.settings | {
        "min_confidence": {"nose": 0.9, "tailbase": {"quantile": 0.1}, "default": 0.6},
        "outlier_threshold": None,
        "smooth_s": None,
        "scale": False,
        "fps": 60.0,
        "axis": "rigid",
    }
    changed = dataclasses.replace(
        material,
        aligned=dataclasses.replace(material.aligned, settings=settings),
        rates=[25.0, 30.0],
        pca=None,
        quality=None,
        segmentation=dataclasses.replace(material.segmentation, method="kmeans"),
        windows=dataclasses.replace(material.windows, future=0, excluded={"x": "bad"}),
    )
    text = words_of(changed)
    assert "(nose 0.9, tailbase 10%, default 0.6; a percentage" in text["Alignment"]
    for word in ("running median", "Savitzky", "body length of the recording"):
        assert word not in text["Alignment"]
    assert "resampled to 60 frames per second" in text["Alignment"]
    assert "its body axis pointed along the positive x axis, with nose ahead" in text["Alignment"]
    assert "at 25 and 30 frames per second" in text["Recordings"]
    assert "1 recording could not be used for training" in text["Recordings"]
    assert "predict" not in text["Model"] and "component" not in text["Model"]
    assert "by k-means clustering." in text["Motifs"] and "seeds" not in text["Motifs"]
    quantile = dataclasses.replace(
        changed.aligned, settings=settings | {"min_confidence": {"quantile": 0.1}}
    )
    lowest = words_of(dataclasses.replace(changed, aligned=quantile))["Alignment"]
    assert "Of each keypoint, the 10% of the points with the lowest confidence" in lowest


def test_groups_and_merged_motifs_are_told(layout, material):
    best = material.best.name
    write_groups(layout, best, SESSIONS, groups={"a": 2, "b": 1})
    found = methods.read(layout, SESSIONS, ["small"])
    assert words_of(found)["Groups"].strip() == found.groups.methods == "They were compared."
    merged = dataclasses.replace(found, motifs=found.motifs.iloc[:-1])
    assert "1 of them was merged into others by hand, which left 3." in words_of(merged)["Motifs"]
