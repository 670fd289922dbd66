"""The workflow on a real Slurm, by the profile that is shipped, and what goes wrong on clusters.

These need a Slurm that answers, with a partition `main` of two GPUs (fake ones will do); those that break
it also need it to be root's own, on this machine.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from conftest import TINY, install, snakemake, training_processes, without_mlflow
from mlflow import MlflowClient

from vame_pipe.encoding import model_file
from vame_pipe.poses import simulate

CONF = Path("/etc/slurm/slurm.conf")
NODE = socket.gethostname().partition(".")[0]
LONG = {"max_epochs": 100, "patience": 100, "checkpoint_minutes": 0.05}


def slurm(*command):
    """What a command of Slurm prints."""
    return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout


@pytest.fixture(scope="module", autouse=True)
def cluster():
    if not shutil.which("scontrol") or "is UP" not in slurm("scontrol", "ping"):
        pytest.skip("no Slurm answers here")
    if not re.search(r"gpu:\S*[2-9]", slurm("sinfo", "-h", "-p", "main", "-o", "%G")):
        pytest.skip("this Slurm has no partition `main` with two GPUs")


@pytest.fixture
def own_cluster():
    """A cluster that may be broken; its settings come back."""
    if os.geteuid() or not os.access(CONF, os.W_OK):
        pytest.skip("this Slurm is not root's own, and must not be broken")
    before = CONF.read_text()
    yield
    CONF.write_text(before)
    slurm("scontrol", "reconfigure")


def wait(condition, say=lambda: ""):
    """Return what a condition returns, once it is true; give up after four minutes."""
    until = time.monotonic() + 240
    while not (found := condition()):
        assert time.monotonic() < until, say()
        time.sleep(0.2)
    return found


def daemon(name):
    """Process id of slurmctld or slurmd."""
    path = re.search(rf"{name}PidFile += (\S+)", slurm("scontrol", "show", "config"), re.I)[1]
    return int(Path(path).read_text())


def lay_out(folder, sessions, **changes):
    install(folder)
    sessions = {name: {"poses": str(path), "fps": 30} for name, path in sessions.items()}
    (folder / "config.yaml").write_text(yaml.safe_dump(TINY | {"sessions": sessions} | changes))


def arguments(*more, **resources):
    """Snakemake by the profile, with waits and requests that suit one small node."""
    resources = {"mem_mb": 500} | resources
    wanted = [f"{r}:{k}={v}" for r in ("train", "latents") for k, v in resources.items()]
    return [
        *(sys.executable, "-m", "snakemake", "--workflow-profile", "workflow/profiles/slurm"),
        *("--latency-wait", "10", "--slurm-init-seconds-before-status-checks", "2"),
        *("--seconds-between-status-checks", "1", "--set-threads", "train=2", "latents=2"),
        *("--set-resources", *wanted, *more),
    ]


def run(folder, *more, **resources):
    return subprocess.run(
        arguments(*more, **resources),
        cwd=folder,
        capture_output=True,
        text=True,
        env=without_mlflow(),
    )


def submitted(text):
    """Slurm's own account of the jobs that a run submitted, `{rule: [{key: value}]}`, in their order."""
    jobs = {}
    for number in re.findall(r"submitted with SLURM jobid (\d+)", text):
        words = slurm("scontrol", "show", "job", "-o", number).split()
        job = dict(word.split("=", 1) for word in words if "=" in word)
        rule = re.sub(r"^(rule|group)_|_wildcards.*", "", job["Comment"])
        jobs.setdefault(rule, []).append(job)
    return jobs


def weights(folder, model):
    return model_file.load(folder / f"results/models/{model}/model.pt").state


def assert_same_weights(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in other)


