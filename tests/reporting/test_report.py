import json
import os
import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from conftest import MODEL, populate_results, train_and_encode
from sklearn.decomposition import PCA

from vame_pipe.cli import main
from vame_pipe.poses import simulate
from vame_pipe.reporting import page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


@pytest.fixture(scope="module")
def results(data, recordings, tmp_path_factory):
    """Two models of two sessions, compared; the second session is made bad on purpose."""
    folder = tmp_path_factory.mktemp("report") / "results"
    uri = f"sqlite:///{folder.parent}/mlflow.db"
    populate_results(folder, data, uri)
    train_and_encode(folder, "mice-z4")
    train_and_encode(folder, "mice-z2", model=MODEL.model_copy(update={"zdims": 2}))
    qc = folder / "aligned/sim-2.qc.json"
    quality = json.loads(qc.read_text()) | {"valid_fraction": 0.41}
    quality["keypoints"]["nose"] |= {"missing": 0.59, "outliers": 0.06}
    qc.write_text(json.dumps(quality))
    tables = ["--out", str(folder / "compare.parquet"), "--agreement"]
    assert main.main(["compare", str(folder), *tables, str(folder / "agreement.parquet")]) == 0
    sessions = {
        "sim-1": {"poses": str(recordings / "sim-1.csv"), "fps": 30.0},
        "sim-2": {"poses": "gone.csv", "fps": 30.0},
    }
    text = yaml.safe_dump({"sessions": sessions, "results": "<b>bold</b>"})
    (folder / "config.yaml").write_text(text)
    arguments = ["--sessions", "sim-1", "sim-2", "--out", str(folder / "report.html")]
    assert main.main(["report", str(folder), *arguments]) == 0
    return folder


def text_of(results):
    """The page without plotly and what draws."""
    return (results / "report.html").read_text().partition("<script>")[0]


def embedded(results, name):
    found = re.search(
        rf'<script type="application/json" id="{name}">(.*?)</script>', text_of(results)
    )
    return json.loads(found.group(1))


def rows_of(results, number):
    """The cells of a table's body."""
    body = re.findall(r"<tbody>(.*?)</tbody>", text_of(results), re.S)[number]
    rows = re.findall(r"<tr.*?</tr>", body, re.S)
    return [re.findall(r"<td.*?>(.*?)</td>", row, re.S) for row in rows]


def test_a_bad_session_is_flagged_in_words_and_stands_first(results):
    bad, good = rows_of(results, 0)
    assert bad[0] == "sim-2" and good[0] == "sim-1" and good[-1] == ""
    assert bad[-1] == "59% of frames not valid; nose missing in 59%; nose jumps in 6%"
    index = pq.read_table(results / "windows/windows.parquet")["session"].to_pylist()
    assert [int(bad[4]), int(good[4])] == [index.count("sim-2"), index.count("sim-1")]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, []),
        ({"windows": 0}, ["has no window"]),
        ({"valid": 0.62}, ["38% of frames not valid"]),
        ({"body_length": 125.0}, ["body length 2.5 x the median of all sessions"]),
        ({"body_length": 20.0}, ["body length 0.4 x the median of all sessions"]),
        ({"flipped": 0.219}, ["head and tail seem swapped in 21.9%"]),
        ({"mirrored": True}, ["left and right seem swapped, compared with other sessions"]),
        ({"copies": ["m2", "m3"]}, ["the same recording as m2, m3"]),
        (
            {"keypoints": {"nose": {"missing": 0.04, "outliers": 0.0, "placeholders": 0.04}}},
            ["nose is a placeholder, as (0, 0), in 4%"],
        ),
    ],
)
def test_what_needs_a_look(change, said):
    fine = {"windows": 10, "valid": 0.95, "body_length": 50.0}
    fine |= {"flipped": 0.0, "mirrored": False, "copies": []}
    fine["keypoints"] = {"nose": {"missing": 0.02, "outliers": 0.0, "placeholders": 0.0}}
    assert page.flags(fine | change, 50.0) == said


def test_the_comparison_is_the_table(results):
    table = pd.read_parquet(results / "compare.parquet")
    heads = re.findall(
        r"<th(?: [^>]*)?>(.*?)</th>", text_of(results).split('id="comparison"')[1], re.S
    )
    shown = pd.DataFrame(rows_of(results, 1), columns=heads)
    assert shown["model"].tolist() == table["model"].tolist() == ["mice-z2", "mice-z4"]
    for name in ("final/r2_reconstruction", "pca/r2_reconstruction", "model.zdims", "final/kl"):
        assert shown[name].astype(float).tolist() == [float(f"{v:.4g}") for v in table[name]]
    assert heads[:3] == ["model", "model.zdims", "final/r2_reconstruction"]
    assert '<th class="varied">model.zdims</th>' in text_of(results)
    (points,) = [d for d in embedded(results, "scores-json")["data"] if "PCA" in d["name"]]
    assert points["y"] == [float(f"{v:.4g}") for v in table["pca/r2_reconstruction"]]


