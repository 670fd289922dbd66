"""Agreement of the motifs of models that differ only in their seed."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import adjusted_rand_score, mutual_info_score

from vame_pipe.core.agreement import ModelAgreement, model_agreement
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout
from vame_pipe.core.run_record import RunRecord, TrainingData

SIZES = {"a": 400, "b": 300}


def record(name, variant="vame"):
    data = TrainingData("", "", [], dict.fromkeys(SIZES, ""), 15, 30.0, 700, 600, 100)
    return RunRecord(name, "vame", variant, "", 0, {}, data, 1)


def write(layout, model, motifs):
    """Write motifs by session; -1: none."""
    for session, motif in motifs.items():
        path = layout.motifs(model).session(session)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"motif": pa.array(motif, pa.int16(), mask=motif < 0)}), path)


@pytest.fixture
def made(tmp_path):
    """Motifs of three models; those of s2 have other numbers than those of s1, s3 is noise."""
    layout, rng = Layout(tmp_path), np.random.default_rng(0)
    truth = {name: rng.integers(5, size=size) for name, size in SIZES.items()}
    motifs = {
        "s1": truth,
        "s2": {name: np.array([3, 0, 4, 1, 2])[values] for name, values in truth.items()},
        "s3": {name: rng.integers(3, size=size) for name, size in SIZES.items()},
    }
    motifs["s1"]["a"][:50] = -1
    motifs["s3"]["b"][100:] = -1
    for model, values in motifs.items():
        write(layout, model, values)
    return layout, motifs


def expected(motifs, one, other):
    """Adjusted Rand and variation of information by scikit-learn, of rows with a motif in both."""
    first, second = (np.concatenate(list(motifs[model].values())) for model in (one, other))
    both = (first >= 0) & (second >= 0)
    first, second = first[both], second[both]
    shared = mutual_info_score(first, second)
    information = mutual_info_score(first, first) + mutual_info_score(second, second) - 2 * shared
    return np.array([adjusted_rand_score(first, second), information])


def test_the_agreement_is_the_mean_over_the_other_models_of_all_sessions(made):
    layout, motifs = made
    found = model_agreement(layout, {name: record(name) for name in motifs})
    for name, others in {"s1": ("s2", "s3"), "s2": ("s1", "s3"), "s3": ("s1", "s2")}.items():
        rand, information = np.mean([expected(motifs, name, other) for other in others], axis=0)
        assert found[name].adjusted_rand == pytest.approx(rand)
        assert found[name].variation_of_information == pytest.approx(information)


def test_other_numbers_for_the_same_motifs_agree_fully(made):
    layout, _ = made
    found = model_agreement(layout, {name: record(name) for name in ("s1", "s2")})
    assert found["s1"] == found["s2"] == ModelAgreement(1.0, pytest.approx(0))
    assert found["s1"].metrics["motifs/model_seeds_adjusted_rand"] == 1.0


def test_models_of_other_settings_are_not_compared_and_a_single_one_has_no_agreement(made):
    layout, _ = made
    runs = {"s1": record("s1", "vame-z8"), "s2": record("s2", "vame-z16"), "gone": record("gone")}
    assert model_agreement(layout, runs) == {}


def test_motifs_of_different_recordings_are_refused(made):
    layout, _ = made
    write(layout, "s2", {"b": np.zeros(299, int)})
    with pytest.raises(InputError, match="session b: its motifs by models s1, s2 have different"):
        model_agreement(layout, {name: record(name) for name in ("s1", "s2")})
