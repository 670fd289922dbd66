"""The command line: where paths, settings, logging and tracking meet."""

from __future__ import annotations

import argparse
import json
import logging
import math
import re
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from vame_pipe import __version__
from vame_pipe.errors import InputError, Interrupted

if TYPE_CHECKING:
    from vame_pipe.outcome import Outcome
    from vame_pipe.poses import Poses
    from vame_pipe.windows import WindowData

# every stage imports what it needs when it runs, so that an alignment pays for neither torch nor MLflow

log = logging.getLogger("vame_pipe")

INTERRUPTED = 75
"""Exit code of a training that was told to stop and can go on (sysexits' EX_TEMPFAIL)."""


def main(argv: list[str] | None = None) -> int:
    """Run one command; return its exit code.

    0 when done, 2 for something that the user must change, 75 for a training that was told to stop and
    goes on when it is run again.
    """
    options = _parser().parse_args(argv)
    try:
        _configure_logging(options.log)
        options.run(options)
    except InputError as error:
        for line in error.problems:
            log.error("%s", line)
        return 2
    except Interrupted as error:
        log.warning("%s", error)
        return INTERRUPTED
    return 0


def _configure_logging(path: Path | None) -> None:
    """Log to standard error; with a log file everything goes there and only warnings to both."""
    terminal = logging.StreamHandler()
    terminal.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    handlers: list[logging.Handler] = [terminal]
    if path is not None:
        terminal.setLevel(logging.WARNING)
        handlers.append(_log_file(path))
    logging.basicConfig(level=logging.WARNING, handlers=handlers, force=True)
    log.setLevel(logging.INFO)
    logging.captureWarnings(True)


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be above 0, found {text}")
    return value


def _name(text: str) -> str:
    """Return a name that may become the name of a file, and no path to another folder."""
    from vame_pipe.settings import NAME

    if not re.fullmatch(NAME, text):
        raise argparse.ArgumentTypeError(
            f"a name has letters, digits, '.', '_' and '-' only and begins with a letter, a digit or '_', "
            f"found {text!r}"
        )
    return text


def _aliases(text: str) -> dict[str, list[str]] | None:
    content = json.loads(text)
    lists = content.values() if isinstance(content, dict) else []
    if content is not None and not (
        isinstance(content, dict)
        and all(
            isinstance(names, list) and all(isinstance(n, str) for n in names) for names in lists
        )
    ):
        raise argparse.ArgumentTypeError(f"must be NAME: [names in the files], found {text!r}")
    return content


