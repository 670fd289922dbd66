"""Read pose files of any supported format into validated `Poses`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from vame_pipe.core.errors import InputError, listing
from vame_pipe.poses import deeplabcut
from vame_pipe.poses.contract import Poses

if TYPE_CHECKING:
    from vame_pipe.config.sections import Align


class Reader(Protocol):
    """A module that reads one format."""

    def sniff(self, path: Path) -> bool:
        """Return whether the content of a file is of this format."""

    def read_keypoints(self, path: Path) -> list[str]:
        """Return the names of the keypoints in a file, without reading all of it if possible."""

    def read(self, path: Path, fps: float | None) -> dict[str, Poses]:
        """Return the poses in a file by individual; `fps` is None if the caller does not know it."""


FORMATS: dict[str, Reader] = {"deeplabcut": deeplabcut}
"""The reader of each format, in the order in which the content of a file is compared with them."""


def read_poses(
    path: str | Path, fps: float | None = None, format: str | None = None
) -> dict[str, Poses]:
    """Return the poses in a pose file, by individual.

    Files of DeepLabCut and LightningPose are supported (CSV and HDF5), with one animal each. A file that
    names no animal has the individual `id_0`.

    Parameters
    ----------
    path : str or Path
        Pose file.
    fps : float, optional
        Frame rate of the video; required if the file does not store it, as DeepLabCut's files.
    format : str, optional
        `deeplabcut`; default: recognised by the content of the file.

    Raises
    ------
    InputError
        If the file is missing, of another format, damaged or without usable poses.

    Examples
    --------
    >>> import tempfile
    >>> from vame_pipe.poses.simulate import write_recordings
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_recordings(Path(folder), n_sessions=1, n_frames=60, fps=30, seed=0)
    ...     poses = read_poses(Path(folder) / "sim-1.csv", fps=30)["id_0"]
    >>> poses.position.shape, poses.confidence.shape
    ((60, 8, 2), (60, 8))
    >>> poses.keypoints[:3]
    ('nose', 'left_ear', 'right_ear')
    """
    path = Path(path)
    return _reader(path, format).read(path, fps)


def read_keypoints(path: str | Path, format: str | None = None) -> list[str]:
    """Return the names of the keypoints in a pose file, from its header if possible.

    Parameters
    ----------
    path : str or Path
        Pose file.
    format : str, optional
        As for `read_poses`.

    Raises
    ------
    InputError
        If the file is missing, of another format or damaged.
    """
    path = Path(path)
    return _reader(path, format).read_keypoints(path)


def missing_keypoints(
    available: list[str], settings: Align, aliases: dict[str, list[str]] | None
) -> list[str]:
    """Return configured keypoints that are missing from a file or ambiguous, one message each.

    The configuration makes sure that centre and forward are among the keypoints to use.

    Parameters
    ----------
    available : list of str
        Names of the keypoints in the file.
    settings : Align
        Names the keypoints of the body axis.
    aliases : dict of str to list of str, optional
        Keypoints to use, each with the names that it can have in the file; None: all of the file.
    """
    has = f"which has: {listing(available, limit=12)}"
    problems = []
    for name, names in (aliases or {}).items():
        found = [n for n in names if n in available]
        if not found:
            shown = "' or '".join(names)
            problems.append(
                f"keypoint '{shown}' is not in its file, {has}. Set keypoints to names from this list."
            )
        elif len(found) > 1:
            problems.append(
                f"keypoint '{name}' matches several names in its file: {' and '.join(found)}. Keep one "
                f"of them in keypoints.{name}."
            )
    for key in ("centre", "forward"):
        name = getattr(settings, key)
        if aliases is None and name not in available:
            problems.append(
                f"keypoint '{name}' is not in its file, {has}. Set align.{key} to one of these."
            )
    return list(dict.fromkeys(problems))


def _reader(path: Path, format: str | None) -> Reader:
    """Return the reader of a file: of the given format, or of the format of its content."""
    if format is not None and format not in FORMATS:
        raise InputError(
            f"{path}: format '{format}' is not known. Known formats: {', '.join(FORMATS)}. Leave format "
            "out to recognise it by the content of the file."
        )
    _require_content(path)
    if format is not None:
        return FORMATS[format]
    for reader in FORMATS.values():
        if reader.sniff(path):
            return reader
    reasons = []
    for name, reader in FORMATS.items():  # a damaged file has the content of no format
        try:
            reader.read_keypoints(path)
        except InputError as error:
            problems = (line.removeprefix(f"{path}: ") for line in error.problems)
            reasons.append(f"{name}: {' '.join(problems)}")
        else:
            return reader
    raise InputError(f"{path}: is not in a supported format, or damaged. {' '.join(reasons)}")


def _require_content(path: Path) -> None:
    """Check that there is a file, that it can be read, and that it is not empty."""
    try:
        if not path.is_file():
            raise InputError(
                f"{path}: no such file. Check the path; it is relative to the working directory."
            )
        with path.open("rb") as file:
            is_empty = not file.read(1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}). Check the path.") from None
    if is_empty:
        raise InputError(f"{path}: the file is empty. Re-export it.")
