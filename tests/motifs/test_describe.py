"""Descriptions of the motifs of small projects with known states."""

import numpy as np
import pandas as pd
import pytest
from motif_project import ZDIMS, draw_states, new_project
from PIL import Image

from vame_pipe.cli.main import main
from vame_pipe.config.motif_names import MotifName
from vame_pipe.config.sections import Motifs
from vame_pipe.core import description
from vame_pipe.core.errors import InputError
from vame_pipe.core.metadata import AnimalFacts
from vame_pipe.motifs import segmentation
from vame_pipe.motifs.describe import Wishes, describe
from vame_pipe.motifs.recording import Folders
from vame_pipe.motifs.segment import segment

KINEMATICS = ["speed_forward", "speed_lateral", "turn_rate", "log_speed", "log_posture_speed"]
SKELETON = {
    "features": ["nose_x", "ear_x", "ear_y", *KINEMATICS],
    "keypoints": ["tail", "nose", "ear"],
    "settings": {"scale": True, "centre": "tail", "forward": "nose"},
}
SESSIONS = ("s1", "s2", "empty")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two sessions, one of them with two animals and a gap, and one without a window."""
    project = new_project(tmp_path_factory.mktemp("described"))
    first, second = draw_states(400, seed=1), draw_states(300, seed=2)
    pair = {"mum": np.arange(150) != 70, "pup": np.ones(150, bool)}
    project.add("s1", np.ones(400, bool), first, seed=1, **SKELETON)
    sizes = {"mum": AnimalFacts(50.0, 0.0, 79), "pup": AnimalFacts(30.0, 0.0, 150)}
    project.add("s2", pair, second, seed=2, individuals=sizes, **SKELETON)
    project.add("empty", [True] * 3 + [False] + [True] * 3, seed=3, **SKELETON)
    settings = Motifs(n=3, method="kmeans", seeds=1)
    segment(project.inputs(*SESSIONS), settings, project.layout.motifs("m").root)
    layout = project.layout
    return Folders(layout.motifs("m"), layout.latents_folder("m"), layout.aligned_folder)


def wishes(names=(), bones=None, communities=2, px_per_cm=None):
    return Wishes("m", [MotifName(**row) for row in names], bones, communities, px_per_cm or {})


@pytest.fixture(scope="module")
def merged(made):
    """Motif 2 counts as motif 0."""
    names = [{"motif": 2, "merge_into": 0}, {"motif": 0, "name": "<b>walk</b> & 'run'"}]
    (made.motifs.clips).mkdir()
    (made.motifs.clips / "motif_14.gif").touch()  # of an earlier segmentation
    describe(made, wishes(names, bones=[["tail", "nose"]]))
    return made


def labels(folders):
    """The motifs of all rows, of all sessions and animals, one after the other."""
    tables = [pd.read_parquet(folders.motifs.session(name)) for name in SESSIONS]
    return pd.concat(tables, ignore_index=True).astype({"individual": str, "session": str})


def test_merged_motifs_count_as_one_in_every_table_and_the_labels_stay(merged):
    folder, table = merged.motifs.described, labels(merged)
    assert set(table["motif"].dropna()) == {0, 1, 2}
    head = table["motif"].replace({2: 0}).fillna(-1)
    changes = (head.diff() != 0) | (table["individual"] != table["individual"].shift())
    changes |= table["session"] != table["session"].shift()
    size = head.groupby(changes.cumsum()).agg(["first", "size"])
    size = size[size["first"] >= 0]
    bouts = pd.read_parquet(folder.bouts)
    assert bouts["motif"].tolist() == size["first"].tolist()
    np.testing.assert_allclose(bouts["duration_s"], size["size"] / 10)
    assert bouts.loc[bouts["motif"] == 0, "name"].unique().tolist() == ["<b>walk</b> & 'run'"]
    assert bouts.loc[bouts["motif"] == 1, "name"].isna().all()
    usage = pd.read_parquet(folder.usage)
    assert set(usage["motif"]) == {0, 1} and len(usage) == 2 * 4
    rows = head[head >= 0].value_counts()
    assert usage.groupby("motif")["n_rows"].sum().to_dict() == rows.to_dict()
    followed = pd.read_parquet(folder.transitions)
    assert (followed["source"] != followed["target"]).all()
    motifs = pd.read_parquet(folder.motifs).set_index("motif")
    assert motifs["members"].map(list).to_dict() == {0: [0, 2], 1: [1]}
    known = table["motif"].notna()
    same_row = (head == head.shift(-1)) & ~changes.shift(-1, fill_value=True) & known
    left = followed.groupby("source")["count"].sum()
    for motif in (0, 1):
        stays = (same_row & (head == motif)).sum()
        assert motifs.loc[motif, "stay"] == pytest.approx(stays / (stays + left[motif]))


def test_the_profile_is_that_of_the_rows(merged):
    tables = [pd.read_parquet(merged.aligned / f"{name}.parquet") for name in SESSIONS]
    aligned, head = pd.concat(tables, ignore_index=True), labels(merged)["motif"].replace({2: 0})
    profiles = pd.read_parquet(merged.motifs.described.profiles).set_index(["motif", "measure"])
    for motif in (0, 1):
        rows = aligned[head == motif]
        speed = np.hypot(rows["speed_forward"], rows["speed_lateral"])
        assert profiles.loc[(motif, "speed"), "mean"] == pytest.approx(speed.mean(), rel=1e-5)
        turn = np.degrees(rows["turn_rate"].astype(float))
        assert profiles.loc[(motif, "turn_rate"), "spread"] == pytest.approx(turn.std(ddof=0))
        assert profiles.loc[(motif, "elongation"), "mean"] == pytest.approx(rows["nose_x"].mean())
    assert profiles.loc[(0, "speed"), "unit"] == "body lengths/s"


def test_with_a_scale_lengths_are_in_cm_and_pictures_stay(merged):
    folder = merged.motifs.described
    names = ("profiles", "postures", "skeletons", "bouts", "motifs", "usage")
    paths = {name: getattr(folder, name) for name in names}
    before = {name: pd.read_parquet(path) for name, path in paths.items()}
    facts = description.read(folder.description)
    px_per_cm = {"s1": 10.0, "s2": 20.0, "empty": 5.0}
    given = {"names": facts.settings["motif_names"], "bones": facts.settings["skeleton"]}
    describe(merged, wishes(**given, px_per_cm=px_per_cm))
    try:
        after = {name: pd.read_parquet(path) for name, path in paths.items()}
        assert description.read(folder.description).unit == "cm"
        with pytest.raises(InputError, match="session s2: no px_per_cm, but others have it"):
            describe(merged, wishes(**given, px_per_cm={"s1": 10.0, "empty": 5.0}))
    finally:
        describe(merged, wishes(**given))
    tables = [pd.read_parquet(merged.aligned / f"{name}.parquet") for name in SESSIONS]
    aligned, head = pd.concat(tables, ignore_index=True), labels(merged)["motif"].replace({2: 0})
    cm = aligned["individual"].map(lambda name: 30.0 if name == "pup" else 50.0).astype(float)
    cm /= aligned["session"].astype(str).map(px_per_cm)
    speed = np.hypot(aligned["speed_forward"], aligned["speed_lateral"]) * cm
    length = aligned["nose_x"].abs() * cm
    old, new = (each["profiles"].set_index(["motif", "measure"]) for each in (before, after))
    for motif in (0, 1):
        rows = head == motif
        assert new.loc[(motif, "speed"), "mean"] == pytest.approx(speed[rows].mean(), rel=1e-5)
        assert new.loc[(motif, "speed"), "spread"] == pytest.approx(
            speed[rows].std(ddof=0), rel=1e-5
        )
        assert new.loc[(motif, "elongation"), "mean"] == pytest.approx(length[rows].mean())
    units = new["unit"].groupby("measure").first()
    assert units[["speed", "speed_forward", "posture_speed"]].tolist() == ["cm/s"] * 3
    assert units["elongation"] == "cm" and units["turning"] == "degrees/s"
    angles = old["unit"].str.startswith("degrees")
    pd.testing.assert_frame_equal(new[angles], old[angles])
    for name in names[1:4]:
        pd.testing.assert_frame_equal(after[name], before[name])


def test_distances_of_bouts_are_those_of_their_latents_from_the_centre(merged):
    found = segmentation.load(merged.motifs)
    bouts = pd.read_parquet(merged.motifs.described.bouts)
    table = labels(merged)
    for _, bout in bouts.sample(10, random_state=0).iterrows():
        latents = pd.read_parquet(merged.latents / f"{bout['session']}.parquet")
        latents = latents[latents["individual"] == bout["individual"]].set_index("row")
        own = table[
            (table["session"] == bout["session"]) & (table["individual"] == bout["individual"])
        ]
        squares = []
        for row in range(bout["start_row"], bout["end_row"] + 1):
            z = latents.loc[row - found.lag, [f"z_{k:02d}" for k in range(ZDIMS)]].to_numpy(float)
            motif = int(own.loc[own["row"] == row, "motif"].item())
            scaled = (z - found.arrays["offset"]) / found.arrays["scale"]
            squares.append(((scaled - found.arrays["mean"][motif]) ** 2).sum())
        assert bout["distance"] == pytest.approx(np.sqrt(np.mean(squares)))


def test_typical_bouts_come_from_different_sessions_and_have_a_clip(merged):
    folder = merged.motifs.described
    exemplars, skeletons = pd.read_parquet(folder.exemplars), pd.read_parquet(folder.skeletons)
    facts = description.read(folder.description)
    assert facts.bones == [[0, 1]] and facts.keypoints[facts.front] == "nose"
    for motif in (0, 1):
        own = exemplars[exemplars["motif"] == motif]
        assert own["rank"].tolist() == [0, 1, 2, 3] and set(own["session"][:2]) == {"s1", "s2"}
        bouts = pd.read_parquet(folder.bouts)
        bouts = bouts[bouts["motif"] == motif]
        usual = bouts[bouts["duration_s"] >= bouts["duration_s"].median()]
        assert own["distance"].iloc[0] == pytest.approx(usual["distance"].min())
        clip = skeletons[(skeletons["motif"] == motif) & (skeletons["rank"] == 0)]
        assert clip["keypoint"].tolist()[:3] == ["tail", "nose", "ear"]
        inside = clip["inside"].sum() / 3
        assert inside == min(22, round(own["duration_s"].iloc[0] * 10))
        with Image.open(merged.motifs.clips / f"motif_{motif:02d}.gif") as picture:
            assert picture.size == (4 * 180, 180)
    assert sorted(path.name for path in merged.motifs.clips.iterdir()) == [
        "motif_00.gif",
        "motif_01.gif",
    ]


def test_the_same_settings_give_the_same_bytes_and_only_names_change_with_names(merged):
    folder = merged.motifs
    before = {path: path.read_bytes() for path in sorted(folder.root.glob("*/*"))}
    kept = {path: path.read_bytes() for path in folder.outputs if path.exists()}
    names = [{"motif": 2, "merge_into": 0}, {"motif": 0, "name": "<b>walk</b> & 'run'"}]
    describe(merged, wishes())
    assert len(description.read(folder.described.description).motifs) == 3
    assert (folder.clips / "motif_02.gif").exists()
    describe(merged, wishes(names, bones=[["tail", "nose"]]))
    assert {path: path.read_bytes() for path in sorted(folder.root.glob("*/*"))} == before
    assert {path: path.read_bytes() for path in kept} == kept


def test_what_does_not_belong_together_is_refused(merged, tmp_path):
    with pytest.raises(InputError, match="motif 9 does not exist: the motifs are 0 to 2"):
        describe(merged, wishes([{"motif": 9, "name": "x"}]))
    with pytest.raises(InputError, match="keypoint 'paw' is not in the recordings"):
        describe(merged, wishes(bones=[["paw", "nose"]]))
    moved = tmp_path / "s1.parquet"
    merged.motifs.session("s1").rename(moved)
    try:
        with pytest.raises(InputError, match=r"s1.parquet"):
            describe(merged, wishes())
    finally:
        moved.rename(merged.motifs.session("s1"))


@pytest.mark.parametrize(
    "option", ["--skeleton=[[", '--skeleton=[["nose"]]', "--skeleton=[[1, 2]]", "--communities=0"]
)
def test_options_that_make_no_sense_end_in_one_line(merged, option, capsys):
    folders = [f"--latents={merged.latents}", f"--aligned={merged.aligned}"]
    with pytest.raises(SystemExit) as stopped:
        main(["describe", str(merged.motifs.root), "--model=m", *folders, option])
    assert stopped.value.code == 2
    assert f"argument {option.partition('=')[0]}: " in capsys.readouterr().err


def test_only_sessions_that_the_motifs_were_found_in_are_described(tmp_path):
    """Not one that is tracked too badly for training; an animal without a window changes nothing."""
    project = new_project(tmp_path)
    pair = {"lost": np.arange(200) < 3, "pup": np.ones(200, bool)}
    project.add("pair", pair, draw_states(400), **SKELETON)
    project.add("bad", np.arange(300) < 100, draw_states(300), seed=1, **SKELETON)
    inputs = project.inputs("pair", "bad", min_valid=0.5)
    segment(inputs, Motifs(n=3, method="kmeans", seeds=1), project.layout.motifs("m").root)
    layout = project.layout
    folders = Folders(layout.motifs("m"), layout.latents_folder("m"), layout.aligned_folder)
    assert folders.motifs.session("bad").exists()
    describe(folders, wishes())
    described, found = (
        pd.read_parquet(f.bouts) for f in (folders.motifs.described, folders.motifs)
    )
    assert set(described["session"]) == {"pair"} and set(described["individual"]) == {"pup"}
    assert len(described) == len(found) and described["distance"].max() < 3


def test_lines_to_keypoints_that_were_left_out_are_not_drawn(tmp_path):
    project = new_project(tmp_path)
    settings = SKELETON["settings"] | {"drop_bad_keypoints": 0.5}
    project.add("s", np.ones(40, bool), draw_states(40), **SKELETON | {"settings": settings})
    folder = project.layout.motifs("m")
    segment(project.inputs("s"), Motifs(n=1, method="kmeans", seeds=1), folder.root)
    folders = Folders(folder, project.layout.latents_folder("m"), project.layout.aligned_folder)
    describe(folders, wishes(bones=[["paw", "nose"], ["nose", "tail"]]))
    assert description.read(folder.described.description).bones == [[1, 0]]


def test_two_keypoints_and_one_motif_can_be_described(tmp_path):
    project = new_project(tmp_path)
    aligned = SKELETON | {"features": ["nose_x"], "keypoints": ["tail", "nose"]}
    project.add("s", np.ones(80, bool), draw_states(80), **aligned)
    folder = project.layout.motifs("m")
    segment(project.inputs("s"), Motifs(n=1, method="kmeans", seeds=1), folder.root)
    folders = Folders(folder, project.layout.latents_folder("m"), project.layout.aligned_folder)
    describe(folders, wishes())
    facts = description.read(folder.described.description)
    assert facts.entropy_rate is None and facts.bones == [[0, 1]]
    assert facts.trees["kinematics"].communities == [0]
    bouts = pd.read_parquet(folder.described.bouts)
    assert len(bouts) == 1 and len(pd.read_parquet(folder.described.exemplars)) == 1
    profiles = pd.read_parquet(folder.described.profiles)
    assert profiles["measure"].tolist() == ["elongation"]
