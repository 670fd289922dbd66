"""The workflow on a real Slurm with the profile that is shipped, and faults of clusters.

These tests need a running Slurm with a partition `main` of two GPUs (simulated ones are enough). The tests
that break it also need a Slurm on this machine that belongs to root.
"""

import contextlib
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
from conftest import TINY, install, snakemake, training_processes, without_services
from mlflow import MlflowClient

from vame_pipe.encoding import model_file
from vame_pipe.poses import simulate

CONF = Path("/etc/slurm/slurm.conf")
NODE = socket.gethostname().partition(".")[0]
LONG = {"max_epochs": 100, "patience": 100, "checkpoint_minutes": 0.05}


def slurm(*command):
    """Return what a command of Slurm prints."""
    return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout


@pytest.fixture(scope="session", autouse=True)
def cluster():
    """Skips these tests without a Slurm, before any other fixture is made."""
    if not shutil.which("scontrol") or "is UP" not in slurm("scontrol", "ping"):
        pytest.skip("no Slurm is running here")
    if not re.search(r"gpu:\S*[2-9]", slurm("sinfo", "-h", "-p", "main", "-o", "%G")):
        pytest.skip("this Slurm has no partition `main` with two GPUs")


@pytest.fixture
def own_cluster():
    """A cluster that may be broken; its settings are restored."""
    if os.geteuid() or not os.access(CONF, os.W_OK):
        pytest.skip("this Slurm does not belong to root, and must not be broken")
    before = CONF.read_text()
    yield
    CONF.write_text(before)
    slurm("scontrol", "reconfigure")


def wait(condition, message=lambda: ""):
    """Return what a condition returns as soon as it is true; fail after four minutes."""
    until = time.monotonic() + 240
    while not (found := condition()):
        assert time.monotonic() < until, message()
        time.sleep(0.2)
    return found


def daemon(name):
    """Process id of slurmctld or slurmd."""
    path = re.search(rf"{name}PidFile += (\S+)", slurm("scontrol", "show", "config"), re.I)[1]
    return int(Path(path).read_text())


def write_run(folder, sessions, **changes):
    """Write the workflow and its configuration into a folder."""
    install(folder)
    sessions = {name: {"poses": str(path), "fps": 30} for name, path in sessions.items()}
    (folder / "config.yaml").write_text(yaml.safe_dump(TINY | {"sessions": sessions} | changes))


def arguments(*more, **resources):
    """Snakemake with the profile, and with waits and requests that suit one small node."""
    resources = {"mem_mb": 500} | resources
    wanted = [f"{r}:{k}={v}" for r in ("train", "encode") for k, v in resources.items()]
    return [
        *(sys.executable, "-m", "snakemake", "--workflow-profile", "workflow/profiles/slurm"),
        *("--latency-wait", "10", "--slurm-init-seconds-before-status-checks", "2"),
        *("--seconds-between-status-checks", "1", "--set-threads", "train=2", "encode=2"),
        *("--set-resources", *wanted, *more),
    ]


def run(folder, *more, **resources):
    return subprocess.run(
        arguments(*more, **resources),
        cwd=folder,
        capture_output=True,
        text=True,
        env=without_services(SLURM_CONF=str(CONF)),
    )


def submitted(text):
    """What Slurm reports of the jobs that a run submitted, `{rule: [{key: value}]}`, in their order."""
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


def kill_job_processes(folder):
    """Kill what a job runs in a folder; other tests train models at the same time."""
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):  # it has ended
            command = Path(f"/proc/{entry}/cmdline").read_text()
            here = os.readlink(f"/proc/{entry}/cwd") == str(folder)
            if here and ("vame-pipe" in command or "--mode" in command):
                os.kill(int(entry), signal.SIGKILL)


