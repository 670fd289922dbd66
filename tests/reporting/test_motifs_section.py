"""The motif section of the report, from synthetic motif files."""

import base64
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from aligned_files import write_aligned
from motif_files import QUALITY, write_motifs, write_quality
from small_models import make_results

from vame_pipe.config.configuration import Config
from vame_pipe.config.sections import Qc
from vame_pipe.core import colours
from vame_pipe.core.description import Motif
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout
from vame_pipe.core.motif_quality import MotifQuality
from vame_pipe.reporting import motif_figures, motif_lines, page
from vame_pipe.reporting.described import read_described
from vame_pipe.reporting.motif_lines import Line, raster
from vame_pipe.reporting.motif_quality import Rare, verdict
from vame_pipe.reporting.motifs import notes, read_motifs
from vame_pipe.reporting.quality_table import write_quality_table

SESSIONS = ["sim-1", "sim-2", "sim-3"]
CONFIG = Config.model_validate(
    {
        "sessions": {name: {"poses": f"{name}.csv", "fps": 30} for name in SESSIONS},
        "align": {"centre": "tailbase", "forward": "nose"},
    }
)
"""Without labels and videos, so the page needs no files of these."""
MODEL = "mice-z2"
NAME = '<script>alert("1")</script> & \u9759\u6b62 {{ x }} %{y}'
NAMED = [Motif(0, NAME, [0, 2]), Motif(1, None, [1]), Motif(3, "rear", [3])]


@pytest.fixture(scope="module")
def made(data, tmp_path_factory):
    """One model of two sessions; sim-3 is only encoded."""
    root = tmp_path_factory.mktemp("motifs") / "results"
    layout = make_results(root, data, {MODEL: 2}, SESSIONS)
    write_quality_table(layout, SESSIONS, Qc(), {}, {}, {})
    return layout


@pytest.fixture
def results(made, tmp_path):
    layout = Layout(tmp_path / "results")
    shutil.copytree(made.root, layout.root)
    return layout


def section_of(results, sessions=SESSIONS):
    return read_motifs(results, [MODEL], MODEL, sessions, {}, read_described(results, MODEL))


def unnamed(n):
    return [Motif(number, None, [number]) for number in range(n)]


def line(motif, session="a", label="", step=1.0, first=0.0):
    motif = np.asarray(motif)
    time_s = first + step * np.arange(len(motif))
    begins = np.flatnonzero(np.diff(motif, prepend=-2))
    return Line(
        session=session,
        label=label or session,
        begins=np.append(time_s[begins], time_s[-1] + step),
        motif=motif[begins],
        counts=np.bincount(motif[motif >= 0], minlength=1),
        n_rows=len(motif),
        reasons={},
    )


def decoded(values):
    """The numbers of an array that a figure holds in binary."""
    array = np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"])
    return array.reshape([int(size) for size in values["shape"].split(",")])


def test_usage_counts_the_frames_of_every_session_trained_on_or_not(results):
    section = section_of(results)
    tables = [pd.read_parquet(results.motifs(MODEL).session(name)) for name in SESSIONS]
    counts = pd.concat(tables)["motif"].value_counts()
    expected = [100 * counts[motif] / counts.sum() for motif in range(4)]
    assert section.usage["data"][0]["y"] == [float(f"{value:.4g}") for value in expected]
    assert section.n == 4 and section.busiest[0] == ("0", f"{expected[0] / 100:.0%}: still")
    n_rows = sum(map(len, tables))
    assert section.covered == f"{counts.sum() / n_rows:.0%}"
    edges = sum((table["reason"] == "edge").sum() for table in tables)
    assert f"{edges / n_rows:.1%} edge" in section.uncovered
    first = section.usage_per_line["data"][0]["z"][0]
    share = tables[0]["motif"].value_counts(normalize=True)
    assert first == [float(f"{100 * share[motif]:.3g}") for motif in range(4)]
    bouts = pd.read_parquet(results.motifs(MODEL).bouts)
    of_motif = bouts.loc[bouts["motif"] == 1, "duration_s"]
    assert section.usage["data"][0]["customdata"][1] == (
        f"{len(of_motif)} bouts in training sessions, median {of_motif.median():.2f} s"
        "<br>used by 3 of 3 animals"
    )


