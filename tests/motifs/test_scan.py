"""The choice of the covariance, and of the number of motifs, from rows with known states."""

import numpy as np
import pytest
import torch
from motif_project import draw_states
from sklearn.metrics import adjusted_rand_score

from vame_pipe.config.sections import Motifs
from vame_pipe.core.metadata import WindowsMetadata
from vame_pipe.motifs import hmm
from vame_pipe.motifs.quality import Agreement
from vame_pipe.motifs.sample import Sample
from vame_pipe.motifs.scan import _Attempt, _best, scaled, try_number

WINDOWS = WindowsMetadata(
    *({}, {}, ["f"], ["k"], {}),
    fps=10.0,
    length=5,
    future=0,
    mean=[0.0],
    std=[1.0],
    stage_version=1,
)
N_ROWS = 1500


def sample_of(values, n_sessions=3):
    rng = np.random.default_rng(1)
    session = np.arange(len(values)) * n_sessions // len(values)
    return Sample(
        values=values,
        session=session,
        run=session,
        frames=np.zeros((1, 1), np.float32),
        start=np.zeros(len(values), int),
        change=rng.random(len(values)),
        unit=values.std(axis=0),
        is_complete=True,
    )


def rows_of(states, spreads):
    """Rows of three dimensions: a mean per state, and a spread per state and dimension."""
    rng = np.random.default_rng(0)
    mean = 1.5 * np.eye(3)
    return mean[states] + np.array(spreads)[states] * rng.normal(size=(len(states), 3))


ALIKE = [[0.4, 0.4, 0.4]] * 3
DIFFERENT = [[0.1, 1.0, 1.0], [1.0, 0.1, 1.0], [1.0, 1.0, 0.1]]


@pytest.mark.parametrize(
    ("spreads", "representation", "covariance"),
    [
        (DIFFERENT, "pca", "state"),
        (ALIKE, "pca", "shared"),
        (DIFFERENT, "latents", "shared"),
    ],
)
def test_pca_gets_the_covariance_that_predicts_held_out_rows_better_if_seeds_agree(
    spreads, representation, covariance
):
    states = draw_states(N_ROWS)
    data = scaled(sample_of(rows_of(states, spreads)))
    trial = try_number(data, representation, 3, Motifs(seeds=2), WINDOWS)
    assert trial.quality.covariance == covariance
    assert len(trial.arrays["covariance"]) == (3 if covariance == "state" else 1)
    if representation == "pca":  # the arrays belong to the states in the order of their usage
        model = hmm.from_arrays(trial.arrays)
        found = hmm.viterbi(model, torch.from_numpy(data.rows), data.sample.lengths)
        assert adjusted_rand_score(states, found) > 0.9
        assert (found == states).mean() > 0.95  # the first states are used most


def test_states_that_are_left_out_take_their_covariance_with_them():
    values = np.repeat(np.eye(2), 300, axis=0)  # two values only
    trial = try_number(scaled(sample_of(values)), "pca", 5, Motifs(seeds=1), WINDOWS)
    shapes = {name: array.shape for name, array in trial.arrays.items()}
    n_used = shapes["mean"][0]
    assert n_used == 2 and shapes["transition"] == (2, 2)
    assert shapes["covariance"] in {(1, 2, 2), (2, 2, 2)}


def test_kmeans_has_no_covariance():
    data = scaled(sample_of(rows_of(draw_states(300), ALIKE)))
    quality = try_number(data, "pca", 3, Motifs(method="kmeans", seeds=1), WINDOWS).quality
    assert quality.covariance is None and quality.log_likelihood is None


def test_of_covariances_the_one_whose_seeds_agree_is_better_than_the_more_likely_one():
    def attempt(covariance, likelihood, rand):
        return _Attempt(covariance, likelihood, [], Agreement(rand, 0.02, 0.0, 0))

    steady, likely = attempt("shared", -9.0, 0.98), attempt("state", -7.0, 0.55)
    assert _best([steady, likely]) is steady
    equal = attempt("state", -7.0, 0.97)
    assert _best([steady, equal]) is equal
    assert _best([attempt("shared", -9.0, None), likely]) is likely
    alone = attempt(None, None, None)
    assert _best([alone]) is alone
