"""The workflow as its users run it: a real snakemake on the default and on tiny configurations.

A run of snakemake takes seconds, so tests share the results folders of a few runs.
"""

import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from conftest import ROOT, TINY, install, snakemake
from mlflow import MlflowClient
from sklearn.metrics import adjusted_mutual_info_score
from workflow_runs import (
    LAST,
    ODD,
    add_session,
    assert_recorded,
    configure,
    content,
    from_training,
    job_counts,
    planned_jobs,
    run,
    with_next_version,
)

from vame_pipe.config import loading
from vame_pipe.core import label_facts, novelty
from vame_pipe.core.layout import Layout
from vame_pipe.core.metadata import AlignedMetadata, read_record
from vame_pipe.encoding import model_file
from vame_pipe.poses import simulate
from vame_pipe.videos.video_file import writer


@pytest.fixture
def editable_run(tiny_run):
    """The tiny run, whose configuration may be changed by one test."""
    before = (tiny_run / "config.yaml").read_text()
    yield tiny_run
    (tiny_run / "config.yaml").write_text(before)


@pytest.fixture(scope="module")
def extended_run(tiny_run, recordings, tmp_path_factory):
    """A copy of the tiny run with two more sessions, a video and labels, and the jobs of that.

    One session is only encoded; the camera began a second file during it, and a person labelled it. The
    other one is excluded.
    """
    folder = tmp_path_factory.mktemp("extended") / "run"
    shutil.copytree(tiny_run, folder)
    lines = (recordings / "sim-3.csv").read_text().splitlines(keepends=True)
    for name, part in (("part 1.csv", lines[3:400]), ("part 2.csv", lines[400:])):
        (folder / name).write_text("".join([*lines[:3], *part]))
    (folder / f"{ODD}.csv").write_text(
        (recordings / "sim-3.motifs.csv").read_text().replace("motif", "label", 1)
    )
    extra = {"use": "encode", "group": ODD, "labels": f"{ODD}.csv", "metadata": {"age": "P60"}}
    add_session(folder, "new", poses=["part 1.csv", "part 2.csv"], **extra)
    add_session(folder, "lost", poses="lost.csv", exclude=ODD)
    known = yaml.safe_load((folder / "config.yaml").read_text())["sessions"]["m1"]
    add_session(folder, "m1", **known, video=f"{ODD}.mp4")
    with writer(folder / f"{ODD}.mp4", 30, 64, 48) as add:
        for _ in range(890):
            add(np.zeros((48, 64, 3), np.uint8))
    jobs, _ = run(folder)
    return folder, jobs


def test_lint(tmp_path):
    install(tmp_path)
    done = snakemake(tmp_path, "--lint")
    assert done.returncode == 0, done.stderr


def test_the_default_configuration_plans_all_stages(tmp_path):
    install(tmp_path)
    assert planned_jobs(tmp_path) == {
        "demo": 1,
        "init_mlflow": 1,
        "align": 10,
        "windows": 1,
        "quality": 1,
        **from_training(1),
    }


def test_a_second_run_does_nothing(tiny_run):
    jobs, text = run(tiny_run)
    assert jobs == {}
    assert "Nothing to be done" in text
    # also with the configuration that is stored next to the results, as the report says
    assert planned_jobs(tiny_run, "--configfile", "results/config.yaml") == {}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"motif_names": [{"motif": 0, "name": "<still>, 'it' {s}", "model": "vame"}]},
            {"describe": 1, "groups": 1, **LAST},
        ),
        (
            {"train": {"learning_rate": 1e-3}},
            from_training(2),
        ),
        (
            {"models": {"vame": {}, "wide": {"zdims": 7}}},
            from_training(1),
        ),
        (
            {"windows": {"length_s": 0.6}},
            {"windows": 1, "quality": 1, **from_training(2)},
        ),
        (
            {"align": {"smooth_s": None}},
            {"align": 2, "windows": 1, "quality": 1, **from_training(2)},
        ),
        ({"mlflow": {"experiment": "other"}}, {"init_mlflow": 1, **LAST}),
    ],
)
def test_a_changed_setting_reruns_its_stage_and_those_that_follow(editable_run, change, expected):
    configure(editable_run, **change)
    assert planned_jobs(editable_run) == expected