def test_the_trace_is_the_recording_and_what_alignment_made_of_it(results, recordings):
    gone, there = embedded(results, "traces")
    assert [line["yaxis"] for line in gone["data"]] == ["y2", "y2"]
    assert "no pose file here" in gone["layout"]["annotations"][0]["text"]
    raw_x, raw_y, x, _ = there["data"]
    table = pd.read_csv(recordings / "sim-1.csv", header=[1, 2])
    number = simulate.KEYPOINTS[1]  # the first one that moves in both directions
    begin = round(raw_x["x"][0] * 30)
    for line, axis in ((raw_x, "x"), (raw_y, "y")):
        recorded = table[(number, axis)].to_numpy()[begin : begin + len(line["y"])]
        known = np.isfinite(recorded)
        np.testing.assert_allclose(np.array(line["y"], float)[known], recorded[known], rtol=1e-5)
    aligned = pd.read_parquet(results / "aligned/sim-1.parquet").set_index("time_s")
    made = aligned[f"{number}_x"].loc[x["x"][0] - 0.01 : x["x"][-1] + 0.01]
    np.testing.assert_allclose(np.array(x["y"], float), made, rtol=1e-4)
    assert len(x["y"]) == 20 * 30


def test_projections_are_principal_components(results):
    parts = [pd.read_parquet(results / f"latents/mice-z4/sim-{i}.parquet") for i in (1, 2)]
    latents = pd.concat(parts).filter(like="z_").to_numpy(float)
    points, variances = page.project(results, "mice-z4", ["sim-1", "sim-2"])
    pca = PCA(2).fit(latents)
    np.testing.assert_allclose(variances[:2] / variances.sum(), pca.explained_variance_ratio_)
    assert len(points) == len(latents)  # fewer than would be thinned out
    place = np.abs(pca.transform(latents))
    np.testing.assert_allclose(points[["x", "y"]].abs(), place, atol=1e-5)
    aligned = pd.read_parquet(results / "aligned/sim-1.parquet").set_index("frame")
    speed = np.exp(aligned["log_speed"].loc[parts[0]["frame"]])
    np.testing.assert_allclose(points["speed"][: len(speed)], speed)


def test_the_same_results_give_the_same_page_and_nothing_in_it_is_markup(results):
    page = results / "report.html"
    before, text = page.read_bytes(), text_of(results)
    page.write(results, ["sim-1", "sim-2"], ["mice-z2", "mice-z4"], page)
    assert page.read_bytes() == before
    assert "<b>bold</b>" not in text and "&lt;b&gt;bold&lt;/b&gt;" in text
    assert re.findall(r'(?:src|href)="(?!#|data:)([^"]*)"', text) == []


def test_everything_that_lacks_is_named(results, tmp_path, capsys):
    arguments = ["--sessions", "sim-1", "sim-9", "--models", "mice-z2", "no"]
    assert main.main(["report", str(results), *arguments, "--out", str(tmp_path / "r.html")]) == 2
    said = capsys.readouterr().err
    for name in ("aligned/sim-9.qc.json", "models/no/run.json", "latents/mice-z2/sim-9.parquet"):
        assert f"{name} is not there. Run snakemake." in said
    assert not (tmp_path / "r.html").exists()


WATCH = """<script>addEventListener("load", () => setTimeout(() => {
const asked = performance.getEntriesByType("resource").map(entry => entry.name);
document.title = `asked for ${asked.length} ${asked.join(" ")}`;
}, 1000));</script></body>"""
"""What a page asks for, whether it gets it or not, in its title."""


def browse(page, profile):
    """Open a page in a headless Chromium, where no host has an address; return the page and its log."""
    named = os.environ.get("VAME_PIPE_CHROMIUM")
    browser = named or next(filter(None, map(shutil.which, NAMES)), None)
    if browser is None:
        pytest.skip("no Chromium here; VAME_PIPE_CHROMIUM may name one")
    watched = page.with_name(f"watched-{page.name}")
    watched.write_text(page.read_text().replace("</body>", WATCH))
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += ["--virtual-time-budget=20000", "--enable-logging=stderr", "--v=0"]
    command += [f"--user-data-dir={profile}", "--host-resolver-rules=MAP * ~NOTFOUND"]
    done = subprocess.run([*command, watched.as_uri()], capture_output=True, text=True, timeout=120)
    return done.stdout, done.stderr


def test_a_browser_shows_it_without_network_and_without_complaint(results, tmp_path):
    shown, said = browse(results / "report.html", tmp_path / "profile")
    assert "CONSOLE" not in said, said
    assert "<title>asked for 0 </title>" in shown
    table = pd.read_parquet(results / "compare.parquet")
    best = 1 + table["best"].tolist().index(True)  # the others are drawn when they are opened
    drawn = re.findall(r'<div class="plot js-plotly-plot" id="([^"]*)"', shown)
    assert drawn == [
        *("trace", "scores", "agreement"),
        *(f"{figure}-{best}" for figure in ("curves", "spectrum", "projection")),
    ]
    assert shown.count("main-svg") >= len(drawn)


def test_the_browser_would_have_told(tmp_path):
    page = tmp_path / "page.html"
    page.write_text(
        '<html><body><img src="https://example.org/x.png"><script>no()</script></body></html>'
    )
    shown, said = browse(page, tmp_path / "profile")
    assert "<title>asked for 1 https://example.org/x.png</title>" in shown
    assert "CONSOLE" in said and "no is not defined" in said
