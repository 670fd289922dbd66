import base64
import json
import os
import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from small_models import make_results

from vame_pipe import __version__
from vame_pipe.alignment import aligned_file
from vame_pipe.cli import main
from vame_pipe.config.loading import load
from vame_pipe.config.sections import Windows
from vame_pipe.core import clip_facts, files, source
from vame_pipe.core.clip_facts import ClipFacts
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout
from vame_pipe.core.metadata import write_rejection
from vame_pipe.poses import simulate
from vame_pipe.reporting import page
from vame_pipe.reporting.comparison import compare
from vame_pipe.reporting.current import read_facts
from vame_pipe.reporting.video_section import read_videos, required_files
from vame_pipe.windows import data as window_data
from vame_pipe.windows.build import build

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


SESSIONS = ["sim-1", "sim-2", "sim-3"]


@pytest.fixture(scope="module")
def results(data, recordings, tmp_path_factory):
    """Two models, compared. The quality of sim-2 is bad on purpose; sim-3 is only encoded."""
    root = tmp_path_factory.mktemp("report") / "results"
    layout = make_results(root, data, {"mice-z4": 4, "mice-z2": 2}, SESSIONS)
    quality = json.loads(layout.quality("sim-2").read_text())
    animal = quality["individuals"]["id_0"]
    animal["valid_fraction"] = 0.41
    animal["keypoints"]["nose"] |= {"missing": 0.59, "outliers": 0.06, "threshold": None}
    quality["left_out"] = {"id_1": "no frame has all keypoints."}
    layout.quality("sim-2").write_text(json.dumps(quality))
    sessions = {name: {"poses": str(recordings / f"{name}.csv"), "fps": 30.0} for name in SESSIONS}
    sessions["sim-2"]["poses"] = "gone.csv"
    sessions["sim-1"]["video"] = "sim-1.mp4"
    sessions["sim-4"] = {"poses": "sim-4.csv", "exclude": "lost <the> tail"}
    align = {"centre": "tailbase", "forward": "nose"}
    mlflow = {"experiment": "<b>bold</b>"}
    text = yaml.safe_dump({"sessions": sessions, "mlflow": mlflow, "align": align})
    layout.config.write_text(text)
    for model in ("mice-z4", "mice-z2"):
        write_clips(layout, model)
    assert main.main(["quality", str(root)]) == 0
    assert main.main(["report", str(root), "--out", str(layout.report)]) == 0
    return layout


def write_clips(layout, model):
    """Write that motif 0 has clips of the video of sim-1, but no clips."""
    folder = layout.motifs(model)
    digest = files.file_fingerprint(folder.described.description)
    made = ClipFacts([0], ["session sim-1: <shifted>."], {"sim-1": ["sim-1.mp4"]}, True, digest, 1)
    clip_facts.write(made, folder.videos.facts)


def text_of(results):
    """The page without its scripts."""
    return results.report.read_text().partition("<script>")[0]


def embedded(results, name):
    found = re.search(
        rf'<script type="application/json" id="{name}">(.*?)</script>', text_of(results)
    )
    return json.loads(found.group(1))


def rows_of(results, section, index=0):
    """The cells of the body of a table of a section."""
    text = text_of(results).partition(f'<section id="{section}">')[2].partition("</section>")[0]
    body = re.findall(r"<tbody>(.*?)</tbody>", text, re.S)[index]
    rows = re.findall(r"<tr.*?</tr>", body, re.S)
    return [re.findall(r"<td.*?>(.*?)</td>", row, re.S) for row in rows]


def test_a_bad_session_is_flagged_in_words_and_listed_first(results):
    bad, good, encoded = rows_of(results, "recordings")
    assert bad[0] == "sim-2" and good[0] == "sim-1" and good[-1] == ""
    assert bad[-1] == "59% of frames not valid; nose missing in 59%; nose jumps in 6%"
    index = pq.read_table(results.windows_folder.index)["session"].to_pylist()
    assert [int(bad[5]), int(good[5])] == [index.count("sim-2"), index.count("sim-1")]
    assert [bad[1], good[1]] == ["training", "training"]
    assert encoded[0] == "sim-3" and encoded[1] == "encoding only"
    assert encoded[5] == encoded[-1] == ""


