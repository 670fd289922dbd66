"""The hidden Markov model, against an enumeration of every sequence of states and against hmmlearn."""

import itertools

import numpy as np
import pytest
import torch
from hmmlearn.hmm import GaussianHMM
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal
from sklearn.metrics import adjusted_rand_score

from vame_pipe.motifs import fitting, hmm
from vame_pipe.motifs.hmm import HMM
from vame_pipe.motifs.kmeans import kmeans, nearest

KINDS = ["shared", "state", "diagonal"]


def tensor(values):
    return torch.as_tensor(np.asarray(values), dtype=torch.float64)


def random_model(n_states, n_dims, seed=0, per_state=False, temper=1.0):
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(n_states if per_state else 1, n_dims, n_dims))
    covariance = factor @ factor.transpose(0, 2, 1) + 0.3 * np.eye(n_dims)
    start, transition = rng.dirichlet(np.ones(n_states)), rng.dirichlet(np.ones(n_states), n_states)
    mean = 2 * rng.normal(size=(n_states, n_dims))
    return HMM(*map(tensor, (start, transition, mean, covariance)), temper)


def simulate(model, lengths, seed=0):
    rng = np.random.default_rng(seed)
    states = []
    for length in lengths:
        state = rng.choice(len(model.start), p=model.start.numpy())
        for _ in range(length):
            states.append(state)
            state = rng.choice(len(model.start), p=model.transition[state].numpy())
    states = np.array(states)
    factor = np.linalg.cholesky(model.covariance.numpy())
    factor = factor[np.minimum(states, len(factor) - 1)]
    noise = rng.normal(size=(len(states), model.mean.shape[1]))
    return model.mean.numpy()[states] + np.einsum("nij,nj->ni", factor, noise), states


def sticky(mean, stay, covariance=None):
    n_states, n_dims = mean.shape
    transition = np.full((n_states, n_states), (1 - stay) / (n_states - 1))
    np.fill_diagonal(transition, stay)
    covariance = np.eye(n_dims) if covariance is None else covariance
    start = np.full(n_states, 1 / n_states)
    return HMM(tensor(start), tensor(transition), tensor(mean), tensor(covariance)[None])


def enumerate_sequences(model, values):
    """Log joint density of every sequence of states `(n_sequences,)` and the sequences themselves."""
    covariance = model.covariance.numpy()
    density = model.temper * np.stack(
        [
            multivariate_normal(mean, covariance[min(k, len(covariance) - 1)]).logpdf(values)
            for k, mean in enumerate(model.mean.numpy())
        ],
        axis=-1,
    ).reshape(len(values), -1)
    sequences = np.array(list(itertools.product(range(len(model.start)), repeat=len(values))))
    log_joint = model.start.log().numpy()[sequences[:, 0]]
    log_joint = log_joint + density[np.arange(len(values)), sequences].sum(axis=1)
    steps = model.transition.log().numpy()[sequences[:, :-1], sequences[:, 1:]]
    return log_joint + steps.sum(axis=1), sequences


@pytest.mark.parametrize("per_state", [False, True])
@pytest.mark.parametrize("temper", [1.0, 0.3])
@pytest.mark.parametrize("n_rows", [1, 2, 6])
def test_passes_agree_with_the_enumeration_of_every_sequence(per_state, temper, n_rows):
    model = random_model(3, 2, n_rows, per_state, temper)
    values, _ = simulate(model, [n_rows])
    log_joint, sequences = enumerate_sequences(model, values)
    total = np.logaddexp.reduce(log_joint)
    lengths = np.array([n_rows])
    assert hmm.log_likelihood(model, values, lengths) == pytest.approx(total, abs=1e-10)
    weight = np.exp(log_joint - total)
    expected = np.stack(
        [(weight[:, None] * (sequences == k)).sum(axis=0) for k in range(3)], axis=1
    )
    np.testing.assert_allclose(hmm.posterior(model, values, lengths), expected, atol=1e-10)
    state, confidence = hmm.decode(model, values, lengths)
    assert state.tolist() == sequences[log_joint.argmax()].tolist()
    np.testing.assert_allclose(confidence, expected[np.arange(n_rows), state], atol=1e-6)


