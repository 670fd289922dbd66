"""An animal over time, as recorded and as aligned: some frames side by side, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from markupsafe import Markup, escape

from vame_pipe.core.colours import BLUE, ORANGE, VERMILLION
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout
from vame_pipe.core.metadata import AlignedMetadata, read_record
from vame_pipe.poses.contract import Poses
from vame_pipe.poses.parts import PoseSource
from vame_pipe.reporting.recordings import Recording
from vame_pipe.reporting.traces import read_individual

N_FRAMES = 12
STEP_S = 0.25
CELL = 92
"""Pixels of the page, for one frame."""
REACH = 1.2
"""Body lengths from the middle of a cell to its edge."""
MARGIN = 70


@dataclass(frozen=True)
class Strip:
    """Some frames of one animal; all arrays have one row per frame that is drawn.

    Attributes
    ----------
    label : str
        Of the recording.
    names : list of str
        Keypoints.
    centre, forward : int
        Ends of the body axis among them.
    bones : sequence of pairs of int
        Pairs of keypoints that are joined by a line.
    time_s : numpy.ndarray
        `(n_frames,)`.
    valid : numpy.ndarray
        `(n_frames,)` bool.
    aligned : numpy.ndarray
        `(n_frames, n_keypoints, 2)`, in the animal's frame, in body lengths from the middle of the body
        axis; NaN where missing.
    recorded : numpy.ndarray or None
        The same in the image, in body lengths from the middle of the animal; None if the file is gone.
    trusted : numpy.ndarray or None
        `(n_frames, n_keypoints)` bool: the recorded point is not below its threshold.
    note : str
        Why there is no `recorded`; empty if there is.
    """

    label: str
    names: list[str]
    centre: int
    forward: int
    bones: Sequence[Sequence[int]]
    time_s: np.ndarray
    valid: np.ndarray
    aligned: np.ndarray
    recorded: np.ndarray | None = None
    trusted: np.ndarray | None = None
    note: str = ""


def read_strip(
    layout: Layout,
    recording: Recording,
    source: PoseSource | None,
    bones: Sequence[Sequence[int]],
) -> Strip:
    """Return frames of a recording around the invalid frame that is nearest to its middle.

    Parameters
    ----------
    layout : Layout
    recording : Recording
    source : PoseSource, optional
        Without it only what was aligned is returned.
    bones : sequence of pairs of int
        Keypoints that are joined by a line.
    """
    path = layout.aligned(recording.session)
    meta = read_record(AlignedMetadata, path)
    unit = 1.0 if meta.settings["scale"] else recording.quality.body_length_px
    planes = [[f"{name}_{axis}" for axis in "xy"] for name in meta.keypoints]
    columns = [name for plane in planes for name in plane if name in meta.features]
    is_animal = pc.field("individual") == recording.individual
    table = pq.read_table(path, columns=["frame", "time_s", "run", *columns], filters=is_animal)
    values = {name: table[name].to_numpy() for name in table.column_names}
    rows = choose_rows(values["run"] >= 0, max(1, round(STEP_S * meta.fps)))
    zero = np.zeros(len(table))  # a coordinate without a column is always zero
    position = np.stack([[values.get(n, zero) for n in plane] for plane in planes]) / unit
    position = np.moveaxis(position, 2, 0)
    strip = Strip(
        label=recording.label,
        names=meta.keypoints,
        centre=meta.keypoints.index(meta.settings["centre"]),
        forward=meta.keypoints.index(meta.settings["forward"]),
        bones=bones,
        time_s=values["time_s"][rows],
        valid=values["run"][rows] >= 0,
        aligned=position[rows] - [0.5, 0.0],  # the middle of the body
    )
    try:
        poses = read_individual(source, meta.settings["max_gap_s"], recording.individual)
        return _with_recorded(strip, poses, meta, recording, values["frame"][rows])
    except InputError as error:
        return replace(strip, note=str(error))


def choose_rows(valid: np.ndarray, step: int) -> np.ndarray:
    """Return the rows to draw, `(n_frames,)`: around the invalid row that is nearest to the middle.

    Parameters
    ----------
    valid : numpy.ndarray
        `(n_rows,)` bool.
    step : int
        Rows between two that are drawn.

    Examples
    --------
    >>> valid = np.ones(100, bool)
    >>> choose_rows(valid, 2).tolist()
    [38, 40, 42, 44, 46, 48, 50, 52, 54, 56, 58, 60]
    >>> valid[[5, 90]] = False
    >>> choose_rows(valid, 2).tolist()[0], choose_rows(valid[:8], 2).tolist()
    (77, [0, 2, 4, 6])
    """
    middle = len(valid) // 2
    invalid = np.flatnonzero(~valid)
    if len(invalid):
        middle = int(invalid[np.argmin(np.abs(invalid - middle))])
    span = (N_FRAMES - 1) * step
    first = max(0, min(middle - N_FRAMES // 2 * step, len(valid) - 1 - span))
    return np.arange(first, len(valid), step)[:N_FRAMES]


def _with_recorded(
    strip: Strip, poses: Poses, meta: AlignedMetadata, recording: Recording, frame: np.ndarray
) -> Strip:
    """Return a strip with the same frames as they were recorded.

    Raises
    ------
    InputError
        With a few words if the pose file does not have these keypoints or frames any more.
    """
    aliases = meta.settings["keypoints"] or {name: [name] for name in strip.names}
    columns = [
        next((poses.keypoints.index(n) for n in aliases[name] if n in poses.keypoints), -1)
        for name in strip.names
    ]
    at = frame - poses.first_frame
    if -1 in columns or at.min() < 0 or at.max() >= len(poses.position):
        raise InputError("pose file is not the one that was aligned")
    position = poses.position[at][:, columns, :2]
    confidence = poses.confidence[at][:, columns]
    keypoints = recording.quality.keypoints
    thresholds = np.array([keypoints[name].threshold for name in strip.names], float)
    trusted = np.isnan(confidence) | (confidence >= thresholds)
    middle = np.array([_middle(*frame) for frame in zip(position, trusted, strict=True)])
    scaled = (position - middle[:, None]) / recording.quality.body_length_px
    return replace(strip, recorded=scaled, trusted=trusted)


def _middle(points: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Return the middle of the trusted points of one frame; of all points if none is trusted."""
    known = np.isfinite(points).all(axis=1)
    chosen = points[known & good] if (known & good).any() else points[known]
    return np.median(chosen, axis=0) if len(chosen) else np.zeros(2)


