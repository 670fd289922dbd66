"""The demo, run as the README describes."""

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from conftest import install
from scipy.optimize import linear_sum_assignment
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    adjusted_rand_score,
    balanced_accuracy_score,
    normalized_mutual_info_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from workflow_runs import run

from vame_pipe.core.layout import Layout
from vame_pipe.encoding import model_file
from vame_pipe.motifs import hmm
from vame_pipe.motifs.fitting import fit
from vame_pipe.motifs.inputs import find_inputs
from vame_pipe.motifs.sample import sample_latents, sample_pca
from vame_pipe.motifs.scan import scaled
from vame_pipe.motifs.timing import find_lag
from vame_pipe.poses import simulate
from vame_pipe.windows import data as window_data


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The default configuration, run as the README describes."""
    folder = tmp_path_factory.mktemp("demo")
    install(folder)
    run(folder)
    return folder


def test_the_demo_reconstructs_held_out_windows(demo):
    training = model_file.load(demo / "results/models/vame/model.pt").training
    assert training["final/r2_reconstruction"] > 0.8
    if not torch.cuda.is_available():
        text = (demo / "results/logs/train/vame.log").read_text()
        assert "no GPU found: computing on the CPU" in text


def test_the_latents_of_the_demo_tell_the_true_motifs(demo):
    """A linear classifier on latents of held-out windows, next to PCA with as many components."""
    data = window_data.load(demo / "results/windows")
    length = data.meta.length
    index = pq.read_table(demo / "results/windows/windows.parquet").to_pandas()
    index["row"] = index["start"] + length // 2
    latents, motifs = [], []
    for name in (f"sim-{i}" for i in range(1, 11)):
        latents.append(pq.read_table(demo / f"results/latents/vame/{name}.parquet").to_pandas())
        motifs.append(pd.read_csv(demo / f"demo/{name}.motifs.csv").assign(session=name))
    encoded = pd.concat(latents).astype({"session": str})
    joined = index.astype({"session": str}).merge(encoded, on=["session", "row"])
    joined = joined.merge(pd.concat(motifs), on=["session", "frame"])
    assert len(joined) == len(index)
    train = (joined["split"] == "train").to_numpy()
    motif = joined["motif"].to_numpy()
    latent = joined.filter(like="z_").to_numpy()
    frames = data.frames
    flat = np.stack([frames[row : row + length].ravel() for row in joined["offset"]])
    pca = PCA(latent.shape[1], random_state=0).fit(flat[train]).transform(flat)
    score = {}
    for name, values in (("latents", latent), ("pca", pca)):
        classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
        guess = classifier.fit(values[train], motif[train]).predict(values[~train])
        score[name] = balanced_accuracy_score(motif[~train], guess)
    print(f"balanced accuracy of held-out frames: {score}")
    assert set(motif[~train]) == set(simulate.MOTIFS)
    assert score["latents"] > 0.9  # chance is 1/6
    assert score["latents"] > score["pca"] - 0.03


def compare_with_truth(demo, found):
    """Adjusted Rand index, normalised mutual information, least share, median distance to a boundary.

    The share is of the frames of a behaviour that are in its motif, each behaviour with a motif of its own,
    by the best matching. The distance, in frames, is from each boundary between true motifs to the nearest
    boundary that was found.
    """
    parts, distances = [], []
    for session, rows in found.groupby("session", observed=True):
        truth = pd.read_csv(demo / f"demo/{session}.motifs.csv").rename(columns={"motif": "true"})
        joined = rows.merge(truth, on="frame").sort_values("frame")
        parts.append(joined)
        boundaries = [
            joined["frame"].to_numpy()[1:][
                joined[name].to_numpy()[1:] != joined[name].to_numpy()[:-1]
            ]
            for name in ("true", "motif")
        ]
        distances.append(np.abs(np.subtract.outer(*boundaries)).min(axis=1))
    every = pd.concat(parts)
    table = pd.crosstab(every["true"], every["motif"]).to_numpy()
    own = table[linear_sum_assignment(-table)] / table.sum(axis=1)
    return (
        adjusted_rand_score(every["true"], every["motif"]),
        normalized_mutual_info_score(every["true"], every["motif"]),
        own.min(),
        float(np.median(np.concatenate(distances))),
    )


def motifs_of_pca(demo):
    """Motif of each frame, found in PCA of the same windows as it is found in the latents."""
    layout = Layout(demo / "results")
    inputs = find_inputs(
        layout.latents_folder("vame"),
        layout.aligned_folder,
        layout.windows_folder.root,
        layout.model("vame").weights,
    )
    fps, length = inputs.windows.fps, inputs.windows.length
    data = scaled(sample_pca(sample_latents(inputs), length))
    lengths = data.sample.lengths
    model = fit(
        data.rows, lengths, len(simulate.MOTIFS), bout=0.5 * fps, window=length, n_starts=20
    )
    motif = hmm.viterbi(model, torch.from_numpy(data.rows), lengths)
    lag = find_lag(motif, data.sample.run, data.sample.change, length, max(length, round(fps))).lag
    names = [f"sim-{i}" for i in range(1, 11)]
    rows = pd.concat([pd.read_parquet(layout.latents("vame", name)) for name in names])
    assert len(rows) == len(motif)
    return rows.assign(motif=motif, frame=rows["frame"] + lag)[["session", "frame", "motif"]]


def test_the_motifs_of_the_demo_are_the_true_ones(demo):
    paths = (demo / f"results/motifs/vame/sim-{i}.parquet" for i in range(1, 11))
    found = pd.concat([pd.read_parquet(path) for path in paths])
    assert found["motif"].notna().mean() > 0.95
    assert found["motif"].nunique() == len(simulate.MOTIFS)
    latents = compare_with_truth(demo, found[found["motif"].notna()])
    pca = compare_with_truth(demo, motifs_of_pca(demo))
    for name, (rand, information, share, distance) in (("latents", latents), ("pca", pca)):
        print(
            f"motifs of {name}: adjusted Rand {rand:.3f}, normalised mutual information "
            f"{information:.3f}, at least {share:.3f} of the frames of each behaviour in its motif, "
            f"median distance of boundaries {distance:g} frames"
        )
    rand, information, share, distance = latents
    assert rand > 0.9 and information > 0.87 and share > 0.9 and distance <= 3


def test_the_known_difference_between_the_groups_is_found(demo):
    """Treated animals rear more: the motif that is rearing is used more, with its q below the limit."""
    paths = (demo / f"results/motifs/vame/sim-{i}.parquet" for i in range(1, 11))
    found = pd.concat([pd.read_parquet(path) for path in paths]).astype({"session": str})
    truth = [
        pd.read_csv(demo / f"demo/sim-{i}.motifs.csv").assign(session=f"sim-{i}")
        for i in range(1, 11)
    ]
    joined = found.merge(pd.concat(truth), on=["session", "frame"], suffixes=("", "_true"))
    rearing = joined.loc[joined["motif_true"] == "rear", "motif"].mode().item()
    table = pd.read_csv(demo / "results/groups/vame/groups.csv")
    usage = table[table["measure"] == "usage"].set_index("motif")
    print(usage.loc[rearing, ["mean", "mean_other", "low", "high", "p", "q"]].to_string())
    assert usage.loc[rearing, "q"] < 0.05
    assert usage.loc[rearing, "low"] > 0.05  # the share of time
    assert usage["hedges_g"].idxmax() == rearing
    facts = json.loads((demo / "results/groups/vame/groups.json").read_text())
    assert facts["groups"] == {"control": 5, "treated": 5}
    assert f"usage of motif {rearing:.0f} " in facts["findings"][0]