def test_expected_transitions_agree_with_the_enumeration():
    model, lengths = random_model(3, 2), np.array([5])
    values, _ = simulate(model, lengths)
    log_joint, sequences = enumerate_sequences(model, values)
    weight = np.exp(log_joint - np.logaddexp.reduce(log_joint))
    expected = np.zeros((3, 3))
    for w, sequence in zip(weight, sequences, strict=True):
        np.add.at(expected, (sequence[:-1], sequence[1:]), w)
    sums = fitting.Statistics.empty(3, 2, per_state=False)
    for block in hmm.blocks(lengths, 3):
        sums.add(model, tensor(values), block)
    np.testing.assert_allclose(sums.transition, expected, atol=1e-10)


@pytest.mark.parametrize("kind, hmmlearn_kind", [("shared", "tied"), ("state", "full")])
def test_hmmlearn_gives_the_same_numbers(kind, hmmlearn_kind, monkeypatch):
    monkeypatch.setattr(fitting, "MIN_VARIANCE", 0.0)

    lengths = np.array([60, 1, 139])
    model = random_model(3, 2, per_state=kind == "state")
    values, _ = simulate(model, lengths)
    values = values - values.mean(axis=0)
    other = GaussianHMM(3, hmmlearn_kind, init_params="", min_covar=0)
    other.startprob_, other.transmat_, other.means_ = (
        getattr(model, name).numpy().copy() for name in ("start", "transition", "mean")
    )
    other.covars_ = model.covariance.numpy() if kind == "state" else model.covariance[0].numpy()
    assert hmm.log_likelihood(model, values, lengths) == pytest.approx(other.score(values, lengths))
    np.testing.assert_allclose(
        hmm.posterior(model, values, lengths), other.predict_proba(values, lengths), atol=1e-9
    )
    assert (hmm.viterbi(model, tensor(values), lengths) == other.predict(values, lengths)).all()
    # and expectation maximisation from the same start, with the same pseudo counts
    other.startprob_prior = other.transmat_prior = 1 + fitting.PSEUDO_COUNT
    other.covars_prior, other.covars_weight, other.tol, other.n_iter = 0.0, 0.0, -np.inf, 5
    if kind == "state":
        return  # hmmlearn's prior of a covariance per state differs
    other.fit(values, lengths)
    model = fitting.improve(model, tensor(values), lengths, kind, 5, -np.inf)
    np.testing.assert_allclose(model.transition, other.transmat_, atol=1e-8)
    np.testing.assert_allclose(model.mean, other.means_, atol=1e-6)
    np.testing.assert_allclose(model.covariance[0], other.covars_[0], atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_likelihood_never_falls(kind):
    lengths = np.array([300, 200])
    values, _ = simulate(random_model(4, 3), lengths)
    rows = tensor(values - values.mean(axis=0))
    state = nearest(rows, kmeans(rows, 4, 0))
    model = fitting._from_labels(rows, lengths, state, 4, kind)
    reached = []
    for _ in range(20):
        reached.append(hmm.log_likelihood(model, rows.numpy(), lengths))
        model = fitting.improve(model, rows, lengths, kind, 1, 0.0)
    # the pseudo counts and the least variance may cost a little
    assert np.diff(reached).min() > -0.05 and reached[-1] > reached[0]


def test_pieces_give_what_uncut_runs_give(monkeypatch):
    model = sticky(3 * np.eye(4), 0.95)
    lengths = np.array([997, 3, 1, 450])
    values, _ = simulate(model, lengths)
    whole = hmm.posterior(model, values, lengths), hmm.decode(model, values, lengths)[0]
    likelihood = hmm.log_likelihood(model, values, lengths)
    fitted = fitting.improve(model, tensor(values), lengths, "shared", 3, 0.0)
    monkeypatch.setattr(hmm, "PIECE", 90)
    np.testing.assert_allclose(hmm.posterior(model, values, lengths), whole[0], atol=1e-9)
    assert (hmm.decode(model, values, lengths)[0] == whole[1]).all()
    assert hmm.log_likelihood(model, values, lengths) == pytest.approx(likelihood, abs=1e-8)
    again = fitting.improve(model, tensor(values), lengths, "shared", 3, 0.0)
    np.testing.assert_allclose(again.transition, fitted.transition, atol=1e-9)
    np.testing.assert_allclose(again.mean, fitted.mean, atol=1e-9)


def test_blocks_of_memory_change_nothing(monkeypatch):
    model, lengths = random_model(3, 2), np.array([40, 7, 30, 1, 25])
    values, _ = simulate(model, lengths)
    expected = hmm.posterior(model, values, lengths)
    monkeypatch.setattr(hmm, "BLOCK", 10)
    np.testing.assert_allclose(hmm.posterior(model, values, lengths), expected, atol=1e-12)


def test_runs_are_apart():
    model, lengths = random_model(3, 2), np.array([20, 5, 30])
    values, _ = simulate(model, lengths)
    together = hmm.posterior(model, values, lengths)
    parts = np.split(values, np.cumsum(lengths)[:-1])
    alone = [hmm.posterior(model, part, np.array([len(part)])) for part in parts]
    np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-12)


