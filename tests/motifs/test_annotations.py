"""Labels with a known difference from the motifs, through the whole comparison."""

import json

import numpy as np
import pandas as pd
import pytest
from motif_project import draw_states, new_project

from vame_pipe.cli.main import main
from vame_pipe.config.motif_names import MotifName
from vame_pipe.config.sections import Motifs
from vame_pipe.core import label_facts, segmentation_facts
from vame_pipe.core.errors import InputError
from vame_pipe.core.metadata import write_rejection
from vame_pipe.motifs.annotations import compare_labels
from vame_pipe.motifs.describe import Wishes, describe
from vame_pipe.motifs.label_agreement import (
    compare_bouts,
    folds,
    overlap,
    predict_held_out,
    stand_for,
)
from vame_pipe.motifs.labelled_rows import LabelSource
from vame_pipe.motifs.recording import Folders
from vame_pipe.motifs.segment import segment

KINEMATICS = ["speed_forward", "speed_lateral", "turn_rate", "log_speed", "log_posture_speed"]
SKELETON = {
    "features": ["nose_x", "ear_x", "ear_y", *KINEMATICS],
    "keypoints": ["tail", "nose", "ear"],
    "settings": {"scale": True, "centre": "tail", "forward": "nose"},
}
FPS, FIRST, SHIFT = 10, 100, 3
"""Of the recordings; labels are SHIFT frames later than the states."""
NAMES = ("walk", "rear", "groom")


