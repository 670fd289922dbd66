"""The GRU of training against torch's: same results, same gradients."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from vame_pipe.training import gru
from vame_pipe.training.gru import run_gru


def results(function, rnn, inputs, state, n_steps):
    """Return outputs and all gradients; `inputs` of one frame are expanded over time."""
    leaves = [inputs, *([] if state is None else [state]), *rnn.parameters()]
    repeated = inputs.expand(-1, n_steps, -1)
    output, last = function(repeated, state)
    weight = torch.linspace(1, 2, output.numel(), dtype=output.dtype).view_as(output)
    loss = (weight * output).sin().sum() + last.cos().sum()
    return [output, last, *torch.autograd.grad(loss, leaves)]


@settings(max_examples=30, deadline=None)
@given(
    batch=st.integers(1, 4),
    n_steps=st.integers(1, 6),
    sizes=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    layers=st.integers(1, 3),
    repeated=st.booleans(),
    with_state=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_results_and_gradients_are_those_of_torch(
    batch, n_steps, sizes, layers, repeated, with_state, seed
):
    torch.manual_seed(seed)
    rnn = nn.GRU(*sizes, num_layers=layers, batch_first=True, bidirectional=True).double()
    frames = 1 if repeated else n_steps
    inputs = torch.randn(batch, frames, sizes[0], dtype=torch.double, requires_grad=True)
    state = None
    if with_state:
        state = torch.randn(2 * layers, batch, sizes[1], dtype=torch.double, requires_grad=True)
    expected = results(rnn, rnn, inputs, state, n_steps)
    found = results(lambda *given: run_gru(rnn, *given), rnn, inputs, state, n_steps)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-10)


def test_dropout_between_layers_is_that_of_torch():
    rnn = nn.GRU(3, 16, num_layers=2, batch_first=True, bidirectional=True, dropout=0.5)
    inputs = torch.randn(8, 5, 3)
    torch.manual_seed(1)
    first, _ = run_gru(rnn, inputs)
    assert not torch.equal(first, run_gru(rnn, inputs)[0])
    rnn.eval()
    torch.testing.assert_close(run_gru(rnn, inputs)[0], rnn(inputs)[0])


def test_torch_computes_what_has_no_gradient_or_is_not_float32(monkeypatch):
    monkeypatch.delattr(gru, "_BidirectionalLayer")
    rnn = nn.GRU(3, 4, batch_first=True, bidirectional=True)
    inputs = torch.randn(2, 5, 3)
    with torch.no_grad():
        assert torch.equal(run_gru(rnn, inputs)[0], rnn(inputs)[0])
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(run_gru(rnn, inputs)[0], rnn(inputs)[0])
    with pytest.raises(NameError):
        run_gru(rnn, inputs)
