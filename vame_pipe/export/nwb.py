"""Export to Neurodata Without Borders (NWB): poses, latents and motifs of one animal."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from ndx_pose import PoseEstimation, PoseEstimationSeries, Skeleton, Skeletons
from pynwb import NWBHDF5IO, NWBFile, TimeSeries
from pynwb.epoch import TimeIntervals
from pynwb.file import Subject

from vame_pipe import __version__
from vame_pipe.core import files
from vame_pipe.export.recorded import Recorded
from vame_pipe.export.results import UNKNOWN_START, Animal, SessionResults, behaviour

SUBJECT_KEYS = ("species", "sex", "age", "strain", "genotype", "weight")
"""Metadata of a session that describe its animal."""
FILE_KEYS = ("experimenter", "institution", "lab", "experiment_description", "session_description")
"""Metadata of a session that describe the experiment."""
ORIGIN = {
    2: "(0, 0) is the upper left corner of the video, y points down",
    3: "as in the pose file",
}
"""What the coordinates of the poses refer to, by their number."""


def write(results: SessionResults, recorded: Recorded, folder: Path) -> list[Path]:
    """Write one file per animal, because an NWB file has one subject; return their paths.

    Parameters
    ----------
    results : SessionResults
    recorded : Recorded
    folder : Path
    """
    paths = []
    for number, animal in enumerate(results.animals, 1):
        name = re.sub(r"[^A-Za-z0-9_.-]", "_", animal.name)
        suffix = f"-{number}-{name}" if len(results.animals) > 1 else ""
        path = folder / f"{results.name}{suffix}.nwb"
        content = document(results, recorded, animal)
        with (
            files.atomic(path) as temporary,
            h5py.File(temporary, "w") as file,
            NWBHDF5IO(file=file, mode="w") as io,
        ):
            io.write(content)
        paths.append(path)
    return paths


def document(results: SessionResults, recorded: Recorded, animal: Animal) -> NWBFile:
    """Return the NWB file of one animal, in memory.

    If it is not known when the recording began, the session starts at 1970-01-01, because the format
    demands a date.
    """
    known = results.source.metadata
    details: dict[str, Any] = {key: known[key] for key in FILE_KEYS if key in known}
    if "experimenter" in details:
        details["experimenter"] = [name.strip() for name in details["experimenter"].split(";")]
    details.setdefault("session_description", f"Recording {results.name}, tracked body parts")
    content = NWBFile(
        identifier=files.fingerprint(results.identifier, animal.name),
        session_start_time=results.start or UNKNOWN_START,
        session_id=results.name,
        subject=_subject(results, animal),
        keywords=["behavior", "pose estimation", "VAME"],
        source_script=f"vame-pipe export, version {__version__}",
        source_script_file_name="vame-pipe",
        notes=json.dumps(results.provenance, sort_keys=True),
        **details,
    )
    behavior = content.create_processing_module("behavior", "Poses, latents and motifs of behavior")
    skeleton, poses = _poses(results, recorded, animal)
    for part in (Skeletons(skeletons=[skeleton]), poses, *_series(results, animal)):
        behavior.add(part)
    content.add_time_intervals(_bouts(results, animal))
    return content


def _subject(results: SessionResults, animal: Animal) -> Subject:
    known = results.source.metadata
    details: dict[str, Any] = {"sex": "U"}  # the format's letter for unknown
    details |= {key: known[key] for key in SUBJECT_KEYS if key in known}
    if "date_of_birth" in known:
        details["date_of_birth"] = datetime.fromisoformat(known["date_of_birth"]).astimezone()
    name = results.source.subject or results.name
    several = len(results.animals) > 1
    group = f"group {results.source.group}" if results.source.group else "an animal"
    return Subject(
        subject_id=f"{name}-{animal.name}" if several else name,
        description=f"{group}, in the pose file: {animal.name}",
        **details,
    )


def _poses(
    results: SessionResults, recorded: Recorded, animal: Animal
) -> tuple[Skeleton, PoseEstimation]:
    """Return the recorded poses of an animal and their skeleton."""
    poses = recorded.animals[animal.name]
    names = [re.sub("[/:]", "_", name) for name in poses.keypoints]
    skeleton = Skeleton(name="skeleton", nodes=names)
    scored = np.isfinite(poses.confidence).any()
    series = [
        PoseEstimationSeries(
            name=name,
            description=f"Position of {poses.keypoints[k]}",
            data=poses.position[:, k],
            unit="pixels" if poses.dimensions == 2 else "unit of the pose file",
            reference_frame=ORIGIN[poses.dimensions],
            starting_time=poses.first_frame / poses.fps,
            rate=float(poses.fps),
            confidence=poses.confidence[:, k] if scored else None,
            confidence_definition="as the tracking program gives it" if scored else None,
        )
        for k, name in enumerate(names)
    ]
    return skeleton, PoseEstimation(
        name="PoseEstimation",
        pose_estimation_series=series,
        description=f"Tracked body parts of {animal.name}, as in the pose file",
        skeleton=skeleton,
        source_software=results.source.format or "not known",
    )


def _series(results: SessionResults, animal: Animal) -> list[TimeSeries]:
    """Return the motif, its confidence and the latents of every time step."""
    clock = {
        "starting_time": float(animal.rows["time_s"].iloc[0]),
        "rate": float(results.meta.fps),
        "comments": json.dumps(results.provenance, sort_keys=True),
    }
    names = {motif.number: behaviour(motif) for motif in results.motifs}
    return [
        TimeSeries(
            name="motif",
            description=f"Motif of each time step, -1 where there is none. Names: {json.dumps(names)}",
            data=animal.rows["motif"].fillna(-1).to_numpy(np.int16),
            unit="n.a.",
            **clock,
        ),
        TimeSeries(
            name="motif_confidence",
            description="Posterior probability of the motif, NaN where it is unknown",
            data=animal.rows["confidence"].to_numpy(np.float32),
            unit="1",
            **clock,
        ),
        TimeSeries(
            name="latents",
            description=f"Latent vector of the window around each time step ({len(results.latents)} "
            f"dimensions, model {results.model}), NaN where there is no window",
            data=animal.rows[results.latents].to_numpy(np.float32),
            unit="n.a.",
            **clock,
        ),
    ]


def _bouts(results: SessionResults, animal: Animal) -> TimeIntervals:
    table = TimeIntervals(name="motif_bouts", description=f"Bouts of motifs of {animal.name}")
    table.add_column("motif", "Number of the motif")
    table.add_column("label", "Name of the motif")
    for bout in animal.bouts:
        table.add_row(
            start_time=bout.start_s,
            stop_time=bout.stop_s,
            motif=bout.motif.number,
            label=behaviour(bout.motif),
        )
    return table