def test_order_of_runs_does_not_matter():
    model, lengths = random_model(3, 2), np.array([200, 150, 170])
    values, _ = simulate(model, lengths)
    parts = np.split(values, np.cumsum(lengths)[:-1])
    start = random_model(3, 2, seed=1)
    fits = [
        fitting.improve(
            start,
            tensor(np.concatenate([parts[i] for i in order])),
            lengths[list(order)],
            "shared",
            10,
            0.0,
        )
        for order in ((0, 1, 2), (2, 0, 1))
    ]
    np.testing.assert_allclose(fits[0].mean, fits[1].mean, atol=1e-8)
    np.testing.assert_allclose(fits[0].transition, fits[1].transition, atol=1e-8)


def test_empty_runs_change_nothing_and_no_rows_are_refused():
    model = random_model(3, 2)
    values, _ = simulate(model, [4])
    state, _ = hmm.decode(model, values, np.array([0, 4, 0]))
    assert state.tolist() == hmm.decode(model, values, np.array([4]))[0].tolist()
    nothing = np.empty((0, 2)), np.empty(0, np.int64)
    assert len(hmm.decode(model, *nothing)[0]) == 0
    assert hmm.log_likelihood(model, *nothing) == 0
    assert hmm.median_bout(np.empty(0, np.int64), nothing[1]) == 0
    with pytest.raises(ValueError, match="at least one row"):
        fitting.fit(*nothing, 3)


def test_the_same_seed_gives_the_same_model():
    values, _ = simulate(random_model(4, 3), [500])
    fits = [fitting.fit(values, np.array([500]), 4, seed=3, bout=5.0) for _ in range(2)]
    for name in ("start", "transition", "mean", "covariance"):
        assert torch.equal(getattr(fits[0], name), getattr(fits[1], name))
    assert fits[0].temper == fits[1].temper


@pytest.mark.parametrize("kind", KINDS)
def test_simulated_states_are_found(kind):
    rng = np.random.default_rng(0)
    truth = sticky(3.0 * rng.normal(size=(6, 4)), 0.9)
    lengths = np.array([1000, 500])
    values, states = simulate(truth, lengths)
    model = fitting.fit(values, lengths, 6, covariance=kind)
    found, confidence = hmm.decode(model, values, lengths)
    assert adjusted_rand_score(states, found) > 0.95
    assert confidence.mean() > 0.95
    assert model.transition.diagonal().mean().item() == pytest.approx(0.9, abs=0.03)