def test_the_ethogram_has_the_motif_of_each_frame_at_its_time(results):
    section = section_of(results)
    (heatmap,) = section.ethograms["data"]
    values = decoded(heatmap["z"])
    assert section.step_s == pytest.approx(1 / 30) and heatmap["y"] == SESSIONS
    for row, name in zip(values, SESSIONS, strict=True):
        table = pd.read_parquet(results.motifs(MODEL).session(name))
        column = np.round(table["time_s"].to_numpy() * 30).astype(int)
        np.testing.assert_array_equal(row[column], table["motif"].astype(float))
    assert section.ethograms["layout"]["shapes"][1]["x1"] == pytest.approx(30.0)


def test_a_late_first_frame_a_gap_and_a_shorter_recording_keep_their_time():
    lines = [line([0, 0, -1, 1], first=2.0), line([2, 2, 2, 2, 2, 2, 2, 2, 2, 2], step=0.5)]
    values, step_s = raster(lines)
    assert step_s == 0.5
    no = np.nan
    np.testing.assert_array_equal(values[0], [no, no, no, no, 0, 0, 0, 0, no, no, 1, 1])
    np.testing.assert_array_equal(values[1], [*[2] * 10, no, no])


def test_long_recordings_share_a_limited_number_of_columns(monkeypatch):
    monkeypatch.setattr(motif_lines, "MAX_CELLS", 20)
    values, step_s = raster([line(np.repeat([0, 1], 50)), line([-1] * 100)])
    assert values.shape == (2, 10) and step_s == 10.0
    np.testing.assert_array_equal(values[0], [0] * 5 + [1] * 5)
    assert np.isnan(values[1]).all()


def test_animals_of_one_file_get_a_line_each(results):
    valid = {"mum": [True] * 40, "pup": [True] * 40}
    write_aligned(results.aligned_folder, "pair", valid, fps=30.0)
    aligned = pd.read_parquet(results.aligned("pair"))
    table = pd.read_parquet(results.motifs(MODEL).session("sim-1"))[: len(aligned)]
    table = table.assign(
        individual=aligned["individual"], time_s=aligned["time_s"], motif=[0] * 40 + [1] * 40
    )
    table.to_parquet(results.motifs(MODEL).session("pair"))
    lines = motif_lines.read_lines(results, MODEL, "pair")
    assert [each.label for each in lines] == ["pair, mum", "pair, pup"]
    assert [each.counts.tolist() for each in lines] == [[40], [0, 40]]
    (single,) = motif_lines.read_lines(results, MODEL, "sim-1")
    assert single.label == "sim-1"


def test_only_the_first_animals_are_drawn_and_the_page_says_so(results, monkeypatch):
    monkeypatch.setattr("vame_pipe.reporting.motifs.MAX_LINES", 2)
    section = section_of(results)
    assert (section.n_shown, section.n_lines) == (2, 3)
    assert section.ethograms["data"][0]["y"] == section.usage_per_line["data"][0]["y"]
    page.write(results, CONFIG, SESSIONS, [MODEL], results.report)
    text = results.report.read_text().partition("<script>")[0]
    assert text.count("(the first 2 of 3)") == 2


def test_a_motif_of_one_session_or_group_and_an_unused_one_are_named():
    lines = [
        line([0, 0, 1, 2], "a"),
        line([0, 0, 0, 2], "b"),
        line([0, 0, 0, 0], "c"),
        line([0, 0, 0, 0], "d"),
    ]
    groups = {"a": "old", "b": "old", "c": "new"}
    counts = np.stack([np.pad(each.counts, (0, 5 - len(each.counts))) for each in lines])
    counts[:, 3] = [96, 3, 1, 0]
    found = notes(lines, counts, unnamed(5), groups)
    assert [text.split(":")[0] for text in found] == [
        "All of motif 1 is from session a",
        "All of motif 2 is from group old",
        "96% of motif 3 is from session a",
        "Motif 4 is used by no session.",
    ]
    assert notes(lines[:1], counts[:1, :3], unnamed(3), {}) == []


def test_fewer_motifs_than_asked_for_are_named(results):
    write_quality(results, MODEL, {15: {}})
    assert section_of(results).notes == ["15 motifs were asked for, but the data support only 4."]


