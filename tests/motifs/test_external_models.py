"""Models that were trained elsewhere: put into a results folder, applied, reported."""

import dataclasses
import html
import json
import re

import pandas as pd
import pytest
from model_with_motifs import make_model

from vame_pipe.cli.main import main
from vame_pipe.config.loading import load, write
from vame_pipe.config.sections import Align
from vame_pipe.core import novelty
from vame_pipe.core.errors import InputError
from vame_pipe.core.files import file_fingerprint
from vame_pipe.core.layout import Layout
from vame_pipe.encoding import model_file
from vame_pipe.encoding.sessions import encode_sessions
from vame_pipe.motifs import segmentation
from vame_pipe.motifs.external import install_model
from vame_pipe.motifs.labels import label
from vame_pipe.reporting.current import read_facts

ALIGN = Align(centre="tailbase", forward="nose")


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    return make_model(data, tmp_path_factory.mktemp("trained"))


def problems_of(trained, layout, align=ALIGN, model=None, source=None):
    with pytest.raises(InputError) as caught:
        weights, motifs = trained.model("m").weights, trained.motifs("m")
        install_model("lab", model or weights, source or motifs, align, layout)
    assert not layout.root.exists()
    return caught.value.problems


def test_every_contradiction_of_the_alignment_is_named(trained, tmp_path):
    layout = Layout(tmp_path / "results")
    align = ALIGN.model_copy(update={"smooth_s": 0.3, "scale": False, "fps": 30.0})
    assert problems_of(trained, layout, align) == [
        "models.lab: align.scale is false in the configuration, true in the model. Set align.scale to "
        "true.",
        "models.lab: align.smooth_s is 0.3 in the configuration, 0.17 in the model. Set align.smooth_s to "
        "0.17.",
    ]


def test_a_segmentation_of_another_model_is_refused_by_name(trained, tmp_path):
    other = tmp_path / "other.pt"
    content = model_file.load(trained.model("m").weights)
    model_file.save(dataclasses.replace(content, note="another one"), other)
    (line,) = problems_of(trained, Layout(tmp_path / "results"), model=other)
    assert str(other) in line and str(trained.motifs("m").root) in line


def test_a_model_from_elsewhere_labels_sessions_as_it_did_there(trained, data, tmp_path):
    """Also those that it was trained on; the report has the usage, and refuses old labels."""
    layout = Layout(tmp_path / "results")
    install_model("lab", trained.model("m").weights, trained.motifs("m"), ALIGN, layout)
    weights, motifs = layout.model("lab").weights, layout.motifs("lab")
    assert weights.read_bytes() == trained.model("m").weights.read_bytes()
    found, sessions = segmentation.load(motifs), ["sim-1", "sim-3"]
    for name in sessions:
        aligned, latents = data / f"aligned/{name}.parquet", layout.latents("lab", name)
        encode_sessions(weights, {aligned: latents}, "cpu", novelty=True)
        label(found, latents, aligned, motifs.session(name))
    assert motifs.session("sim-1").read_bytes() == trained.motifs("m").session("sim-1").read_bytes()
    poses = {name: {"poses": f"{name}.csv", "fps": 30} for name in sessions}
    config = load({"sessions": poses, "align": {"centre": "tailbase", "forward": "nose"}})
    write(config, layout.config)
    out = layout.external_report("lab")
    given = ["report-external", str(layout.root), "--model=lab", "--sessions", *sessions]
    assert main([*given, "--out", str(out)]) == 0
    made_from = read_facts(out)
    assert list(made_from.aligned) == sessions and made_from.config == config.digest
    assert made_from.models == {"lab": file_fingerprint(weights)}
    rows = re.findall(
        r"<tr><td>(sim-\d)</td>((?:<td style[^>]*>[\d.]+</td>)+)</tr>", out.read_text()
    )
    shown = {name: [float(x) for x in re.findall(r">([\d.]+)<", cells)] for name, cells in rows}
    for name in sessions:
        usage = pd.read_parquet(motifs.usage_of(name)).sort_values("motif")["fraction"]
        assert shown[name] == pytest.approx(list(100 * usage), abs=0.051)
        labels = pd.read_parquet(motifs.session(name))["motif"]
        expected = labels.value_counts(normalize=True, dropna=True)
        assert usage.max() == pytest.approx(expected.max())
        reasons = novelty.read(layout.novelty("lab", name)).reasons
        assert all(html.escape(reason) in out.read_text() for reason in reasons)
    names = [{"motif": 1, "name": "<rear> & dig"}, {"motif": 0, "merge_into": 2}]
    assert main([*given, f"--names={json.dumps(names)}", "--out", str(out)]) == 0
    page = out.read_text()
    assert "<th>1 &lt;rear&gt; &amp; dig</th><th>2</th></tr>" in page
    for name in sessions:
        (cells,) = re.findall(rf"<tr><td>{name}</td>((?:<td style[^>]*>[\d.]+</td>)+)</tr>", page)
        merged = [float(x) for x in re.findall(r">([\d.]+)<", cells)]
        assert merged == pytest.approx([shown[name][1], shown[name][0] + shown[name][2]], abs=0.11)
    usage = motifs.usage_of("sim-1").read_bytes()
    motifs.usage_of("sim-1").write_bytes(usage[:100])
    assert main([*given, "--out", str(out)]) == 2
    motifs.usage_of("sim-1").write_bytes(usage)
    names = [{"motif": 9, "name": "x"}]
    assert main([*given, f"--names={json.dumps(names)}", "--out", str(out)]) == 2
    settings = motifs.settings.read_text().replace(found.fingerprint, "0" * 64)
    motifs.settings.write_text(settings)
    assert main([*given, "--out", str(out)]) == 2
