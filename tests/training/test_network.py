import json
from pathlib import Path

import numpy as np
import pytest
import torch

from vame_pipe.training import losses
from vame_pipe.training.network import RNN_VAE

SMALL = {
    "TEMPORAL_WINDOW": 16,
    "ZDIMS": 5,
    "NUM_FEATURES": 3,
    "FUTURE_DECODER": True,
    "FUTURE_STEPS": 4,
    "hidden_size_layer_1": 7,
    "hidden_size_layer_2": 7,
    "hidden_size_rec": 6,
    "hidden_size_pred": 9,
    "dropout_encoder": 0.2,
    "dropout_rec": 0.1,
    "dropout_pred": 0.1,
    "softplus": False,
}


@pytest.fixture(params=["vame_future", "vame_softplus"])
def reference(request):
    """Random weights, and what VAME 0.14.2 computes with them."""
    path = Path(__file__).parents[1] / f"reference/{request.param}.npz"
    return dict(np.load(path, allow_pickle=False))


def network(**changes):
    torch.manual_seed(0)
    return RNN_VAE(**SMALL | changes)


def gru_cell(x, h, w_ih, w_hh, b_ih, b_hh):
    """One step of a GRU (Cho et al. 2014) in plain numpy."""
    sigmoid = lambda v: 1 / (1 + np.exp(-v))  # noqa: E731
    ir, iz, i_n = np.split(w_ih @ x + b_ih, 3)
    hr, hz, hn = np.split(w_hh @ h + b_hh, 3)
    r, z = sigmoid(ir + hr), sigmoid(iz + hz)
    return (1 - z) * np.tanh(i_n + r * hn) + z * h


def gru(x, h0, weights, layer):
    """A bidirectional layer over `(time, features)`; returns outputs and both final states."""
    outputs, finals = [], []
    for direction, suffix in enumerate(("", "_reverse")):
        w = [
            weights[f"{n}_l{layer}{suffix}"]
            for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        ]
        h, track = h0[direction], []
        for step in x[:: 1 - 2 * direction]:
            h = gru_cell(step, h, *w)
            track.append(h)
        outputs.append(np.array(track)[:: 1 - 2 * direction])
        finals.append(h)
    return np.concatenate(outputs, axis=1), finals


def part(state, prefix):
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def oracle(state, x, future):
    """The network on one window: states of the encoder, posterior mean, two decoders."""
    hidden = len(state["encoder.encoder_rnn.weight_hh_l0"][0])
    weights = part(state, "encoder.encoder_rnn.")
    first, finals_1 = gru(x, np.zeros((2, hidden)), weights, 0)
    _, finals_2 = gru(first, np.zeros((2, hidden)), weights, 1)
    code = np.concatenate(finals_1 + finals_2)
    z = state["lmbda.hidden_to_mean.weight"] @ code + state["lmbda.hidden_to_mean.bias"]
    results = []
    for name, rnn, steps in (
        ("decoder", "rnn_rec", len(x)),
        ("decoder_future", "rnn_pred", future),
    ):
        w = part(state, f"{name}.")
        h0 = np.split(w["latent_to_hidden.weight"] @ z + w["latent_to_hidden.bias"], 2)
        out, _ = gru(np.tile(z, (steps, 1)), h0, part(w, f"{rnn}."), 0)
        results.append(out @ w["hidden_to_output.weight"].T + w["hidden_to_output.bias"])
    return *results, z


def test_outputs_are_those_of_a_network_in_numpy():
    net = network().eval()
    state = {k: v.double().numpy() for k, v in net.state_dict().items()}
    x = torch.randn(4, 8, 3)
    prediction, future, z, mu, _ = net(x)
    for sample in range(4):
        expected = oracle(state, x[sample].double().numpy(), 4)
        for got, want in zip((prediction, future, mu), expected, strict=True):
            np.testing.assert_allclose(got[sample].detach(), want, atol=1e-5)
    assert torch.equal(z, mu)


