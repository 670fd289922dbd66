"""Time the alignment of a long simulated recording, without reading and writing.

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
    """Return a stretched body on a random walk, with one point in twenty missing."""
    rng = np.random.default_rng(0)
    centre = np.cumsum(rng.normal(0, 1, (n_frames, 1, 2)), axis=0)
    heading = np.cumsum(rng.normal(0, 0.05, n_frames))
    along = np.linspace(0, 60, n_keypoints)
    axis = np.stack([np.cos(heading), np.sin(heading)], axis=1)[:, None]
    position = centre + along[:, None] * axis
    position += rng.normal(0, 0.5, position.shape)
    confidence = (rng.random((n_frames, n_keypoints)) > 0.05) * 1.0
    names = tuple(f"k{i}" for i in range(n_keypoints))
    return Poses(position, confidence, names, 30.0, "simulated")


def peak_gib() -> float:
    """Return the peak memory of this process, GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    n_frames, n_keypoints = (int(v) for v in (*sys.argv[1:], 1_000_000, 12)[:2])
    empty = peak_gib()
    poses = recording(n_frames, n_keypoints)
    settings = Align(centre="k0", forward=f"k{n_keypoints - 1}")
    start, start_cpu = time.perf_counter(), time.process_time()
    aligned = align(poses, settings)
    seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    arrays = (poses.position.nbytes + poses.confidence.nbytes) / 2**30
    peak = peak_gib() - empty
    print(
        f"{n_frames} frames x {n_keypoints} keypoints: {seconds:.1f} s, {cpu:.1f} s of processor time"
    )
    print(f"{aligned.valid.mean():.1%} of the time steps are valid")
    print(f"peak memory {peak:.2f} GiB, {peak / arrays:.1f} times the arrays of the recording")


if __name__ == "__main__":
    main()