def test_a_run_with_the_profile_equals_one_without_slurm(tmp_path, recordings, tiny_run):
    """In few jobs; a bad recording stops no other of its batch; each training job has its own GPU."""
    position, confidence, _ = simulate.simulate(60, 30, 0)
    bad = tmp_path / "bad.csv"
    simulate.write_deeplabcut(bad, position * np.nan, confidence, simulate.KEYPOINTS)
    sessions = {f"m{i}": recordings / f"sim-{i}.csv" for i in (1, 2)}
    on_a_gpu = TINY["train"] | {"device": "auto"}
    write_run(tmp_path, sessions | {"bad": bad}, train=on_a_gpu)
    done = run(tmp_path, "--retries", "0")
    assert done.returncode == 1
    assert "ERROR: session bad: bad.csv: every coordinate is missing" in done.stderr
    counts = {rule: len(of_rule) for rule, of_rule in submitted(done.stderr).items()}
    assert counts == {"align_align": 1, "init_mlflow": 1, "windows": 1}
    good = [tmp_path / f"results/aligned/m{i}.parquet" for i in (1, 2)]
    before = [path.stat().st_mtime_ns for path in good]
    assert sorted((tmp_path / "results/aligned").glob("*.parquet")) == good

    shutil.rmtree(tmp_path / "workflow")
    shutil.rmtree(tmp_path / "envs")
    write_run(tmp_path, sessions, train=on_a_gpu)
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    assert [path.stat().st_mtime_ns for path in good] == before
    assert done.stderr.count("WARNING: MLflow's store is a SQLite file in results/mlflow") == 1
    jobs = submitted(done.stderr)
    counts = {rule: len(of_rule) for rule, of_rule in jobs.items()}
    assert counts == {
        "windows": 1,
        "quality": 1,
        "train": 2,
        "encode": 2,
        "segment": 2,
        "describe": 2,
        "groups": 2,
        "upload_mlflow": 1,
        "compare": 1,
        "report": 1,
    }
    for rule, of_rule in jobs.items():
        asks = {job.get("TresPerJob") for job in of_rule}
        assert asks == ({"gres:gpu:1"} if rule in {"train", "encode"} else {None}), rule
    one, other = jobs["train"]
    assert one["StartTime"] < other["EndTime"] and other["StartTime"] < one["EndTime"]
    logs = [(tmp_path / f"results/logs/train/{m}.log").read_text() for m in ("vame", "wide")]
    if not torch.cuda.is_available():
        gpus = [re.search(r"CUDA_VISIBLE_DEVICES=(\d) announces a GPU", log)[1] for log in logs]
        assert sorted(gpus) == ["0", "1"]
    for name in ("vame", "wide"):
        assert_same_weights(weights(tmp_path, name), weights(tiny_run, name))
    latents = "results/latents/wide/m2.parquet"
    assert pq.read_table(tmp_path / latents).equals(pq.read_table(tiny_run / latents))

    both = ("--set-resources", "train:gpu=2", "train:mem_mb=500")
    done = run(tmp_path, "--forcerun", "train", "--until", "train", *both)
    assert done.returncode == 0, done.stderr
    one, other = sorted(submitted(done.stderr)["train"], key=lambda job: job["StartTime"])
    assert one["EndTime"] <= other["StartTime"]


class FaultyRun:
    """A run whose only training job is stopped by one fault after another."""

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
                more,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                env=without_services(SLURM_CONF=str(CONF)),
            )

    def job(self):
        """Number of the training job, once it runs and has resumed from its last checkpoint."""
        steps = max(self.saved_steps(), default=0)

        def has_resumed():
            assert self.process.poll() is None, self.log.read_text()
            lines = slurm("squeue", "-h", "-t", "R", "-o", "%i %k").splitlines()
            found = [line.split()[0] for line in lines if "rule_train" in line]
            return found[0] if found and max(self.saved_steps(), default=0) > steps + 20 else None

        return wait(has_resumed, self.log.read_text)

    def saved_steps(self):
        """Steps after which there is a checkpoint."""
        files = self.folder.glob("results/checkpoints/vame/*-[0-9]*.pt")
        return {int(path.stem.split("-")[1]) for path in files}

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
    """Wait until a job has ended, in the state that Slurm reports."""
    wait(lambda: state_of(job) not in {"PENDING", "RUNNING", "COMPLETING"})
    assert state_of(job) == state


def restart(name, command):
    """Stop a daemon as an administrator does, and start it."""
    before = daemon(name)
    os.kill(before, signal.SIGTERM)
    wait(lambda: not Path(f"/proc/{before}").exists())
    time.sleep(3)
    subprocess.run(command, check=True)