def quality(representation, rand, error=0.02):
    values = QUALITY[representation] | {"adjusted_rand": rand, "adjusted_rand_se": error}
    return MotifQuality(representation, 4, chosen=True, **values, n_sessions_min=2)


@pytest.mark.parametrize(
    ("latents", "pca", "first", "second"),
    [
        (0.8, 0.6, "They are reproducible: ", "They are more reproducible than motifs from PCA"),
        (0.8, 0.78, "They are reproducible: ", "PCA does as well: "),
        (1.0, 0.9998, "They are reproducible: ", "PCA does as well: "),
        (0.6, 0.7, "They are reproducible in part: ", "PCA does better: "),
        (0.3, 0.3, "They are not reproducible: ", "PCA does as well: "),
    ],
)
def test_the_verdict_is_plain_and_hides_nothing(latents, pca, first, second):
    found = verdict([quality("latents", latents), quality("pca", pca)])
    assert found[0].startswith(first) and f"agreement {latents:.2f}" in found[0]
    assert found[1].startswith(second) and f"(agreement {pca:.2f})" in found[1]


@pytest.mark.parametrize(
    ("boundary_z", "rare", "less", "expected"),
    [
        (0.6, Rare(4), False, "the pose changes no more where they end than by chance"),
        (9.0, Rare(4, n_once=3), False, "3 of 4 have a single bout or none"),
        (9.0, Rare(4, n_local=2), False, "2 of 4 occur in one session only"),
        (9.0, Rare(4), True, "the model explains less than PCA"),
    ],
)
def test_motifs_that_may_be_chance_are_not_called_reproducible(boundary_z, rare, less, expected):
    latents = replace(quality("latents", 0.9), boundary_z=boundary_z)
    rows = [latents, replace(quality("pca", 0.6), boundary_z=9.0)]
    first, second, third = verdict(rows, rare=rare, less_than_pca=less)
    assert first.startswith("Other random seeds find nearly the same")
    assert second.startswith(f"Do not rely on them yet: {expected}")
    assert "chance" not in third


def test_boundaries_of_pca_are_judged_by_the_same_rule():
    rows = [replace(quality(name, 0.9), boundary_z=1.2) for name in ("latents", "pca")]
    assert "boundary score 1.2" in verdict(rows)[1]
    assert verdict(rows)[-1].endswith("PCA's motifs can be chance (boundary score 1.2).")


def test_with_one_seed_the_page_says_that_nobody_knows():
    rows = [quality("latents", None, None), quality("pca", None, None)]
    assert verdict(rows)[0].startswith("With one seed nobody knows")


@pytest.mark.parametrize(
    ("agreement", "found"), [(0.75, "nearly the same"), (0.6, "similar"), (0.2, "other")]
)
def test_the_verdict_tells_how_models_of_other_seeds_agree(agreement, found):
    rows = [quality("latents", 0.8), quality("pca", 0.6)]
    assert verdict(rows, agreement)[1] == (
        f"Models that were trained with other seeds lead to {found} motifs (agreement {agreement:.2f})."
    )
    assert len(verdict(rows)) == 2


def test_the_page_says_why_there_are_so_many_motifs(results):
    assert section_of(results).reason_for_n == "4 is the number that motifs.n sets."


def test_the_quality_table_has_every_number_of_motifs_next_to_pca(results):
    better = {"latents": {"adjusted_rand": 0.9, "log_likelihood": None}}
    write_quality(results, MODEL, {4: better, 6: {}}, chosen=4)
    page.write(results, CONFIG, SESSIONS, [MODEL], results.report)
    text = results.report.read_text().partition('<section id="recordings">')[0]
    rows = re.findall(
        r"<tr(.*?)>(<td>.*?)</tr>",
        text.partition("<h3>How far to trust")[2].partition("<tbody>")[2],
        re.S,
    )
    cells = [re.findall(r"<td>(.*?)</td>", row, re.S) for _, row in rows]
    assert cells == [
        [f"latents of {MODEL}", "4", "shared", "0.90", "0.02", "0.40", "0.60", "12.0", "", "2"],
        [
            f"latents of {MODEL}",
            "6",
            "shared",
            "0.81",
            "0.02",
            "0.40",
            "0.60",
            "12.0",
            "-8.50",
            "2",
        ],
        ["PCA", "4", "one per motif", "0.62", "0.03", "0.70", "0.50", "10.5", "-20.25", "2"],
        ["PCA", "6", "one per motif", "0.62", "0.03", "0.70", "0.50", "10.5", "-20.25", "2"],
    ]
    assert [mark for mark, _ in rows] == [' class="best"', "", "", ""]
    scan = json.loads(re.search(r'id="scan-json">(.*?)</script>', text, re.S).group(1))
    assert [points["y"] for points in scan["data"]] == [[0.9, 0.81], [0.62, 0.62]]


