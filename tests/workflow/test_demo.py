"""The demo, run as the README describes."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from conftest import install
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from workflow_runs import run

from vame_pipe.encoding import model_file
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
    for name in (f"sim-{i}" for i in range(1, 5)):
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
