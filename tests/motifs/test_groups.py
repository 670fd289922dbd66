"""Comparison of groups: from the motifs of sessions to tables, words and figures."""

import json
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from motif_project import draw_states, new_project

from vame_pipe.cli.main import main
from vame_pipe.config.motif_names import MotifName
from vame_pipe.config.sections import Motifs
from vame_pipe.core import group_facts
from vame_pipe.core.description import Motif
from vame_pipe.core.folders import GroupFolder
from vame_pipe.core.metadata import write_rejection
from vame_pipe.motifs import group_figures, group_words
from vame_pipe.motifs.describe import Wishes, describe
from vame_pipe.motifs.group_table import compare, designs
from vame_pipe.motifs.members import Member
from vame_pipe.motifs.recording import Folders
from vame_pipe.motifs.segment import segment
from vame_pipe.motifs.subjects import Measure, Subject, gather

KINEMATICS = ["speed_forward", "speed_lateral", "turn_rate", "log_speed", "log_posture_speed"]
SKELETON = {
    "features": ["nose_x", "ear_x", "ear_y", *KINEMATICS],
    "keypoints": ["tail", "nose", "ear"],
    "settings": {"scale": True, "centre": "tail", "forward": "nose"},
}
SESSIONS = ("s1", "s2", "s3", "empty")
ODD = "<b>it's</b> $x$ \u6b69"


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    """Two sessions of one animal, one of two animals, one without a window. Motif 2 counts as motif 0."""
    project = new_project(tmp_path_factory.mktemp("groups"))
    for seed, name in enumerate(("s1", "s2")):
        project.add(name, np.ones(300, bool), draw_states(300, seed=seed), seed=seed, **SKELETON)
    pair = {"mum": np.ones(150, bool), "pup": np.ones(150, bool)}
    project.add("s3", pair, draw_states(300, seed=5), seed=5, **SKELETON)
    project.add("empty", [True] * 3 + [False] + [True] * 3, seed=3, **SKELETON)
    settings = Motifs(n=3, method="kmeans", seeds=1)
    segment(project.inputs(*SESSIONS), settings, project.layout.motifs("m").root)
    layout = project.layout
    folders = Folders(layout.motifs("m"), layout.latents_folder("m"), layout.aligned_folder)
    names = [MotifName(motif=2, merge_into=0), MotifName(motif=0, name=ODD)]
    describe(folders, Wishes("m", names, None, 2))
    return layout


def groups(layout, sessions) -> list[str]:
    """Configure sessions; return the command that compares them."""
    recordings = {name: {"poses": "m.h5", **keys} for name, keys in sessions.items()}
    config = {"sessions": recordings, "align": {"centre": "tail", "forward": "nose"}}
    layout.config.write_text(json.dumps(config))
    return ["groups", str(layout.root), "--model=m"]


def run(layout, **sessions) -> pd.DataFrame:
    """Compare groups on the command line; return the subjects."""
    assert main(groups(layout, sessions)) == 0
    return pd.read_parquet(layout.groups("m").subjects)


def values(table, subject, measure, motif=None):
    """Values of a subject, or the value of one motif."""
    rows = table[(table["subject"] == subject) & (table["measure"] == measure)]
    rows = rows[rows["motif"].isna()] if motif is None else rows[rows["motif"] == motif]
    return rows["value"].item()


def test_measures_are_those_of_the_rows_and_merged_motifs_count_as_one(layout):
    reason = "session bad: no frame is valid."
    write_rejection(layout.motifs("m").session("bad"), [reason])
    table = run(layout, s1={"group": "a"}, s3={"group": ODD}, bad={"group": "a"})
    assert group_facts.read(layout.groups("m").facts).findings[0] == f"Left out: {reason}"
    assert table["subject"].unique().tolist() == ["s1", "s3, mum", "s3, pup"]
    labels = pd.read_parquet(layout.motifs("m").session("s3")).astype({"individual": str})
    for individual, rows in labels.groupby("individual"):
        motif = rows["motif"].dropna().replace({2: 0})
        share = motif.value_counts(normalize=True).reindex([0, 1], fill_value=0)
        bouts = pd.Series(motif.to_numpy()).groupby((motif.diff() != 0).cumsum().to_numpy())
        length = bouts.agg(["first", "size"])
        name = f"s3, {individual}"
        for k in (0, 1):
            of_motif = length.loc[length["first"] == k, "size"] / 10
            assert values(table, name, "usage", k) == pytest.approx(share[k])
            assert values(table, name, "bout_duration", k) == pytest.approx(of_motif.median())
            rate = 60 * len(of_motif) / (len(motif) / 10)
            assert values(table, name, "bout_rate", k) == pytest.approx(rate)
        entropy = -sum(p * np.log2(p) for p in share if p)
        assert values(table, name, "usage_entropy") == pytest.approx(entropy)
    aligned = pd.read_parquet(layout.aligned("s1"))
    motif = pd.read_parquet(layout.motifs("m").session("s1"))["motif"]
    of_motif = aligned[motif == 1]
    expected = np.hypot(of_motif["speed_forward"], of_motif["speed_lateral"]).mean()
    assert values(table, "s1", "speed", 1) == pytest.approx(expected, rel=1e-6)
    heading = np.arctan2(*of_motif[["speed_lateral", "speed_forward"]].sum())
    assert values(table, "s1", "direction", 1) == pytest.approx(np.degrees(heading), abs=1e-3)
    assert table.loc[table["motif"] == 0, "name"].unique().tolist() == [ODD]