def test_motifs_of_other_latents_or_of_another_segmentation_are_refused(results):
    write_motifs(results, MODEL, SESSIONS, fingerprints=dict.fromkeys(SESSIONS, "another"))
    with pytest.raises(InputError) as caught:
        section_of(results)
    assert [line.rpartition("/")[2] for line in caught.value.problems] == [
        f"{name}.parquet: was made by another segmentation. Run snakemake." for name in SESSIONS
    ]
    write_motifs(results, MODEL, SESSIONS)
    shutil.copy(results.motifs(MODEL).session("sim-1"), results.motifs(MODEL).session("sim-2"))
    with pytest.raises(InputError, match=r"sim-2.parquet: was made from other latents"):
        section_of(results)


def test_missing_motif_files_are_named(results):
    results.motifs(MODEL).session("sim-2").unlink()
    results.motifs(MODEL).quality.unlink()
    with pytest.raises(InputError) as caught:
        page.write(results, CONFIG, SESSIONS, [MODEL], results.report)
    assert [
        line.partition(" not found")[0].rpartition("/")[2] for line in caught.value.problems
    ] == [
        "quality.parquet",
        "sim-2.parquet",
    ]


def test_names_are_shown_as_they_are_and_never_run(results):
    write_motifs(results, MODEL, SESSIONS, named=NAMED)
    page.write(results, CONFIG, SESSIONS, [MODEL], results.report)
    text = results.report.read_text().partition("<script>")[0]
    assert "<script>alert" not in results.report.read_text()
    shown = "&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt; &amp; \u9759\u6b62 {{ x }} %{y}"
    assert f"<b>0 {shown}</b> (with motif 2)" in text
    figures = re.findall(r'-json">(.*?)</script>', text, re.S)
    axes = [json.loads(figure) for figure in figures if "alert" in figure]
    assert axes and all("&lt;script&gt;" in json.dumps(axis) for axis in axes)


def test_merged_motifs_count_as_one_in_the_figures_of_all_recordings(results):
    write_motifs(results, MODEL, SESSIONS, named=NAMED)
    section = section_of(results)
    tables = [pd.read_parquet(results.motifs(MODEL).session(name)) for name in SESSIONS]
    counts = pd.concat(tables)["motif"].replace({2: 0}).value_counts()
    expected = [100 * counts[motif] / counts.sum() for motif in (0, 1, 3)]
    assert section.usage["data"][0]["y"] == [float(f"{value:.4g}") for value in expected]
    assert section.usage["data"][0]["x"][1:] == ["1", "3 rear"]
    assert (section.n, section.busiest[0][0]) == (3, f"0 {NAME}")
    assert section.ethograms["data"][0]["colorbar"]["tickvals"] == [0, 1, 3]
    values = decoded(section.ethograms["data"][0]["z"])
    assert set(values[np.isfinite(values)]) == {0, 1, 3}


def test_a_motif_without_a_bout_is_named(results):
    always = {name: lambda row: np.ones(len(row)) for name in SESSIONS}
    write_motifs(results, MODEL, SESSIONS, n=2, motifs=always)
    folder = results.motifs(MODEL).described
    for path in (folder.skeletons, folder.exemplars, folder.postures):
        table = pq.read_table(path)
        pq.write_table(table.filter(pc.equal(table["motif"], 1)), path)
    page.write(results, CONFIG, SESSIONS, [MODEL], results.report)
    assert "This motif has no bout in the training sessions." in results.report.read_text()


def test_more_motifs_than_colours_still_have_numbers():
    figure = motif_figures.usage(np.full(40, 1 / 40), [""] * 40, unnamed(40))
    assert figure.data[0].x[-1] == "39"
    assert figure.data[0].marker.color[30] == colours.MOTIF_COLOURS[0]
