"""The configuration, checked before any job starts, and what all rules share."""

import json
import os
import re
import sys
from pathlib import Path

from vame_pipe.alignment.session import drop_refusals
from vame_pipe.config import check
from vame_pipe.config import loading as configuration
from vame_pipe.core import files, source
from vame_pipe.core.digests import pose_digests
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout
from vame_pipe.core.machine import has_gpu, useful_threads
from vame_pipe.poses.simulate import KEYPOINTS
from vame_pipe.tracking.upload import failures

DEMO_SESSIONS, DEMO_FRAMES, DEMO_FPS = 4, 5000, 30
DEMO_POSES = [f"demo/sim-{i + 1}.csv" for i in range(DEMO_SESSIONS)]

# the jobs' `vame-pipe` is this snakemake's neighbour, also where its environment is not activated
os.environ.update(PATH=os.pathsep.join([os.path.dirname(sys.executable), *os.get_exec_path()]))


def read_settings():
    """Return the validated configuration; on any problem list all of them and stop."""
    given = workflow.config_settings.overwrite_config
    named = [Path(file) for file in workflow.config_settings.configfiles]
    own = dict.fromkeys(Path(file) for file in workflow.configfiles if Path(file) not in named)
    read = [*own, *dict.fromkeys(named)]  # the last one wins
    problems = [line for file in read for line in configuration.repeated_keys(file)]
    settings = None
    try:
        # Snakemake joins mappings: one's own sessions would be added to those of config.yaml; and it reads
        # names that are numbers as such
        for content in [given, *map(configuration.read_yaml, read)]:
            for key in {"sessions", "models", "keypoints"} & content.keys():
                config[key] = content[key]
        if workflow.is_main_process:
            settings = check.load(config, generated=dict.fromkeys(DEMO_POSES, KEYPOINTS))
        else:  # a job of a run that has been checked
            settings = configuration.load(config)
    except InputError as error:
        problems += error.problems
    if problems:
        # not by Snakemake's logger, which writes to standard output in a dry run
        sys.stderr.write("".join(f"ERROR: {line}\n" for line in problems))
        sys.exit(2)
    return settings


def write_resolved(settings):
    """Write the configuration, defaults included, next to the results."""
    import yaml

    text = yaml.safe_dump(settings.resolved(), sort_keys=False)
    files.write_text(f"{settings.results}/config.yaml", text)


def advise_server(settings):
    """Say so where the jobs of a cluster are about to write one SQLite file from several nodes."""
    named = settings.mlflow.tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
    if workflow.non_local_exec and not named:
        sys.stderr.write(
            f"WARNING: MLflow's store is SQLite in {settings.results}/mlflow. That does for one node; with "
            "several set mlflow.tracking_uri or MLFLOW_TRACKING_URI to a server.\n"
        )


def warn_of_others(settings):
    """Name the sessions that an earlier run left in the results folder; other models encoded them."""
    there = {path.stem for path in Path(settings.results, "aligned").glob("*.parquet")}
    others = sorted(there - settings.sessions.keys())
    if others:
        sys.stderr.write(
            f"WARNING: {settings.results} also holds {len(others)} session(s) of an earlier run, as "
            f"{', '.join(others[:3])}: their latents are not of these models. Delete them, or set results "
            "to a folder of its own for each set of recordings.\n"
        )


def pose_file(wildcards):
    """Return the pose file of a session as an input whose time stamp does not count.

    The demo's files follow the rule that makes them. A path with braces cannot be an input, since Snakemake
    reads wildcards in them; the rule's parameters name it in any case.
    """
    path = settings.sessions[wildcards.session].poses
    if path in DEMO_POSES:
        return path
    return [] if re.search("[{}]", path) else ancient(path)


def pose_digest(session):
    """Return the digest of a session's pose file; nothing for one that the workflow makes."""
    path = settings.sessions[session].poses
    if path in DEMO_POSES:
        return ""
    if path not in DIGESTS:  # a job of a run looks up its own sessions only
        DIGESTS.update(pose_digests([path], DIGEST_CACHE, save=False))
    return DIGESTS[path]


def gpus(model):
    """Return how many GPUs the jobs of a model ask for: none where it is going to compute on the CPU.

    So that without a GPU several models train at once, as far as the cores suffice.
    """
    device = settings.variant(model)[1].device
    if device == "auto":
        return int(workflow.non_local_exec or LOCAL_GPU)
    return int(device != "cpu")


def megabytes(*files):
    """Return the size of files in MB, rounded up; FileNotFoundError tells Snakemake to ask again later."""
    return -(-sum(map(os.path.getsize, files)) // 10**6)


settings = read_settings()

LOCAL_GPU = has_gpu()
DIGEST_CACHE = Path(".snakemake/vame_pipe/pose_digests.json")
DIGESTS = {}
if workflow.is_main_process:
    own = {session.poses for session in settings.sessions.values()} - set(DEMO_POSES)
    DIGESTS = pose_digests(sorted(own), DIGEST_CACHE)


layout = Layout(Path(settings.results))
training_sessions = [name for name, each in settings.sessions.items() if each.use == "train"]
new_sessions = [name for name in settings.sessions if name not in training_sessions]


def any_of(names):
    """Return a pattern of these names and no others."""
    return "|".join(map(re.escape, names)) or "(?!)"


wildcard_constraints:
    session=any_of(settings.sessions),
    model=any_of(settings.variants),
