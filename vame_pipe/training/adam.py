"""Adam, without torch's class for it: that imports torch's compiler, which takes a second in every job."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adam import adam


class Adam:
    """torch's Adam (Kingma & Ba 2015, arXiv 1412.6980), with its default settings.

    Parameters
    ----------
    parameters : iterable of torch.nn.Parameter
    amsgrad : bool
        Use the variant AMSGrad.
    fused : bool
        Update all parameters in one operation.

    Attributes
    ----------
    learning_rate : float
        That of the last step; 0 before the first.

    Examples
    --------
    >>> weight = nn.Parameter(torch.tensor([1.0]))
    >>> optimizer = Adam([weight])
    >>> weight.square().sum().backward()
    >>> optimizer.step(learning_rate=0.1)
    >>> f"{weight.item():.3f}"
    '0.900'
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], amsgrad: bool = False, fused: bool = True
    ):
        self.parameters = list(parameters)
        self.learning_rate = 0.0
        self._fused = fused
        self._mean = [torch.zeros_like(weight) for weight in self.parameters]
        self._square = [torch.zeros_like(weight) for weight in self.parameters]
        self._largest = [torch.zeros_like(weight) for weight in self.parameters if amsgrad]
        # torch wants the counters on the device only if the update is fused
        self._steps = [
            torch.zeros((), device=weight.device if fused else "cpu") for weight in self.parameters
        ]

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for weight in self.parameters:
            weight.grad = None

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Update the parameters by their gradients; every parameter has one."""
        self.learning_rate = learning_rate
        adam(
            self.parameters,
            [weight.grad for weight in self.parameters if weight.grad is not None],
            self._mean,
            self._square,
            self._largest,
            self._steps,
            fused=self._fused,
            foreach=False,
            amsgrad=bool(self._largest),
            beta1=0.9,
            beta2=0.999,
            lr=learning_rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs to go on."""
        return {
            "learning_rate": self.learning_rate,
            "mean": self._mean,
            "square": self._square,
            "largest": self._largest,
            "steps": self._steps,
        }

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state that `state_dict` returned, on any device."""
        self.learning_rate = state["learning_rate"]
        own: dict[str, list[Tensor]] = {
            "mean": self._mean,
            "square": self._square,
            "largest": self._largest,
            "steps": self._steps,
        }
        for name, tensors in own.items():
            for tensor, stored in zip(tensors, state[name], strict=True):
                tensor.copy_(stored)