def test_the_profile_gives_what_a_run_without_slurm_gives(tmp_path, recordings, tiny_run):
    """In few jobs; a bad recording spares those of its batch; each training has its own GPU, or waits."""
    position, confidence, _ = simulate.simulate(60, 30, 0)
    bad = tmp_path / "bad.csv"
    simulate.write_deeplabcut(bad, position * np.nan, confidence, simulate.KEYPOINTS)
    sessions = {f"m{i}": recordings / f"sim-{i}.csv" for i in (1, 2)}
    on_a_gpu = TINY["train"] | {"device": "auto"}
    lay_out(tmp_path, sessions | {"bad": bad}, train=on_a_gpu)
    done = run(tmp_path, "--retries", "0")
    assert done.returncode == 1
    assert "ERROR: session bad: bad.csv: every coordinate is missing" in done.stderr
    counts = {rule: len(of_rule) for rule, of_rule in submitted(done.stderr).items()}
    assert counts == {"align_align": 1, "mlflow": 1, "windows": 1}
    good = [tmp_path / f"results/aligned/m{i}.parquet" for i in (1, 2)]
    before = [path.stat().st_mtime_ns for path in good]
    assert sorted((tmp_path / "results/aligned").glob("*.parquet")) == good

    shutil.rmtree(tmp_path / "workflow")
    shutil.rmtree(tmp_path / "envs")
    lay_out(tmp_path, sessions, train=on_a_gpu)
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    assert [path.stat().st_mtime_ns for path in good] == before
    assert done.stderr.count("WARNING: MLflow's store is SQLite in results/mlflow") == 1
    jobs = submitted(done.stderr)
    counts = {rule: len(of_rule) for rule, of_rule in jobs.items()}
    assert counts == {
        **{"windows": 1, "train": 2, "latents": 2, "track": 1, "compare": 1, "report": 1}
    }
    for rule, of_rule in jobs.items():
        asks = {job.get("TresPerJob") for job in of_rule}
        assert asks == ({"gres:gpu:1"} if rule in {"train", "latents"} else {None}), rule
    one, other = jobs["train"]
    assert one["StartTime"] < other["EndTime"] and other["StartTime"] < one["EndTime"]
    logs = [(tmp_path / f"results/logs/train/{m}.log").read_text() for m in ("vame", "wide")]
    if not torch.cuda.is_available():
        promised = [re.search(r"promised \(CUDA_VISIBLE_DEVICES=(\d)\)", log)[1] for log in logs]
        assert sorted(promised) == ["0", "1"]
    for name in ("vame", "wide"):
        assert_same_weights(weights(tmp_path, name), weights(tiny_run, name))
    latents = "results/latents/wide/m2.parquet"
    assert pq.read_table(tmp_path / latents).equals(pq.read_table(tiny_run / latents))

    both = ("--set-resources", "train:gpu=2", "train:mem_mb=500")
    done = run(tmp_path, "--forcerun", "train", "--until", "train", *both)
    assert done.returncode == 0, done.stderr
    one, other = sorted(submitted(done.stderr)["train"], key=lambda job: job["StartTime"])
    assert one["EndTime"] <= other["StartTime"]


class Struck:
    """A run whose only training is to be struck by one fault after another."""

    def __init__(self, folder):
        self.folder, self.log = folder, folder / "out.log"
        self.target = "results/models/vame/model.pt"

    def start(self):
        # the first attempt has too little memory, the retries enough
        more = arguments(
            "--retries", "6", "--", self.target, mem_mb="300 if attempt == 1 else 1500"
        )
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                more, cwd=self.folder, stdout=log, stderr=log, env=without_mlflow()
            )

    def job(self):
        """Number of the training's job, once it runs and has gone on from its last state."""
        steps = max(self.states(), default=0)

        def going_on():
            assert self.process.poll() is None, self.log.read_text()
            lines = slurm("squeue", "-h", "-t", "R", "-o", "%i %k").splitlines()
            found = [line.split()[0] for line in lines if "rule_train" in line]
            return found[0] if found and max(self.states(), default=0) > steps + 20 else None

        return wait(going_on, self.log.read_text)

    def states(self):
        return {
            int(p.stem.split("-")[1]) for p in self.folder.glob("results/resume/vame/*-[0-9]*.pt")
        }

    def end(self):
        """Kill snakemake, and cancel the jobs that it leaves behind."""
        self.process.kill()
        self.process.wait()
        name = re.findall(r"SLURM run ID: (\S+)", self.log.read_text())[-1]
        slurm("scancel", "--name", name)
        wait(lambda: not slurm("squeue", "-h", "--name", name))


def state_of(job):
    return re.search(r"JobState=(\w+)", slurm("scontrol", "show", "job", "-o", job))[1]


def ended(job, state):
    """Wait until a job runs no longer, which Slurm is to call so."""
    wait(lambda: state_of(job) not in {"PENDING", "RUNNING", "COMPLETING"})
    assert state_of(job) == state


