import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import MODEL, populate_results, train_and_encode
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression

from vame_pipe.cli import main
from vame_pipe.core import files
from vame_pipe.reporting import comparison
from vame_pipe.windows import build


def lay_out(folder, latents):
    """A results folder of latents {model: {session: array}}."""
    for model, sessions in latents.items():
        (folder / "models" / model).mkdir(parents=True)
        about = {"data": {"profile": {"sessions": list(sessions)}}}
        (folder / "models" / model / "run.json").write_text(json.dumps(about))
        (folder / "latents" / model).mkdir(parents=True)
        for session, values in sessions.items():
            table = pa.table({f"z_{i:02d}": column for i, column in enumerate(values.T)})
            pq.write_table(table, folder / "latents" / model / f"{session}.parquet")
    return folder


def pair(frame, one, other):
    return frame.set_index(["model", "other"]).loc[(one, other)]


def make_latents(seed, n_sessions):
    """Two models that share two dimensions out of three and four."""
    rng = np.random.default_rng(seed)
    one, other, mixing = {}, {}, rng.standard_normal((2, 2))
    for i in range(n_sessions):
        common = rng.standard_normal((60 + 7 * i, 2)) + i
        one[f"s{i}"] = np.hstack([common, rng.standard_normal((len(common), 1))])
        other[f"s{i}"] = np.hstack([common @ mixing, rng.standard_normal((len(common), 2))])
    return {"one": one, "other": other}


@given(st.integers(0, 2**20), st.integers(1, 7))
@settings(deadline=None, max_examples=15)
def test_agreement_is_what_its_definition_says(tmp_path_factory, seed, n_sessions):
    """CKA of n x n kernels; least squares by scikit-learn, session by session left out."""
    latents = make_latents(seed, n_sessions)
    found = comparison.agreement(
        lay_out(tmp_path_factory.mktemp("agreement"), latents), ["one", "other"]
    )
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
    for name, known, wanted in (("one", x, y), ("other", y, x)):
        left = total = 0.0
        for number in np.unique(fold):
            test = fold == number
            fitted = LinearRegression().fit(known[~test], wanted[~test])
            left += np.square(wanted[test] - fitted.predict(known[test])).sum()
            total += np.square(wanted[test] - wanted[~test].mean(axis=0)).sum()
        said = pair(found, name, "other" if name == "one" else "one")["r2"]
        assert said == pytest.approx(1 - left / total, abs=1e-8)


def test_rotated_latents_agree_wholly_and_unrelated_ones_do_not(tmp_path):
    rng = np.random.default_rng(0)
    z = {f"s{i}": rng.standard_normal((400, 5)) for i in range(3)}
    turn = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    latents = {
        "a": z,
        "turned": {s: 3 * v @ turn + 7 for s, v in z.items()},
        "part": {s: v[:, :2] for s, v in z.items()},
        "noise": {s: rng.standard_normal((400, 5)) for s in z},
    }
    found = comparison.agreement(lay_out(tmp_path, latents), list(latents))
    assert len(found) == 12
    assert pair(found, "a", "turned")["cka"] == pytest.approx(1)
    assert pair(found, "turned", "a")["r2"] == pytest.approx(1)
    assert pair(found, "a", "noise")["cka"] < 0.05 and pair(found, "a", "noise")["r2"] < 0.02
    # what it says, not how much it says: one way all of it, the other two fifths
    assert pair(found, "a", "part")["r2"] == pytest.approx(1)
    assert pair(found, "part", "a")["r2"] == pytest.approx(0.4, abs=0.03)


def test_sessions_without_a_window_leave_no_fold_empty(tmp_path):
    """All latents are of one session, so folds are fifths of it; a single latent has no answer."""
    latents = make_latents(0, 1)
    expected = comparison.agreement(lay_out(tmp_path / "alone", latents), ["one", "other"])
    with_empty = {
        model: sessions | {"empty": next(iter(sessions.values()))[:0]}
        for model, sessions in latents.items()
    }
    found = comparison.agreement(lay_out(tmp_path / "both", with_empty), ["one", "other"])
    pd.testing.assert_frame_equal(found, expected)
    assert found["r2"].notna().all()
    single = {model: {"s": v["s0"][:1]} for model, v in latents.items()}
    assert (
        comparison.agreement(lay_out(tmp_path / "single", single), ["one", "other"])["r2"]
        .isna()
        .all()
    )


