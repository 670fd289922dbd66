"""The workflow as its users run it: a real snakemake on the default and on a tiny_run configuration."""

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
from conftest import ROOT, TINY, free_port, install, mlflow_server, snakemake
from mlflow import MlflowClient
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from vame_pipe.encoding import model_file
from vame_pipe.poses import simulate
from vame_pipe.windows import build

LAST = {"track": 1, "compare": 1, "report": 1, "all": 1}
"""Jobs that follow from any other."""


def planned(folder, *arguments):
    """Jobs by rule that a dry run announces."""
    done = snakemake(folder, "--dry-run", *arguments)
    assert done.returncode == 0, done.stderr
    table = done.stdout.partition("Job stats:")[2].partition("total")[0]
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, re.M)}


def configure(folder, **changes):
    settings = yaml.safe_load((folder / "config.yaml").read_text())
    for key, value in changes.items():
        together = isinstance(value, dict) and key not in {"sessions", "models"}
        settings[key] = settings.get(key, {}) | value if together else value
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The default configuration, run as the README says."""
    folder = tmp_path_factory.mktemp("demo")
    install(folder)
    done = snakemake(folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def changed(tiny_run):
    """The tiny_run run, whose configuration may be changed for one test."""
    before = (tiny_run / "config.yaml").read_text()
    yield tiny_run
    (tiny_run / "config.yaml").write_text(before)


def test_lint(tmp_path):
    install(tmp_path)
    done = snakemake(tmp_path, "--lint")
    assert done.returncode == 0, done.stderr


def test_format():
    command = [sys.executable, "-m", "snakefmt", "--check", "Snakefile", "workflow"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for arguments in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *arguments, "."],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout


def test_default_configuration_plans_the_whole_chain(tmp_path):
    install(tmp_path)
    assert planned(tmp_path) == {
        "demo": 1,
        "mlflow": 1,
        "align": 4,
        "windows": 1,
        "train": 1,
        "latents": 1,
        **LAST,
    }


def test_a_second_run_does_nothing(tiny_run):
    done = snakemake(tiny_run)
    assert done.returncode == 0
    assert "Nothing to be done" in done.stderr
    assert planned(tiny_run) == {}
    # and from the configuration that is kept with the results, as the report says
    assert planned(tiny_run, "--configfile", "results/config.yaml") == {}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"train": {"learning_rate": 1e-3}}, {"train": 2, "latents": 2, **LAST}),
        ({"models": {"vame": {}, "wide": {"zdims": 7}}}, {"train": 1, "latents": 1, **LAST}),
        ({"windows": {"length_s": 0.6}}, {"windows": 1, "train": 2, "latents": 2, **LAST}),
        (
            {"align": {"smooth": None}},
            {"align": 2, "windows": 1, "train": 2, "latents": 2, **LAST},
        ),
        ({"mlflow": {"experiment": "other"}}, {"mlflow": 1, **LAST}),
    ],
)
def test_a_changed_setting_reruns_its_stage_and_what_follows(changed, change, expected):
    configure(changed, **change)
    assert planned(changed) == expected


def test_adding_a_session_aligns_only_that_one(changed, recordings):
    sessions = yaml.safe_load((changed / "config.yaml").read_text())["sessions"]
    sessions["m3"] = {"poses": str(recordings / "sim-3.csv"), "fps": 30}
    configure(changed, sessions=sessions)
    assert planned(changed) == {"align": 1, "windows": 1, "train": 2, "latents": 2, **LAST}


def test_a_changed_module_reruns_the_stages_that_use_it(tiny_run):
    """The source hash: seen by a snakemake whose package differs in one module."""
    shutil.copytree(ROOT / "vame_pipe", tiny_run / "vame_pipe")
    try:
        assert planned(tiny_run) == {}
        with (tiny_run / "vame_pipe/losses.py").open("a") as file:
            file.write("# changed\n")
        assert planned(tiny_run) == {"train": 2, "latents": 2, **LAST}
    finally:
        shutil.rmtree(tiny_run / "vame_pipe")


def test_a_changed_alignment_changes_the_weights(tiny_run, tmp_path):
    """A model made from something else never stays in place, nor what was made from that model."""
    folder = tmp_path / "again"
    shutil.copytree(tiny_run, folder)
    shutil.copytree(ROOT / "vame_pipe", folder / "vame_pipe")
    code = folder / "vame_pipe/align.py"
    text = code.read_text()
    assert "MIN_SPEED = 0.01" in text
    code.write_text(text.replace("MIN_SPEED = 0.01", "MIN_SPEED = 0.1"))
    done = snakemake(folder, PYTHONPATH=str(folder))
    assert done.returncode == 0, done.stderr
    for name in ("vame", "wide"):
        before, after = (
            model_file.load(f / f"results/models/{name}/model.pt") for f in (tiny_run, folder)
        )
        assert before.data_fingerprint != after.data_fingerprint and before.mean != after.mean
        assert not any(torch.equal(before.state[k], after.state[k]) for k in before.state)
        one, other = (
            pq.read_table(f / f"results/latents/{name}/m1.parquet")["z_00"].to_numpy()
            for f in (tiny_run, folder)
        )
        assert not np.array_equal(one, other)
        log = (folder / f"results/resume/{name}/train.log").read_text()
        assert "starting from scratch" in log and "inputs.windows was" in log
        uri = f"sqlite:///{folder}/results/mlflow/mlflow.db"
        runs = json.loads((folder / "results/mlflow/tracked.json").read_text())["runs"]
        old = json.loads((tiny_run / "results/mlflow/tracked.json").read_text())["runs"]
        assert runs[name] != old[name]
        tags = MlflowClient(uri).get_run(runs[name]).data.tags
        assert tags["data_fingerprint"] == after.data_fingerprint
    figures = [
        pd.read_parquet(f / "results/compare.parquet")["final/loss"].tolist()
        for f in (tiny_run, folder)
    ]
    assert set(figures[0]).isdisjoint(figures[1])
    assert after.data_fingerprint in (folder / "results/report.html").read_text()


def test_upsampled_two_keypoints_and_a_late_first_frame(tmp_path):
    """Also names that a shell and Snakemake would take for something else."""
    install(tmp_path)
    names, sessions = ("nose", "tail{base}"), {}
    keep = [simulate.KEYPOINTS.index(name) for name in ("nose", "tailbase")]
    for i, (fps, first) in enumerate(((25, 0), (30, 3000), (30, 0))):
        position, confidence, _ = simulate.simulate(900, fps, i)
        poses = tmp_path / f"a {{b}} $(touch pwned) {i}.csv"
        simulate.write_deeplabcut(poses, position[:, keep], confidence[:, keep], names)
        head, rows = poses.read_text().split("\n")[:3], poses.read_text().split("\n")[3:-1]
        late = [f"{first + n},{row.partition(',')[2]}" for n, row in enumerate(rows)]
        poses.write_text("\n".join([*head, *late]) + "\n")
        sessions[f"m{i}"] = {"poses": poses.name, "fps": fps}
    align = {"centre": "tail{base}", "forward": "nose", "fps": 30}
    settings = TINY | {"sessions": sessions, "align": align, "models": {"vame": {}}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings))
    done = snakemake(tmp_path)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "pwned").exists()
    page = (tmp_path / "results/report.html").read_text()
    found = re.search(r'<script type="application/json" id="traces">(.*?)</script>', page)
    traces = {t["layout"]["annotations"][0]["text"]: t["data"] for t in json.loads(found[1])}
    assert len(traces) == 3
    for title, lines in traces.items():
        raw_x, raw_y, aligned_x = (line["x"] for line in lines)  # forward has no y
        assert raw_x == raw_y
        assert abs(raw_x[0] - aligned_x[0]) < 0.05 and abs(raw_x[-1] - aligned_x[-1]) < 0.05, title
    late = pq.read_table(tmp_path / "results/aligned/m1.parquet")["time_s"].to_numpy()
    assert late[0] == 100.0
    # upsampled rows share video frames; each has its own time, and a speed in the report
    rows = pq.read_table(tmp_path / "results/latents/vame/m0.parquet").to_pandas()
    assert rows["frame"].duplicated().any() and rows["time_s"].is_unique


def test_a_pose_file_that_is_replaced_is_noticed_by_its_content(tiny_run, tmp_path, recordings):
    """By one with an old time stamp; one dated in the future is refused before any job."""
    folder = tmp_path / "again"
    shutil.copytree(tiny_run, folder)
    sessions = yaml.safe_load((folder / "config.yaml").read_text())["sessions"]
    poses, only = folder / "m2.csv", ("--cores", "1", "results/aligned/m2.parquet")
    shutil.copy(sessions["m2"]["poses"], poses)
    sessions["m2"]["poses"] = "m2.csv"
    configure(folder, sessions=sessions)
    assert planned(folder) == {"align": 1, "windows": 1, "train": 2, "latents": 2, **LAST}
    done = snakemake(folder, *only)
    assert done.returncode == 0, done.stderr
    size = poses.stat().st_size
    text = bytearray(poses.read_bytes())
    text[-3] = ord("1") + (text[-3] == ord("1"))
    poses.write_bytes(text)
    os.utime(poses, (10**9, 10**9))
    assert poses.stat().st_size == size
    assert planned(folder, *only) == {"align": 1}
    done = snakemake(folder, *only)
    assert done.returncode == 0, done.stderr
    poses.touch()
    assert planned(folder, *only) == {}
    ahead = poses.stat().st_mtime + 10_800
    os.utime(poses, (ahead, ahead))
    done = snakemake(folder)
    assert done.returncode == 2
    (line,) = [x for x in done.stderr.splitlines() if x.startswith("ERROR")]
    assert re.search(r"its time stamp is 1(79|80)\.\d minutes in the future", line)
    assert line.endswith("touch m2.csv")


def test_every_command_can_be_pasted_into_a_shell(tiny_run):
    """Printed commands, run by themselves, make the same files, and the same numbers where a file
    holds the id of its MLflow run."""
    stages = ["align", "windows", "mlflow", "train", "latents", "track", "compare", "report"]
    files = [
        tiny_run / f"results/{name}.parquet"
        for name in ("aligned/m1", "windows/frames", "windows/windows")
    ]
    before = [path.read_bytes() for path in files]
    exported = tiny_run / "results/latents/wide/m2.parquet"
    latents = pq.read_table(exported)
    weights = model_file.load(tiny_run / "results/models/wide/model.pt").state
    printed = snakemake(tiny_run, "--dry-run", "--forceall", "--printshellcmds").stdout
    commands = re.findall(r"^Shell command: (vame-pipe .+)$", printed, re.M)
    commands.sort(key=lambda line: stages.index(line.split()[1]))
    assert [line.split()[1] for line in commands] == [
        *("align", "align", "windows", "mlflow", "train", "train"),
        *("latents", "latents", "track", "compare", "report"),
    ]
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    for command in commands:
        subprocess.run(
            command, shell=True, cwd=tiny_run, check=True, env=os.environ | {"PATH": path}
        )
    assert [path.read_bytes() for path in files] == before
    again = model_file.load(tiny_run / "results/models/wide/model.pt").state
    assert all((again[name] == weights[name]).all() for name in weights)
    assert pq.read_table(exported).equals(latents)


def test_a_sweep_in_mlflow(tmp_path, recordings):
    """Two settings, two seeds: every run is there once, complete, named, grouped."""
    install(tmp_path)
    sessions = {f"m{i}": {"poses": str(recordings / f"sim-{i}.csv"), "fps": 30} for i in (1, 2)}
    entry = {"grid": {"zdims": [2, 3], "beta": [0.5]}, "seeds": [1, 2]}
    settings = TINY | {"sessions": sessions, "models": {"mice": entry}}
    settings["train"] = TINY["train"] | {"max_epochs": 1}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings))
    done = snakemake(tmp_path, "--resources", "gpu=2")
    assert done.returncode == 0, done.stderr
    client = MlflowClient(f"sqlite:///{tmp_path}/results/mlflow/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("tiny_run").experiment_id])
    names = [f"mice-z{z}-beta0.5-s{seed}" for z in (2, 3) for seed in (1, 2)]
    assert sorted(run.info.run_name for run in runs) == sorted(names)
    table = pd.read_parquet(tmp_path / "results/compare.parquet").set_index("model")
    for run in runs:
        z, beta, seed = (
            run.data.params[key] for key in ("model.zdims", "train.beta", "train.seed")
        )
        assert run.info.run_name == f"mice-z{z}-beta{float(beta):g}-s{seed}"
        tags = run.data.tags
        assert tags["varies"] == f"model.zdims={z}, train.seed={seed}"
        assert (tags["sweep"], tags["variant"]) == ("mice", f"mice-z{z}-beta{float(beta):g}")
        assert run.info.status == "FINISHED"
        artifacts = {a.path for a in client.list_artifacts(run.info.run_id)}
        assert {"model.pt", "qc.json", "latents", "spectrum.png"} <= artifacts
        row = table.loc[run.info.run_name]
        assert row["run_id"] == run.info.run_id
        assert row["final/loss"] == run.data.metrics["final/loss"]
        assert row["model.zdims"] == int(z)
    versions = client.search_model_versions("name = 'tiny_run'")
    assert sorted(version.run_id for version in versions) == sorted(r.info.run_id for r in runs)
    best = client.get_model_version_by_alias("tiny_run", "best")
    assert best.tags["model"] == table.index[table["best"]].item()
    agreement = pd.read_csv(tmp_path / "results/agreement.csv")
    assert len(agreement) == 4 * 3 and agreement["cka"].between(0, 1).all()
    # a value more trains what is new
    configure(tmp_path, models={"mice": entry | {"seeds": [1, 2, 3]}})
    assert planned(tmp_path) == {"train": 2, "latents": 2, **LAST}


def test_what_a_dead_server_missed_is_sent_by_the_next_run(tmp_path, recordings):
    folder, port = tmp_path / "run", free_port()
    folder.mkdir()
    install(folder)
    sessions = {f"m{i}": {"poses": str(recordings / f"sim-{i}.csv"), "fps": 30} for i in (1, 2)}
    settings = TINY | {"sessions": sessions, "models": {"vame": {}}}
    settings["mlflow"] = {"experiment": "tiny_run", "tracking_uri": f"http://127.0.0.1:{port}"}
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    done = snakemake(folder)
    assert done.returncode == 0, done.stderr
    assert "MLflow fails, not all is recorded" in done.stderr
    assert planned(folder) == LAST
    with mlflow_server(tmp_path / "server", port):
        done = snakemake(folder)
        assert done.returncode == 0, done.stderr
        client = MlflowClient(f"http://127.0.0.1:{port}")
        (run,) = client.search_runs([client.get_experiment_by_name("tiny_run").experiment_id])
        assert (run.info.run_name, run.info.status) == ("vame", "FINISHED")
        (row,) = pd.read_csv(folder / "results/compare.csv").to_dict("records")
        assert row["run_id"] == run.info.run_id
    assert planned(folder) == {}


def test_wrong_settings_stop_before_any_job(tmp_path):
    install(tmp_path)
    configure(tmp_path, align={"forward": "snout"}, train={"max_epoch": 3})
    done = snakemake(tmp_path)
    assert done.returncode == 2
    lines = done.stderr.strip().splitlines()
    assert "Did you mean 'max_epochs'?" in lines[0]
    assert all("keypoint 'snout' is not in its file, which has: nose" in line for line in lines[1:])
    assert len(lines) == 5
    assert not (tmp_path / "results").exists() and not (tmp_path / "demo").exists()


def test_a_configuration_of_ones_own_replaces_the_sessions(tmp_path, recordings):
    install(tmp_path)
    mine = tmp_path / "mine.yaml"
    sessions = {"m1": {"poses": str(recordings / "sim-1.csv"), "fps": 30}}
    mine.write_text(yaml.safe_dump(TINY | {"sessions": sessions, "results": "mine"}))
    assert planned(tmp_path, "--configfile", str(mine)) == {
        "align": 1,
        "windows": 1,
        "mlflow": 1,
        "train": 2,
        "latents": 2,
        **LAST,
    }
    mine.write_text(mine.read_text() + "results: twice\n")
    done = snakemake(tmp_path, "--dry-run", "--configfile", str(mine))
    assert done.returncode == 2
    assert "results occurs twice" in done.stderr


def test_bad_recordings_are_named_together_and_take_down_no_other(tmp_path, recordings):
    """Their headers are good, so that only their jobs can find out; mended, they alone are aligned."""
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
    assert "WARNING: results also holds 1 session(s) of an earlier run, as old: " in done.stderr
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
    after = {"windows": 1, "train": 2, "latents": 2, **LAST}
    assert planned(tmp_path) == {"align": 2} | after


def test_demo_reconstructs_held_out_windows(demo):
    training = model_file.load(demo / "results/models/vame/model.pt").training
    assert training["final/r2_reconstruction"] > 0.8
    if not torch.cuda.is_available():
        text = (demo / "results/logs/train/vame.log").read_text()
        assert "no GPU found: computing on the CPU" in text


def test_demo_latents_tell_the_true_motifs(demo):
    """A linear classifier on latents of held-out windows, beside PCA with as many components."""
    data = build.load(demo / "results/windows")
    length = data.meta["length"]
    index = pq.read_table(demo / "results/windows/windows.parquet").to_pandas()
    index["frame"] = index["start"] + length // 2
    names = [f"sim-{i}" for i in range(1, 5)]
    latents, motifs = [], []
    for name in names:
        latents.append(pq.read_table(demo / f"results/latents/vame/{name}.parquet").to_pandas())
        motifs.append(pd.read_csv(demo / f"demo/{name}.motifs.csv").assign(session=name))
    joined = index.astype({"session": str}).merge(pd.concat(motifs), on=["session", "frame"])
    joined = joined.merge(pd.concat(latents).astype({"session": str}), on=["session", "frame"])
    assert len(joined) == len(index)
    train = (joined["split"] == "train").to_numpy()
    motif = joined["motif"].to_numpy()
    latent = joined.filter(like="z_").to_numpy()
    frames = data.frames
    flat = np.stack([frames[row : row + length].ravel() for row in joined["row"]])
    pca = PCA(latent.shape[1], random_state=0).fit(flat[train]).transform(flat)
    score = {}
    for name, values in (("latents", latent), ("pca", pca)):
        classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
        guess = classifier.fit(values[train], motif[train]).predict(values[~train])
        score[name] = balanced_accuracy_score(motif[~train], guess)
    print(f"balanced accuracy of held-out frames: {score}")
    assert set(motif[~train]) == set(simulate.MOTIFS)
    assert score["latents"] > 0.9  # chance is 1/6
    assert score["latents"] > score["pca"] - 0.03
