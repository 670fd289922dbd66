"""The length of windows that suits recordings: it has to fit into their runs of valid frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vame_pipe.config.sections import Windows
from vame_pipe.windows.split import min_splittable

CHOICES = ((1.0, 0.5), (0.75, 0.4), (0.5, 0.25), (0.3, 0.15))
"""`length_s` and `future_s`, the default first; a shorter movement is hardly a behaviour."""
MIN_FRAMES = 5
"""Frames of a window that show a movement."""
MIN_RECORDINGS = 0.5
"""Fraction of the recordings that must have a window."""


@dataclass(frozen=True)
class WindowChoice:
    """Windows for some recordings.

    Attributes
    ----------
    settings : Windows
        The default if nothing fits.
    note : str
        Why they are not the default, or why nothing fits; empty if the default fits.
    fits : bool
    """

    settings: Windows
    note: str = ""
    fits: bool = True


def choose_windows(runs: Sequence[int], fps: float) -> WindowChoice:
    """Return the longest of some windows of which there are some for training and for validation.

    Parameters
    ----------
    runs : sequence of int
        Frames of the longest run of valid frames of each recording.
    fps : float
        Frames per second, after resampling.

    Examples
    --------
    >>> choose_windows([900, 40], 30).settings.length_s
    1.0
    >>> found = choose_windows([90], 30)
    >>> found.settings.length_s, found.settings.future_s
    (0.5, 0.25)
    >>> found.note.partition("; ")[::2]
    ('the longest run of valid frames is 90 (3.00 s)', 'with 1 s + 0.5 s, validation needs one of 134')
    """
    longest = max(runs)
    found = f"the longest run of valid frames is {longest} ({longest / fps:.2f} s)"
    default = Windows()
    for length, future in CHOICES:
        settings = Windows(length_s=length, future_s=future)
        if not _problem(settings, runs, fps):
            why = "" if settings == default else f"{found}; {_problem(default, runs, fps)}"
            return WindowChoice(settings, why)
    return WindowChoice(default, f"{found}; {_problem(settings, runs, fps)}", fits=False)


def _problem(settings: Windows, runs: Sequence[int], fps: float) -> str:
    """Return why windows do not suit recordings; empty if they do."""
    shown = f"with {settings.length_s:g} s + {settings.future_s:g} s"
    length = round(settings.length_s * fps)
    if length < MIN_FRAMES:
        return f"{shown}, a window has only {length} frames to encode"
    n_frames = length + round(settings.future_s * fps)
    n_with = sum(run >= n_frames for run in runs)
    if n_with < MIN_RECORDINGS * len(runs):
        return f"{shown}, {len(runs) - n_with} of {len(runs)} recordings have no window ({n_frames} frames)"
    # of several recordings that are too short to be split, one is held out for validation
    if n_with == 1 and max(runs) < min_splittable(n_frames):
        return f"{shown}, validation needs one of {min_splittable(n_frames)}"
    return ""
