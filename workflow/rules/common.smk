"""Reads and validates the configuration before any job starts; functions and constraints of all rules."""

import functools
import json
import os
import re
import sys
from importlib.util import find_spec
from pathlib import Path

from vame_pipe.config import loading, yaml_file
from vame_pipe.core import source
from vame_pipe.core.digests import DIGEST_CACHE, combined, pose_digests
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout
from vame_pipe.core.machine import has_gpu, useful_threads
from vame_pipe.poses.simulate import (
    DEMO_FPS,
    DEMO_FRAMES,
    DEMO_POSES,
    DEMO_SESSIONS,
    DEMO_TREATED,
    KEYPOINTS,
)
from vame_pipe.tracking.upload import failures

KNOWN_DIGESTS = {}

# so that jobs find `vame-pipe` even if its environment is not activated
os.environ.update(PATH=os.pathsep.join([os.path.dirname(sys.executable), *os.get_exec_path()]))


def read_settings():
    """Return the validated configuration, or print all problems and exit.

    Snakemake's own `config` is not used: it adds the sessions of one file to those of another, and turns
    names like 007 into numbers.
    """
    sources = [*map(Path, workflow.configfiles), dict(workflow.config_settings.config)]
    try:
        if not workflow.is_main_process:  # a job, whose main process has checked the files
            return loading.load(*sources)
        from vame_pipe.config import check

        return check.load(*sources, generated=dict.fromkeys(DEMO_POSES, KEYPOINTS))
    except InputError as error:
        stop(error)


def stop(error):
    """Print all problems and exit."""
    # not with Snakemake's logger, which writes to standard output in a dry run
    sys.stderr.write("".join(f"ERROR: {line}\n" for line in error.problems))
    sys.exit(2)


def start_run():
    """Print what this run computes and why, and warnings; write the configuration next to the results."""
    from vame_pipe.config import check
    from vame_pipe.reporting import plan, status

    digests = {name: pose_digest(name) for name in settings.analysed}
    items = status.find_status(settings, {name: d for name, d in digests.items() if d})
    planned = [f"  {line}" for line in plan.plan(items)]
    if planned:
        sys.stderr.write("\n".join(["This run will compute:", *planned, ""]))
    for line in check.excluded(settings):
        sys.stderr.write(f"NOTE: {line}\n")
    for line in check.warnings(settings, on_cluster=workflow.non_local_exec):
        sys.stderr.write(f"WARNING: {line}\n")
    loading.write(settings, layout.config)


def show_results():
    """Print where to look."""
    if settings.variants:
        sys.stderr.write(f"results: {layout.report}\n")


def drop_rejected():
    """Delete the outputs that could not be made from recordings, so that the next run tries again."""
    from vame_pipe.alignment.aligned_file import drop_rejections

    drop_rejections(layout)


def pose_files(session):
    """Return the pose files of a session as inputs whose time stamps do not count.

    The demo's files follow the rule that makes them. A path with `{}` or `<>` cannot be an input, because
    Snakemake takes them for placeholders; the rule's parameters contain the path in any case.
    """
    paths = settings.sessions[session].files
    return [p if p in DEMO_POSES else ancient(p) for p in paths if not re.search("[{}<>]", p)]


def starts(session):
    """Return the option that tells when each of several pose files begins, if it is known."""
    return ["--starts-s", *session.starts_s] if session.starts_s else []


def frame_rate(session):
    """Return the option that gives the frame rate, unless the pose file does."""
    return ["--fps", session.fps] if session.fps else []


def individuals(session):
    """Return the options that select animals, if some are selected."""
    return [f"--individual={name}" for name in session.individuals or []]


def keypoints_option():
    """Return the option for the keypoints to use: those of the configuration, or of the job that chose."""
    if settings.align.drop_bad_keypoints:
        return [f"--keypoints-from={layout.keypoints}"]
    return [f"--keypoints={json.dumps(settings.aliases)}"]


def pose_digest(session):
    """Return the digest of a session's pose files; nothing for those that the workflow makes."""
    paths = settings.sessions[session].files
    if not set(DEMO_POSES).isdisjoint(paths):
        return ""
    if not KNOWN_DIGESTS.keys() >= set(paths):
        is_main = workflow.is_main_process  # a job needs those of its own sessions only
        if is_main:
            paths = {path for each in settings.analysed.values() for path in each.files}
        paths = sorted(set(paths) - set(DEMO_POSES))
        KNOWN_DIGESTS.update(pose_digests(paths, DIGEST_CACHE, save=is_main))
    return combined([KNOWN_DIGESTS[path] for path in settings.sessions[session].files])


def gpus(model):
    """Return how many GPUs the jobs of a model request: none if it will be computed on the CPU.

    So without a GPU several models are trained at the same time, if there are enough cores.
    """
    device = settings.variant(model)[1].device
    if device == "auto":
        return int(workflow.non_local_exec or local_gpu())
    return int(device != "cpu")


def keys_of(sessions, *keys):
    """Return some keys of sessions, as far as they are given.

    Commands read sessions from results/config.yaml, because a command must not grow with them: Linux limits
    it to 128 KiB. As parameters, what a command uses of them reruns its rule if it changes.
    """
    given = {n: s.model_dump(include=set(keys), exclude_none=True) for n, s in sessions.items()}
    return json.dumps(given, separators=(",", ":"))


def video_files():
    """Return the videos as inputs; a path with `{}` or `<>` cannot be one, see `pose_files`."""
    paths = [path for session in settings.filmed.values() for path in session.videos]
    return [path for path in paths if not re.search("[{}<>]", path)]


def names_json(rows):
    """Return the names of motifs as the command line takes them."""
    return json.dumps([row.model_dump(exclude_none=True) for row in rows])


def megabytes(*files):
    """Return the size of files in MB, rounded up; FileNotFoundError makes Snakemake ask again later."""
    return -(-sum(map(os.path.getsize, files)) // 10**6)


def any_of(names):
    """Return a regular expression that matches these names only."""
    return "|".join(map(re.escape, names)) or "(?!)"


# a configuration given by --configfile stands alone
if not workflow.config_settings.configfiles:
    try:
        if workflow.is_main_process:
            yaml_file.read("config.yaml")  # Snakemake's message tells neither line nor what to do
    except InputError as error:
        stop(error)

    configfile: "config.yaml"


local_gpu = functools.cache(has_gpu)
settings = read_settings()
# for jobs, which refuse a results/config.yaml of another run
os.environ[loading.RUN_VARIABLE] = settings.digest
layout = Layout(Path(settings.results))


wildcard_constraints:
    session=any_of(settings.analysed),
    model=any_of(settings.variants),