def test_adding_a_session_aligns_only_that_session(editable_run, recordings):
    add_session(editable_run, "m3", poses=str(recordings / "sim-3.csv"))
    expected = {"align": 1, "windows": 1, "quality": 1, **from_training(2)}
    assert planned_jobs(editable_run) == expected


def test_an_excluded_session_is_listed_and_files_are_joined(extended_run):
    folder, _ = extended_run
    layout = Layout(folder / "results")
    rows = pd.read_parquet(layout.qc).drop_duplicates("session").set_index("session")
    assert rows["status"].to_dict() == {
        "m1": "used",
        "m2": "used",
        "new": "used",
        "lost": "excluded",
    }
    assert rows.loc["lost", "reason"] == ODD
    report = layout.report.read_text().partition("<script>")[0]
    assert "<td>lost</td>" in report and not layout.aligned("lost").exists()
    meta = read_record(AlignedMetadata, layout.aligned("new"))
    assert [(p.source, p.first_frame, p.n_frames) for p in meta.parts] == [
        ("part 1.csv", 0, 397),
        ("part 2.csv", 397, 503),
    ]
    # a window lies across the join
    run = pq.read_table(layout.aligned("new"), columns=["run"])["run"].to_numpy()
    assert run[396] == run[397] >= 0


def test_adding_a_session_to_encode_trains_nothing(extended_run, tiny_run):
    """It is aligned and encoded with each model; the models and all other results stay as they are."""
    folder, jobs = extended_run
    assert jobs == {
        "align": 1,
        "quality": 1,
        "encode_new": 2,
        "label_new": 2,
        "groups": 2,
        "videos": 2,
        "compare_labels": 2,
        **LAST,
    }
    patterns = (
        "aligned/m*",
        "windows/*",
        "models/*/*",
        "latents/*/m*",
        "motifs/*/m*",
        "motifs/*/*.*",
        "compare.*",
        "mlflow/*.json",
    )
    before = content(tiny_run, *patterns)
    after = content(folder, *patterns)
    assert len(before) > 30 and {path: after[path] for path in before} == before
    layout = Layout(folder / "results")
    aligned = pq.read_table(layout.aligned("new")).to_pandas()
    for model, zdims in (("vame", 3), ("wide", 6)):
        latents = pq.read_table(layout.latents(model, "new")).to_pandas()
        assert len(latents) > 100 and latents.filter(like="z_").shape[1] == zdims
        assert set(latents["session"]) == {"new"}
        assert set(latents["row"]) <= set(aligned["row"][aligned["run"] >= 0])
        motifs = pq.read_table(layout.motifs(model).session("new")).to_pandas()
        bouts = pq.read_table(layout.motifs(model).bouts_of("new")).to_pandas()
        assert (bouts["end_row"] - bouts["start_row"] + 1).sum() == motifs["motif"].count() > 100
        found = novelty.read(layout.novelty(model, "new"))
        assert found.known and found.n_windows == len(latents)
        assert found.body_length_ratio["id_0"] == pytest.approx(1, abs=0.1)
    qc = pd.read_parquet(layout.qc).drop_duplicates("session").set_index("session")
    assert qc["group"].dropna().to_dict() == {"new": ODD}
    assert not (folder / "pwned").exists()
    rows = pd.read_csv(layout.motifs("wide").videos.videos)
    assert rows["session"].tolist() == ["m1"] and "The last 10 frames" in rows.loc[0, "note"]
    cut = pd.read_csv(layout.motifs("wide").videos.clips)["file"]
    assert len(cut) > 0 and all((layout.motifs("wide").videos.root / name).exists() for name in cut)
    report = layout.report.read_text().partition("<script>")[0]
    links = re.findall(r'<a href="(motifs/(?:vame|wide)/videos/motif_0\d.mp4)"', report)
    assert "new" in report and links
    assert all((folder / "results" / link).exists() for link in links)
    assert "The last 10 frames" in report
    # what only exports use is stored as well: by the job that shows it
    before = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(before.replace("P60", "P61"))
    assert planned_jobs(folder) == {"report": 1, "all": 1}
    (folder / "config.yaml").write_text(before)
    assert planned_jobs(folder) == {}
    lost = [
        layout.motifs("wide").described.profiles,
        layout.motifs("vame").usage,
        layout.motifs("vame").usage_of("new"),
    ]
    kept = {path: path.read_bytes() for path in lost}
    for path in lost:
        path.unlink()
    jobs = planned_jobs(folder)
    assert (jobs["segment"], jobs["describe"], jobs["label_new"]) == (1, 2, 1)
    assert "train" not in jobs and "encode" not in jobs
    for path, data in kept.items():
        path.write_bytes(data)


