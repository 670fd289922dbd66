import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.decomposition import PCA

from vame_pipe.core.layout import Layout
from vame_pipe.core.schemas import INDEX_FIELDS, latent_names
from vame_pipe.reporting import projection

SESSIONS = ["sim-1", "sim-2"]


@pytest.fixture(scope="module")
def layout(data, tmp_path_factory):
    """Random latents of two sessions, of four dimensions and of one."""
    layout = Layout(tmp_path_factory.mktemp("projection"))
    layout.aligned_folder.symlink_to(data / "aligned")
    rng = np.random.default_rng(0)
    for model, zdims in (("four", 4), ("one", 1)):
        layout.latents_folder(model).mkdir(parents=True)
        for session in SESSIONS:
            index = pq.read_table(layout.aligned(session), columns=[f.name for f in INDEX_FIELDS])
            index = index.slice(7, 850)
            z = rng.standard_normal((850, zdims)) @ np.diag([1, 4, 2, 3][:zdims]) + 5
            columns = dict(zip(latent_names(zdims), z.T.astype(np.float32), strict=True))
            table = pa.table(dict(zip(index.column_names, index.columns, strict=True)) | columns)
            pq.write_table(table, layout.latents(model, session))
    return layout


def test_latents_are_projected_on_their_principal_components(layout):
    parts = [pd.read_parquet(layout.latents("four", session)) for session in SESSIONS]
    latents = pd.concat(parts).filter(like="z_").to_numpy(float)
    projected = projection.project_latents(layout, "four", SESSIONS)
    pca = PCA(2).fit(latents)
    np.testing.assert_allclose(projected.fractions[:2], pca.explained_variance_ratio_)
    points = projected.points
    assert len(points) == len(latents)  # so few are not thinned out
    expected = np.abs(pca.transform(latents))
    np.testing.assert_allclose(points[["x", "y"]].abs(), expected, atol=1e-5)
    aligned = pd.read_parquet(layout.aligned("sim-1")).set_index("row")
    speed = np.exp(aligned["log_speed"].loc[parts[0]["row"]])
    np.testing.assert_allclose(points["speed"][: len(speed)], speed)
    assert projected.speed_unit == "body lengths/s"


def test_of_many_latents_every_nth_is_kept(layout, monkeypatch):
    everything = projection.project_latents(layout, "four", SESSIONS).points
    monkeypatch.setattr(projection, "MAX_POINTS", 500)
    points = projection.project_latents(layout, "four", SESSIONS).points
    assert points["session"].value_counts().to_dict() == {"sim-1": 284, "sim-2": 284}  # of 850
    np.testing.assert_array_equal(points["x"][:284], everything["x"][:850:3])


def test_one_latent_dimension_has_one_component(layout):
    projected = projection.project_latents(layout, "one", SESSIONS)
    assert projected.variances.shape == (1,) and projected.fractions == [1]
    np.testing.assert_array_equal(projected.points["x"], projected.points["y"])
