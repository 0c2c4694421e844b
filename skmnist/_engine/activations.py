"""The activation functions and their gradients."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F


def logistic(X: torch.Tensor) -> torch.Tensor:
    """Return the logistic function, the same bits on any number of threads.

    torch's own uses other arithmetic for the numbers at the end of a thread's part that
    do not fill a vector.
    """
    return torch.exp(-X).add(1).reciprocal()


def gelu(X: torch.Tensor) -> torch.Tensor:
    """Return the Gaussian error linear unit, the same bits on any number of threads."""
    if X.dtype != torch.float64:
        return F.gelu(X)
    # As for `logistic`; in float32 torch's own has no such end.
    return torch.erf(X / math.sqrt(2)).add(1).mul(X).mul(0.5)


class Logistic(nn.Sigmoid):
    """The logistic function as a module."""

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Apply the function."""
        return logistic(X)


class GELU(nn.GELU):
    """The Gaussian error linear unit as a module."""

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Apply the function."""
        return gelu(X)


def _relu_gradient(gradient, X, outputs):
    return torch.ops.aten.threshold_backward(gradient, outputs, 0)  # as autograd does


def _tanh_gradient(gradient, X, outputs):
    # One rounding less than 1 - outputs**2: autograd's numbers.
    one = torch.ones((), dtype=outputs.dtype, device=outputs.device)
    return torch.addcmul(one, outputs, outputs, value=-1).mul_(gradient)


def _logistic_gradient(gradient, X, outputs):
    return gradient * (1 - outputs) * outputs


def _gelu_gradient(gradient, X, outputs):
    share = torch.erf(X / math.sqrt(2)).add_(1).mul_(0.5)
    density = torch.exp(X * X / -2).mul_(1 / math.sqrt(2 * math.pi))
    return gradient * density.mul_(X).add_(share)


class Activation(NamedTuple):
    """An activation function: its module, and what a training step does with it.

    `function` and `gradient` may work in place. `gradient` goes from the gradient over
    the outputs to that over the inputs, given the inputs (not where `function` works in
    place) and the outputs. Where `takes_dropped`, it may get the outputs after dropout.
    """

    module: type[nn.Module]
    function: Callable[[torch.Tensor], torch.Tensor]
    gradient: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
    takes_dropped: bool = False


ACTIVATIONS = {
    "relu": Activation(nn.ReLU, torch.relu_, _relu_gradient, takes_dropped=True),
    "tanh": Activation(nn.Tanh, torch.tanh_, _tanh_gradient),
    "gelu": Activation(GELU, gelu, _gelu_gradient),
    "logistic": Activation(Logistic, logistic, _logistic_gradient),
    "identity": Activation(
        nn.Identity,
        lambda X: X,
        lambda gradient, X, outputs: gradient,
        takes_dropped=True,
    ),
}
