"""Batches of windows, gathered on the compute device."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from vame_pipe.windows.data import gather

BLOCK = 64
"""Batches that are gathered at the same time if the frames stay on the host."""


class WindowBatches:
    """Gathers batches of windows; keeps all frames on the device if they fit, otherwise streams windows.

    Parameters
    ----------
    frames : numpy.ndarray
        `(n_frames, n_features)` float32, normalised.
    device : str
        A torch device.
    memory_gib : float, optional
        Memory for frames on the device, in GiB. If they need more, they stay on the host and blocks of
        windows are copied to the device. Default: no limit.
    """

    def __init__(self, frames: np.ndarray, device: str, memory_gib: float | None = None):
        self.device = device
        self.is_streaming = memory_gib is not None and frames.nbytes > memory_gib * 2**30
        self.frames = torch.from_numpy(frames)
        if not self.is_streaming:
            self.frames = self.frames.to(device)

    def gather(self, starts: torch.Tensor, size: int, length: int) -> Iterator[torch.Tensor]:
        """Yield batches of windows `(size, length, n_features)` in the order of their starts.

        Parameters
        ----------
        starts : Tensor
            `(n_windows,)` int, the row of `frames` at which each window starts.
        size : int
            Windows per batch; the last batch may be smaller.
        length : int
            Frames per window.
        """
        if not len(starts):
            return  # torch.split of an empty tensor yields one empty batch
        starts = starts.to(self.frames.device)
        if not self.is_streaming:
            for batch in torch.split(starts, size):
                yield gather(self.frames, batch, length)
            return
        for block in torch.split(starts, size * BLOCK):
            windows = gather(self.frames, block, length).to(self.device)
            yield from torch.split(windows, size)
