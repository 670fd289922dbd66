"""Simulated recordings with known motifs, written as pose files of DeepLabCut.

A small articulated animal, seen from above, switches between six motifs. A simulated tracker adds noise,
loses points with low confidence and occasionally swaps left and right.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from vame_pipe.core import files

MOTIFS = ("still", "walk", "turn_left", "turn_right", "rear", "groom")
KEYPOINTS = (
    "nose",
    "left_ear",
    "right_ear",
    "spine",
    "left_hip",
    "right_hip",
    "tailbase",
    "tail_tip",
)
START_PX = 300.0
"""Both coordinates of the animal in the first frame, pixels."""
BODY_PX = 60.0
"""Length of the body, pixels."""
MIN_MOTIF_S, MEAN_MOTIF_S = 1.5, 2.5
"""Shortest and mean duration of a motif, seconds."""
SCORER = "simulated"
"""Name of the tracker in the header of the files."""
REARING, REARING_TREATED = 0.5, 2.5
"""How many times as often animals rear next as they do each other thing."""
DEMO_SESSIONS, DEMO_TREATED, DEMO_FRAMES, DEMO_FPS = 10, 5, 2500, 30
"""Recordings of the default configuration, how many of them are of treated animals, frames of each, and
frames per second."""
DEMO_POSES = [f"demo/sim-{i + 1}.csv" for i in range(DEMO_SESSIONS)]
"""Pose files of the default configuration, which the workflow writes."""


def simulate(
    n_frames: int, fps: float, seed: int, rearing: float = REARING
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the poses of one simulated recording and its true motifs.

    Parameters
    ----------
    n_frames : int
        Number of frames.
    fps : float
        Frames per second.
    seed : int
        Random seed; the same seed gives the same recording.
    rearing : float
        How many times as often `rear` is next as each of the other motifs.

    Returns
    -------
    position : numpy.ndarray
        `(n_frames, 8, 2)`, pixels, image coordinates, with tracking errors.
    confidence : numpy.ndarray
        `(n_frames, 8)`, 0 to 1.
    motif : numpy.ndarray
        `(n_frames,)` int64, true motifs as indices into `MOTIFS`.
    """
    rng = np.random.default_rng(seed)
    motif = _draw_motifs(n_frames, fps, rearing, rng)
    position = _animal(motif, fps, rng)
    return *_track(position, fps, rng), motif


def _draw_motifs(n_frames: int, fps: float, rearing: float, rng: np.random.Generator) -> np.ndarray:
    """Return the motif of each frame, drawn from a semi-Markov chain without self-transitions."""
    motif = np.empty(n_frames, dtype=np.int64)
    at, current = 0, int(rng.integers(len(MOTIFS)))
    odds = np.where(np.array(MOTIFS) == "rear", rearing, 1.0)
    while at < n_frames:
        seconds = MIN_MOTIF_S + rng.exponential(MEAN_MOTIF_S - MIN_MOTIF_S)
        end = at + max(1, round(seconds * fps))
        motif[at:end] = current
        at = end
        others = np.where(np.arange(len(MOTIFS)) == current, 0.0, odds)
        current = int(rng.choice(len(MOTIFS), p=others / others.sum()))
    return motif


def _ease(values: np.ndarray, fps: float, seconds: float = 0.15) -> np.ndarray:
    """Return a control signal, smoothed in time to mimic inertia."""
    half = max(1, round(seconds * fps))
    kernel = np.hanning(2 * half + 1)
    padded = np.pad(values, half, mode="edge")
    return np.convolve(padded, kernel / kernel.sum(), mode="valid")


