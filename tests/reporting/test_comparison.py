import dataclasses
import json
import shutil

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn.decomposition import PCA
from small_models import make_results

from vame_pipe.cli import main
from vame_pipe.core import files, run_record, source
from vame_pipe.core.layout import Layout
from vame_pipe.core.metadata import ComparisonMetadata, read_record
from vame_pipe.reporting import comparison
from vame_pipe.windows import data as window_data


@pytest.fixture(scope="module")
def results(data, tmp_path_factory):
    """Two models of two sessions."""
    root = tmp_path_factory.mktemp("comparison") / "results"
    return make_results(root, data, {"mice-z4": 4, "mice-z2": 2}, ["sim-1", "sim-2"])


def test_models_and_latents_made_from_other_data_are_refused(results, tmp_path, capsys):
    layout = Layout(tmp_path / "results")
    shutil.copytree(results.root, layout.root)
    layout.comparison.unlink()

    def problems():
        assert main.main(["compare", str(layout.root), "--models", "mice-z4"]) == 2
        assert not layout.comparison.exists()
        return [x for x in capsys.readouterr().err.splitlines() if x.startswith("ERROR")]

    path = layout.latents("mice-z4", "sim-1")
    table, meta = pq.read_table(path), files.read_metadata(path)
    for key, message in (
        ("model_fingerprint", "was made by another model.pt"),
        ("aligned_fingerprint", "was made from another aligned recording"),
    ):
        files.write_tables(path, [table], table.schema, meta | {key: "0" * 64})
        (line,) = problems()
        assert "latents/mice-z4/sim-1.parquet" in line and message in line
    run = layout.model("mice-z4").run
    record = run_record.read(run)
    other = dataclasses.replace(record.data, fingerprint="0" * 64)
    run_record.write(dataclasses.replace(record, data=other), run)
    (line,) = problems()
    assert "model mice-z4: was trained on other windows than those in" in line


def test_a_missing_file_of_runs_is_named(results, capsys):
    assert main.main(["compare", str(results.root), "--runs", "gone.json"]) == 2
    assert "gone.json: no such file. Run `vame-pipe upload-mlflow" in capsys.readouterr().err


def test_another_file_given_as_runs_is_named(results, tmp_path, capsys):
    other = tmp_path / "other.json"
    other.write_text('{"models": []}')
    assert main.main(["compare", str(results.root), "--runs", str(other)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"ERROR: {other}: not an output of upload-mlflow")


def test_a_model_of_other_window_settings_is_refused(results, tmp_path, capsys):
    """Also if its fingerprint were the same."""
    layout = Layout(tmp_path / "results")
    shutil.copytree(results.root, layout.root)
    run = layout.model("mice-z4").run
    record = run_record.read(run)
    params = record.params | {"windows.length_s": 0.4}
    run_record.write(dataclasses.replace(record, params=params), run)
    assert main.main(["compare", str(layout.root)]) == 2
    assert "model mice-z4: was trained on other windows than those in" in capsys.readouterr().err


def test_models_that_differ_in_the_seed_have_the_agreement_of_their_motifs(results, tmp_path):
    assert not [name for name in pd.read_parquet(results.comparison) if "model_seeds" in name]
    layout = Layout(tmp_path / "results")
    shutil.copytree(results.root, layout.root)
    for name in ("mice-z4", "mice-z2"):
        run = layout.model(name).run
        run_record.write(dataclasses.replace(run_record.read(run), variant="mice"), run)
    comparison.compare(layout, ["mice-z2", "mice-z4"], {})
    table = pd.read_parquet(layout.comparison)  # write_motifs gives both models the same motifs
    assert table["motifs/model_seeds_adjusted_rand"].tolist() == [1.0, 1.0]
    assert table["motifs/model_seeds_variation_of_information"].tolist() == [0.0, 0.0]


def test_the_comparison_stores_what_it_was_made_from(results):
    for path in (results.comparison, results.similarity):
        meta = read_record(ComparisonMetadata, path)
        weights = {name: results.model(name).weights for name in ("mice-z2", "mice-z4")}
        assert meta.models == {n: files.file_fingerprint(p) for n, p in weights.items()}
        assert list(meta.aligned) == ["sim-1", "sim-2"]
        assert meta.stage_version == source.COMPARE


def test_principal_components_rebuild_windows_as_in_scikit_learn(data):
    loaded = window_data.load(data / "windows")
    length = loaded.meta.length
    train, val = (
        np.stack([loaded.frames[row : row + length].ravel() for row in starts])
        for starts in (loaded.train, loaded.val)
    )
    found = comparison.pca_r2(loaded, {2, 7})
    pca = PCA(7, svd_solver="full").fit(train.astype(float))
    scores = pca.transform(val)
    by_feature = val.reshape(-1, loaded.frames.shape[1])
    total = np.square(by_feature - by_feature.mean(axis=0)).sum()
    for k in (2, 7):
        rebuilt = scores[:, :k] @ pca.components_[:k] + pca.mean_
        residual = np.square(val - rebuilt).sum()
        assert found[k] == pytest.approx(1 - residual / total, abs=1e-6)


def test_more_components_than_there_are_values_in_a_window_rebuild_it_exactly(data):
    loaded = window_data.load(data / "windows")
    n_values = loaded.meta.length * len(loaded.meta.features)
    assert comparison.pca_r2(loaded, {n_values, n_values + 5}) == pytest.approx(
        {n_values: 1, n_values + 5: 1}
    )


def test_the_table_has_one_row_per_model_and_a_pca_baseline(results, tmp_path):
    runs = tmp_path / "uploaded.json"
    runs.write_text('{"runs": {"mice-z4": "abc", "mice-z2": null}}')
    assert main.main(["compare", str(results.root), "--runs", str(runs)]) == 0
    table = pd.read_parquet(results.comparison).set_index("model")
    assert set(table.index) == {"mice-z2", "mice-z4"}
    for name, row in table.iterrows():
        record = json.loads(results.model(name).run.read_text())
        assert row["model.zdims"] == int(name[-1]) and row["sweep"] == "mice"
        for key, value in record["summary"].items():
            assert row[key] == value
    differing = [c for c in table if c.startswith(("model.", "train.", "align.", "windows."))]
    assert differing == ["model.zdims"]
    errors = table["final/reconstruction"] + table["final/prediction"]
    assert table["best"].tolist() == (errors == errors.min()).tolist()
    assert table.loc["mice-z4", "run_id"] == "abc" and pd.isna(table.loc["mice-z2", "run_id"])
    baseline = comparison.pca_r2(window_data.load(results.windows_folder.root), {2, 4})
    assert table["pca/r2_reconstruction"].to_dict() == {
        "mice-z2": baseline[2],
        "mice-z4": baseline[4],
    }
    again = pd.read_csv(results.comparison.with_suffix(".csv")).set_index("model")
    np.testing.assert_allclose(again["final/loss"], table["final/loss"])
    assert len(pd.read_csv(results.similarity.with_suffix(".csv"))) == 2