def test_the_quality_of_every_animal_and_keypoint_is_shown_worst_first(results):
    (left_out,) = rows_of(results, "quality", 0)
    assert left_out == ["sim-4", "excluded", "lost &lt;the&gt; tail"]
    worst, *others = rows_of(results, "quality", 1)
    assert worst[:2] == ["sim-2", "41.0"] and {row[0] for row in others} == {"sim-1", "sim-3"}
    index = pq.read_table(results.windows_folder.index).to_pandas()
    counts = index[index["session"] == "sim-2"]["split"].value_counts()
    # the encoded session has no windows
    assert worst[9:11] == [str(counts["train"]), str(counts["val"])]
    assert next(row for row in others if row[0] == "sim-3")[9:] == ["", "", "", ""]
    nose, *others = rows_of(results, "quality", 2)
    assert nose[:3] == ["sim-2", "nose", "59.0"] and nose[5] == "not scored"
    assert {row[5] for row in others} == {"0.6"}


def test_animals_that_are_left_out_and_fragments_of_tracks_are_listed(results):
    section = text_of(results).partition('<section id="quality">')[2]
    assert "sim-2, id_1: no frame has all keypoints." in section
    assert re.search(
        r"all animals together\.\s+sim-2 \(\d+, the longest .* s, an animal in 100\.0% of", section
    )


def test_skeletons_are_drawn_as_recorded_and_as_aligned(results):
    section = text_of(results).partition('<section id="quality">')[2]
    drawings = re.findall(r"<svg role.*?</figcaption>", section, re.S)
    assert len(drawings) == 3
    gone = next(text for text in drawings if "Skeleton of sim-2" in text)
    assert "(not shown as recorded: pose file not found)" in gone and ">recorded<" not in gone
    shown = next(text for text in drawings if "Skeleton of sim-1" in text)
    assert ">recorded<" in shown and ">aligned<" in shown
    # 12 frames of 8 keypoints, twice; each point that is missing is not drawn
    assert 180 <= shown.count("<circle") <= 192 and len(shown) < 60_000
    assert shown.count('fill="#0072B2"') >= 12  # the centre


def test_the_first_lines_summarise_the_results(results):
    head = " ".join(re.sub("<.*?>", "", text_of(results).partition("<nav>")[0]).split())
    assert "3 sessions, 1.5 minutes in total: 2 used for training, 1 only encoded." in head
    assert "1 session is left out, see Quality. 1 of 3 is flagged: check the tracking" in head
    table = pd.read_parquet(results.comparison).set_index("model")
    best = table["best"].idxmax()
    assert (
        f"{best}, which has the lowest error of 2 models. Its {best[-1]} latent dimensions" in head
    )
    for name in ("final/r2_reconstruction", "pca/r2_reconstruction"):
        assert f"{100 * table.loc[best, name]:.0f}%" in head
    assert f"{results.latents_folder(best)}/, one Parquet file per session" in head


def test_the_comparison_is_the_table(results):
    table = pd.read_parquet(results.comparison)
    section = text_of(results).split('id="comparison"')[1]
    heads = re.findall(
        r"<th(?: [^>]*)?>(?:[^<]*<br><small>)?(.*?)(?:</small>)?</th>", section, re.S
    )
    assert "<th>r2 reconstruction<br><small>final/r2_reconstruction</small></th>" in section
    shown = pd.DataFrame(rows_of(results, "comparison"), columns=heads)
    assert shown["model"].tolist() == table["model"].tolist() == ["mice-z2", "mice-z4"]
    for name in ("final/r2_reconstruction", "pca/r2_reconstruction", "model.zdims", "final/kl"):
        assert shown[name].astype(float).tolist() == [float(f"{v:.4g}") for v in table[name]]
    assert heads[:3] == ["model", "model.zdims", "final/r2_reconstruction"]
    assert '<th class="differs">model.zdims</th>' in text_of(results)
    (points,) = [d for d in embedded(results, "scores-json")["data"] if "PCA" in d["name"]]
    assert points["y"] == [float(f"{v:.4g}") for v in table["pca/r2_reconstruction"]]


