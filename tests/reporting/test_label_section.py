"""What the report and the status tell of labels."""

import shutil

import pandas as pd
import pyarrow as pa
import pytest
import yaml

from vame_pipe.config.loading import load
from vame_pipe.core import files, label_facts, segmentation_facts
from vame_pipe.core.errors import InputError
from vame_pipe.core.label_facts import LabelFacts, LabelScores
from vame_pipe.core.layout import Layout
from vame_pipe.core.segmentation_facts import SegmentationFacts
from vame_pipe.core.source import LABELS
from vame_pipe.motifs.annotations import BEHAVIOUR_SCHEMA, CONFUSION_SCHEMA
from vame_pipe.reporting.items import Item
from vame_pipe.reporting.label_section import draw_confusion, read_labels, required_files, verdict
from vame_pipe.reporting.motif_status import find_labelled
from vame_pipe.reporting.plan import plan
from vame_pipe.reporting.templates import template
from vame_pipe.tracking.motifs import artifact_folder, label_metrics, motif_files

LATENTS = LabelScores(0.61, 0.5, 0.9, 0.1, 0.2, 1.5, 0.75)
PCA = LabelScores(0.52, 0.4, 0.8, None, None, None, 0.76)
"""The classifier is as good from PCA, the motifs are worse."""
NAME = "walk <b> & 'run'"


def facts(**changes):
    values = {
        "scores": {"latents": LATENTS, "pca": PCA},
        "n_subjects": 2,
        "n_rows": 1234,
        "held_out": "subject",
        "notes": ["A note."],
        "sessions": {"m1": {"labels": "labels.csv", "subject": None}},
        "labels": {"m1": "old digest"},
        "latents": {"m1": "latents of m1"},
        "segmentation": "segmentation",
        "stage_version": LABELS,
    }
    return LabelFacts(**values | changes)


@pytest.fixture
def written(tmp_path):
    """A results folder with one labelled session and the files of `compare-labels`."""
    layout = Layout(tmp_path / "results")
    path = tmp_path / "labels.csv"
    path.write_text("frame,label\n1,walk\n")
    config = {
        "sessions": {"m1": {"poses": "m1.csv", "fps": 30, "labels": str(path)}},
        "align": {"centre": "tail", "forward": "nose"},
        "results": str(layout.root),
    }
    files.write_text(layout.config, yaml.safe_dump(config))
    folder = layout.motifs("vame")
    record = SegmentationFacts("segmentation", 2, "", "hmm", 0, 30.0, "", {}, {"n": 2}, 1)
    segmentation_facts.write(record, folder.settings)
    label_facts.write(
        facts(
            sessions={"m1": {"labels": str(path), "subject": None}},
            labels={"m1": files.file_fingerprint(path)},
        ),
        folder.labelled.facts,
    )
    row = {"representation": "latents", "behaviour": NAME, "n_rows": 1000, "n_subjects": 2}
    row |= {"motifs": [0, 3], "overlap": 0.5, "n_bouts": 10, "found": 0.9, "fragments": 1.5}
    row |= {"start_shift_s": 0.1, "end_shift_s": -0.2, "precision": 0.5, "recall": None}
    _write(folder.labelled.behaviours, [row, row | {"representation": "pca"}], BEHAVIOUR_SCHEMA)
    counts = [{"motif": k, "name": None, "behaviour": NAME, "n_rows": 30 - 10 * k} for k in (0, 1)]
    rows = [each | {"representation": "latents"} for each in counts]
    _write(folder.labelled.confusion, rows, CONFUSION_SCHEMA)
    return layout


def _write(path, rows, schema):
    table = pa.Table.from_pylist(rows, schema=schema)
    files.write_tables(path, [table], schema, files.metadata())


def test_the_verdict_compares_with_pca():
    motifs, classifier = verdict(facts())
    assert "share information of 0.61" in motifs and "PCA: 0.52, which is worse." in motifs
    assert "names 75% of the frames" in classifier and "PCA: 76%, which is as good." in classifier
    assert "in animals that it was not trained on" in classifier
    swapped = facts(scores={"latents": PCA, "pca": LATENTS})
    assert "PCA: 0.61, which is better." in verdict(swapped)[0]
    alone = LabelScores(0.5, 0.5, 0.5, None, None, None, None)
    assert len(verdict(facts(scores={"latents": alone, "pca": alone}))) == 1


def test_the_section_shows_every_behaviour_and_escapes_its_name(written):
    assert all(path.exists() for path in required_files(written, ["vame"]))
    section = read_labels(written, "vame")
    page = template("labels.html.jinja")
    text = page.render(labels=section, motifs={"model": "vame"}, plot=lambda *_: "THE FIGURE")
    assert "walk &lt;b&gt; &amp;" in text and "<b>" not in text
    for part in ("THE FIGURE", "A note.", "1,234 frames", "0, 3", "90% of 10", "+0.10", "-0.20"):
        assert part in text
    assert page.render(labels=None).strip() == ""
    figure = draw_confusion(pd.read_parquet(written.motifs("vame").labelled.confusion))
    assert list(figure.data[0].z[0]) == [60.0, 40.0] and list(figure.data[0].x) == ["0", "1"]


def test_scores_of_other_motifs_are_refused(written):
    path = written.motifs("vame").labelled.facts
    label_facts.write(facts(segmentation="another"), path)
    with pytest.raises(InputError, match="is about other motifs"):
        read_labels(written, "vame")
    path.write_text("{}")
    with pytest.raises(InputError, match="is damaged, or not a comparison with labels"):
        read_labels(written, "vame")


def test_mlflow_gets_scores_and_files(written):
    folder = written.motifs("vame").labelled
    metrics = label_metrics(folder.facts)
    assert metrics["labels/adjusted_mutual_information"] == 0.61
    assert metrics["labels/pca_overlap"] == 0.4 and "labels/pca_fragments" not in metrics
    assert set(folder.outputs) <= set(motif_files(written, "vame", []))
    assert artifact_folder(written, "vame", folder.facts) == "motifs/labelled"
    shutil.rmtree(folder.root)
    assert label_metrics(folder.facts) == {}


def test_the_status_knows_changed_new_and_missing_labels(written, tmp_path):
    def causes(latents="latents of m1", **session):
        content = yaml.safe_load(written.config.read_text())
        content["sessions"]["m1"] |= session
        content["sessions"]["m2"] = {"poses": "m2.csv", "fps": 30}
        encoded = {"m1": Item("encode", "vame/m1", "done", fingerprint=latents)}
        motifs = Item("segment", "vame", "done", fingerprint="segmentation")
        return plan(find_labelled(written, load(content), motifs, encoded, []))

    assert causes() == []
    assert causes(latents="new") == ["session m1 was encoded again: 1 comparison with labels"]
    assert causes(labels=None) == []
    assert causes(subject="mouse") == [
        "session m1: subject was not set, is mouse: 1 comparison with labels"
    ]
    (tmp_path / "labels.csv").write_text("frame,label\n2,walk\n")
    assert causes() == [f"{tmp_path / 'labels.csv'} changed: 1 comparison with labels"]
    written.motifs("vame").labelled.confusion.unlink()
    assert "motifs/vame/labelled/confusion.parquet is missing: 1 comparison with labels" in causes()
