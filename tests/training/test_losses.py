import numpy as np
import pytest
import torch

from vame_pipe.config.sections import Train
from vame_pipe.training import losses
from vame_pipe.training.network import RNN_VAE


def test_squared_error_is_summed_over_a_window():
    output, target = torch.zeros(2, 3, 4), torch.full((2, 3, 4), 2.0)
    assert losses.squared_error(output, target).item() == 2**2 * 3 * 4


def test_kl_divergence_is_that_of_two_normal_distributions():
    """Against torch's own closed form for diagonal Gaussians."""
    mu, logvar = torch.randn(16, 5), torch.randn(16, 5)
    normal = torch.distributions.Normal
    expected = torch.distributions.kl_divergence(
        normal(mu, (0.5 * logvar).exp()), normal(0, 1)
    ).mean()
    torch.testing.assert_close(losses.kl_divergence(mu, logvar), expected)
    assert losses.kl_divergence(torch.zeros(3, 2), torch.zeros(3, 2)) == 0


@pytest.mark.parametrize("shape", [(16, 4), (5, 9)])
def test_spectral_norm_and_its_gradient_are_those_of_the_gram_matrix(shape):
    """VAME's way: square roots of the singular values of the batch's Gram matrix."""
    torch.manual_seed(0)
    z = torch.randn(shape, dtype=torch.double, requires_grad=True)
    count = min(shape)
    gram = torch.linalg.svdvals(z @ z.T / len(z))
    (theirs,) = torch.autograd.grad(gram[:count].sqrt().sum(), z)
    value = losses.spectral_norm(z)
    (ours,) = torch.autograd.grad(value, z)
    torch.testing.assert_close(value, gram[:count].sqrt().sum())
    torch.testing.assert_close(ours, theirs)


def test_annealing_starts_late_and_ends_at_one():
    linear = [losses.annealing(epoch, 2, 4, "linear") for epoch in range(8)]
    assert linear == [0, 0, 0, 0.25, 0.5, 0.75, 1, 1]
    sigmoid = [losses.annealing(epoch, 2, 4, "sigmoid") for epoch in range(20)]
    assert sigmoid[:3] == [0, 0, 0] and sigmoid[4] == 0.5
    assert (np.diff(sigmoid) >= 0).all() and sigmoid[-1] == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("future", [True, False])
def test_the_objective_is_the_weighted_sum_of_the_terms(future):
    """Computed by hand from the outputs of a network in evaluation."""
    torch.manual_seed(0)
    sizes = dict.fromkeys(("hidden_size_layer_1", "hidden_size_layer_2"), 4)
    sizes |= dict.fromkeys(("hidden_size_rec", "hidden_size_pred"), 4)
    dropout = dict.fromkeys(("dropout_encoder", "dropout_rec", "dropout_pred"), 0.0)
    net = RNN_VAE(10, 3, 2, future, 3, **sizes, **dropout, softplus=False).eval()
    window = torch.randn(6, 8 if future else 5, 2)
    terms, means = losses.loss_terms(net, window[:, :5], window)
    reconstruction, *prediction, z, mu, logvar = net(window[:, :5])
    expected = [((reconstruction - window[:, :5]) ** 2).sum() / 6]
    expected.append(((prediction[0] - window[:, 5:]) ** 2).sum() / 6 if future else torch.zeros(()))
    expected.append(0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum() / 6)
    expected.append(torch.linalg.svdvals(z / 6**0.5).sum())
    torch.testing.assert_close(torch.stack(terms), torch.stack(expected))
    torch.testing.assert_close(means, mu)
    settings = Train(beta=2.0, prediction_weight=0.5, spectral_weight=0.1)
    value = losses.objective(terms, settings, annealing_weight=0.25)
    one, two, three, four = expected
    torch.testing.assert_close(value, one + 0.5 * two + 0.25 * (2 * three + 0.1 * four))