def test_shared_covariance_finds_flat_states_that_kmeans_does_not():
    mean = np.array([[0.0, 0.0], [0.0, 3.0], [0.0, 6.0]])
    truth = sticky(mean, 0.95, np.diag([100.0, 0.3]))
    values, states = simulate(truth, [2000])
    rows = tensor(values)
    started = nearest(rows, kmeans(rows, 3, 0)).numpy()
    scaled = values / values.std(axis=0)
    found = hmm.decode(fitting.fit(scaled, np.array([2000]), 3), scaled, np.array([2000]))[0]
    assert adjusted_rand_score(states, started) < 0.2
    assert adjusted_rand_score(states, found) > 0.9


def test_phases_of_a_movement_that_repeats_are_no_states():
    """Three kinds of a cycle with the same phases: k-means of rows finds phases, of windows the kinds."""
    rng = np.random.default_rng(0)
    kind, phase = np.repeat(rng.integers(3, size=60), 30), np.arange(1800) * 2 * np.pi / 12
    cycle = 2 * np.stack([np.cos(phase), np.sin(phase)], axis=1)
    values = np.concatenate([cycle, np.eye(3)[kind]], axis=1) + 0.3 * rng.normal(size=(1800, 5))
    lengths = np.array([900, 900])
    score = {}
    for window in (None, 12, 24):
        model = fitting.fit(values, lengths, 3, window=window)
        score[window] = adjusted_rand_score(kind, hmm.viterbi(model, tensor(values), lengths))
    assert score[None] < 0.1 and score[12] > 0.98 and score[24] > 0.98


@given(st.lists(st.integers(1, 12), min_size=1, max_size=4), st.integers(1, 9))
@settings(max_examples=10)
def test_rows_are_averaged_within_their_run(lengths, window):
    ends, half = np.cumsum(lengths), window // 2
    rows = tensor(np.random.default_rng(0).normal(size=(ends[-1], 2)))
    found = fitting._averaged(rows, np.array(lengths), window)
    for length, end in zip(lengths, ends, strict=True):
        run = rows[end - length : end]
        for i in range(length):
            expected = run[max(i - half, 0) : i + half + 1].mean(dim=0)
            torch.testing.assert_close(found[end - length + i], expected)


def test_exponent_never_costs_a_state():
    """States that are phases of a cycle, and a wish for bouts that would merge them all."""
    rng = np.random.default_rng(0)
    kind, phase = np.repeat(rng.integers(4, size=60), 100), np.arange(6000) * 2 * np.pi / 12
    cycle = 1.5 * np.stack([np.cos(phase), np.sin(phase)], axis=1)
    values = np.concatenate([cycle, np.eye(4)[kind]], axis=1) + 0.4 * rng.normal(size=(6000, 6))
    lengths = np.array([6000])
    model = fitting.fit(values, lengths, 4, bout=30.0)
    assert len(set(hmm.decode(model, values, lengths)[0])) == 4 and model.temper < 1


def test_exponent_is_1_where_bouts_are_long():
    values, _ = simulate(sticky(3 * np.eye(3), 0.98), [2000])
    assert fitting.fit(values, np.array([2000]), 3, bout=10.0).temper == 1