def _animal(motif: np.ndarray, fps: float, rng: np.random.Generator) -> np.ndarray:
    """Return the positions of the body, `(n_frames, 8, 2)`, pixels, without tracking errors."""
    n_frames = len(motif)
    indicator = {name: (motif == i).astype(float) for i, name in enumerate(MOTIFS)}
    vigour = _ease(rng.normal(1, 0.15, n_frames), fps, 0.5)  # varies from bout to bout
    speed = _ease(
        (2.0 * indicator["walk"] + 0.5 * (indicator["turn_left"] + indicator["turn_right"]))
        * vigour,
        fps,
    )
    bend = _ease((indicator["turn_right"] - indicator["turn_left"]) * vigour, fps)
    rear = _ease(indicator["rear"] * vigour, fps, 0.25)
    groom = _ease(indicator["groom"] * vigour, fps)
    gait = np.cumsum(speed) / fps * 2 * np.pi * 1.6
    stroke = np.cumsum(np.full(n_frames, 2 * np.pi * 4.0 / fps))

    heading = rng.uniform(0, 2 * np.pi) + np.cumsum(2.2 * bend) / fps
    step = speed[:, None] * BODY_PX / fps * np.stack([np.cos(heading), np.sin(heading)], axis=1)
    centre = START_PX + np.cumsum(step, axis=0)

    stride = np.sin(gait) * np.minimum(speed, 1)
    sway = 0.06 * stride
    length = 1 - 0.25 * rear  # a rearing animal looks short from above
    nod = 0.12 * groom * np.sin(stroke)
    curl = 0.1 * groom
    head_angle = 0.55 * bend + 1.2 * sway + 0.4 * groom * np.sin(stroke / 2)
    spread = 1 + 0.25 * rear + 0.35 * groom  # a hunched animal is broad
    zero = np.zeros(n_frames)

    def head(ahead: float, side: float) -> tuple[np.ndarray, np.ndarray]:
        """Return a point of the head, which pivots on the neck at 0.25 body lengths."""
        along, across = (ahead + nod) * (1 - curl), side
        x = 0.25 + along * np.cos(head_angle) - across * np.sin(head_angle)
        return length * x, along * np.sin(head_angle) + across * np.cos(head_angle)

    tail = -0.5 * bend + 0.25 * np.sin(gait - 1) * np.minimum(speed, 1)
    body = [
        head(0.3, 0.0),
        head(0.12, -0.13),
        head(0.12, 0.13),
        (zero, sway),
        (length * (-0.3 + 0.1 * stride), -0.18 * spread + zero),
        (length * (-0.3 - 0.1 * stride), 0.18 * spread + zero),
        (length * -0.45 + zero, -0.1 * bend),
        (length * -0.45 - 0.5 * np.cos(tail), -0.1 * bend + 0.5 * np.sin(tail)),
    ]
    local = BODY_PX * np.stack([np.stack(point, axis=1) for point in body], axis=1)
    cos, sin = np.cos(heading)[:, None], np.sin(heading)[:, None]
    x = cos * local[..., 0] - sin * local[..., 1]
    y = sin * local[..., 0] + cos * local[..., 1]
    return centre[:, None] + np.stack([x, y], axis=2)


def _track(
    position: np.ndarray, fps: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return positions and confidence with jitter, low-confidence dropouts and swaps of left and right."""
    n_frames, n_keypoints, _ = position.shape
    position = position + rng.normal(0, 0.4, position.shape)
    confidence = 1 - rng.beta(1, 60, (n_frames, n_keypoints))
    for k in range(n_keypoints):
        for start in rng.integers(n_frames, size=rng.poisson(n_frames / 250)):
            lost = slice(start, start + 1 + rng.geometric(8 / (0.5 * fps)))
            shape = position[lost, k].shape
            position[lost, k] += rng.normal(0, BODY_PX, shape)
            confidence[lost, k] = rng.uniform(0, 0.4, shape[0])
    left, right = KEYPOINTS.index("left_hip"), KEYPOINTS.index("right_hip")
    for start in rng.integers(n_frames, size=rng.poisson(n_frames / 600)):
        swapped = slice(start, start + 1 + int(rng.integers(3)))
        position[swapped, [left, right]] = position[swapped, [right, left]]
    return position, confidence


def write_deeplabcut(
    path: str | Path, position: np.ndarray, confidence: np.ndarray, keypoints: tuple[str, ...]
) -> None:
    """Write a recording as CSV of DeepLabCut: three header rows, then one row per frame.

    Parameters
    ----------
    path : str or Path
        CSV file to write.
    position : numpy.ndarray
        `(n_frames, n_keypoints, 2)`, pixels.
    confidence : numpy.ndarray
        `(n_frames, n_keypoints)`.
    keypoints : tuple of str
        Names of the keypoints.
    """
    n_frames = len(position)
    values = np.concatenate([position, confidence[..., None]], axis=2).reshape(n_frames, -1)
    text = io.StringIO()
    columns = [(k, c) for k in keypoints for c in ("x", "y", "likelihood")]
    text.write(",".join(["scorer"] + [SCORER] * len(columns)) + "\n")
    text.write(",".join(["bodyparts"] + [k for k, _ in columns]) + "\n")
    text.write(",".join(["coords"] + [c for _, c in columns]) + "\n")
    rows = np.column_stack([np.arange(n_frames), values])
    np.savetxt(text, rows, fmt=["%d"] + ["%.5f"] * values.shape[1], delimiter=",")
    files.write_text(path, text.getvalue())


def write_recordings(
    folder: Path, n_sessions: int, n_frames: int, fps: float, seed: int, n_treated: int = 0
) -> None:
    """Write recordings sim-1.csv, sim-2.csv, ... and their true motifs sim-1.motifs.csv, ...

    Parameters
    ----------
    folder : Path
        Folder to write to; it is created if it does not exist.
    n_sessions, n_frames : int
        Number of recordings, and of frames per recording.
    fps : float
        Frames per second.
    seed : int
        Random seed of the first recording; each following recording has the next higher seed.
    n_treated : int
        The last recordings, of treated animals, which rear more.
    """
    for i in range(n_sessions):
        rearing = REARING_TREATED if i >= n_sessions - n_treated else REARING
        position, confidence, motif = simulate(n_frames, fps, seed + i, rearing)
        write_deeplabcut(folder / f"sim-{i + 1}.csv", position, confidence, KEYPOINTS)
        lines = [f"{frame},{MOTIFS[m]}" for frame, m in enumerate(motif)]
        files.write_text(
            folder / f"sim-{i + 1}.motifs.csv", "\n".join(["frame,motif", *lines]) + "\n"
        )
