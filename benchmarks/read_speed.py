"""Time the reading of a long recording in several formats, next to pandas' own reading of the same file.

python benchmarks/read_speed.py [n_frames] [n_keypoints]

Each file is read in a process of its own. Times are of the processor, of all processes together.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from vame_pipe.poses import hdf5_process, simulate
from vame_pipe.poses.readers import read_poses


def write(folder: Path, n_frames: int, n_keypoints: int) -> None:
    """Write random poses as CSV and HDF5 of DeepLabCut and as analysis file of SLEAP."""
    rng = np.random.default_rng(0)
    position = rng.uniform(0, 500, (n_frames, n_keypoints, 2))
    confidence = rng.random((n_frames, n_keypoints))
    names = tuple(f"k{i}" for i in range(n_keypoints))
    simulate.write_deeplabcut(folder / "dlc.csv", position, confidence, names)
    coords = ("x", "y", "likelihood")
    columns = pd.MultiIndex.from_product(
        [["net"], names, coords], names=["scorer", "bodyparts", "coords"]
    )
    values = np.concatenate([position, confidence[..., None]], axis=2).reshape(n_frames, -1)
    table = pd.DataFrame(values, columns=columns)
    table.to_hdf(folder / "dlc.h5", key="df_with_missing", format="table")
    with h5py.File(folder / "sleap.h5", "w") as file:
        tracks = position.transpose(2, 1, 0)[None]
        file.create_dataset("tracks", data=tracks, chunks=(1, 1, 4, 750), compression="gzip")
        file["point_scores"] = confidence.T[None]
        file["node_names"] = [name.encode() for name in names]


def measure(path: Path, reader: str) -> None:
    """Read a file once and print processor time, seconds, and peak memory of any process, MiB."""
    start = time.process_time()
    if reader == "pandas":
        csv = path.suffix == ".csv"
        pd.read_csv(path, header=[0, 1, 2], index_col=0) if csv else pd.read_hdf(path)
    else:
        read_poses(path, 30)
        hdf5_process._end()
    child = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = time.process_time() - start + child.ru_utime + child.ru_stime
    peak = max(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, child.ru_maxrss)
    print(seconds, peak / 2**10)


def main() -> None:
    if "--measure" in sys.argv:
        return measure(Path(sys.argv[2]), sys.argv[3])
    if "--write" in sys.argv:
        return write(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
    n_frames, n_keypoints = (int(v) for v in (*sys.argv[1:], 500_000, 12)[:2])
    arrays = n_frames * n_keypoints * 3 * 8 / 2**20
    print(f"{n_frames} frames x {n_keypoints} keypoints, arrays of {arrays:.0f} MiB")
    with tempfile.TemporaryDirectory() as folder:
        # by a process of its own: the peak memory of a process counts for those that it starts
        sizes = [str(n_frames), str(n_keypoints)]
        subprocess.run([sys.executable, __file__, "--write", folder, *sizes], check=True)
        for name in ("dlc.csv", "dlc.h5", "sleap.h5"):
            found = {}
            for reader in ("vame_pipe", "pandas")[: 1 if name == "sleap.h5" else 2]:
                command = [sys.executable, __file__, "--measure", f"{folder}/{name}", reader]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                found[reader] = [float(value) for value in done.stdout.split()]
            seconds, peak = found["vame_pipe"]
            each = seconds / n_frames / n_keypoints * 1e6
            line = f"{name}: {seconds:.2f} s, {each:.2f} us per frame and keypoint, peak {peak:.0f} MiB"
            if "pandas" in found:
                theirs, their_peak = found["pandas"]
                line += f"; pandas alone {theirs:.2f} s ({seconds / theirs:.2f} x), {their_peak:.0f} MiB"
            print(line)


if __name__ == "__main__":
    main()