def write_labels(path, states, individual=None):
    """The states as labels, later than they are; the first rows have no label."""
    shifted = np.roll(states, SHIFT)
    table = pd.DataFrame(
        {"frame": np.arange(len(states)) + FIRST, "label": np.array(NAMES)[shifted]}
    )
    table = table.iloc[SHIFT:]
    if individual:
        table["individual"] = individual
    table.to_csv(path, index=False)
    return table


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Three sessions, one with two animals, whose latents are the states; features know nothing."""
    folder = tmp_path_factory.mktemp("labelled")
    project = new_project(folder / "results")
    states = {name: draw_states(400, seed=k) for k, name in enumerate(("s1", "s2", "pup"))}
    project.add("s1", np.ones(400, bool), states["s1"], seed=1, **SKELETON)
    project.add("s2", np.ones(400, bool), states["s2"], seed=2, **SKELETON)
    pair = {"mum": np.ones(100, bool), "pup": np.ones(300, bool)}
    project.add("pair", pair, states["pup"], seed=3, **SKELETON)
    layout = project.layout
    inputs = project.inputs("s1", "s2", "pair")
    segment(inputs, Motifs(n=3, method="kmeans", seeds=1), layout.motifs("m").root)
    folders = Folders(layout.motifs("m"), layout.latents_folder("m"), layout.aligned_folder)
    describe(folders, Wishes("m", [], None, 2))
    for name in ("s1", "s2"):
        write_labels(folder / f"{name}.csv", states[name])
    write_labels(folder / "pair.csv", states["pup"][100:], "pup")
    return layout, folder


@pytest.fixture(scope="module")
def compared(made):
    layout, folder = made
    sessions = {
        name: {"poses": "m.h5", "labels": str(folder / f"{name}.csv")}
        for name in ("s1", "s2", "pair")
    }
    config = {"sessions": sessions, "align": {"centre": "tail", "forward": "nose"}}
    layout.config.write_text(json.dumps(config))
    assert main(["compare-labels", str(layout.root), "--model=m"]) == 0
    return layout


def test_motifs_that_are_the_behaviours_but_earlier_are_recognised(compared):
    folder = compared.motifs("m")
    lag = segmentation_facts.read(folder.settings).lag
    facts = label_facts.read(folder.labelled.facts)
    table = pd.read_parquet(folder.labelled.behaviours).set_index(["representation", "behaviour"])
    own = table.loc["latents"]
    assert sorted(own.index) == sorted(NAMES)
    assert sorted(number for motifs in own["motifs"] for number in motifs) == [0, 1, 2]
    np.testing.assert_allclose(own["start_shift_s"], (lag - SHIFT) / FPS, atol=0.1 + 1e-9)
    np.testing.assert_allclose(own["end_shift_s"], (lag - SHIFT) / FPS, atol=0.1 + 1e-9)
    assert (own["fragments"] < 1.4).all() and (own["found"] > 0.9).all()
    assert own["n_subjects"].to_dict() == {"walk": 3, "rear": 3, "groom": 2}
    assert facts.n_subjects == 3 and facts.held_out == "subject"
    assert facts.scores["latents"].adjusted_mutual_information > 0.4
    assert facts.scores["latents"].balanced_accuracy > 0.75
    assert facts.scores["pca"].balanced_accuracy < 0.5  # the features are noise
    assert facts.scores["pca"].adjusted_mutual_information < 0.1
    assert facts.metrics["labels/overlap"] == facts.scores["latents"].overlap
    assert facts.metrics["labels/pca_overlap"] == facts.scores["pca"].overlap


def test_confusion_counts_the_rows_that_have_both(compared, made):
    _, folder = made
    table = pd.read_parquet(compared.motifs("m").labelled.confusion)
    expected = []
    for session in ("s1", "s2", "pair"):
        motifs = pd.read_parquet(compared.motifs("m").session(session))
        motifs = motifs[motifs["individual"].isin(["id_0", "pup"])]
        labels = pd.read_csv(folder / f"{session}.csv")[["frame", "label"]]
        expected.append(motifs.merge(labels, on="frame").dropna(subset="motif"))
    expected = pd.concat(expected)
    counts = expected.groupby(["motif", "label"]).size()
    own = table[table["representation"] == "latents"].set_index(["motif", "behaviour"])["n_rows"]
    assert {key: n for key, n in own.items() if n} == counts.to_dict()
    facts = label_facts.read(compared.motifs("m").labelled.facts)
    assert facts.n_rows == own.sum() == len(expected)


def test_the_same_labels_give_the_same_files(compared, made, tmp_path):
    layout, folder = made
    before = [path.read_bytes() for path in layout.motifs("m").labelled.outputs]
    sources = {n: LabelSource(str(folder / f"{n}.csv")) for n in ("s1", "s2", "pair")}
    compare_labels(layout, "m", sources)
    assert [path.read_bytes() for path in layout.motifs("m").labelled.outputs] == before


def test_all_label_files_that_do_not_fit_are_named_and_nothing_is_written(compared, made, tmp_path):
    layout, folder = made
    before = [path.read_bytes() for path in layout.motifs("m").labelled.outputs]
    (tmp_path / "far.csv").write_text("frame,label\n9999,walk\n")
    (tmp_path / "columns.csv").write_text("when,label\n9999,walk\n")
    sources = {
        "s1": LabelSource(str(tmp_path / "far.csv")),
        "s2": LabelSource(str(tmp_path / "columns.csv")),
        "pair": LabelSource(str(folder / "s1.csv")),
    }
    with pytest.raises(InputError) as error:
        compare_labels(layout, "m", sources)
    far, columns, beyond, animals = error.value.problems
    assert far.startswith("session s1: labels ") and "reaches frame 9999" in far
    assert columns.startswith("session s2: labels ") and "has the columns when, label" in columns
    assert beyond.startswith("session pair: ") and "reaches frame 499" in beyond
    assert "is about (none); the animals of the recording are mum, pup" in animals
    assert [path.read_bytes() for path in layout.motifs("m").labelled.outputs] == before


def test_one_animal_is_tested_on_other_stretches_of_time_and_a_note_says_so(made, tmp_path):
    layout, folder = made
    one = LabelSource(str(folder / "s1.csv"), "mouse")
    compare_labels(layout, "m", {"s1": one})
    facts = label_facts.read(layout.motifs("m").labelled.facts)
    assert facts.held_out == "time" and "Only one animal has labels" in facts.notes[0]
    assert facts.scores["latents"].balanced_accuracy > 0.7
    compare_labels(layout, "m", {"s1": one, "s2": LabelSource(str(folder / "s2.csv"), "mouse")})
    facts = label_facts.read(layout.motifs("m").labelled.facts)
    assert facts.held_out == "session" and facts.n_subjects == 1


def test_a_labelled_recording_that_could_not_be_aligned_is_left_out(made, caplog):
    layout, folder = made
    reason = "session bad: no frame is valid."
    write_rejection(layout.motifs("m").session("bad"), [reason])
    bad = {"bad": LabelSource(str(folder / "s2.csv"))}
    compare_labels(layout, "m", bad | {"s1": LabelSource(str(folder / "s1.csv"))})
    facts = label_facts.read(layout.motifs("m").labelled.facts)
    assert facts.notes[0] == f"Left out: {reason}" and reason in caplog.text
    assert "Only one animal has labels" in facts.notes[1]
    assert facts.labels.keys() == {"bad", "s1"} and facts.latents.keys() == {"s1"}
    with pytest.raises(InputError, match=reason):
        compare_labels(layout, "m", bad)


def test_one_behaviour_cannot_be_told_from_another(made, tmp_path):
    layout, _ = made
    (tmp_path / "one.csv").write_text("start_s,stop_s,label\n12,30,walk\n")
    compare_labels(layout, "m", {"s1": LabelSource(str(tmp_path / "one.csv"))})
    facts = label_facts.read(layout.motifs("m").labelled.facts)
    assert facts.scores["latents"].balanced_accuracy is None
    assert any("There is one behaviour, walk" in note for note in facts.notes)
    assert facts.metrics.keys() >= {"labels/adjusted_mutual_information", "labels/found"}


def test_merged_motifs_count_as_one(made):
    layout, folder = made
    folders = Folders(layout.motifs("m"), layout.latents_folder("m"), layout.aligned_folder)
    names = [MotifName(motif=2, merge_into=0), MotifName(motif=0, name="both")]
    describe(folders, Wishes("m", names, None, 2))
    compare_labels(layout, "m", {"s1": LabelSource(str(folder / "s1.csv"))})
    table = pd.read_parquet(layout.motifs("m").labelled.confusion)
    own = table[table["representation"] == "latents"]
    assert set(own["motif"]) == {0, 1} and set(own.loc[own["motif"] == 0, "name"]) == {"both"}


def test_bouts_are_compared_with_a_known_shift_and_known_pieces():
    labelled = np.zeros(100, bool)
    labelled[20:40] = labelled[60:90] = labelled[95:] = True
    found = np.zeros(100, bool)
    found[25:45] = found[58:65] = found[70:80] = True
    known = np.ones(100, bool)
    known[95:] = False  # a bout in a gap is not judged
    errors = compare_bouts(labelled, found, known)
    assert errors.n_bouts == 2 and errors.found.all()
    assert errors.start.tolist() == [5, -2] and errors.end.tolist() == [5, -10]
    assert errors.fragments.tolist() == [1, 2]


def test_a_rare_behaviour_has_the_motif_that_holds_most_of_it():
    table = np.array([[900, 0], [90, 10], [10, 0]])
    assert stand_for(table).tolist() == [0, 1, 0]
    np.testing.assert_allclose(overlap(table, stand_for(table)), [910 / 1000, 10 / 100])


def test_nothing_of_a_subject_is_known_when_it_is_predicted():
    rng = np.random.default_rng(0)
    subject = np.repeat([0, 1, 2], 200)
    label = rng.integers(0, 2, 600)
    # each animal has its own code: nothing can be learned from the others
    values = rng.normal(size=(600, 3)) * 0.1
    values[np.arange(600), subject] += 2 * label
    fold, unit = folds(subject, subject, np.arange(600))
    assert unit == "subject" and (fold == subject).all()
    predicted = predict_held_out(values, label, fold)
    assert (predicted == label).mean() < 0.65
    shared = label[:, None] + rng.normal(size=(600, 3)) * 0.1
    assert (predict_held_out(shared, label, fold) == label).all()
