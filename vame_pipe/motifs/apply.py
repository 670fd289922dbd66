"""Apply a trained model and its segmentation to pose files, without a workflow or a configuration."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from vame_pipe.alignment.recorded import unsuitable
from vame_pipe.alignment.session import align_session
from vame_pipe.config.sections import Align, Session
from vame_pipe.core import files
from vame_pipe.core.applied_layout import AppliedFolder, is_of_workflow
from vame_pipe.core.errors import InputError, listing
from vame_pipe.core.layout import MotifFolder
from vame_pipe.core.metadata import (
    AlignedMetadata,
    LatentsMetadata,
    MotifsMetadata,
    read_record,
)
from vame_pipe.core.source import ALIGN
from vame_pipe.encoding.encode import Encoder
from vame_pipe.encoding.novelty import write_novelty
from vame_pipe.encoding.sessions import encode_session, load_encoder
from vame_pipe.motifs import segmentation
from vame_pipe.motifs.labels import label
from vame_pipe.motifs.segmentation import Segmentation

if TYPE_CHECKING:
    from vame_pipe.core.pose_formats import PoseFormat

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Application:
    """What is applied, and to which kind of recordings.

    Attributes
    ----------
    model : Path
        model.pt.
    segmentation : MotifFolder or None
        segmentation.npz and segmentation.json; None: recordings are only encoded.
    fps : float or None
        Frames per second of the recordings; None: as in the files.
    out : Path
        Output folder, see `core.applied_layout.AppliedFolder`.
    format : str or None
        Format of the pose files; None: recognised from their content.
    device : str
        A torch device.
    threads : int
        Most CPU threads to use.
    """

    model: Path
    segmentation: MotifFolder | None
    fps: float | None
    out: Path
    format: PoseFormat | None = None
    device: str = "cpu"
    threads: int = 1


@dataclass(frozen=True)
class _Applied:
    """A loaded application."""

    encoder: Encoder
    segmentation: Segmentation | None
    align: Align
    keypoints: dict[str, list[str]] | None
    folder: AppliedFolder


def apply(poses: Sequence[Path], application: Application) -> None:
    """Align, encode and label pose files with a trained model; nothing is trained.

    Files that the same model has done already are kept. Results depend on the file, the model and the
    segmentation only, and every file is written at once, so several applications may write to one folder.

    Parameters
    ----------
    poses : sequence of Path
        Pose files; each becomes a session that is called as its file.
    application : Application

    Raises
    ------
    InputError
        If model or segmentation cannot be used. For pose files that cannot be used: one line or more per
        file, after all others are done.
    """
    loaded = _load(application)
    sessions, problems = name_sessions(poses)
    n_done = 0
    for name, path in tqdm(sessions.items(), unit="file", disable=None):
        try:
            _check_file(path, application, loaded)
            source = Session(poses=str(path), fps=application.fps, format=application.format)
            _apply_to(loaded, name, source)
            n_done += 1
        except InputError as error:
            problems += error.problems
    log.info("%d of %d files are done, in %s", n_done, len(set(poses)), application.out)
    _warn_of_other_models(loaded, sessions)
    if problems:
        raise InputError(*problems)


def _check_file(path: Path, application: Application, applied: _Applied) -> None:
    """Check the keypoints and the frame rate of a pose file, from its header.

    Raises
    ------
    InputError
        If they do not suit the model, or if the path is a folder: one line each.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a folder. Give its files: {path}/*")
    problems = unsuitable(
        path, application.format, applied.align, applied.keypoints, application.fps
    )
    if problems:
        raise InputError(*problems)


def _load(application: Application) -> _Applied:
    if is_of_workflow(application.out):
        raise InputError(
            f"{application.out}: is the results folder of a workflow, whose aligned sessions would be "
            "replaced. Give another --out, or add the recordings to the configuration with `use: encode`."
        )
    encoder = load_encoder(application.model, application.device, application.threads)
    align, keypoints = encoder.model.alignment()
    found = None
    if application.segmentation:
        found = segmentation.load(application.segmentation)
        if found.model_fingerprint != encoder.fingerprint:
            raise InputError(
                f"{application.segmentation.root}: belongs to model {found.model_fingerprint[:8]}, but "
                f"{application.model} is model {encoder.fingerprint[:8]}. Give the folder of that model, "
                "results/motifs/MODEL of the run in which it was trained."
            )
    return _Applied(encoder, found, align, keypoints, AppliedFolder(application.out))


def name_sessions(poses: Sequence[Path]) -> tuple[dict[str, Path], list[str]]:
    """Return a session per file, called as the file, and one line per name that several files have.

    Examples
    --------
    >>> sessions, problems = name_sessions([Path("a/m1.csv"), Path("m2.csv"), Path("b/m1.csv")])
    >>> list(sessions)
    ['m2']
    >>> problems
    ['a/m1.csv, b/m1.csv: would all be session m1. Rename them, or give each its own --out.']
    """
    by_name: dict[str, list[Path]] = {}
    for path in dict.fromkeys(poses):
        by_name.setdefault(path.stem, []).append(path)
    problems = [
        f"{', '.join(map(str, paths))}: would all be session {name}. Rename them, or give each its own "
        "--out."
        for name, paths in by_name.items()
        if len(paths) > 1
    ]
    return {name: paths[0] for name, paths in by_name.items() if len(paths) == 1}, problems


def _apply_to(applied: _Applied, name: str, source: Session) -> None:
    """Write the files of one session, unless they are up to date."""
    folder = applied.folder
    aligned, latents = folder.aligned(name), folder.latents(name)
    if not _is_aligned(applied, name, source):
        align_session(name, source, applied.align, applied.keypoints, aligned, folder.quality(name))
    encode_session(applied.encoder, aligned, latents)
    write_novelty(applied.encoder.model, applied.encoder.network, aligned, latents)
    if applied.segmentation:
        label(applied.segmentation, latents, aligned, folder.motifs.session(name))
    else:
        _drop_other_motifs(folder, name)


def _drop_other_motifs(folder: AppliedFolder, name: str) -> None:
    """Delete the motifs of a session if they are of other latents than it has now."""
    now = read_record(LatentsMetadata, folder.latents(name)).fingerprint
    motifs = folder.motifs
    for path in (motifs.session(name), motifs.bouts_of(name), motifs.usage_of(name)):
        try:
            is_current = read_record(MotifsMetadata, path).latents_fingerprint == now
        except InputError:
            is_current = not path.exists()
        if not is_current:
            path.unlink()
            log.warning("%s is deleted: it was not made from the present latents", path)


def _is_aligned(applied: _Applied, name: str, source: Session) -> bool:
    """Return whether a session has been aligned from the same file with the same settings."""
    (path,) = map(Path, source.files)
    try:
        found = read_record(AlignedMetadata, applied.folder.aligned(name))
    except InputError:
        return False
    return (
        applied.folder.quality(name).exists()
        and found.stage_version == ALIGN
        and found.settings == applied.align.model_dump() | {"keypoints": applied.keypoints}
        and source.fps in (None, found.source_fps)
        and (found.format, found.selected) == (source.format, source.individuals)
        and path.is_file()
        and found.poses_digest == files.file_fingerprint(path)
    )


def _warn_of_other_models(applied: _Applied, sessions: dict[str, Path]) -> None:
    """Warn if the folder also holds sessions that another model encoded."""
    others = []
    for path in sorted(applied.folder.latents_folder.glob("*.parquet")):
        if path.stem not in sessions:
            try:
                found = read_record(LatentsMetadata, path).model_fingerprint
            except InputError:
                continue
            others += [path.stem] if found != applied.encoder.fingerprint else []
    if others:
        log.warning(
            "%s also holds sessions of another model (%s): their latents and motif numbers mean something "
            "else",
            *(applied.folder.root, listing(others)),
        )