def test_recordings_of_an_animal_are_averaged_and_files_can_be_read(layout):
    alone = run(layout, s1={"group": "a"}, s2={"group": "b"})
    sessions = {name: {"group": "a", "subject": "m1"} for name in ("s1", "s2", "empty")}
    table = run(layout, **sessions)
    assert table["subject"].unique().tolist() == ["m1"]
    assert table["n_recordings"].unique().tolist() == [2]
    for measure in ("usage", "bout_duration", "speed"):
        both = [values(alone, name, measure, 0) for name in ("s1", "s2")]
        assert values(table, "m1", measure, 0) == pytest.approx(np.mean(both))
    facts = group_facts.read(layout.groups("m").facts)
    assert facts.groups == {"a": 1} and facts.methods == ""
    assert facts.findings[1:] == ["Not compared, because no frame has a motif: empty."]
    before = {path: path.read_bytes() for path in layout.groups("m").outputs}
    run(layout, **sessions)
    assert before == {path: path.read_bytes() for path in layout.groups("m").outputs}
    for path in layout.groups("m").plots:
        ElementTree.parse(path)


def test_with_a_scale_movement_is_in_cm(layout, capsys):
    """A body length is 50 pixels."""
    sessions = {"s1": {"group": "a"}, "s2": {"group": "a"}, "s3": {"group": "b"}}
    in_body_lengths = run(layout, **sessions)
    assert " cm" not in group_facts.read(layout.groups("m").facts).methods
    scales = {"s1": 10, "s2": 4, "s3": 8}
    in_cm = run(layout, **{n: s | {"px_per_cm": scales[n]} for n, s in sessions.items()})
    methods = group_facts.read(layout.groups("m").facts).methods
    assert "Lengths and speeds are in cm and cm/s. p values" in methods
    for measure, unit in (("speed", "cm/s"), ("elongation", "cm")):
        for name, cm in (("s1", 5.0), ("s2", 12.5), ("s3, pup", 6.25)):
            for motif in (None, 0, 1):
                expected = cm * values(in_body_lengths, name, measure, motif)
                assert values(in_cm, name, measure, motif) == pytest.approx(expected)
        assert set(in_cm.loc[in_cm["measure"] == measure, "unit"]) == {unit}
    same = ~in_cm["unit"].isin(["cm", "cm/s"])
    pd.testing.assert_frame_equal(in_cm[same], in_body_lengths[same])
    sessions["s1"] |= {"px_per_cm": 10}
    sessions["s3"] |= {"px_per_cm": 10}
    assert main(groups(layout, sessions)) == 2
    assert "px_per_cm is missing in s2, but other sessions have it" in capsys.readouterr().err


MEASURES = [
    *(Measure("usage", "fraction", k) for k in range(3)),
    *(Measure("bout_duration", "s", k) for k in range(3)),
    *(Measure("bout_rate", "bouts/min", k) for k in range(3)),
    *(Measure("transition", "probability", k, t) for k in range(3) for t in range(3) if k != t),
    Measure("direction", "degrees"),
    Measure("entropy_rate", "bits"),
]
NAMES = {0: "walk", 1: None, 2: None}


def study(members, seed=0, shift=0.0):
    """A study of simulated recordings; `shift` is added to the usage of motif 0 in the group `b`."""
    rng = np.random.default_rng(seed)
    found = {}
    for session, member in members.items():
        numbers = rng.normal(size=len(MEASURES))
        numbers[0] += shift * (member.group == "b")
        found[session, None] = numbers
    return gather(MEASURES, found, members)


def words(given, members):
    motifs = [Motif(k, NAMES[k], [k]) for k in NAMES]
    found = compare(given, NAMES)
    return found, group_words.findings(found, given, designs(given), motifs, members, [])


def test_a_known_difference_is_found_and_told():
    members = {f"s{i}": Member("ab"[i % 2]) for i in range(14)}
    table, lines = words(study(members, shift=8), members)
    row = table[(table["measure"] == "usage") & (table["motif"] == 0)].iloc[0]
    assert (row["group"], row["other"], row["test"]) == ("a", "b", "unpaired")
    assert (row["n"], row["n_other"]) == (7, 7)
    assert row["p"] == pytest.approx(2 / 3432) and row["q"] == pytest.approx(3 * row["p"])
    assert row["low"] < 8 < row["high"] and row["hedges_g"] > 3
    assert row["difference"] == pytest.approx(row["mean_other"] - row["mean"])
    assert "usage of motif 0 walk" in lines[-1]