def test_the_trace_shows_a_keypoint_as_recorded_and_as_aligned(results, recordings):
    gone, found, _ = embedded(results, "traces")
    assert [line["yaxis"] for line in gone["data"]] == ["y2", "y2"]
    assert "pose file not found" in gone["layout"]["annotations"][0]["text"]
    recorded_x, recorded_y, x, _ = found["data"]
    table = pd.read_csv(recordings / "sim-1.csv", header=[1, 2])
    keypoint = simulate.KEYPOINTS[1]  # the first one that moves in both directions
    start = round(recorded_x["x"][0] * 30)
    for line, axis in ((recorded_x, "x"), (recorded_y, "y")):
        expected = table[(keypoint, axis)].to_numpy()[start : start + len(line["y"])]
        finite = np.isfinite(expected)
        np.testing.assert_allclose(np.array(line["y"], float)[finite], expected[finite], rtol=1e-5)
    aligned = pd.read_parquet(results.aligned("sim-1")).set_index("time_s")
    expected = aligned[f"{keypoint}_x"].loc[x["x"][0] - 0.01 : x["x"][-1] + 0.01]
    np.testing.assert_allclose(np.array(x["y"], float), expected, rtol=1e-4)
    assert len(x["y"]) == 20 * 30


def test_each_model_shows_the_figures_of_its_training_run(results):
    images = re.findall(r'<img alt="([^"]*)" src="data:image/png;base64,([^"]*)"', text_of(results))
    folders = [results.model(name) for name in ("mice-z2", "mice-z4")]
    paths = [path for f in folders for path in (f.losses, f.reconstructions, f.spectrum)]
    assert [base64.b64decode(png) for _, png in images] == [path.read_bytes() for path in paths]
    assert images[3][0] == "Loss terms of mice-z4 for each epoch"


def test_the_provenance_says_how_to_reproduce_the_results(results):
    section = text_of(results).split('<section id="provenance">')[1]
    assert f"snakemake --configfile {results.root}/config.yaml --cores 4" in section
    assert f"sqlite:///{results.root}/mlflow/mlflow.db" in section
    cells = dict(rows_of(results, "provenance"))
    assert cells["git commit"] == "c0ffee, with uncommitted changes"
    assert (
        cells["fingerprint of the windows"]
        == window_data.load(results.windows_folder.root).fingerprint
    )
    assert cells["vame_pipe"] == __version__ and cells["device"] == "cpu"


def test_the_same_results_give_the_same_page_and_nothing_in_it_is_markup(results):
    before, text = results.report.read_bytes(), text_of(results)
    page.write(results, load(results.config), SESSIONS, ["mice-z2", "mice-z4"], results.report)
    assert results.report.read_bytes() == before
    assert "<b>bold</b>" not in text and "&lt;b&gt;bold&lt;/b&gt;" in text
    videos = f"motifs/{best_of(results)}/videos/motif_00.mp4"
    assert re.findall(r'(?:src|href)="(?!#|data:)([^"]*)"', text) == [videos]


def best_of(results):
    table = pd.read_parquet(results.comparison).set_index("model")
    return table["best"].idxmax()


def test_clips_from_videos_are_linked_and_faults_of_videos_named(results, tmp_path):
    assert "<li>session sim-1: &lt;shifted&gt;.</li>" in text_of(results)
    found = read_videos(results, "mice-z2", results.root / "my reports")
    assert found.links == {0: "../motifs/mice-z2/videos/motif_00.mp4"}
    elsewhere = read_videos(results, "mice-z2", results.root / "a" / "#1").links[0]
    assert elsewhere.startswith("../../motifs/")
    models = ["mice-z2", "mice-z4"]
    expected = [results.motifs(model).videos.facts for model in models]
    assert required_files(results, models) == expected
    path = results.motifs("mice-z2").videos.facts
    before = path.read_text()
    clip_facts.write(replace(clip_facts.read(path), description="another"), path)
    with pytest.raises(InputError, match=r"videos\.json: is about other motifs"):
        read_videos(results, "mice-z2", tmp_path)
    path.write_text(before)


