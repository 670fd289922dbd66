"""Time the alignment of a long recording, reading and writing apart.

python benchmarks/align_speed.py [n_frames] [n_keypoints]
"""

from __future__ import annotations

import resource
import sys
import time

import numpy as np

from vame_pipe.alignment.session import align
from vame_pipe.config.sections import Align
from vame_pipe.poses.contract import Poses


def recording(n_frames: int, n_keypoints: int) -> Poses:
    """A stretched body on a random walk, a twentieth of whose points are missing."""
    rng = np.random.default_rng(0)
    centre = np.cumsum(rng.normal(0, 1, (n_frames, 1, 2)), axis=0)
    heading = np.cumsum(rng.normal(0, 0.05, n_frames))
    along = np.linspace(0, 60, n_keypoints)
    axis = np.stack([np.cos(heading), np.sin(heading)], axis=1)[:, None]
    position = centre + along[:, None] * axis
    position += rng.normal(0, 0.5, position.shape)
    confidence = (rng.random((n_frames, n_keypoints)) > 0.05) * 1.0
    return Poses(position, confidence, tuple(f"k{i}" for i in range(n_keypoints)), 30.0, "made")


if __name__ == "__main__":
    n_frames, n_keypoints = (int(v) for v in (*sys.argv[1:], 1_000_000, 12)[:2])
    poses = recording(n_frames, n_keypoints)
    settings = Align(centre="k0", forward=f"k{n_keypoints - 1}")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    aligned = align(poses, "made", settings)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"{n_frames} frames x {n_keypoints} keypoints: {seconds:.1f} s, {aligned.valid.mean():.1%} valid"
    )
    print(
        f"peak memory {peak / 2**20:.2f} GiB, of which {before / 2**20:.2f} to make the recording"
    )
