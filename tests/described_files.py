"""Descriptions of motifs that are cheap to write, for the tests of the report."""

import numpy as np
import pandas as pd
import pyarrow as pa

from vame_pipe.core import description, files
from vame_pipe.core.description import Description, Motif, Tree
from vame_pipe.core.layout import Layout
from vame_pipe.core.source import DESCRIBE
from vame_pipe.motifs import grammar

KEYPOINTS = ["tail", "nose"]
N_STEPS = 12


def write_described(layout: Layout, model: str, n: int, bouts: pd.DataFrame, motifs=None) -> None:
    """Write the description of motifs; all look the same, motif k is as fast as its number.

    Parameters
    ----------
    bouts : pandas.DataFrame
        `session, motif, duration_s`.
    motifs : list of Motif, optional
        Default: n motifs without a name.
    """
    motifs = motifs or [Motif(k, None, [k]) for k in range(n)]
    numbers = [motif.number for motif in motifs]
    folder = layout.motifs(model).described
    counts = 1 - np.eye(len(motifs), dtype=int)
    tree = grammar.tree(grammar.transition_distance(counts), 2)
    facts = Description(
        segmentation=f"segmentation of {model}",
        n_numbers=n,
        motifs=motifs,
        entropy_rate=grammar.entropy_rate(counts),
        trees={"transitions": tree, "kinematics": Tree(tree.linkage, [0] * len(motifs))},
        keypoints=KEYPOINTS,
        bones=[[0, 1]],
        front=1,
        unit="body lengths",
        fps=30.0,
        settings={"motif_names": [], "skeleton": None, "motifs.communities": 4},
        stage_version=DESCRIBE,
    )
    description.write(facts, folder.description)
    files.write_text(folder.names, "motif,name,merge_into\n")
    heads = np.array(facts.counts_as)[bouts["motif"].to_numpy(int)]
    rows = []
    for motif in motifs:
        duration = bouts.loc[heads == motif.number, "duration_s"]
        rows.append((motif.number, len(duration) / len(bouts), len(duration), duration.median(), 2))
    columns = ["motif", "fraction", "n_bouts", "median_bout_s", "n_sessions"]
    pairs = [(a, b, 1) for a in numbers for b in numbers if a != b]
    keys = [(k, 0, step, name) for k in numbers for step in range(N_STEPS) for name in KEYPOINTS]
    skeletons = pd.DataFrame(keys, columns=["motif", "rank", "step", "keypoint"])
    skeletons["time_s"] = skeletons["step"] / 30
    skeletons["inside"] = skeletons["step"] > 2
    skeletons["x"] = (skeletons["keypoint"] == "nose") + skeletons["step"] / N_STEPS
    skeletons["y"], skeletons["z"] = 0.0, np.nan
    postures = skeletons[skeletons["step"] < 5].rename(columns={"step": "phase"})
    typical = {"session": "sim-1", "individual": "id_0", "start_s": 61.5, "duration_s": 1.5}
    tables = {
        folder.motifs: pd.DataFrame(rows, columns=columns),
        folder.bouts: bouts,
        folder.usage: pd.DataFrame({"motif": numbers}),
        folder.transitions: pd.DataFrame(pairs, columns=["source", "target", "count"]),
        folder.profiles: pd.DataFrame(
            {"motif": numbers, "measure": "speed", "mean": numbers, "spread": 0.5, "unit": "bl/s"}
        ),
        folder.postures: postures,
        folder.exemplars: pd.DataFrame(
            [typical | {"motif": k, "start_frame": 1845, "end_frame": 1889} for k in numbers]
        ),
        folder.skeletons: skeletons,
    }
    for path, table in tables.items():
        content = pa.Table.from_pandas(table, preserve_index=False)
        files.write_tables(path, [content], content.schema, files.metadata())