def start_now(job):
    """Start a job that was requeued at once; Slurm would let it wait for two minutes."""
    wait(lambda: "Reason=BeginTime" in slurm("scontrol", "show", "job", "-o", job))
    slurm("scontrol", "update", f"jobid={job}", "starttime=now")


def test_a_training_run_survives_the_faults_of_a_cluster(
    tmp_path, recordings, own_cluster, request
):
    """After each of them, it ends with the weights of an undisturbed run."""
    sessions = {f"m{i}": recordings / f"sim-{i}.csv" for i in (1, 2)}
    models = {"models": {"vame": {}}, "train": LONG | {"device": "cpu"}}
    folder = tmp_path
    write_run(folder, sessions, **models)
    CONF.write_text(CONF.read_text() + "JobAcctGatherParams=OverMemoryKill\n")
    slurm("scontrol", "reconfigure")
    faulty = FaultyRun(folder)
    request.addfinalizer(faulty.end)
    faulty.start()

    # over its memory: killed, and submitted again with more
    first = wait(lambda: submitted(faulty.log.read_text()).get("train"), faulty.log.read_text)
    ended(first[0]["JobId"], "FAILED")
    assert "exceeded memory limit" in slurm("cat", first[0]["StdErr"])
    aligned = {p: p.stat().st_mtime_ns for p in folder.glob("results/*/*.parquet")}

    # preempted and put into the queue again: SIGTERM, then SIGKILL
    job = faulty.job()
    slurm("scontrol", "requeue", job)
    start_now(job)

    # the scheduler's daemon is restarted, then a user cancels the job
    job = faulty.job()
    restart("Slurmctld", ["slurmctld"])
    assert faulty.job() == job
    slurm("scancel", job)
    ended(job, "CANCELLED")

    # the node dies under it
    job = faulty.job()
    os.kill(daemon("Slurmd"), signal.SIGKILL)
    for of_slurm in ("slurmstepd", "^srun"):
        subprocess.run(["pkill", "-9", "-f", of_slurm], check=False)
    kill_job_processes(folder)
    slurm("scontrol", "update", f"nodename={NODE}", "state=down", "reason=died")
    subprocess.run(["slurmd", "-N", NODE], check=True)
    slurm("scontrol", "update", f"nodename={NODE}", "state=resume")
    start_now(job)

    # it hangs until its time limit
    job = faulty.job()
    (training,) = training_processes(folder)
    os.kill(training, signal.SIGSTOP)
    slurm("scontrol", "update", f"jobid={job}", "timelimit=1")
    ended(job, "TIMEOUT")

    # it is killed, as by the kernel if memory is short
    faulty.job()
    for training in training_processes(folder):
        os.kill(training, signal.SIGKILL)

    # a second snakemake is refused; the first one is killed and its jobs are cancelled
    faulty.job()
    second = subprocess.run(arguments(), cwd=folder, capture_output=True, text=True)
    assert second.returncode == 1 and "Directory cannot be locked" in second.stderr
    faulty.end()
    subprocess.run([*arguments(), "--unlock"], cwd=folder, check=True, capture_output=True)
    done = run(folder, "--", faulty.target, mem_mb=1500)
    assert done.returncode == 0, done.stderr

    assert "resuming at epoch" in (folder / "results/logs/train/vame.log").read_text()
    assert {p: p.stat().st_mtime_ns for p in aligned} == aligned  # nothing before it was repeated
    (run_of_mlflow,) = MlflowClient(f"sqlite:///{folder}/results/mlflow/mlflow.db").search_runs(
        ["1"]
    )
    assert run_of_mlflow.info.status == "FINISHED"
    shutil.copytree(folder / "results/models", folder / "disturbed")
    shutil.rmtree(folder / "results/checkpoints")
    done = snakemake(folder, "--forcerun", "train", "--", faulty.target)
    assert done.returncode == 0, done.stderr
    assert "resuming at" not in (folder / "results/logs/train/vame.log").read_text()
    assert_same_weights(
        model_file.load(folder / "disturbed/vame/model.pt").state, weights(folder, "vame")
    )
