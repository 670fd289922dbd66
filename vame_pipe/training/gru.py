"""A bidirectional GRU that trains faster on a CPU than torch's, with the same weights and results.

torch records each small operation of each time step and direction for its gradient. At the sizes of this
package that costs more than the arithmetic. Here one layer, with both directions and all time steps, is one
operation with a gradient of its own (benchmarks/README.md, "Steps").
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


def run_gru(rnn: nn.GRU, inputs: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return what `rnn(inputs, state)` returns, to rounding; faster in training on a CPU.

    Parameters
    ----------
    rnn : torch.nn.GRU
        Bidirectional, batch first, with biases.
    inputs : Tensor
        `(batch, time, features)`. If it is one frame that was expanded over time, that frame is multiplied
        with the weights once and not at every step.
    state : Tensor, optional
        `(2 * layers, batch, hidden)`, the initial state; default: zeros.

    Returns
    -------
    output : Tensor
        `(batch, time, 2 * hidden)`.
    last : Tensor
        `(2 * layers, batch, hidden)`, the final states.

    Examples
    --------
    >>> rnn = nn.GRU(3, 4, batch_first=True, bidirectional=True)
    >>> windows = torch.randn(2, 5, 3)
    >>> torch.allclose(run_gru(rnn, windows)[0], rnn(windows)[0], atol=1e-6)
    True
    """
    on_cpu = inputs.device.type == "cpu" and not torch.is_autocast_enabled("cpu")
    if not (on_cpu and torch.is_grad_enabled()):
        return rnn(inputs, state)
    batch, n_steps, _ = inputs.shape
    if state is None:
        state = inputs.new_zeros(2 * rnn.num_layers, batch, rnn.hidden_size)
    is_repeated = inputs.stride(1) == 0
    layer = (inputs[:, :1] if is_repeated else inputs).transpose(0, 1)
    last = []
    for index in range(rnn.num_layers):
        if index:
            layer = nn.functional.dropout(layer, rnn.dropout, rnn.training)
        weights = (_both_directions(rnn, f"{kind}_l{index}") for kind in _WEIGHTS)
        start = state[2 * index : 2 * index + 2]
        layer, final = _BidirectionalLayer.apply(layer, start, *weights, n_steps)
        last.append(final)
    return layer.transpose(0, 1), torch.cat(last)


_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def _both_directions(rnn: nn.GRU, name: str) -> Tensor:
    return torch.stack((getattr(rnn, name), getattr(rnn, f"{name}_reverse")))


