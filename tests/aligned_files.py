"""Aligned sessions that are cheap to write, for the tests of several stages."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from vame_pipe.core import files
from vame_pipe.core.metadata import AlignedMetadata, AnimalFacts, to_metadata
from vame_pipe.core.schemas import INDEX_FIELDS, feature_fields, index_columns

FEATURES = ["nose_x", "speed"]
FIRST_FRAME = 100


def number_runs(valid) -> np.ndarray:
    """Number the unbroken stretches of valid rows from 0; -1 where not valid."""
    valid = np.asarray(valid, bool)
    begins = valid & ~np.concatenate([[False], valid[:-1]])
    return np.where(valid, np.cumsum(begins) - 1, -1).astype(np.int32)


def write_aligned(
    folder: Path, session: str, valid, fps=10.0, seed=0, features=FEATURES, **metadata
) -> Path:
    """Write an aligned session; the first feature is the video frame, plus 10,000 per further animal.

    Parameters
    ----------
    valid : sequence of bool, or dict of str to it
        Which rows are valid; for several animals by the name of each.
    """
    animals = valid if isinstance(valid, dict) else {"id_0": valid}
    schema = pa.schema([*INDEX_FIELDS, *feature_fields(features)])
    tables, facts = [], {}
    for number, (individual, of_animal) in enumerate(animals.items()):
        run = number_runs(of_animal)
        row = np.arange(len(run))
        frame = row + FIRST_FRAME
        noise = np.random.default_rng(seed + number).normal(5, 3, (len(features) - 1, len(run)))
        values = np.vstack([frame + 10_000 * number, noise]).astype(np.float32)
        values[:, run < 0] = np.nan
        columns = index_columns(session, individual, row, frame, frame / fps, run)
        tables.append(pa.Table.from_arrays([*columns, *map(pa.array, values)], schema=schema))
        longest = int(np.bincount(run[run >= 0]).max(initial=0))
        facts[individual] = AnimalFacts(50.0, 0.0, longest)
    record = {
        "session": session,
        "settings": {"scale": True},
        "features": list(features),
        "keypoints": ["nose"],
        "fps": fps,
        "individuals": facts,
        "fingerprint": f"{session}{seed}",
        "poses_digest": "",
        "source": f"{session}.csv",
        "source_fps": fps,
        "stage_version": 1,
    }
    path = folder / f"{session}.parquet"
    files.write_tables(path, tables, schema, to_metadata(AlignedMetadata(**record | metadata)))
    return path