def test_labels_of_a_person_are_compared_with_the_motifs(extended_run):
    folder, _ = extended_run
    layout = Layout(folder / "results")
    labels = pd.read_csv(folder / f"{ODD}.csv").set_index("frame")["label"]
    motifs = pq.read_table(layout.motifs("wide").session("new")).to_pandas().dropna(subset="motif")
    motif, label = motifs["motif"].astype(int).to_numpy(), labels[motifs["frame"]].to_numpy()
    labelled = layout.motifs("wide").labelled
    facts = label_facts.read(labelled.facts)
    assert (facts.n_rows, facts.n_subjects, facts.held_out) == (len(motifs), 1, "time")
    found = facts.scores["latents"].adjusted_mutual_information
    assert found == pytest.approx(adjusted_mutual_info_score(label, motif))
    table = pd.read_parquet(labelled.confusion).query("representation == 'latents' and n_rows > 0")
    counts = table.set_index(["motif", "behaviour"])["n_rows"].to_dict()
    assert counts == pd.Series(1, [motif, label]).groupby(level=[0, 1]).sum().to_dict()
    run_id = json.loads(layout.uploaded.read_text())["runs"]["wide"]
    client = MlflowClient(f"sqlite:///{layout.mlflow_database}")
    metrics = client.get_run(run_id).data.metrics
    assert metrics["labels/adjusted_mutual_information"] == pytest.approx(found)
    assert "Your labels" in layout.report.read_text()


def test_a_model_from_elsewhere_labels_every_session_and_nothing_is_trained(extended_run):
    """In a results folder of its own; the labels are those that the sessions had there."""
    folder, _ = extended_run
    before = (folder / "config.yaml").read_text()
    model = {"file": "results/models/wide/model.pt", "segmentation": "results/motifs/wide"}
    configure(folder, models={"lab": model}, results="elsewhere")
    try:
        jobs, text = run(folder)
        assert planned_jobs(folder) == {}
    finally:
        (folder / "config.yaml").write_text(before)
    each = {"align": 3, "encode_external": 3, "label_external": 3}
    assert jobs == {"fetch_model": 1, **each, "report_external": 1, "all": 1}
    assert "3 alignments, 1 fetched model, 3 encodings, 3 labellings, 1 report\n" in text
    there, here = Layout(folder / "results"), Layout(folder / "elsewhere")
    for name in ("m1", "m2", "new"):
        expected = pq.read_table(there.motifs("wide").session(name))
        assert pq.read_table(here.motifs("lab").session(name)).equals(expected)
    assert "m1" in here.external_report("lab").read_text()