def test_models_and_latents_of_something_else_are_refused(data, tmp_path, capsys):
    results = tmp_path / "results"
    populate_results(results, data, uri=f"sqlite:///{tmp_path}/mlflow.db")
    train_and_encode(results, "mice")
    arguments = ["compare", str(results), "--out", str(results / "compare.parquet")]
    arguments += ["--agreement", str(results / "agreement.parquet")]

    def problems():
        assert main.main(arguments) == 2
        assert not (results / "compare.parquet").exists()
        return [x for x in capsys.readouterr().err.splitlines() if x.startswith("ERROR")]

    path = results / "latents/mice/sim-1.parquet"
    table, meta = pq.read_table(path), files.read_metadata(path)
    for key, said in (
        ("model_fingerprint", "was made by another model.pt"),
        ("aligned_fingerprint", "was made from another aligned recording"),
    ):
        files.write_tables(path, [table], table.schema, meta | {key: "0" * 64})
        (line,) = problems()
        assert "latents/mice/sim-1.parquet" in line and said in line
    run = results / "models/mice/run.json"
    about = json.loads(run.read_text())
    about["tags"]["data_fingerprint"] = "0" * 64
    run.write_text(json.dumps(about))
    (line,) = problems()
    assert "model mice: was trained on other windows than those of" in line


def test_principal_components_rebuild_windows_as_scikit_learn_has_it(data):
    loaded = build.load(data / "windows")
    length = loaded.meta["length"]
    flat = {
        name: np.stack([loaded.frames[row : row + length].ravel() for row in starts])
        for name, starts in (("train", loaded.train), ("test", loaded.test))
    }
    found = comparison.pca_r2(loaded, {2, 7})
    for k in (2, 7):
        pca = PCA(k, svd_solver="full").fit(flat["train"].astype(float))
        rebuilt = pca.inverse_transform(pca.transform(flat["test"]))
        by_feature = flat["test"].reshape(-1, loaded.frames.shape[1])
        left = np.square(flat["test"] - rebuilt).sum()
        assert found[k] == pytest.approx(
            1 - left / np.square(by_feature - by_feature.mean(axis=0)).sum(), abs=1e-6
        )


def test_the_table_has_a_row_a_model_beside_pca(data, tmp_path):
    results = tmp_path / "results"
    populate_results(results, data, uri=f"sqlite:///{tmp_path}/mlflow.db")
    train_and_encode(results, "mice-z4")
    train_and_encode(results, "mice-z2", model=MODEL.model_copy(update={"zdims": 2}))
    out = ["--out", str(results / "compare.parquet")]
    out += ["--agreement", str(results / "agreement.parquet")]
    (results / "tracked.json").write_text('{"runs": {"mice-z4": "abc", "mice-z2": null}}')
    assert main.main(["compare", str(results), "--runs", str(results / "tracked.json"), *out]) == 0
    table = pd.read_parquet(results / "compare.parquet").set_index("model")
    assert set(table.index) == {"mice-z2", "mice-z4"}
    for name, row in table.iterrows():
        about = json.loads((results / f"models/{name}/run.json").read_text())
        assert row["model.zdims"] == int(name[-1]) and row["sweep"] == "mice"
        for key, value in about["summary"].items():
            assert row[key] == value
    varying = [c for c in table.columns if c.startswith(("model.", "train.", "align.", "windows."))]
    assert varying == ["model.zdims"]
    errors = table["final/reconstruction"] + table["final/prediction"]
    assert table["best"].tolist() == (errors == errors.min()).tolist()
    assert table.loc["mice-z4", "run_id"] == "abc" and pd.isna(table.loc["mice-z2", "run_id"])
    baseline = comparison.pca_r2(build.load(results / "windows"), {2, 4})
    assert table["pca/r2_reconstruction"].to_dict() == {
        "mice-z2": baseline[2],
        "mice-z4": baseline[4],
    }
    again = pd.read_csv(results / "compare.csv").set_index("model")
    np.testing.assert_allclose(again["final/loss"], table["final/loss"])
    assert len(pd.read_csv(results / "agreement.csv")) == 2