def start_again(name, command):
    """Stop a daemon as an administrator does, and start it."""
    before = daemon(name)
    os.kill(before, signal.SIGTERM)
    wait(lambda: not Path(f"/proc/{before}").exists())
    time.sleep(3)
    subprocess.run(command, check=True)


def start_now(job):
    """Start a job that was put into the queue again, which Slurm lets wait for two minutes."""
    wait(lambda: "Reason=BeginTime" in slurm("scontrol", "show", "job", "-o", job))
    slurm("scontrol", "update", f"jobid={job}", "starttime=now")


def test_faults_change_nothing(tmp_path, recordings, own_cluster, request):
    """One training, struck by each of them, ends with the weights of one that was left alone."""
    sessions = {f"m{i}": recordings / f"sim-{i}.csv" for i in (1, 2)}
    models = {"models": {"vame": {}}, "train": LONG | {"device": "cpu"}}
    folder = tmp_path
    lay_out(folder, sessions, **models)
    CONF.write_text(CONF.read_text() + "JobAcctGatherParams=OverMemoryKill\n")
    slurm("scontrol", "reconfigure")
    struck = Struck(folder)
    request.addfinalizer(struck.end)
    struck.start()

    # over its memory: killed, and submitted again with more
    first = wait(lambda: submitted(struck.log.read_text()).get("train"), struck.log.read_text)
    ended(first[0]["JobId"], "FAILED")
    assert "exceeded memory limit" in slurm("cat", first[0]["StdErr"])
    aligned = {p: p.stat().st_mtime_ns for p in folder.glob("results/*/*.parquet")}

    # preempted and put into the queue again: SIGTERM, then SIGKILL
    job = struck.job()
    slurm("scontrol", "requeue", job)
    start_now(job)

    # the scheduler's daemon is started anew, then a user cancels the job
    job = struck.job()
    start_again("Slurmctld", ["slurmctld"])
    assert struck.job() == job
    slurm("scancel", job)
    ended(job, "CANCELLED")

    # the node dies under it
    job = struck.job()
    os.kill(daemon("Slurmd"), signal.SIGKILL)
    for of_the_node in ("slurmstepd", "^srun", "vame-pipe train", "snakemake.*--mode"):
        subprocess.run(["pkill", "-9", "-f", of_the_node], check=False)
    slurm("scontrol", "update", f"nodename={NODE}", "state=down", "reason=died")
    subprocess.run(["slurmd", "-N", NODE], check=True)
    slurm("scontrol", "update", f"nodename={NODE}", "state=resume")
    start_now(job)

    # it hangs until its time is over
    job = struck.job()
    (training,) = training_processes(folder)
    os.kill(training, signal.SIGSTOP)
    slurm("scontrol", "update", f"jobid={job}", "timelimit=1")
    ended(job, "TIMEOUT")

    # it is killed, as by the kernel where memory is short
    struck.job()
    for training in training_processes(folder):
        os.kill(training, signal.SIGKILL)

    # a second snakemake is refused; the first is killed and its jobs cancelled, as the profile says
    struck.job()
    second = subprocess.run(arguments(), cwd=folder, capture_output=True, text=True)
    assert second.returncode == 1 and "Directory cannot be locked" in second.stderr
    struck.end()
    subprocess.run([*arguments(), "--unlock"], cwd=folder, check=True, capture_output=True)
    done = run(folder, "--", struck.target, mem_mb=1500)
    assert done.returncode == 0, done.stderr

    assert "going on from epoch" in (folder / "results/logs/train/vame.log").read_text()
    assert {p: p.stat().st_mtime_ns for p in aligned} == aligned  # nothing before it was done again
    (run_of_mlflow,) = MlflowClient(f"sqlite:///{folder}/results/mlflow/mlflow.db").search_runs(
        ["1"]
    )
    assert run_of_mlflow.info.status == "FINISHED"
    shutil.copytree(folder / "results/models", folder / "struck")
    shutil.rmtree(folder / "results/resume")
    done = snakemake(folder, "--forcerun", "train", "--", struck.target)
    assert done.returncode == 0, done.stderr
    assert "going on from" not in (folder / "results/logs/train/vame.log").read_text()
    assert_same_weights(
        model_file.load(folder / "struck/vame/model.pt").state, weights(folder, "vame")
    )