def test_stages_are_rerun_when_their_version_changes_and_not_when_a_comment_does(tiny_run):
    """Seen by a snakemake that imports a changed copy of the package."""
    package = tiny_run / "vame_pipe"
    shutil.copytree(ROOT / "vame_pipe", package)
    try:
        for path in package.rglob("*.py"):
            path.write_text(path.read_text().replace('"""', '"""Changed. ', 1) + "# changed\n")
        messages = package / "config/check.py"
        assert "is not writable" in messages.read_text()
        messages.write_text(messages.read_text().replace("is not writable", "is read-only"))
        assert planned_jobs(tiny_run) == {}
        versions = package / "core/source.py"
        before = versions.read_text()
        for stage, expected in (
            ("TRAIN", from_training(2)),
            ("ENCODE", {"encode": 2, "segment": 2, "describe": 2, "groups": 2, **LAST}),
            ("SEGMENT", {"segment": 2, "describe": 2, "groups": 2, **LAST}),
            ("REPORT", {"report": 1, "all": 1}),
        ):
            versions.write_text(with_next_version(before, stage))
            assert planned_jobs(tiny_run) == expected, stage
    finally:
        shutil.rmtree(package)


def test_a_changed_alignment_changes_the_weights(tiny_run, tmp_path):
    """A model that was made from something else never stays in place, nor what was made from that model."""
    folder = tmp_path / "again"
    shutil.copytree(tiny_run, folder)
    shutil.copytree(ROOT / "vame_pipe", folder / "vame_pipe")
    configure(folder, models={"vame": {}})
    changed, versions = (
        folder / f"vame_pipe/{name}.py" for name in ("alignment/egocentric", "core/source")
    )
    assert "MIN_SPEED = 0.01\n" in changed.read_text()
    changed.write_text(changed.read_text().replace("MIN_SPEED = 0.01\n", "MIN_SPEED = 0.1\n"))
    versions.write_text(with_next_version(versions.read_text(), "ALIGN"))
    jobs, _ = run(folder, PYTHONPATH=str(folder))
    assert jobs == {"align": 2, "windows": 1, "quality": 1, **from_training(1)}
    before, after = (
        model_file.load(f / "results/models/vame/model.pt") for f in (tiny_run, folder)
    )
    assert before.data_fingerprint != after.data_fingerprint and before.mean != after.mean
    assert not any(torch.equal(before.state[k], after.state[k]) for k in before.state)
    one, other = (
        pq.read_table(f / "results/latents/vame/m1.parquet")["z_00"].to_numpy()
        for f in (tiny_run, folder)
    )
    assert not np.array_equal(one, other)
    log = (folder / "results/checkpoints/vame/train.log").read_text()
    assert "starting from scratch" in log and "inputs.windows was" in log
    uri = f"sqlite:///{folder}/results/mlflow/mlflow.db"
    runs, old_runs = (
        json.loads(Layout(f / "results").uploaded.read_text())["runs"] for f in (folder, tiny_run)
    )
    assert runs["vame"] != old_runs["vame"]
    tags = MlflowClient(uri).get_run(runs["vame"]).data.tags
    assert tags["data_fingerprint"] == after.data_fingerprint
    figures = [
        pd.read_parquet(f / "results/compare.parquet")["final/loss"].tolist()
        for f in (tiny_run, folder)
    ]
    assert set(figures[0]).isdisjoint(figures[1])
    assert after.data_fingerprint in (folder / "results/report.html").read_text()


def test_mlflow_has_every_run(tiny_run):
    client = MlflowClient(f"sqlite:///{tiny_run}/results/mlflow/mlflow.db")
    runs = assert_recorded(client, "tiny", tiny_run / "results", ["vame", "wide"])
    assert {each.data.tags["varies"] for each in runs} == {"model.zdims=3", "model.zdims=6"}


