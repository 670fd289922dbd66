"""What the report tells of each motif."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from described_files import N_STEPS
from motif_files import write_motifs
from motif_project import draw_states, new_project

from vame_pipe.core import description
from vame_pipe.core.description import Motif
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout
from vame_pipe.reporting import motif_map, motif_pages, skeletons
from vame_pipe.reporting.described import read_described
from vame_pipe.reporting.projection import project_latents

SESSIONS = ["sim-1", "sim-2"]
MODEL = "m"
NAME = "walk & run"
NAMED = [Motif(0, NAME, [0, 2]), Motif(1, None, [1]), Motif(3, "rear", [3])]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Latents and motifs without a trained model. Motif 2 counts as motif 0."""
    project = new_project(tmp_path_factory.mktemp("pages"))
    for seed, session in enumerate(SESSIONS):
        project.add(
            session, np.ones(300, bool), draw_states(300, seed=seed), model=MODEL, seed=seed
        )
    write_motifs(project.layout, MODEL, SESSIONS, named=NAMED)
    return project.layout


def pages_of(results):
    projected = project_latents(results, MODEL, SESSIONS)
    return motif_pages.read_pages(results, MODEL, read_described(results, MODEL), projected)


def test_every_motif_has_its_movement_its_neighbours_and_typical_bouts(results):
    pages = pages_of(results)
    assert [each.motif.label for each in pages.pages] == [f"0 {NAME}", "1", "3 rear"]
    third = pages.pages[2]
    assert [(m.name, m.mean, m.spread, m.unit) for m in third.measures] == [
        ("speed", 3.0, 0.5, "bl/s")
    ]
    assert third.following == [(f"0 {NAME}", "50%"), ("1", "50%")] == third.preceding
    bouts = pd.read_parquet(results.motifs(MODEL).bouts)
    assert third.n_bouts == (bouts["motif"] == 3).sum()
    (bout,) = third.bouts
    assert (bout.session, bout.time, bout.frames) == ("sim-1", "1:01.5", "1845 to 1889")
    assert pages.entropy_rate == pytest.approx(1.0) and pages.highest_entropy == pytest.approx(1.0)


def test_the_player_gets_positions_right_and_down_and_what_is_inside(results):
    content = pages_of(results).pages[2].clips
    (clip,) = content["clips"]
    assert clip["inside"] == [0, 0, 0] + [1] * (N_STEPS - 3)
    assert clip["step"] == pytest.approx(1 / 30, abs=1e-4)
    (view,) = np.array(clip["views"]).reshape(1, N_STEPS, 2, 2)
    # the nose is one body length ahead of the tail, which is up
    length = content["size"] * (1 - 2 * skeletons.MARGIN)
    np.testing.assert_allclose(view[:, 1] - view[:, 0], [[0, -length]] * N_STEPS, atol=1)
    np.testing.assert_allclose(np.diff(view[:, 0, 1]), -length / N_STEPS, atol=1)
    assert content["bones"] == [[0, 1]] and content["front"] == 1


def test_three_dimensions_are_seen_from_above_and_from_the_side():
    above, side = skeletons.views(np.array([[1.0, 2.0, 3.0]]))
    assert above.tolist() == [[2.0, -1.0]] and side.tolist() == [[1.0, -3.0]]


def test_of_many_motifs_fewer_clips_are_on_the_page(monkeypatch):
    rows = [(m, rank, 1.0, 1.0, np.nan) for m in range(5) for rank in range(4) for _ in range(10)]
    table = pd.DataFrame(rows, columns=["motif", "rank", "x", "y", "z"])
    assert len(skeletons.fitting_ranks(table)) == 200
    monkeypatch.setattr(skeletons, "MAX_NUMBERS", 250)
    assert set(skeletons.fitting_ranks(table)["rank"]) == {0, 1}
    monkeypatch.setattr(skeletons, "MAX_NUMBERS", 1)
    assert set(skeletons.fitting_ranks(table)["rank"]) == {0}


