"""Export to netCDF, as movement reads it: recorded poses, with motifs and latents of each frame."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import xarray as xr

from vame_pipe.core import files
from vame_pipe.export.recorded import Recorded, nearest_rows
from vame_pipe.export.results import SessionResults, behaviour

NO_MOTIF = -1


def write(results: SessionResults, recorded: Recorded, out: Path) -> None:
    """Write the poses, motifs and latents of a session.

    Parameters
    ----------
    results : SessionResults
    recorded : Recorded
    out : Path
        netCDF file.
    """
    with files.atomic(out) as path:
        dataset(results, recorded).to_netcdf(path, engine="h5netcdf")


def dataset(results: SessionResults, recorded: Recorded) -> xr.Dataset:
    """Return the data set of a session.

    Frames are those of the video. Where the analysis has another rate, a frame has the motif and the
    latents of the nearest time step.

    Returns
    -------
    xarray.Dataset
        `position (time, space, keypoint, individual)`, `confidence (time, keypoint, individual)`,
        `motif (time, individual)`, -1 where there is none, `latents (time, latent, individual)`, NaN where
        there is no window.
    """
    names = [animal.name for animal in results.animals]
    poses = [recorded.animals[name] for name in names]
    placed = [recorded.place(n, p.position) for n, p in zip(names, poses, strict=True)]
    position = np.stack(placed, axis=-1).swapaxes(1, 2)
    confidence = [recorded.place(n, p.confidence) for n, p in zip(names, poses, strict=True)]
    motif, latents = [], []
    for animal in results.animals:
        nearest = nearest_rows(animal.rows, results.meta.fps, recorded.time_s)
        number = animal.rows["motif"].fillna(NO_MOTIF).to_numpy(np.int16)
        motif.append(np.where(nearest < 0, NO_MOTIF, number[nearest]).astype(np.int16))
        values = animal.rows[results.latents].to_numpy(np.float32)
        latents.append(np.where(nearest[:, None] < 0, np.nan, values[nearest]).astype(np.float32))
    dimensions = poses[0].dimensions
    found = xr.Dataset(
        data_vars={
            "position": (("time", "space", "keypoint", "individual"), position),
            "confidence": (("time", "keypoint", "individual"), np.stack(confidence, -1)),
            "motif": (("time", "individual"), np.stack(motif, -1)),
            "latents": (("time", "latent", "individual"), np.stack(latents, -1)),
        },
        coords={
            "time": recorded.time_s,
            "space": list("xyz"[:dimensions]),
            "keypoint": recorded.keypoints,
            "individual": names,
            "latent": results.latents,
        },
        attrs={
            "ds_type": "poses",
            "source_software": "vame_pipe",
            "source_file": results.meta.source,
            "fps": recorded.fps,
            "time_unit": "seconds",
            "identifier": results.identifier,
            "provenance": json.dumps(results.provenance, sort_keys=True),
        },
    )
    labels = {motif.number: behaviour(motif) for motif in results.motifs}
    found["motif"].attrs = {"no_motif": NO_MOTIF, "names": json.dumps(labels, ensure_ascii=False)}
    return found