def test_a_pose_file_that_is_replaced_is_noticed_by_its_content(tiny_run, tmp_path, recordings):
    """Also if the new file has an old time stamp; a file dated in the future is refused before any job."""
    folder = tmp_path / "again"
    shutil.copytree(tiny_run, folder)
    sessions = yaml.safe_load((folder / "config.yaml").read_text())["sessions"]
    poses, only = folder / "m2.csv", ("--cores", "1", "results/aligned/m2.parquet")
    shutil.copy(sessions["m2"]["poses"], poses)
    sessions["m2"]["poses"] = "m2.csv"
    configure(folder, sessions=sessions)
    expected = {"align": 1, "windows": 1, "quality": 1, **from_training(2)}
    assert planned_jobs(folder) == expected
    assert run(folder, *only)[0] == {"align": 1}
    size = poses.stat().st_size
    text = bytearray(poses.read_bytes())
    text[-3] = ord("1") + (text[-3] == ord("1"))
    poses.write_bytes(text)
    os.utime(poses, (10**9, 10**9))
    assert poses.stat().st_size == size
    assert run(folder, *only)[0] == {"align": 1}
    poses.touch()
    assert planned_jobs(folder, *only) == {}
    ahead = poses.stat().st_mtime + 10_800
    os.utime(poses, (ahead, ahead))
    done = snakemake(folder)
    assert done.returncode == 2
    (line,) = [x for x in done.stderr.splitlines() if x.startswith("ERROR")]
    assert re.search(r"its time stamp is 1(79|80)\.\d minutes in the future", line)
    assert line.endswith("touch m2.csv")


def test_every_command_can_be_pasted_into_a_shell(extended_run):
    """One printed command of each rule, run by itself, makes the same file, or the same numbers if the file
    contains the id of its MLflow run."""
    folder, _ = extended_run
    stages = [
        "align",
        "windows",
        "quality",
        "init-mlflow",
        "train",
        "encode",
        "segment",
        "describe",
        "videos",
        "label",
        "groups",
        "compare-labels",
        "upload-mlflow",
        "compare",
        "report",
    ]
    files = ("aligned/new.parquet", "windows/frames.parquet", "windows/windows.parquet")
    before = content(folder, *files)
    layout = Layout(folder / "results")
    latents = {name: pq.read_table(layout.latents("wide", name)) for name in ("m2", "new")}
    weights = model_file.load(layout.model("wide").weights).state
    printed = snakemake(folder, "--dry-run", "--forceall", "--printshellcmds").stdout
    commands = re.findall(r"^Shell command: *\n? *(vame-pipe .+?)\n\s*\n", printed, re.M | re.S)
    commands.sort(key=lambda text: stages.index(text.split()[1]))
    assert [text.split()[1] for text in commands] == [
        *("align", "align", "align", "windows", "quality", "init-mlflow", "train", "train"),
        *("encode", "encode", "encode", "encode", "segment", "segment"),
        *("describe", "describe", "videos", "videos", "label", "label", "groups", "groups"),
        *("compare-labels", "compare-labels", "upload-mlflow", "compare", "report"),
    ]
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    others = ("--session m", "--name vame", "models/vame/", "motifs/vame", "--model vame ")
    chosen = [text for text in commands if not any(part in text for part in others)]
    assert len(chosen) == len(stages) + 1
    for command in chosen:
        environment = os.environ | {"PATH": path}
        subprocess.run(command, shell=True, cwd=folder, check=True, env=environment)
    assert content(folder, *files) == before and not (folder / "pwned").exists()
    again = model_file.load(layout.model("wide").weights).state
    assert all((again[name] == weights[name]).all() for name in weights)
    for name, table in latents.items():
        assert pq.read_table(layout.latents("wide", name)).equals(table)


def test_wrong_settings_stop_before_any_job(tmp_path):
    install(tmp_path)
    configure(tmp_path, align={"forward": "snout"}, train={"max_epoch": 3})
    with (tmp_path / "config.yaml").open("a") as file:
        file.write("results: twice\n")
    done = snakemake(tmp_path)
    assert done.returncode == 2
    lines = done.stderr.strip().splitlines()
    assert "results occurs twice" in lines[0]
    assert "Did you mean 'max_epochs'?" in lines[1]
    assert all("keypoint 'snout' is not in its file, which has: nose" in line for line in lines[2:])
    assert len(lines) == 2 + 10  # of the last kind, one for each session
    assert not (tmp_path / "twice").exists()
    assert not (tmp_path / "results").exists() and not (tmp_path / "demo").exists()