class _BidirectionalLayer(torch.autograd.Function):
    """One layer of a GRU, in both directions.

    With the input x, the state h before a step, and s the logistic function:

        r = s(Wr x + Ur h + br)    z = s(Wz x + Uz h + bz)    m = Um h + cm
        n = tanh(Wn x + bn + r * m)    state after the step: n + z * (h - n)

    Time runs along the second axis of every array. The second direction sees the input reversed in time.
    """

    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,  # (time, batch, features), or (1, batch, features) for all steps
        start: Tensor,  # (2, batch, hidden)
        weight_ih: Tensor,  # (2, 3 * hidden, features): r, z, n
        weight_hh: Tensor,  # (2, 3 * hidden, hidden)
        bias_ih: Tensor,  # (2, 3 * hidden)
        bias_hh: Tensor,
        n_steps: int,
    ) -> tuple[Tensor, Tensor]:
        n_inputs, batch, _ = inputs.shape
        hidden = weight_hh.shape[2]
        rz, m = slice(2 * hidden), slice(2 * hidden, None)
        seen = torch.stack((inputs, inputs.flip(0))).flatten(1, 2)
        bias = bias_ih.clone()
        bias[:, rz] += bias_hh[:, rz]
        from_inputs = torch.baddbmm(bias.unsqueeze(1), seen, weight_ih.transpose(1, 2))
        from_inputs = from_inputs.view(2, n_inputs, batch, 3 * hidden)
        gates = inputs.new_empty(2, n_steps, batch, 3 * hidden)  # becomes r, z, m
        gates[..., rz] = from_inputs[..., rz]
        gates[..., m] = bias_hh[:, None, None, m]
        new = inputs.new_empty(2, n_steps, batch, hidden)  # becomes n
        new[:] = from_inputs[..., m]
        states = inputs.new_empty(2, n_steps + 1, batch, hidden)
        states[:, 0] = start
        # lists of views: indexing a tensor at every step takes as long as the arithmetic
        r, m_steps = gates[..., :hidden].unbind(1), gates[..., m].unbind(1)
        z, rz_steps = gates[..., hidden : 2 * hidden].unbind(1), gates[..., rz].unbind(1)
        n, h = new.unbind(1), states.unbind(1)
        ahead, behind = (list(zip(gates[i], states[i], strict=False)) for i in (0, 1))
        weights = weight_hh.transpose(1, 2).unbind(0)
        for step in range(n_steps):
            for (gates_now, state), weight in zip(
                (ahead[step], behind[step]), weights, strict=True
            ):
                gates_now.addmm_(state, weight)
            rz_steps[step].sigmoid_()
            n[step].addcmul_(r[step], m_steps[step]).tanh_()
            torch.lerp(n[step], h[step], z[step], out=h[step + 1])
        ctx.save_for_backward(seen, weight_ih, weight_hh, states, gates, new)
        output = torch.cat((states[0, 1:], states[1, 1:].flip(0)), dim=-1)
        return output, states[:, -1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        seen, weight_ih, weight_hh, states, gates, n = ctx.saved_tensors
        grad_output, grad_last = gradients
        _, n_steps, batch, hidden = n.shape
        r, z, m = gates.split(hidden, dim=-1)
        before = states[:, :-1]
        # how r, z and m (before the logistic function) and n (before tanh) follow a change of the state
        grad_n = (1 - z) * (1 - n * n)
        grad_gates = torch.empty_like(gates)
        to_r, to_z, to_m = grad_gates.split(hidden, dim=-1)
        torch.mul(grad_n, r, out=to_m)
        torch.mul(to_m, m, out=to_r).mul_(1 - r)
        torch.mul(before - n, z, out=to_z).mul_(1 - z)
        # from the last step to the first: the gradient of the state after each step
        grad = torch.cat((grad_output[..., :hidden], grad_output[..., hidden:].flip(0)))
        grad = grad.view_as(n)
        grad[:, -1] += grad_last
        grad_start = torch.zeros_like(grad[:, 0])
        after = [grad_start, *grad.unbind(1)]
        gates_steps = grad_gates.unflatten(-1, (3, hidden)).unbind(1)
        ahead, behind = grad_gates.unbind(0)
        z_steps = z.unbind(1)
        for step in reversed(range(n_steps)):
            gates_steps[step].mul_(after[step + 1].unsqueeze(2))
            after[step].addcmul_(after[step + 1], z_steps[step])
            after[step][0].addmm_(ahead[step], weight_hh[0])
            after[step][1].addmm_(behind[step], weight_hh[1])
        rows = grad_gates.flatten(1, 2)
        grad_weight_hh = rows.transpose(1, 2) @ before.reshape(2, n_steps * batch, hidden)
        grad_bias_hh = rows.sum(1)
        torch.mul(grad, grad_n, out=to_m)  # from here on: of r, z and n
        if seen.shape[1] == batch:
            rows = grad_gates.sum(1)
        grad_seen = rows @ weight_ih if ctx.needs_input_grad[0] else None
        if grad_seen is not None:
            ahead, behind = grad_seen.unflatten(1, (-1, batch))
            grad_seen = ahead + behind.flip(0)
        grad_weight_ih = rows.transpose(1, 2) @ seen
        return (
            grad_seen,
            grad_start,
            grad_weight_ih,
            grad_weight_hh,
            rows.sum(1),
            grad_bias_hh,
            None,
        )