def test_points_of_the_projection_have_the_motif_of_their_row(results):
    described, projected = read_described(results, MODEL), project_latents(results, MODEL, SESSIONS)
    found = motif_map.motif_of_points(results, MODEL, described, projected.points)
    tables = [pd.read_parquet(results.motifs(MODEL).session(name)) for name in SESSIONS]
    table = pd.concat(tables).astype({"session": str}).set_index(["session", "row"])["motif"]
    for position, (_, point) in list(zip(found, projected.points.iterrows(), strict=True))[::50]:
        motif = table[(point["session"], point["row"])]
        assert position == {0: 0, 1: 1, 2: 0, 3: 2}[motif]


def test_transitions_have_no_diagonal_and_rows_of_100_percent(results):
    (heatmap,) = motif_map.transitions(read_described(results, MODEL)).data
    values = np.array(heatmap.z, float)
    assert np.isnan(np.diag(values)).all()
    np.testing.assert_allclose(np.nansum(values, axis=1), 100)


def test_a_description_of_another_segmentation_or_a_damaged_one_is_refused(results, tmp_path):
    layout = Layout(tmp_path / "results")
    shutil.copytree(results.root, layout.root)
    profiles = layout.motifs(MODEL).described.profiles
    content = profiles.read_bytes()
    profiles.write_bytes(content[:-10])
    with pytest.raises(InputError, match=r"profiles\.parquet: cannot be read as Parquet"):
        read_described(layout, MODEL)
    profiles.write_bytes(content)
    path = layout.motifs(MODEL).described.description
    path.write_text(path.read_text().replace(f"segmentation of {MODEL}", "another"))
    with pytest.raises(InputError, match="describes the motifs of another segmentation"):
        read_described(layout, MODEL)
    path.write_text(path.read_text()[:100])
    with pytest.raises(InputError, match="is damaged, or not a description of motifs"):
        description.read(path)
    path.unlink()
    with pytest.raises(InputError, match=r"description\.json: cannot be read"):
        description.read(path)


def test_one_motif_has_no_tree(tmp_path):
    project = new_project(tmp_path)
    project.add("s", np.ones(60, bool), draw_states(60), model=MODEL)
    write_motifs(project.layout, MODEL, ["s"], n=1)
    projected = project_latents(project.layout, MODEL, ["s"])
    described = read_described(project.layout, MODEL)
    pages = motif_pages.read_pages(project.layout, MODEL, described, projected)
    assert pages.trees is None and len(pages.pages) == 1 and pages.entropy_rate is None


def test_directions_have_no_colour_and_are_blank_if_the_animal_hardly_moves(results):
    described = read_described(results, MODEL)
    means = {"speed": [2.0, 1e-7, 1.0], "direction": [179.0, 90.0, -179.0]}
    rows = [
        {"motif": number, "measure": name, "unit": "", "mean": mean}
        for name, values in means.items()
        for number, mean in zip(described.numbers, values, strict=True)
    ]
    (heatmap,) = motif_map.profiles(replace(described, profiles=pd.DataFrame(rows))).data
    row = 1
    assert heatmap.y[row].startswith("direction of movement")
    assert heatmap.text[row][1] == "" and heatmap.text[row][0] != ""
    assert set(np.nan_to_num(np.array(heatmap.z[row], float))) == {0.0}
    assert not any("e" in text for texts in heatmap.text for text in texts)


def test_a_motif_that_nothing_follows_says_none_and_others_show_zeros(results):
    described = read_described(results, MODEL)
    table = described.transitions
    kept = table[table["source"] != described.numbers[1]]
    (heatmap,) = motif_map.transitions(replace(described, transitions=kept)).data
    assert heatmap.y[1].endswith("(none)") and not heatmap.y[0].endswith("(none)")
    assert set(heatmap.text[1]) == {""} and "" in heatmap.text[0]