def test_a_custom_configuration_stands_alone(tmp_path, recordings):
    """What it leaves out has the defaults, not the values of config.yaml; later ones take precedence."""
    install(tmp_path)
    session = {"poses": str(recordings / "sim-1.csv"), "fps": 30}
    mine = {"sessions": {"007": session}, "align": TINY["align"], "train": {"seed": 3}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(mine))
    more = {"models": {"a": {}, "b": {"zdims": 8}}, "train": {"patience": 7}}
    (tmp_path / "more.yaml").write_text(yaml.safe_dump(more))
    given = ("--configfile", "mine.yaml", "more.yaml", "--config", "results=there", "--")
    aligned = "there/aligned/007.parquet"
    assert run(tmp_path, *given, aligned)[0] == {"align": 1}
    settings = loading.load(tmp_path / "there/config.yaml")
    assert (list(settings.sessions), list(settings.variants)) == (["007"], ["a", "b"])
    assert (settings.model.zdims, settings.model.hidden_size_layer_1) == (30, 256)
    train = settings.train
    assert (train.max_epochs, train.seed, train.patience) == (20, 3, 7)
    # the stored configuration makes the same models
    stored = ("--dry-run", "--printshellcmds", "--configfile", "there/config.yaml")
    done = snakemake(tmp_path, *stored)
    expected = {"windows": 1, "quality": 1, "init_mlflow": 1, **from_training(2)}
    assert job_counts(done.stdout) == expected
    found = [json.loads(text) for text in re.findall(r"--model '(.+?)'", done.stdout)]
    assert sorted((each["zdims"], each["hidden_size_layer_1"]) for each in found) == [
        (8, 256),
        (30, 256),
    ]
    # a job on another node gets the files and the values of the command line
    (tmp_path / aligned).unlink()
    job = ("--mode", "remote", "--target-jobs", "align:session=007", "--nolock", "--force")
    done = snakemake(tmp_path, *job, *given[:-1])
    assert done.returncode == 0, done.stderr
    assert (tmp_path / aligned).exists() and not (tmp_path / "results").exists()


def test_bad_recordings_are_named_together_and_stop_no_other_job(tmp_path, recordings):
    """Only their jobs can find out, as their headers are good; once repaired, only they are aligned."""
    install(tmp_path)
    position, confidence, _ = simulate.simulate(600, 30, 0)
    for name in ("bad", "worse"):
        nothing = position * np.nan
        simulate.write_deeplabcut(tmp_path / f"{name}.csv", nothing, confidence, simulate.KEYPOINTS)
    sessions = {name: {"poses": f"{name}.csv", "fps": 30} for name in ("bad", "worse")}
    sessions["good"] = {"poses": str(recordings / "sim-1.csv"), "fps": 30}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(TINY | {"sessions": sessions}))
    old = tmp_path / "results/aligned/old.parquet"
    old.parent.mkdir(parents=True)
    old.touch()
    done = snakemake(tmp_path, "--keep-going")
    assert done.returncode == 1
    assert "WARNING: results also holds one session of an earlier run (old), which " in done.stderr
    for name in ("bad", "worse"):
        assert f"ERROR: session {name}: {name}.csv: every coordinate is missing" in done.stderr
    assert "Traceback" not in done.stderr
    aligned = {p.name for p in (tmp_path / "results/aligned").iterdir()}
    assert aligned == {"good.parquet", "good.qc.json", "old.parquet"}
    assert not (tmp_path / "results/windows").exists()
    for name in ("bad", "worse"):
        simulate.write_deeplabcut(
            tmp_path / f"{name}.csv", position, confidence, simulate.KEYPOINTS
        )
    after = {"windows": 1, "quality": 1, **from_training(2)}
    assert planned_jobs(tmp_path) == {"align": 2} | after
