"""The torch module: a multilayer perceptron, its dropout and its first weights."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.ops import aten

ACTIVATIONS = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
    "logistic": nn.Sigmoid,
    "identity": nn.Identity,
}


# From the gradient over a layer's outputs to that over its inputs.
ACTIVATION_GRADIENTS = {
    nn.ReLU: lambda gradient, X, out: aten.threshold_backward(gradient, out, 0),
    nn.Tanh: lambda gradient, X, out: aten.tanh_backward(gradient, out),
    nn.GELU: lambda gradient, X, out: aten.gelu_backward(gradient, X),
    nn.Sigmoid: lambda gradient, X, out: aten.sigmoid_backward(gradient, out),
    nn.Identity: lambda gradient, X, out: gradient,
}


class MLP(nn.Sequential):
    """A multilayer perceptron from rows of pixels to the logits of the classes.

    For each hidden layer k it has the children `hidden_k`, `activation_k` and, where
    there is dropout, `dropout_k`; the last child is `output`.

    Parameters
    ----------
    n_features : int
        The number of pixels of an image.
    hidden_layer_sizes : sequence of int
        The number of units of each hidden layer; may be empty.
    n_classes : int
        The number of logits.
    activation : {"relu", "tanh", "gelu", "logistic", "identity"}, default="relu"
        The activation function of the hidden layers.
    dropout : float, default=0.5
        The share of each hidden layer's outputs that is dropped in training.
    rng : numpy.random.Generator, default=None
        The source of the first weights and of the dropout masks.
    dtype : torch.dtype, default=torch.float32
        The float type of the weights.
    """

    def __init__(
        self,
        n_features: int,
        hidden_layer_sizes: Sequence[int],
        n_classes: int,
        activation: str = "relu",
        dropout: float = 0.5,
        rng: np.random.Generator | None = None,
        dtype: torch.dtype = torch.float32,
    ):
        rng = np.random.default_rng() if rng is None else rng
        layers = OrderedDict()
        sizes = (n_features, *hidden_layer_sizes)
        for number, (n_in, n_out) in enumerate(pairwise(sizes), start=1):
            layers[f"hidden_{number}"] = glorot_linear(n_in, n_out, rng, dtype)
            layers[f"activation_{number}"] = ACTIVATIONS[activation]()
            if dropout > 0:
                layers[f"dropout_{number}"] = Dropout(dropout, rng)
        layers["output"] = glorot_linear(sizes[-1], n_classes, rng, dtype)
        super().__init__(layers)


class Dropout(nn.Module):
    """Dropout with a cheap exact mask from a generator of its own.

    torch draws its CPU masks one by one from the global generator, which takes a third
    of a training step of a small network. Here each output gets 16 raw random bits, so
    that the share that is kept is exact to 1 / 131,072.

    Parameters
    ----------
    p : float
        The share of outputs to drop, in [0, 1).
    rng : numpy.random.Generator
        The source of the masks.
    """

    def __init__(self, p: float, rng: np.random.Generator):
        super().__init__()
        self.p = p
        self.rng = rng
        self.n_kept = max(1, round((1 - p) * 2**16))

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Drop outputs and scale up the others in training; else pass them on."""
        return X * self.mask(X) if self.training else X

    def mask(self, X: torch.Tensor) -> torch.Tensor:
        """Draw a mask like `X`: 0 for what is dropped, else 1 / the share kept."""
        scale = 2**16 / self.n_kept
        if X.device.type == "cpu":
            words = self.rng.bit_generator.random_raw(math.ceil(X.numel() / 4))
            kept = words.view(np.uint16)[: X.numel()] < self.n_kept
            # NumPy: torch takes twice as long to make floats of booleans.
            dtype = np.float64 if X.dtype == torch.float64 else np.float32
            mask = np.multiply(kept, scale, dtype=dtype)
            return torch.from_numpy(mask).view(X.shape)
        generator = torch.Generator(X.device)
        generator.manual_seed(int(self.rng.integers(2**63)))
        bits = torch.randint(
            2**16, X.shape, dtype=torch.int32, device=X.device, generator=generator
        )
        return (bits < self.n_kept).to(X.dtype).mul_(scale)

    def extra_repr(self) -> str:
        """Name the rate where the module is printed."""
        return f"p={self.p}"


@torch.no_grad()
def compute_gradients(
    module: MLP,
    X: torch.Tensor,
    y: torch.Tensor,
    sample_weight: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Go forward and back through a network and write its gradients into `grad`.

    The same numbers as autograd's for the weighted mean of the cross-entropy, written
    out by hand because autograd's bookkeeping takes a fifth of a step of a small
    network.

    Parameters
    ----------
    module : MLP
        The network, in training mode.
    X : tensor of shape (n_samples, n_pixels)
        The images.
    y : tensor of int64, shape (n_samples,)
        The labels, encoded as 0 to n_classes - 1.
    sample_weight : tensor of shape (n_samples,), default=None
        The weights of the images.

    Returns
    -------
    loss : tensor of shape ()
        The weighted mean of the losses.
    logits : tensor of shape (n_samples, n_classes)
        The logits, with dropout on.
    """
    passes = []
    out = X
    for layer in module:
        inputs = out
        if isinstance(layer, Dropout):
            mask = layer.mask(inputs)
            out = inputs * mask
            passes.append((layer, mask, out))
        else:
            out = layer(inputs)
            passes.append((layer, inputs, out))
    logits = out
    loss, gradient = _cross_entropy(logits, y, sample_weight)
    for layer, inputs, out in reversed(passes):
        if isinstance(layer, Dropout):
            gradient = gradient.mul_(inputs)
        elif isinstance(layer, nn.Linear):
            _write_gradient(layer.weight, torch.mm, gradient.T, inputs)
            _write_gradient(layer.bias, torch.sum, gradient, 0)
            if inputs is not X:
                gradient = gradient @ layer.weight
        else:
            gradient = ACTIVATION_GRADIENTS[type(layer)](gradient, inputs, out)
    return loss, logits


def _cross_entropy(logits, y, sample_weight):
    log_probabilities = logits.log_softmax(dim=1)
    losses = F.nll_loss(log_probabilities, y, reduction="none")
    gradient = log_probabilities.exp_()
    gradient[torch.arange(len(y), device=y.device), y] -= 1
    if sample_weight is not None:
        losses = losses * sample_weight
        gradient *= sample_weight.unsqueeze(1)
    return losses.mean(), gradient.div_(len(y))


def _write_gradient(parameter, operation, *operands):
    if not parameter.requires_grad:  # frozen, by skorch's Freezer for example
        parameter.grad = None
    elif parameter.grad is None:
        parameter.grad = operation(*operands)
    else:
        operation(*operands, out=parameter.grad)


def glorot_linear(
    n_in: int, n_out: int, rng: np.random.Generator, dtype: torch.dtype
) -> nn.Linear:
    """Make a linear layer with Glorot-uniform weights and zero biases.

    References
    ----------
    Glorot and Bengio, 2010, "Understanding the difficulty of training deep
    feedforward neural networks", AISTATS.
    """
    # skip_init: torch's own first weights would come from the global generator.
    linear = nn.utils.skip_init(nn.Linear, n_in, n_out, dtype=dtype)
    bound = math.sqrt(6 / (n_in + n_out))
    weight = rng.uniform(-bound, bound, size=(n_out, n_in))
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(weight))
        linear.bias.zero_()
    return linear