def test_a_motif_that_an_animal_never_shows_has_no_duration_and_is_not_counted_as_0():
    members = {f"s{i}": Member("ab"[i % 2]) for i in range(8)}
    given = study(members)
    given.values[3, :3] = np.nan  # no bout of motif 0 in two animals of a and one of b
    given.values[4, ::2] = np.nan  # no animal of a shows motif 1
    table = compare(given, NAMES)
    rows = table[table["measure"] == "bout_duration"].set_index("motif")
    assert rows.loc[0, ["n", "n_other"]].tolist() == [2, 3]
    assert rows.loc[0, "mean"] == pytest.approx(given.values[3, [4, 6]].mean())
    assert rows.loc[1, ["n", "n_other"]].tolist() == [0, 4]
    assert np.isnan(rows.loc[1, ["mean", "difference", "p", "q"]].astype(float)).all()
    # two tests are left
    p = rows.loc[[0, 2], "p"].astype(float)
    assert rows.loc[p.idxmin(), "q"] == pytest.approx(min(2 * p.min(), p.max()))


def test_pairs_are_compared_within_and_those_without_a_partner_are_named():
    members = {f"s{i}": Member("ab"[i % 2], pair=f"litter {i // 2}") for i in range(9)}
    given = study(members)
    (design,) = designs(given)
    assert design.paired and design.sizes == [4, 4]
    table, lines = words(given, members)
    assert set(table["test"]) == {"paired"}
    assert "Add" not in lines[0] and "smallest possible p is 0.12" in lines[0]
    assert lines[1] == "a (4) and b (4): not compared, because their pair is not complete: s8."


def test_the_text_for_the_methods_counts_the_animals_that_were_tested():
    """Two pairs of 4 and 4 animals are complete; then, the third group has one animal."""
    pairs = ["p", "p", "q", "q", None, None, "r", None]
    members = {f"s{i}": Member("ab"[i % 2], pair=pair) for i, pair in enumerate(pairs)}
    given = study(members)
    text = group_words.methods(given, designs(given))
    assert "between groups: a (n = 2), b (n = 2). The animal" in text
    told = "a and b (n = 2 pairs, without s4, s5, s6, s7, whose pair is not complete); values"
    assert f"Animals were paired for {told}" in text
    given = study({f"s{i}": Member("aabbbc"[i]) for i in range(6)})
    text = group_words.methods(given, designs(given))
    assert "between groups: a (n = 2), b (n = 3). The animal" in text
    assert "paired" not in text and "All groups" not in text


def test_groups_of_one_animal_each_are_said_once_and_not_tested():
    members = {f"s{i}": Member("abc"[i]) for i in range(3)}
    table, lines = words(study(members), members)
    assert table["p"].isna().all()
    (line,) = lines
    assert line.startswith("a, b, c: no two of these groups have two or more subjects each")


def test_an_animal_in_two_groups_is_its_own_pair():
    members = {f"s{i}": Member("ab"[i % 2], subject=f"m{i // 2}") for i in range(8)}
    (design,) = designs(study(members))
    assert design.paired and design.sizes == [4, 4]


def test_more_groups_have_one_test_of_all_and_one_of_every_two():
    members = {f"s{i}": Member("abc"[i % 3]) for i in range(15)}
    table = compare(study(members, shift=9), NAMES)
    usage = table[(table["measure"] == "usage") & (table["motif"] == 0)]
    assert usage["test"].tolist() == ["all groups", "unpaired", "unpaired", "unpaired"]
    assert usage["n"].tolist() == [15, 5, 5, 5]
    assert usage["q"].tolist()[0] < 0.05 and usage["q"].tolist()[2] > 0.05


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        ([None] * 3, "No session has a group"),
        (["a"] * 3, "All sessions with a group are in the group a"),
        (["a", "b"], "cannot be tested with one subject in a group"),
        (["a", "a", "b"], "cannot be tested with one subject in a group"),
        (["a", "a", "b", "b"], "smallest possible p is 0.33, so that no difference can be found"),
        (["a"] * 4 + ["b"] * 4, "a difference in one motif alone cannot be found"),
        ([None, *"aabb"], "Not compared, because they have no group: s0."),
        ([chr(7) + "\n<i>", "$a_b$", ODD] * 2, "smallest possible p"),
    ],
)
def test_too_little_data_is_said_and_drawn(tmp_path, groups, told):
    members = {f"s{i}": Member(group) for i, group in enumerate(groups)}
    given = study(members)
    table, lines = words(given, members)
    assert any(told in line for line in lines), lines
    motifs = [Motif(k, ODD if k else None, [k]) for k in range(3)]
    folder = GroupFolder(tmp_path, tmp_path)
    group_figures.draw(given, table, motifs, folder)
    for path in folder.plots:
        assert ElementTree.parse(path).getroot().tag.endswith("svg")


def test_subjects_have_their_group_pair_and_number_of_recordings():
    members = {"x": Member("a", "m", "p"), "y": Member("a", "m"), "z": Member(None)}
    assert study(members).subjects == [Subject("m", "a", "p", 2), Subject("z", None, None, 1)]
