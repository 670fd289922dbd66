import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression

from vame_pipe.core.layout import Layout
from vame_pipe.core.schemas import latent_names
from vame_pipe.reporting.similarity import similarity


def similarity_of(folder, latents):
    """The similarity of latents {model: {session: array}}."""
    layout = Layout(folder)
    for model, sessions in latents.items():
        layout.latents_folder(model).mkdir(parents=True)
        for session, values in sessions.items():
            table = pa.table(dict(zip(latent_names(values.shape[1]), values.T, strict=True)))
            pq.write_table(table, layout.latents(model, session))
    sessions = list(next(iter(latents.values())))
    return similarity(layout, list(latents), sessions)


def pair(table, one, other):
    return table.set_index(["model", "other"]).loc[(one, other)]


def make_latents(seed, n_sessions):
    """Two models, of three and four dimensions, that share two."""
    rng = np.random.default_rng(seed)
    one, other, mixing = {}, {}, rng.standard_normal((2, 2))
    for i in range(n_sessions):
        common = rng.standard_normal((60 + 7 * i, 2)) + i
        one[f"s{i}"] = np.hstack([common, rng.standard_normal((len(common), 1))])
        other[f"s{i}"] = np.hstack([common @ mixing, rng.standard_normal((len(common), 2))])
    return {"one": one, "other": other}


@given(st.integers(0, 2**20), st.integers(1, 7))
@settings(deadline=None, max_examples=15)
def test_similarity_follows_its_definition(tmp_path_factory, seed, n_sessions):
    """CKA from n x n kernels; least squares by scikit-learn, each fold of sessions left out once."""
    latents = make_latents(seed, n_sessions)
    found = similarity_of(tmp_path_factory.mktemp("similarity"), latents)
    x, y = (np.concatenate(list(sessions.values())) for sessions in latents.values())
    centring = np.eye(len(x)) - 1 / len(x)
    kernels = [centring @ z @ z.T @ centring for z in (x, y)]
    cka = np.sum(kernels[0] * kernels[1]) / np.prod([np.linalg.norm(k) for k in kernels])
    assert pair(found, "one", "other")["cka"] == pytest.approx(cka)
    assert pair(found, "other", "one")["cka"] == pytest.approx(cka)

    lengths = [len(z) for z in latents["one"].values()]
    if n_sessions == 1:
        fold = np.concatenate([np.full(len(p), i) for i, p in enumerate(np.array_split(x, 5))])
    else:
        fold = np.repeat(np.arange(n_sessions) % min(5, n_sessions), lengths)
    for model, other, predictors, target in (("one", "other", x, y), ("other", "one", y, x)):
        residual = total = 0.0
        for i in np.unique(fold):
            left_out = fold == i
            fitted = LinearRegression().fit(predictors[~left_out], target[~left_out])
            predicted = fitted.predict(predictors[left_out])
            residual += np.square(target[left_out] - predicted).sum()
            total += np.square(target[left_out] - target[~left_out].mean(axis=0)).sum()
        r2 = pair(found, model, other)["r2"]
        assert r2 == pytest.approx(1 - residual / total, abs=1e-8)


def test_rotated_latents_are_fully_similar_and_unrelated_ones_are_not(tmp_path):
    rng = np.random.default_rng(0)
    z = {f"s{i}": rng.standard_normal((400, 5)) for i in range(3)}
    rotation = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    latents = {
        "a": z,
        "rotated": {s: 3 * v @ rotation + 7 for s, v in z.items()},
        "part": {s: v[:, :2] for s, v in z.items()},
        "noise": {s: rng.standard_normal((400, 5)) for s in z},
    }
    found = similarity_of(tmp_path, latents)
    assert len(found) == 12
    assert pair(found, "a", "rotated")["cka"] == pytest.approx(1)
    assert pair(found, "rotated", "a")["r2"] == pytest.approx(1)
    assert pair(found, "a", "noise")["cka"] < 0.05 and pair(found, "a", "noise")["r2"] < 0.02
    # all of the part is predictable, but only two fifths in the other direction
    assert pair(found, "a", "part")["r2"] == pytest.approx(1)
    assert pair(found, "part", "a")["r2"] == pytest.approx(0.4, abs=0.03)


def test_sessions_without_latents_leave_no_fold_empty(tmp_path):
    """All latents are of one session, so that folds are fifths of it; a single latent has no R2."""
    latents = make_latents(0, 1)
    expected = similarity_of(tmp_path / "one", latents)
    with_empty = {
        model: sessions | {"empty": next(iter(sessions.values()))[:0]}
        for model, sessions in latents.items()
    }
    found = similarity_of(tmp_path / "both", with_empty)
    pd.testing.assert_frame_equal(found, expected)
    assert found["r2"].notna().all()
    single = {model: {"s": sessions["s0"][:1]} for model, sessions in latents.items()}
    assert similarity_of(tmp_path / "single", single)["r2"].isna().all()