def test_a_page_of_some_models_and_sessions_shows_only_these(results, tmp_path):
    page.write(results, load(results.config), ["sim-1"], ["mice-z2"], tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text().partition("<script>")[0]
    assert "mice-z2" in text and "mice-z4" not in text
    assert "1 session, 0.5 minutes in total." in text and "None is flagged." in text
    assert "sim-2" not in text.partition("All settings")[0] and 'id="similarity"' not in text


def test_every_missing_file_is_named(results, tmp_path, capsys):
    arguments = ["--sessions", "sim-1", "sim-9", "--models", "mice-z2", "no"]
    out = tmp_path / "r.html"
    assert main.main(["report", str(results.root), *arguments, "--out", str(out)]) == 2
    messages = capsys.readouterr().err
    for name in ("aligned/sim-9.qc.json", "models/no/run.json", "latents/mice-z2/sim-9.parquet"):
        assert f"{name} not found. Run snakemake." in messages
    assert not out.exists()


def test_a_model_that_is_not_in_the_comparison_is_named(results, tmp_path):
    layout = Layout(tmp_path / "results")
    shutil.copytree(results.root, layout.root)
    compare(layout, ["mice-z4"], {})
    with pytest.raises(InputError, match=r"model mice-z2 is not in .*compare.parquet"):
        page.write(
            layout, load(layout.config), SESSIONS, ["mice-z2", "mice-z4"], tmp_path / "page.html"
        )


def test_a_comparison_of_earlier_models_or_sessions_is_refused(results, tmp_path):
    layout = Layout(tmp_path / "results")
    shutil.copytree(results.root, layout.root)
    table, meta = pq.read_table(layout.comparison), files.read_metadata(layout.comparison)
    stale = {"models": meta["models"] | {"mice-z2": "0" * 64}, "aligned": {"sim-1": "0" * 64}}
    files.write_tables(layout.comparison, [table], table.schema, meta | stale)
    with pytest.raises(InputError) as error:
        page.write(
            layout, load(layout.config), SESSIONS, ["mice-z2", "mice-z4"], tmp_path / "page.html"
        )
    model, sessions = error.value.problems
    assert "compare.parquet is of an earlier model mice-z2. Run `vame-pipe compare` first." in model
    assert "compare.parquet is of other training sessions." in sessions


def test_models_of_other_windows_than_those_on_disk_are_refused(results, tmp_path):
    """Though all models were trained on the same ones."""
    layout = Layout(tmp_path / "results")
    shutil.copytree(results.root, layout.root)
    paths = [layout.aligned(name) for name in ("sim-1", "sim-2")]
    build(paths, Windows(length_s=0.5, future_s=0.1), layout.windows_folder.root)
    with pytest.raises(InputError) as error:
        page.write(
            layout, load(layout.config), SESSIONS, ["mice-z2", "mice-z4"], tmp_path / "page.html"
        )
    assert [line.split(":")[0] for line in error.value.problems] == [
        "model mice-z2",
        "model mice-z4",
    ]
    assert "was trained on other windows than those in" in error.value.problems[0]


def test_every_session_that_could_not_be_aligned_or_encoded_is_named_once(
    results, tmp_path, capsys
):
    layout = Layout(tmp_path / "results")
    shutil.copytree(results.root, layout.root)
    aligned, other = "session bad: no frames", "other.parquet: has 15 fps"
    aligned_file.write_rejection("bad", [aligned], layout.aligned("bad"), layout.quality("bad"))
    for model in ("mice-z2", "mice-z4"):
        for path in (layout.latents(model, "bad"), layout.motifs(model).session("bad")):
            write_rejection(path, [aligned])
        for path in (layout.latents(model, "sim-3"), layout.motifs(model).session("sim-3")):
            write_rejection(path, [other])
    out = tmp_path / "page.html"
    arguments = ["--sessions", *SESSIONS, "bad", "--out", str(out)]
    assert main.main(["report", str(layout.root), *arguments]) == 2
    errors = [x for x in capsys.readouterr().err.splitlines() if x.startswith("ERROR")]
    assert sorted(errors) == [f"ERROR: {other}", f"ERROR: {aligned}"] and not out.exists()


def test_the_page_stores_what_it_was_made_from(results):
    facts = read_facts(results.report)
    assert list(facts.aligned) == SESSIONS and facts.stage_version == source.REPORT
    assert facts.models["mice-z2"] == files.file_fingerprint(results.model("mice-z2").weights)
    assert facts.comparison == files.file_fingerprint(results.comparison)
    assert facts.config == load(results.config).digest


def test_latents_of_an_earlier_model_are_refused_also_for_encoded_sessions(results, tmp_path):
    layout = Layout(tmp_path / "results")
    shutil.copytree(results.root, layout.root)
    path = layout.latents("mice-z4", "sim-3")
    table, meta = pq.read_table(path), files.read_metadata(path)
    files.write_tables(path, [table], table.schema, meta | {"model_fingerprint": "0" * 64})
    with pytest.raises(InputError, match=r"latents/mice-z4/sim-3.parquet: was made by another"):
        page.write(
            layout, load(layout.config), SESSIONS, ["mice-z2", "mice-z4"], tmp_path / "page.html"
        )


WATCH = """<script>addEventListener("load", () => setTimeout(() => {
const asked = performance.getEntriesByType("resource").map(entry => entry.name);
document.title = `asked for ${asked.length} ${asked.join(" ")}`;
}, 1000));</script></body>"""
"""Writes the addresses that a page asks for into its title, whether it gets them or not."""


def browse(page, profile):
    """Open a page in a headless Chromium without network; return the resulting page and the log."""
    chosen = os.environ.get("VAME_PIPE_CHROMIUM")
    browser = chosen or next(filter(None, map(shutil.which, NAMES)), None)
    if browser is None:
        pytest.skip("Chromium not found; VAME_PIPE_CHROMIUM may be set to its path")
    watched = page.with_name(f"watched-{page.name}")
    watched.write_text(page.read_text().replace("</body>", WATCH))
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += ["--virtual-time-budget=20000", "--enable-logging=stderr", "--v=0"]
    command += [f"--user-data-dir={profile}", "--host-resolver-rules=MAP * ~NOTFOUND"]
    done = subprocess.run([*command, watched.as_uri()], capture_output=True, text=True, timeout=120)
    return done.stdout, done.stderr


def test_a_browser_shows_it_without_network_and_without_errors(results, tmp_path):
    shown, log = browse(results.report, tmp_path / "profile")
    assert "CONSOLE" not in log, log
    assert "<title>asked for 0 </title>" in shown
    table = pd.read_parquet(results.comparison)
    best = 1 + table["best"].tolist().index(True)  # the other models are drawn when opened
    drawn = re.findall(r'<div class="plot js-plotly-plot" id="([^"]*)"', shown)
    motifs = ["usage", "ethograms", "usage-per-line"]
    motifs += ["profiles", "projection-motifs", "transitions", "trees"]
    assert drawn == [*motifs, "trace", "scores", "similarity", f"projection-{best}"]
    assert shown.count("main-svg") >= len(drawn)


def test_the_check_in_the_browser_finds_requests_and_errors(tmp_path):
    bad = tmp_path / "page.html"
    bad.write_text(
        '<html><body><img src="https://example.org/x.png"><script>no()</script></body></html>'
    )
    shown, log = browse(bad, tmp_path / "profile")
    assert "<title>asked for 1 https://example.org/x.png</title>" in shown
    assert "CONSOLE" in log and "no is not defined" in log
