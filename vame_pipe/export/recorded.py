"""The poses of a session as they were recorded, and which result belongs to each frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from vame_pipe.alignment.recorded import read_recorded
from vame_pipe.core.errors import InputError
from vame_pipe.export.results import SessionResults
from vame_pipe.poses.contract import Poses


@dataclass(frozen=True)
class Recorded:
    """The poses of all animals of a session, on the same frames.

    Attributes
    ----------
    animals : dict of str to Poses
        Those that have results.
    first_frame, n_frames : int
    fps : float
        Frames per second of the video.
    keypoints : list of str
    """

    animals: dict[str, Poses]
    first_frame: int
    n_frames: int
    fps: float
    keypoints: list[str]

    @property
    def time_s(self) -> np.ndarray:
        """Seconds since the start of the video, `(n_frames,)`."""
        return (self.first_frame + np.arange(self.n_frames)) / self.fps

    def place(self, name: str, values: np.ndarray) -> np.ndarray:
        """Return values of one animal on all frames; NaN where its poses have none.

        Parameters
        ----------
        name : str
        values : numpy.ndarray
            `(n_own_frames, ...)` float.
        """
        placed = np.full((self.n_frames, *values.shape[1:]), np.nan)
        offset = self.animals[name].first_frame - self.first_frame
        placed[offset : offset + len(values)] = values
        return placed


def read_poses(results: SessionResults) -> Recorded:
    """Return the recorded poses of the animals of a session.

    Raises
    ------
    InputError
        If a pose file is missing or cannot be read, or was replaced since the session was aligned.
    """
    max_gap_s = results.meta.settings["max_gap_s"]
    try:
        found, _ = read_recorded(results.source, max_gap_s)
    except InputError as error:
        raise InputError(*(f"session {results.name}: {line}" for line in error.problems)) from None
    names = [animal.name for animal in results.animals]
    missing = [name for name in names if name not in found]
    if missing:
        raise InputError(
            f"session {results.name}: its pose files have no animal {', '.join(missing)} any more. Run "
            "snakemake, which aligns the present files."
        )
    animals = {name: found[name] for name in names}
    first = min(poses.first_frame for poses in animals.values())
    end = max(poses.first_frame + len(poses.position) for poses in animals.values())
    one = animals[names[0]]
    return Recorded(animals, first, end - first, one.fps, list(one.keypoints))


def nearest_rows(rows: pd.DataFrame, fps: float, time_s: np.ndarray) -> np.ndarray:
    """Return the row of the analysis that is nearest to each time, -1 if none is.

    Parameters
    ----------
    rows : pandas.DataFrame
        `rows` of an animal: `time_s` increases by 1 / fps.
    fps : float
        Rows per second.
    time_s : numpy.ndarray
        `(n_frames,)` seconds.

    Examples
    --------
    >>> rows = pd.DataFrame({"time_s": [1.0, 1.5, 2.0]})
    >>> nearest_rows(rows, 2, np.array([0.0, 1.0, 1.2, 1.3, 2.0, 3.0])).tolist()
    [-1, 0, 0, 1, 2, -1]
    """
    index = np.rint((time_s - rows["time_s"].iloc[0]) * fps).astype(int)
    return np.where((index >= 0) & (index < len(rows)), index, -1)