def _log_file(path: Path) -> logging.FileHandler:
    """Return a handler that appends to a file.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = logging.FileHandler(path, mode="a", encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{path}: the log cannot be written ({error.strerror}). Choose a folder that you may write."
        ) from None
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s: %(message)s"))
    return file


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vame-pipe", description="The stages of the vame_pipe workflow, one command each."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name, run, text):
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        sub.add_argument("--log", type=Path, help="log file; then only warnings reach the terminal")
        return sub

    sub = command("simulate", simulate, "Write simulated recordings with known motifs.")
    sub.add_argument("folder", type=Path, help="folder for sim-1.csv, sim-1.motifs.csv, ...")
    sub.add_argument("--sessions", type=int, default=4, help="how many (default: 4)")
    sub.add_argument("--frames", type=int, default=5000, help="frames each (default: 5000)")
    sub.add_argument("--fps", type=_positive, default=30.0, help="frames per second (default: 30)")
    sub.add_argument("--seed", type=int, default=0, help="default: 0")

    sub = command("check", check, "Check a configuration and the files it names.")
    sub.add_argument(
        "--config", type=Path, default=Path("config.yaml"), help="default: config.yaml"
    )

    sub = command("schema", schema, "Write the JSON schema of config.yaml to standard output.")

    sub = command("align", align, "Align one recording to the animal.")
    sub.add_argument("--poses", type=Path, required=True, help="pose file")
    sub.add_argument("--session", type=_name, required=True, help="name of the session")
    sub.add_argument(
        "--fps", type=_positive, required=True, help="frames per second of the recording"
    )
    sub.add_argument("--settings", required=True, help="JSON: align of config.yaml")
    sub.add_argument(
        "--keypoints", type=_aliases, help="JSON: NAME: [names in the files] (default: all)"
    )
    sub.add_argument("--out", type=Path, required=True, help="Parquet file to write")
    sub.add_argument("--qc", type=Path, required=True, help="JSON of its quality to write")
    sub.add_argument(
        "--keep-going",
        action="store_true",
        help="of an unusable recording write why, for windows to stop by, and return 0",
    )

    sub = command("windows", windows, "Index the windows of aligned recordings.")
    sub.add_argument("--aligned", type=Path, required=True, help="folder of aligned recordings")
    sub.add_argument("--sessions", nargs="+", required=True, help="their names")
    sub.add_argument("--settings", required=True, help="JSON: windows of config.yaml")
    sub.add_argument("--out", type=Path, required=True, help="folder to write")

    sub = command("mlflow", mlflow, "Create the MLflow store and experiment once, before training.")
    sub.add_argument("--tracking-uri", help="default: SQLite beside OUT; MLFLOW_TRACKING_URI wins")
    sub.add_argument("--experiment", required=True, help="name of the experiment")
    sub.add_argument(
        "--out", type=Path, required=True, help="JSON file to write, for train --mlflow"
    )

    sub = command("train", train, "Train one model.")
    sub.add_argument("--windows", type=Path, required=True, help="folder that windows wrote")
    sub.add_argument("--name", required=True, help="name of the model")
    sub.add_argument("--sweep", help="entry of models that it comes from (default: NAME)")
    sub.add_argument("--model", required=True, help="JSON: model of config.yaml")
    sub.add_argument("--train", required=True, help="JSON: train of config.yaml")
    sub.add_argument("--mlflow", type=Path, required=True, help="JSON that mlflow wrote")
    sub.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")
    sub.add_argument("--resume", type=Path, required=True, help="folder of states to go on from")
    sub.add_argument("--out", type=Path, required=True, help="folder to write")

    sub = command("track", track, "Send to MLflow what it lacks of the results.")
    sub.add_argument("results", type=Path, help="results folder")
    sub.add_argument("--models", nargs="+", help="their names (default: all there are)")
    sub.add_argument(
        "--out", type=Path, help="JSON file of the runs to write; then 0 is returned always"
    )

    sub = command("compare", compare, "Compare models, with each other and with PCA.")
    sub.add_argument("results", type=Path, help="results folder")
    sub.add_argument("--models", nargs="+", help="their names (default: all there are)")
    sub.add_argument("--runs", type=Path, help="JSON that track wrote")
    sub.add_argument("--out", type=Path, required=True, help="table to write, as Parquet and CSV")
    sub.add_argument(
        "--agreement", type=Path, required=True, help="table of pairs to write, also both"
    )

    sub = command("report", report, "Write the report, one HTML file.")
    sub.add_argument("results", type=Path, help="results folder")
    sub.add_argument("--sessions", nargs="+", required=True, help="their names")
    sub.add_argument("--models", nargs="+", help="their names (default: all there are)")
    sub.add_argument("--out", type=Path, required=True, help="HTML file to write")

    sub = command("import-vame", import_vame, "Make a model file of weights that VAME trained.")
    sub.add_argument(
        "--weights", type=Path, required=True, help="state dict that VAME saved (.pkl)"
    )
    sub.add_argument("--config", type=Path, required=True, help="config.yaml of its VAME project")
    sub.add_argument(
        "--features", help="names of its features, with commas between, in their order"
    )
    sub.add_argument("--fps", type=_positive, help="frames per second that it was trained at")
    sub.add_argument("--mean", type=Path, help=".npy that VAME centred its data by (default: 0)")
    sub.add_argument("--std", type=Path, help=".npy that VAME scaled its data by (default: 1)")
    sub.add_argument("--out", type=Path, required=True, help="model.pt to write")

    sub = command("latents", latents, "Encode every window of one aligned recording, or of many.")
    sub.add_argument("--model", type=Path, required=True, help="model.pt")
    sub.add_argument("--aligned", type=Path, required=True, help="aligned recording, or a folder")
    sub.add_argument("--windows", type=Path, help="folder that windows wrote: encode its sessions")
    sub.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
    sub.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")
    sub.add_argument("--resume", type=Path, help="folder where latents wait until all are done")
    sub.add_argument("--out", type=Path, required=True, help="Parquet file to write, or a folder")
    return parser


def simulate(options: argparse.Namespace) -> None:
    from vame_pipe.simulate import write_recordings

    write_recordings(options.folder, options.sessions, options.frames, options.fps, options.seed)
    log.info("%d recordings of %d frames in %s", options.sessions, options.frames, options.folder)


def check(options: argparse.Namespace) -> None:
    from vame_pipe import check

    settings = check.load(options.config, made={})
    log.info("%s: no problem in %d sessions", options.config, len(settings.sessions))


def schema(options: argparse.Namespace) -> None:
    from vame_pipe.config import schema

    sys.stdout.write(schema())


def align(options: argparse.Namespace) -> None:
    from vame_pipe import align, config, store

    settings = config.parse(config.Align, options.settings)
    try:
        recording = _read_poses(options)
        aligned = align.align(recording, options.session, settings, options.keypoints)
    except InputError as error:
        if not options.keep_going:
            raise
        for line in error.problems:
            log.warning("%s", line)
        align.write_refusal(options.session, error.problems, options.out, options.qc)
        return
    made_of = settings.model_dump() | {"keypoints": options.keypoints}
    content = {"settings": made_of, "poses_digest": store.file_fingerprint(options.poses)}
    align.write(aligned, recording, content, options.out, options.qc)
    log.info(
        "session %s: %d of %d frames valid, body length %.1f px",
        options.session,
        aligned.valid.sum(),
        len(aligned.valid),
        aligned.body_length,
    )


def _read_poses(options: argparse.Namespace) -> Poses:
    """Read the recording of a session; a problem names it."""
    from vame_pipe import poses

    try:
        return poses.read_poses(options.poses, options.fps)
    except InputError as error:
        raise InputError(*(f"session {options.session}: {p}" for p in error.problems)) from None


def windows(options: argparse.Namespace) -> None:
    from vame_pipe import config, windows

    settings = config.parse(config.Windows, options.settings)
    paths = [options.aligned / f"{name}.parquet" for name in options.sessions]
    windows.build(paths, settings, options.out)


def mlflow(options: argparse.Namespace) -> None:
    from vame_pipe import credentials, store, tracking

    uri = options.tracking_uri or None  # the workflow hands on an empty one
    if problems := credentials.problems(uri or "", "--tracking-uri"):
        raise InputError(*problems)
    tracking.prepare(*tracking.address(uri, options.experiment, options.out.parent))
    settings = {"tracking_uri": uri, "experiment": options.experiment}
    store.write_json(options.out, settings)


def train(options: argparse.Namespace) -> None:
    with StopRequest() as stopped:
        _train(options, stopped)


def _train(options: argparse.Namespace, stopped: StopRequest) -> None:
    import torch
    import yaml

    from vame_pipe import checkpoint, compare, config, outcome, store, tracking, windows
    from vame_pipe import train as training
    from vame_pipe.device import choose_device
    from vame_pipe.resume import ResumeFiles
    from vame_pipe.source import source_hash

    settings = config.parse(config.Train, options.train)
    model = config.parse(config.Model, options.model).for_preset(settings.preset)
    settings = settings.for_model(model)
    # Snakemake deletes the log of a job that it repeats; this one stays
    logging.getLogger().addHandler(_log_file(options.resume / "train.log"))
    device = choose_device(settings.device)
    data = windows.load(options.windows)
    files = ResumeFiles(
        options.resume, training.identity(data, model, settings, source_hash("train"))
    )
    lock = files.lock()
    start, settings = training.starting_point(files, settings, device)
    about = outcome.run_record(
        options.name, options.sweep or options.name, data, model, settings, options.windows
    )
    about["tags"] |= tracking.source_tags()
    about["tags"]["device"] = (
        torch.cuda.get_device_name(device) if device.startswith("cuda") else device
    )
    new = {key: about[key] for key in ("run_id", "started")}
    new["training_id"] = about["tags"][tracking.TRAINING]
    mine = start["run"] if start else files.opened(new)
    about |= {key: mine[key] for key in ("run_id", "started")}
    about["tags"][tracking.TRAINING] = mine["training_id"]
    run = tracking.Run(*tracking.where(options.mlflow), about)
    identity = mine | {"run_id": about["run_id"]}
    metrics = options.out / compare.METRICS
    try:
        trained = training.train(
            *(data, model, settings, device, files, metrics, start, identity),
            on_epoch=run.log_epochs,
            stopped=stopped,
            threads=options.threads,
        )
    except BaseException as error:
        run.end("KILLED" if isinstance(error, Interrupted) else "FAILED")
        raise
    resolved = outcome.resolved(data, model, settings)
    store.write_text(options.out / "config.yaml", yaml.safe_dump(resolved, sort_keys=False))
    _plot_training(trained, data, device, options.out)
    file = outcome.to_model_file(trained, data, model, settings, about["run_id"])
    checkpoint.save(file, options.out / "model.pt")
    about |= {"summary": trained.summary, "stop": trained.stop, "ended": int(time.time() * 1000)}
    run.finish(trained.history)
    store.write_json(options.out / compare.RUN, about)
    lock.release()


def _plot_training(trained: Outcome, data: WindowData, device: str, folder: Path) -> None:
    """Write the plots of a training that Snakemake, MLflow and the report show."""
    from vame_pipe import figures, outcome

    best = trained.summary["final/best_epoch"]
    figures.plot_losses(trained.history, best, folder / "losses.png")
    window, output = outcome.examples(trained, data, device)
    figures.plot_reconstructions(window, output, data.meta, folder / "reconstructions.png")
    spectrum = outcome.latent_spectrum(trained, data, device)
    figures.plot_spectrum(spectrum, folder / "spectrum.png")


class StopRequest:
    """Whether SIGTERM or SIGINT came within its context; a second one ends the process as usual."""

    def __init__(self) -> None:
        self._came = False

    def __enter__(self) -> StopRequest:
        self._before = {s: signal.signal(s, self._note) for s in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_: object) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)

    def _note(self, number: int, frame: object) -> None:
        log.warning("%s: saving the state", signal.Signals(number).name)
        self._came = True
        self.__exit__()

    def __call__(self) -> bool:
        return self._came


def latents(options: argparse.Namespace) -> None:
    from vame_pipe import latents, store
    from vame_pipe.device import choose_device
    from vame_pipe.source import source_hash
    from vame_pipe.windows import FRAMES

    device = choose_device(options.device)
    files = {options.aligned: options.out}
    if options.windows:
        sessions = store.read_metadata(options.windows / FRAMES)["sessions"]
        names = [f"{session}.parquet" for session in sessions]
        files = {options.aligned / name: options.out / name for name in names}
    code = source_hash("latents")
    latents.export(options.model, files, device, options.resume, code, options.threads)


def track(options: argparse.Namespace) -> None:
    from vame_pipe import record, store, tracking

    place = options.results / "mlflow"
    address = tracking.where(place / "experiment.json")
    runs, complete = record.track(options.results, _models(options), address)
    if options.out:
        store.write_json(options.out, {"experiment": address.experiment, "runs": runs})
    before = record.failures(options.results)
    record.note_failures(options.results, before + (not complete))
    if complete:
        log.info("MLflow has everything, experiment %s: %s", address.experiment, ", ".join(runs))
    elif not options.out:
        raise InputError("not all is in MLflow, see above")


def compare(options: argparse.Namespace) -> None:
    from vame_pipe import compare, windows

    models = _models(options)
    runs = compare.read_runs(options.results, models)
    data = windows.load(options.results / "windows")
    compare.require_current(options.results, runs, data.fingerprint)
    run_ids = json.loads(options.runs.read_text())["runs"] if options.runs else {}
    compare.write(compare.table(data, runs, run_ids), options.out)
    compare.write(compare.agreement(options.results, models), options.agreement)


def report(options: argparse.Namespace) -> None:
    from vame_pipe import report

    report.write(options.results, options.sessions, _models(options), options.out)


def _models(options: argparse.Namespace) -> list[str]:
    """Return the models that were asked for, or all that are trained."""
    from vame_pipe.compare import RUN

    if options.models:
        return options.models
    found = sorted(path.parent.name for path in options.results.glob(f"models/*/{RUN}"))
    if not found:
        raise InputError(f"{options.results}: no trained model in it (models/*/{RUN}).")
    return found


def import_vame(options: argparse.Namespace) -> None:
    from vame_pipe import checkpoint, vame_import

    model = vame_import.read_vame(
        options.weights,
        options.config,
        options.features and options.features.split(","),
        options.fps,
        options.mean,
        options.std,
    )
    checkpoint.save(model, options.out)
    log.info("%s: %d features, %d frames", options.out, len(model.mean), model.length)