def test_outputs_are_those_of_vame(reference):
    arguments = json.loads(str(reference["arguments"]))
    net = RNN_VAE(**arguments, batch_mixing=True).eval()
    state = {
        k.removeprefix("param/"): torch.from_numpy(v) for k, v in reference.items() if "param/" in k
    }
    net.load_state_dict(state, strict=True)
    outputs = net(torch.from_numpy(reference["input"]))
    names = ("prediction", "future", "z", "mu", "logvar")
    if not arguments["FUTURE_DECODER"]:
        names = ("prediction", "z", "mu", "logvar")
    for name, value in zip(names, outputs, strict=True):
        np.testing.assert_allclose(
            value.detach(), reference[f"output/{name}"], atol=1e-5, err_msg=name
        )


def test_losses_are_those_of_vame(reference):
    latent = torch.from_numpy(reference["loss/latent"])
    count = min(5, latent.shape[1])
    values = torch.linalg.svdvals(latent / len(latent) ** 0.5)
    # VAME's term is a tenth of the sum of the largest values; ours is the sum of all
    np.testing.assert_allclose(0.1 * values[:count].sum(), reference["loss/cluster"], rtol=1e-5)
    torch.testing.assert_close(losses.spectral_norm(latent), values.sum())
    mu, logvar = (torch.from_numpy(reference[f"loss/{name}"]) for name in ("mu", "logvar"))
    np.testing.assert_allclose(losses.kl_divergence(mu, logvar), reference["loss/kl"], rtol=1e-5)
    for function in ("linear", "sigmoid"):
        got = [losses.annealing(epoch, 2, 4, function) for epoch in range(12)]
        np.testing.assert_allclose(got, reference[f"loss/anneal_{function}"], atol=1e-6)


def test_samples_of_a_batch_do_not_influence_each_other():
    net = network().eval()
    x = torch.randn(8, 8, 3)
    together = net(x)
    changed = x.clone()
    changed[5] += 1
    after = net(changed)
    others = [0, 1, 2, 3, 4, 6, 7]
    for before, now in zip(together, after, strict=True):
        torch.testing.assert_close(before[others], now[others], rtol=0, atol=1e-6)
        assert not torch.allclose(before[5], now[5], atol=1e-3)
    for i in range(8):
        for batch, single in zip(together, net(x[i : i + 1]), strict=True):
            torch.testing.assert_close(batch[i : i + 1], single, rtol=0, atol=1e-6)


def test_batch_mixing_reproduces_the_published_fault():
    """Changing sample 5 of 8 changes the reconstructions of samples 2, 3 and 5."""
    net = network(batch_mixing=True).eval()
    x = torch.randn(8, 8, 3)
    changed = x.clone()
    changed[5] += 1
    difference = (net(x)[0] - net(changed)[0]).abs().amax(dim=(1, 2))
    assert torch.nonzero(difference > 1e-4).flatten().tolist() == [2, 3, 5]


def test_samples_in_training_have_the_mean_and_variance_of_the_posterior():
    net = network(dropout_encoder=0.0).train()
    x = torch.randn(1, 8, 3).expand(20_000, -1, -1)
    with torch.no_grad():
        _, _, z, mu, logvar = net(x)
    torch.testing.assert_close(z.mean(0), mu[0], atol=0.03, rtol=0)
    torch.testing.assert_close(z.var(0), logvar[0].exp(), atol=0, rtol=0.05)


@pytest.mark.parametrize("future", [True, False])
def test_outputs_have_the_shapes_of_vame(future):
    outputs = network(FUTURE_DECODER=future)(torch.randn(2, 8, 3))
    expected = [(2, 8, 3), (2, 4, 3), (2, 5), (2, 5), (2, 5)]
    assert [tuple(o.shape) for o in outputs] == (
        expected if future else [expected[0], *expected[2:]]
    )


def test_softplus_keeps_the_log_variance_positive():
    assert (network(softplus=True)(torch.randn(16, 8, 3))[-1] > 0).all()
    assert (network()(torch.randn(64, 8, 3))[-1] < 0).any()
