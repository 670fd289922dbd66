"""Batches of windows on the device that computes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from vame_pipe.windows.data import gather

BLOCK = 64
"""Batches that are gathered at once where the frames stay on the host."""


class Feed:
    """Frames, on the device if they fit there, and batches of windows of them.

    Parameters
    ----------
    frames : numpy.ndarray
        `(n_frames, n_features)` float32, normalised.
    device : str
    memory_gb : float, optional
        What frames may take on the device; more stay on the host and windows stream over in blocks.
    """

    def __init__(self, frames: np.ndarray, device: str, memory_gb: float | None = None):
        self.device = device
        self.streams = memory_gb is not None and frames.nbytes > memory_gb * 2**30
        self.frames = torch.from_numpy(frames)
        if not self.streams:
            self.frames = self.frames.to(device)

    def batches(self, starts: torch.Tensor, size: int, length: int) -> Iterator[torch.Tensor]:
        """Yield windows `(size, length, n_features)` that begin at rows `starts`, in their order."""
        if not len(starts):
            return  # torch splits nothing into one empty batch
        starts = starts.to(self.frames.device)
        if not self.streams:
            for batch in torch.split(starts, size):
                yield gather(self.frames, batch, length)
            return
        for block in torch.split(starts, size * BLOCK):
            windows = gather(self.frames, block, length).to(self.device)
            yield from torch.split(windows, size)
