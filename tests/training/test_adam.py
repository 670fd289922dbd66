"""Adam against torch's class, and what importing that would cost."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from vame_pipe.training.adam import Adam


def parameters():
    torch.manual_seed(0)
    return [nn.Parameter(torch.randn(5, 3)), nn.Parameter(torch.randn(3))]


def take_step(weights, step):
    inputs = torch.linspace(-1, 1, 5) * (step + 1)
    loss = (inputs @ weights[0] + weights[1]).sin().square().sum()
    loss.backward()


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("fused", [False, True])
def test_steps_are_those_of_torch_also_after_a_restart(amsgrad, fused):
    theirs, ours = parameters(), parameters()
    expected = torch.optim.Adam(theirs, amsgrad=amsgrad, fused=fused, foreach=False)
    found = Adam(ours, amsgrad, fused)
    for step in range(6):
        rate = 0.1 / (step + 1)
        expected.param_groups[0]["lr"] = rate
        if step == 3:
            state = found.state_dict()
            found = Adam(ours, amsgrad, fused)
            found.load_state_dict(state)
        expected.zero_grad()
        found.zero_grad()
        take_step(theirs, step)
        take_step(ours, step)
        expected.step()
        found.step(rate)
        assert found.learning_rate == rate
        assert all(torch.equal(a, b) for a, b in zip(theirs, ours, strict=True))


def test_training_on_a_cpu_does_not_import_the_compiler_of_torch():
    code = (
        "import sys, torch\n"
        "from vame_pipe.training.adam import Adam\n"
        "from vame_pipe.training.random_state import seed_everything\n"
        "import vame_pipe.training.loop\n"
        "seed_everything(0, 'cpu')\n"
        "weight = torch.nn.Parameter(torch.ones(1))\n"
        "weight.square().sum().backward()\n"
        "torch.nn.utils.clip_grad_norm_([weight], 1.0)\n"
        "Adam([weight]).step(0.1)\n"
        "assert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