def draw_strip(strip: Strip) -> Markup:
    """Return the drawing of a strip: a row of recorded frames, above a row of aligned ones."""
    every = np.ones(strip.aligned.shape[:2], bool)
    rows: list[tuple[str, np.ndarray, np.ndarray]] = [("aligned", strip.aligned, every)]
    if strip.recorded is not None and strip.trusted is not None:
        rows.insert(0, ("recorded", strip.recorded, strip.trusted))
    cells = []
    for line, (title, position, trusted) in enumerate(rows):
        cells.append(f'<text x="0" y="{line * CELL + CELL // 2}">{title}</text>')
        for i, valid in enumerate(strip.valid):
            posture = draw_posture(
                position[i], trusted[i], strip.bones, strip.centre, strip.forward
            )
            cells.append(draw_cell(MARGIN + i * CELL, line * CELL, posture, bool(valid)))
    bottom = len(rows) * CELL + 14
    for i, time in enumerate(strip.time_s):
        x = MARGIN + i * CELL + CELL // 2
        cells.append(f'<text x="{x}" y="{bottom}" text-anchor="middle">{time:.2f} s</text>')
    width, height = MARGIN + len(strip.time_s) * CELL, bottom + 6
    title = f"Skeleton of {escape(strip.label)} over time"
    size = f'viewBox="0 0 {width} {height}" width="{width}" font-size="12"'
    return Markup(f'<svg role="img" aria-label="{title}" {size}>{"".join(cells)}</svg>')


def draw_cell(x: int, y: int, posture: str, valid: bool) -> str:
    """Return one frame of a strip, yellow if it is not valid."""
    colour, edge, size = "#fff" if valid else "#FFF3DC", 2 * REACH, CELL - 4
    return (
        f'<svg x="{x}" y="{y}" width="{size}" height="{size}" '
        f'viewBox="{-REACH} {-REACH} {edge} {edge}"><rect x="{-REACH}" y="{-REACH}" width="{edge}" '
        f'height="{edge}" fill="{colour}" stroke="#ccc" stroke-width=".02"/>{posture}</svg>'
    )


def draw_posture(
    position: np.ndarray,
    trusted: np.ndarray,
    bones: Sequence[Sequence[int]],
    centre: int,
    forward: int,
) -> str:
    """Return the points and lines of one posture, in body lengths.

    Parameters
    ----------
    position : numpy.ndarray
        `(n_keypoints, 2)`, NaN where missing.
    trusted : numpy.ndarray
        `(n_keypoints,)` bool; other points are hollow and have no lines.
    bones : sequence of pairs of int
    centre, forward : int
        Points in other colours.
    """
    known = np.isfinite(position).all(axis=1)
    drawn = []
    for one, other in bones:
        if all(known[k] and trusted[k] for k in (one, other)):
            ends = zip(("x1", "y1", "x2", "y2"), [*position[one], *position[other]], strict=True)
            at = " ".join(f'{key}="{value:.2f}"' for key, value in ends)
            drawn.append(f'<line {at} stroke="#888" stroke-width=".03"/>')
    hollow = f'fill="none" stroke="{ORANGE}" stroke-width=".03"'
    for k in np.flatnonzero(known):
        colour = {centre: BLUE, forward: VERMILLION}.get(int(k), "#444")
        fill = f'fill="{colour}"' if trusted[k] else hollow
        x, y = position[k]
        drawn.append(f'<circle cx="{x:.2f}" cy="{y:.2f}" r=".06" {fill}/>')
    return "".join(drawn)