@pytest.mark.parametrize("bout", [12.0, 20.0])
def test_temper_gives_the_wanted_bout(bout):
    """A path without states: bouts are what the model makes them."""
    rng = np.random.default_rng(0)
    lengths = np.array([6000, 3000])
    values = np.zeros((9000, 4))
    for t in range(1, 9000):
        values[t] = 0.9 * values[t - 1] + rng.normal(size=4)
    model = fitting.fit(values, lengths, 8, bout=bout, max_iter=5)
    state, _ = hmm.decode(model, values, lengths)
    assert hmm.median_bout(state, lengths) == pytest.approx(bout, rel=0.1) and model.temper < 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_that_loses_its_rows_keeps_its_mean(kind):
    """A start far from all rows keeps its mean and harms nobody."""
    lengths = np.array([300])
    values, _ = simulate(sticky(np.array([[0.0, 0.0], [5.0, 5.0]]), 0.9), lengths)
    rows = tensor(values - values.mean(axis=0))
    state = (rows[:, 0] > 0).long()
    model = fitting._from_labels(rows, lengths, state, 3, kind)
    model = HMM(
        model.start,
        model.transition,
        model.mean + tensor([[0, 0], [0, 0], [1e4, 1e4]]),
        model.covariance,
    )
    model = fitting.improve(model, rows, lengths, kind, 10, 0.0)
    found = hmm.viterbi(model, rows, lengths)
    assert set(found) == {0, 1} and torch.isfinite(model.mean).all()
    assert torch.isfinite(model.covariance).all() and (model.transition > 0).all()
    assert hmm.posterior(model, rows.numpy(), lengths)[:, 2].max() < 1e-6


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_rows", [1, 2, 5])
def test_fewer_rows_than_states_are_fitted(kind, n_rows):
    values = np.random.default_rng(0).normal(size=(n_rows, 3))
    model = fitting.fit(values, np.array([n_rows]), 8, covariance=kind, bout=2.0)
    state, confidence = hmm.decode(model, values, np.array([n_rows]))
    assert ((state >= 0) & (state < 8)).all() and np.isfinite(confidence).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("constant", [1, 3])
def test_constant_dimensions_do_no_harm(kind, constant):
    """A collapsed latent space: some dimensions, or all, never change."""
    values = np.random.default_rng(0).normal(size=(200, 3))
    values[:, :constant] = 7.0
    model = fitting.fit(values, np.array([200]), 4, covariance=kind, bout=5.0)
    state, confidence = hmm.decode(model, values, np.array([200]))
    assert np.isfinite(confidence).all() and torch.isfinite(model.mean).all()
    assert len(set(state)) <= (1 if constant == 3 else 4)


def test_far_rows_do_not_overflow():
    model = sticky(np.array([[0.0], [1.0]]), 0.9)
    values = np.concatenate([np.zeros((5, 1)), np.full((5, 1), 1e6), np.full((5, 1), -1e6)])
    assert np.isfinite(hmm.posterior(model, values, np.array([15]))).all()


def test_ten_thousand_steps_do_not_underflow():
    model = sticky(np.array([[0.0], [0.5]]), 0.999)
    values, _ = simulate(model, [10_000])
    assert np.isfinite(hmm.log_likelihood(model, values, np.array([10_000])))
    posterior = hmm.posterior(model, values, np.array([10_000]))
    np.testing.assert_allclose(posterior.sum(axis=1), 1, atol=1e-9)


def test_a_bout_ends_with_its_run():
    state = np.array([0, 0, 1, 1, 1, 1, 2, 2])
    assert hmm.bout_lengths(state, np.array([8])).tolist() == [2, 4, 2]
    assert hmm.bout_lengths(state, np.array([3, 0, 5])).tolist() == [2, 1, 3, 2]


def test_kmeans_finds_clusters_with_any_seed():
    rng = np.random.default_rng(0)
    centres = 10 * rng.normal(size=(7, 5))
    label = rng.integers(7, size=3000)
    rows = tensor(centres[label] + rng.normal(size=(3000, 5)))
    for seed in range(3):
        found = nearest(rows, kmeans(rows, 7, seed))
        assert adjusted_rand_score(label, found) > 0.99


def test_kmeans_refines_on_all_rows(monkeypatch):
    monkeypatch.setattr("vame_pipe.motifs.kmeans.MAX_START_ROWS", 100)
    rng = np.random.default_rng(0)
    rows = tensor(rng.normal(size=(5000, 2)) + 8 * rng.integers(2, size=(5000, 1)))
    centres = kmeans(rows, 2, 0)
    means = torch.stack([rows[nearest(rows, centres) == k].mean(dim=0) for k in range(2)])
    np.testing.assert_allclose(centres, means, atol=1e-9)
