"""Motif files that are cheap to write, for the tests of the report and of MLflow."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from described_files import write_described
from group_files import write_groups

from vame_pipe.config.sections import Motifs
from vame_pipe.core import files, motif_quality, segmentation_facts
from vame_pipe.core.layout import Layout
from vame_pipe.core.metadata import LatentsMetadata, MotifsMetadata, read_record, to_metadata
from vame_pipe.core.motif_quality import MotifQuality
from vame_pipe.core.schemas import MOTIF_FIELDS
from vame_pipe.core.segmentation_facts import SegmentationFacts
from vame_pipe.core.source import SEGMENT

QUALITY = {
    "latents": {
        "covariance": "shared",
        "adjusted_rand": 0.81,
        "adjusted_rand_se": 0.02,
        "variation_of_information": 0.4,
        "log_likelihood": -8.5,
        "median_bout_s": 0.6,
        "boundary_z": 12.0,
    },
    "pca": {
        "covariance": "state",
        "adjusted_rand": 0.62,
        "adjusted_rand_se": 0.03,
        "variation_of_information": 0.7,
        "log_likelihood": -20.25,
        "median_bout_s": 0.5,
        "boundary_z": 10.5,
    },
}
"""A row of quality.parquet per representation."""


def write_motifs(
    layout: Layout, model: str, sessions, n=4, bout=20, motifs=None, fingerprints=None, named=None
) -> None:
    """Write the motif files of a model: motifs take turns, each for `bout` rows; the lowest is used most.

    Parameters
    ----------
    motifs : dict, optional
        By session, function of the row numbers of an animal to its motifs, for other motifs.
    fingerprints : dict, optional
        By session, fingerprint of the segmentation; default: the same for all.
    named : list of Motif, optional
        Names and merged motifs.
    """
    folder = layout.motifs(model)
    bouts = []
    for session in sessions:
        rows = pq.read_table(layout.aligned(session), columns=["individual", "row", "run"])
        latents = pq.read_table(layout.latents(model, session), columns=["individual", "row"])
        known = set(zip(*(latents[name].to_pylist() for name in latents.column_names), strict=True))
        keys = zip(rows["individual"].to_pylist(), rows["row"].to_pylist(), strict=True)
        inside = np.array([key in known for key in keys])
        choose = (motifs or {}).get(session, lambda row: row // bout % (n + 1) % n)
        motif = np.asarray(choose(rows["row"].to_numpy()), np.int16)
        reason = np.where(rows["run"].to_numpy() >= 0, "edge", "gap")
        begins = np.append(True, (np.diff(motif) != 0) | (np.diff(inside.astype(int)) != 0))
        index = pq.read_table(layout.aligned(session)).select(
            [field.name for field in MOTIF_FIELDS[:5]]
        )
        columns = [
            *index.columns,
            pa.array(motif, mask=~inside),
            pa.array(reason, mask=inside).dictionary_encode(),
            pa.array(np.full(len(motif), 0.9, np.float32), mask=~inside),
            pa.array(np.cumsum(begins & inside) - 1, pa.int32(), mask=~inside),
        ]
        schema = pa.schema(MOTIF_FIELDS)
        table = pa.table(columns, names=schema.names)
        made_from = read_record(LatentsMetadata, layout.latents(model, session)).fingerprint
        segmentation = (fingerprints or {}).get(session, f"segmentation of {model}")
        meta = to_metadata(MotifsMetadata(segmentation, made_from, 1))
        files.write_tables(folder.session(session), [table], schema, meta)
        found = table.filter(pc.is_valid(table["motif"])).to_pandas()
        size = found.groupby(["individual", "bout"], observed=True)["motif"].agg(["first", "size"])
        bouts += [(session, r["first"], r["size"] / 30) for _, r in size.iterrows()]
    table = pd.DataFrame(bouts, columns=["session", "motif", "duration_s"])
    _write(folder.bouts, table)
    write_described(layout, model, n, table, named)
    write_groups(layout, model, sessions)
    _write(folder.usage, pd.DataFrame({"session": list(sessions)}))
    _write(folder.transitions, pd.DataFrame({"session": list(sessions)}))
    write_quality(layout, model, {n: {}})
    np.savez(folder.segmentation, centres=np.zeros((n, 2)))
    facts = SegmentationFacts(
        fingerprint=f"segmentation of {model}",
        n_motifs=n,
        reason_for_n=f"{n} is the number that motifs.n sets.",
        method="hmm",
        lag=0,
        fps=30.0,
        model_fingerprint="",
        latents={},
        settings=Motifs(n=n).for_segmentation(),
        stage_version=SEGMENT,
    )
    segmentation_facts.write(facts, folder.settings)


def write_quality(layout: Layout, model: str, numbers, chosen=None) -> None:
    """Write quality.parquet.

    Parameters
    ----------
    numbers : dict of int to dict of str to dict
        For each number of motifs, what differs from `QUALITY`, by representation.
    chosen : int, optional
        Default: the first number.
    """
    rows = [
        MotifQuality(
            representation=kind,
            n=n,
            chosen=n == (chosen or next(iter(numbers))),
            n_sessions_min=2,
            **values | changes.get(kind, {}),
        )
        for n, changes in numbers.items()
        for kind, values in QUALITY.items()
    ]
    motif_quality.write(rows, layout.motifs(model).quality)


def _write(path, table) -> None:
    content = pa.Table.from_pandas(table, preserve_index=False)
    files.write_tables(path, [content], content.schema, files.metadata())
