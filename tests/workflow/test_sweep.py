"""A sweep on unusual recordings, while MLflow's server is down."""

import json
import re

import pyarrow.parquet as pq
import pytest
import yaml
from conftest import TINY, free_port, install, mlflow_server
from mlflow import MlflowClient
from workflow_runs import LAST, ODD, assert_recorded, configure, from_training, planned_jobs, run

from vame_pipe.poses import simulate

SWEEP = {"grid": {"zdims": [2], "beta": [0.5]}, "seeds": [1, 2]}


@pytest.fixture(scope="module")
def odd_run(tmp_path_factory):
    """A sweep over two seeds, with MLflow's server down.

    The recordings have two keypoints, several frame rates and names that need quotes. Returns the folder,
    the server's port, and what snakemake printed.
    """
    folder, port = tmp_path_factory.mktemp("odd") / "run", free_port()
    folder.mkdir()
    install(folder)
    names, sessions = ("nose", "tail{base}"), {}
    keep = [simulate.KEYPOINTS.index(name) for name in ("nose", "tailbase")]
    for i, (fps, first) in enumerate(((25, 0), (30, 3000), (30, 0))):
        position, confidence, _ = simulate.simulate(900, fps, i)
        poses = folder / f"{ODD} {i}.csv"
        simulate.write_deeplabcut(poses, position[:, keep], confidence[:, keep], names)
        head, rows = poses.read_text().split("\n")[:3], poses.read_text().split("\n")[3:-1]
        late = [f"{first + n},{row.partition(',')[2]}" for n, row in enumerate(rows)]
        poses.write_text("\n".join([*head, *late]) + "\n")
        sessions[f"m{i}"] = {"poses": poses.name, "fps": fps}
    align = {"centre": "tail{base}", "forward": "nose", "fps": 30}
    settings = TINY | {"sessions": sessions, "align": align, "models": {"mice": SWEEP}}
    settings["train"] = TINY["train"] | {"max_epochs": 1}
    settings["mlflow"] = {"experiment": ODD, "tracking_uri": f"http://127.0.0.1:{port}"}
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    _, text = run(folder)
    return folder, port, text


def test_upsampled_two_keypoints_and_a_late_first_frame(odd_run):
    """Also names that a shell and Snakemake could take for something else."""
    folder, _, _ = odd_run
    assert not (folder / "pwned").exists()
    page = (folder / "results/report.html").read_text()
    found = re.search(r'<script type="application/json" id="traces">(.*?)</script>', page)
    traces = {t["layout"]["annotations"][0]["text"]: t["data"] for t in json.loads(found[1])}
    assert len(traces) == 3
    for title, lines in traces.items():
        raw_x, raw_y, aligned_x = (line["x"] for line in lines)  # forward has no y
        assert raw_x == raw_y
        assert abs(raw_x[0] - aligned_x[0]) < 0.05 and abs(raw_x[-1] - aligned_x[-1]) < 0.05, title
    late = pq.read_table(folder / "results/aligned/m1.parquet")["time_s"].to_numpy()
    assert late[0] == 100.0
    # upsampled rows share video frames; each has its own row and time, and a speed in the report
    rows = pq.read_table(folder / "results/latents/mice-z2-beta0.5-s1/m0.parquet").to_pandas()
    assert rows["frame"].duplicated().any()
    assert rows["row"].is_unique and rows["time_s"].is_unique


def test_what_a_dead_server_missed_is_sent_by_the_next_run(odd_run, tmp_path):
    """Two seeds: every run is there, named and grouped."""
    folder, port, text = odd_run
    assert "upload to MLflow is incomplete" in text
    assert planned_jobs(folder) == LAST
    with mlflow_server(tmp_path / "server", port):
        jobs, _ = run(folder)
        assert jobs == LAST
        client = MlflowClient(f"http://127.0.0.1:{port}")
        names = ["mice-z2-beta0.5-s1", "mice-z2-beta0.5-s2"]
        for each in assert_recorded(client, ODD, folder / "results", names):
            z, beta, seed = (
                each.data.params[key] for key in ("model.zdims", "train.beta", "train.seed")
            )
            assert each.info.run_name == f"mice-z{z}-beta{float(beta):g}-s{seed}"
            tags = each.data.tags
            assert tags["varies"] == f"train.seed={seed}"
            assert (tags["sweep"], tags["variant"]) == ("mice", f"mice-z{z}-beta{float(beta):g}")
    assert planned_jobs(folder) == {}
    # with one more value and one more seed, only the new models are trained
    more = {"grid": {"zdims": [2, 3], "beta": [0.5]}, "seeds": [1, 2, 3]}
    configure(folder, models={"mice": more})
    assert planned_jobs(folder) == from_training(4)
