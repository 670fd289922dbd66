"""When a motif begins: the row of a window that its motif belongs to, and whether boundaries are real."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

MIN_SHIFT_S = 1.0
"""Least shift of the boundaries that they are compared with, seconds; never less than a window."""

MIN_GAIN = 1.0
"""Standard deviations of the shifts by which another row of the window must be better than its centre."""


@dataclass(frozen=True)
class Timing:
    """How boundaries of motifs fit the changes of the features.

    Attributes
    ----------
    lag : int
        Rows after the centre of a window at which its motif is placed.
    z : float or None
        Change of the features at the boundaries, compared with the same boundaries shifted: standard
        deviations above the mean of the shifts. The best row of the window is searched after every shift
        too, so that the search does not raise the score. None if it cannot be computed.
    """

    lag: int
    z: float | None


def find_lag(
    state: np.ndarray, run: np.ndarray, change: np.ndarray, length: int, min_shift: int
) -> Timing:
    """Return at which row of a window its motif is to be placed.

    A latent vector stands for a window, but more for its end or its beginning than for its centre, as
    training decides. So boundaries of motifs come too late or too early. They are moved to where the
    features change most. Changes are averaged over the length of a window, so that movements within a motif
    do not count.

    Parameters
    ----------
    state, run : numpy.ndarray
        `(n_rows,)` int.
    change : numpy.ndarray
        `(n_rows,)`, change of the features at the centre of each window.
    length : int
        Rows of a window; the lag stays within it.
    min_shift : int
        Least shift of the boundaries that they are compared with, rows.

    Examples
    --------
    Boundaries that are found three rows before the features change:

    >>> bouts = np.random.default_rng(0).integers(20, 60, size=100)
    >>> state = np.repeat(np.arange(100) % 2, bouts)
    >>> change = np.zeros(len(state))
    >>> change[np.flatnonzero(np.diff(state)) + 1 + 3] = 1
    >>> find_lag(state, np.zeros(len(state), int), change, length=11, min_shift=12).lag
    3
    """
    begins = np.flatnonzero((np.diff(state) != 0) & (np.diff(run) == 0)) + 1
    n_rows = len(state)
    if not len(begins) or n_rows < 4 * min_shift:
        return Timing(0, None)
    mark = np.zeros(n_rows)
    mark[begins] = 1 / len(begins)
    # circular correlation: the mean change at boundaries, for every shift of all boundaries together
    mean = np.fft.irfft(np.fft.rfft(mark).conj() * np.fft.rfft(change), n_rows)
    shifted = slice(min_shift, n_rows - min_shift)
    lag = _best_lags(mean, length, MIN_GAIN * mean[shifted].std())
    found = mean[(np.arange(n_rows) + lag) % n_rows]
    spread = found[shifted].std()
    if spread < 1e-12:
        return Timing(0, None)
    return Timing(int(lag[0]), float((found[0] - found[shifted].mean()) / spread))


def _best_lags(mean: np.ndarray, length: int, min_gain: float) -> np.ndarray:
    """Return the best lag within the window after every shift of the boundaries, `(n_rows,)` int.

    Parameters
    ----------
    mean : numpy.ndarray
        `(n_rows,)`, the mean change at the boundaries, by shift.
    length : int
        Rows of a window.
    min_gain : float
        How much better than no lag the best one must be, or there is none.
    """
    half = length // 2
    weight = np.hanning(2 * half + 3)[1:-1]
    around = np.pad(mean, 2 * half, mode="wrap")
    smooth = np.convolve(
        around, weight / weight.sum(), mode="valid"
    )  # shifts -half to n_rows + half
    inside = sliding_window_view(
        smooth[: len(mean) + length - 1], length
    )  # lags -half to length - half
    best = inside.argmax(axis=1)
    gain = inside[np.arange(len(mean)), best] - inside[:, half]
    return np.where(gain < min_gain, 0, best - half)
