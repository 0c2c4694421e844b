"""The torch module: a multilayer perceptron, its dropout and its first weights."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.modules import module as torch_modules

aten = torch.ops.aten  # an attribute: torch before 2.6 has no module of that name

# The rows and columns of a product are padded to a multiple of this. At other sizes MKL
# uses other kernels for the remainder. Which rows these are, and so the last bits of a
# result, depends on the number of threads.
TILE = 16

# Outputs that dropout draws masks for at once.
OUTPUTS_AHEAD = 2**18


def logistic(X: torch.Tensor) -> torch.Tensor:
    """Return the logistic function, the same bits on any number of threads.

    torch's own takes other arithmetic for what does not fill a vector at the end of a
    thread's part.
    """
    return torch.exp(-X).add(1).reciprocal()


def gelu(X: torch.Tensor) -> torch.Tensor:
    """Return the Gaussian error linear unit, the same bits on any number of threads."""
    if X.dtype != torch.float64:
        return F.gelu(X)
    # As for `logistic`; in float32 torch's own has no such end.
    return torch.erf(X / math.sqrt(2)).add(1).mul(X).mul(0.5)


def _gelu_gradient(gradient, X, out):
    if X.dtype != torch.float64:
        return aten.gelu_backward.default(gradient, X)
    share = torch.erf(X / math.sqrt(2)).add_(1).mul_(0.5)
    density = torch.exp(X * X / -2).mul_(1 / math.sqrt(2 * math.pi))
    return gradient * density.mul_(X).add_(share)


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


class Activation(NamedTuple):
    """An activation function: its module, and what a training step does with it.

    `function` and `gradient` may work in place. `gradient` goes from the gradient over
    the outputs to that over the inputs, given the inputs (not where `function` works in
    place) and the outputs.
    """

    module: type[nn.Module]
    function: Callable[[torch.Tensor], torch.Tensor]
    gradient: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


ACTIVATIONS = {
    "relu": Activation(
        nn.ReLU,
        torch.relu_,
        lambda gradient, X, out: aten.threshold_backward.grad_input(
            gradient, out, 0, grad_input=gradient
        ),
    ),
    "tanh": Activation(
        nn.Tanh,
        torch.tanh_,
        lambda gradient, X, out: aten.tanh_backward.default(gradient, out),
    ),
    "gelu": Activation(
        GELU,
        gelu,
        _gelu_gradient,
    ),
    "logistic": Activation(
        Logistic,
        logistic,
        lambda gradient, X, out: aten.sigmoid_backward.default(gradient, out),
    ),
    "identity": Activation(nn.Identity, lambda X: X, lambda gradient, X, out: gradient),
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

    output: Linear

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
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        blocks = []
        sizes = (n_features, *hidden_layer_sizes)
        for number, (n_in, n_out) in enumerate(pairwise(sizes), start=1):
            linear = Linear(n_in, n_out, rng, dtype)
            layers[f"hidden_{number}"] = linear
            layers[f"activation_{number}"] = ACTIVATIONS[activation].module()
            dropout_layer = Dropout(dropout, rng) if dropout > 0 else None
            if dropout_layer is not None:
                layers[f"dropout_{number}"] = dropout_layer
            blocks.append((linear, dropout_layer))
        layers["output"] = Linear(sizes[-1], n_classes, rng, dtype, is_last=True)
        super().__init__(layers)
        self.activation = activation
        self.blocks = blocks
        self.built_of = [(layer, type(layer)) for layer in layers.values()]

    def is_as_built(self) -> bool:
        """Tell whether :func:`compute_gradients` computes what the modules would.

        It does not where a user listens by a hook, or has put in a module or a method.
        """
        layers = list(self._modules.values())
        return (
            [(layer, type(layer)) for layer in layers] == self.built_of
            and not any(map(has_hooks, (self, *layers)))
            and not any(map(_has_gradient_hooks, self.parameters()))
            and not torch_modules._global_forward_hooks
            and not torch_modules._global_forward_pre_hooks
            and not torch_modules._global_backward_hooks
            and not torch_modules._global_backward_pre_hooks
        )

    def discard_masks(self) -> None:
        """Forget the dropout masks that were drawn ahead.

        What follows then depends on the state of the generator alone.
        """
        for _, dropout in self.blocks:
            if dropout is not None:
                dropout.discard_masks()


def has_hooks(module: nn.Module) -> bool:
    """Tell whether a user listens to a module, or has replaced its `forward`."""
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
        or "forward" in vars(module)
    )


def _has_gradient_hooks(parameter):
    return parameter._backward_hooks or parameter._post_accumulate_grad_hooks


class Dropout(nn.Module):
    """Dropout with a cheap exact mask from a generator of its own.

    torch draws its CPU masks one by one from the global generator, which takes a third
    of a training step of a small network. Here an output gets as few raw random bits as
    the share that is kept can be told by: 1 for a half, 8 for so many 256ths, else 16,
    which is exact to 1 / 131,072. Small masks are drawn some at once, ahead of use.

    Parameters
    ----------
    p : float
        The share of outputs to drop, in [0, 1).
    rng : numpy.random.Generator
        The source of the masks.
    """

    masks: list[torch.Tensor]

    def __init__(self, p: float, rng: np.random.Generator):
        super().__init__()
        self.p = p
        self.rng = rng

    @property
    def p(self) -> float:
        """The share of outputs to drop; may be set while training."""
        return self._p

    @p.setter
    def p(self, p: float) -> None:
        self._p = p
        n_kept = max(1, round((1 - p) * 2**16))
        self.n_bits = next(n for n in (1, 8, 16) if n_kept % 2 ** (16 - n) == 0)
        self.n_kept = n_kept // 2 ** (16 - self.n_bits)
        self.discard_masks()

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Drop outputs and scale up the others in training; else pass them on."""
        # Transposed, so that the masks are those of `compute_gradients`.
        return (X.T * self.mask(X.T)).T if self.training else X

    def mask(self, X: torch.Tensor) -> torch.Tensor:
        """Return a new mask like `X`: 0 for what is dropped, else 1 / share kept."""
        masks = self.masks
        if not masks or masks[0].shape != X.shape or masks[0].dtype != X.dtype:
            masks = self.masks = self._draw(X)
        return masks.pop()

    def discard_masks(self) -> None:
        """Forget the masks that were drawn ahead."""
        self.masks = []

    def _draw(self, X):
        n_masks = max(1, OUTPUTS_AHEAD // X.numel())
        shape = (n_masks, *X.shape)
        scale = 2**self.n_bits / self.n_kept
        if X.device.type == "cpu":
            kept = self._draw_bits(math.prod(shape)).reshape(shape) < self.n_kept
            # NumPy: torch takes twice as long to make floats of booleans.
            dtype = np.float64 if X.dtype == torch.float64 else np.float32
            masks = torch.from_numpy(np.multiply(kept, scale, dtype=dtype))
        else:
            generator = torch.Generator(X.device)
            generator.manual_seed(int(self.rng.integers(2**63)))
            bits = torch.empty(shape, dtype=torch.int32, device=X.device)
            bits.random_(2**self.n_bits, generator=generator)
            masks = (bits < self.n_kept).to(X.dtype).mul_(scale)
        return list(masks)

    def _draw_bits(self, n):
        raw = self.rng.bit_generator.random_raw(math.ceil(n * self.n_bits / 64))
        if self.n_bits == 1:
            return np.unpackbits(raw.view(np.uint8), count=n)
        return raw.view(np.uint8 if self.n_bits == 8 else np.uint16)[:n]

    def extra_repr(self) -> str:
        """Name the rate where the module is printed."""
        return f"p={self.p}"


def compute_gradients(
    module: MLP,
    X: torch.Tensor,
    y: torch.Tensor,
    sample_weight: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Go forward and back through a network and write its gradients into `grad`.

    The same numbers as autograd's for the weighted mean of the cross-entropy, written
    out by hand because autograd's bookkeeping takes a fifth of a step of a small
    network. To be called under :class:`torch.no_grad`.

    All is transposed: a unit a row, an image a column. Then the threads share out the
    products by units, as they do the optimizer's step, and each finds its part of the
    weights in its own cache.

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
    activation = ACTIVATIONS[module.activation]
    n_samples = X.shape[0]
    is_whole = n_samples % TILE == 0
    passes = []
    inputs = _row_major(pad_to_tiles(X).T)
    for layer, dropout in module.blocks:
        weight, bias = layer.in_tiles()
        weight, inputs, bias = layer.as_factors(weight, inputs, bias)
        sums = torch.addmm(bias.unsqueeze(1), weight, inputs).to(X.dtype)
        outputs = activation.function(sums)
        mask = None
        if dropout is not None:
            # Of the outputs that there are: those of autograd.
            some = outputs if is_whole else outputs[:, :n_samples]
            some = some[: layer.out_features] if layer.n_missing else some
            mask = pad_to_tiles(dropout.mask(some))
        passes.append((layer, inputs, weight, sums, outputs, mask))
        inputs = outputs if mask is None else outputs * mask
    layer = module.output
    weight, bias = layer.in_tiles()
    logits = torch.addmm(bias.unsqueeze(1), weight, inputs)
    if is_whole:
        loss, gradient = _cross_entropy(logits, y, sample_weight)
    else:
        logits = logits[:, :n_samples]
        loss, gradient = _cross_entropy(logits, y, sample_weight)
        gradient = pad_to_tiles(gradient)
    _write_gradients(layer, inputs, gradient)
    for layer, inputs, weight_below, sums, outputs, mask in reversed(passes):
        gradient = (weight.T @ gradient.to(weight.dtype)).to(X.dtype)
        if mask is not None:
            gradient.mul_(mask)
        gradient = activation.gradient(gradient, sums, outputs)
        _write_gradients(layer, inputs, gradient)
        weight = weight_below
    return loss, logits[: module.output.out_features].T


def pad_to_tiles(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor with zeros after its end, up to whole tiles each way."""
    missing = [n for size in reversed(tensor.shape) for n in (0, -size % TILE)]
    return F.pad(tensor, missing) if any(missing) else tensor


def _row_major(factor):
    """Return the second factor of a product in a layout with the same bits always.

    In float64, where both factors lie in memory along the axis that is summed over, MKL
    shares out that axis too, and the sums depend on the number of threads.
    """
    return factor.contiguous() if factor.dtype == torch.float64 else factor


def _cross_entropy(logits, y, sample_weight):
    log_probabilities = logits.log_softmax(dim=0)
    if sample_weight is None:
        loss = F.nll_loss(log_probabilities.T, y)
    else:
        losses = F.nll_loss(log_probabilities.T, y, reduction="none")
        loss = (losses * sample_weight).mean()
    gradient = log_probabilities.exp_().scatter_(0, y.unsqueeze(0), -1, reduce="add")
    if sample_weight is not None:
        gradient *= sample_weight
    return loss, gradient.div_(y.shape[0])


def _write_gradients(layer, inputs, gradient):
    weight_gradient, bias_gradient = layer.gradients_in_tiles()
    if weight_gradient is not None:
        multiply(gradient, _row_major(inputs.T), out=weight_gradient)
    if bias_gradient is not None:
        torch.sum(gradient, 1, out=bias_gradient)


def multiply(a: torch.Tensor, b: torch.Tensor, out: torch.Tensor) -> None:
    """Write `a @ b` into `out`, with factors of the type of `b`.

    On the CPU it is one product for each thread: MKL shares out a single one worse, and
    takes up to a half longer on two cores.
    """
    n_rows, n_columns = out.shape
    n_parts = torch.get_num_threads()
    if b.dtype != out.dtype or b.shape[1] != n_columns:
        out.copy_((a.to(b.dtype) @ b)[:, :n_columns])
    elif n_parts == 1 or n_rows % (TILE * n_parts) or not out.is_cpu:
        torch.mm(a, b, out=out)
    else:
        shape = (n_parts, n_rows // n_parts, -1)
        torch.bmm(a.view(shape), b.expand(n_parts, *b.shape), out=out.view(shape))


def find_factor_dtype(X: torch.Tensor) -> torch.dtype:
    """Return the float type in which hidden layers multiply.

    That is bfloat16 where torch is asked for it, by its own settings such as
    `set_float32_matmul_precision("medium")`, and the processor has it. For float32
    torch itself then heeds the wish on processors with AMX only.
    """
    if X.dtype != torch.float32 or not X.is_cpu or not _is_bfloat16_wanted():
        return X.dtype
    # New in torch 2.6.
    has_bfloat16 = getattr(torch.cpu, "_is_avx512_bf16_supported", bool)()
    return torch.bfloat16 if has_bfloat16 else X.dtype


def _is_bfloat16_wanted():
    matmul = getattr(torch.backends.mkldnn, "matmul", None)  # new in torch 2.9
    if matmul is None:
        return torch.get_float32_matmul_precision() == "medium"
    return matmul.fp32_precision == "bf16"


class Linear(nn.Linear):
    """A linear layer with Glorot-uniform first weights and zero biases.

    Its weights and biases, and the gradients that are written by hand, are the first
    rows of memory of whole tiles.

    Parameters
    ----------
    n_in, n_out : int
        The number of inputs and outputs.
    rng : numpy.random.Generator
        The source of the weights.
    dtype : torch.dtype
        The float type of the weights.
    is_last : bool, default=False
        Whether its outputs are the logits. Then its product is exact, whatever
        `find_factor_dtype` says, and outputs beyond the last one have no probability.

    References
    ----------
    Glorot and Bengio, 2010, "Understanding the difficulty of training deep
    feedforward neural networks", AISTATS.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        rng: np.random.Generator,
        dtype: torch.dtype,
        is_last: bool = False,
    ):
        super().__init__(n_in, n_out, dtype=dtype)
        self.is_last = is_last
        self.n_missing, self.n_missing_inputs = -n_out % TILE, -n_in % TILE
        self.tiles: dict[str, torch.Tensor] = {}
        self.gradient_tiles: dict[str, torch.Tensor] = {}
        bound = math.sqrt(6 / (n_in + n_out))
        weight = rng.uniform(-bound, bound, size=(n_out, n_in))
        with torch.no_grad():
            self.weight.copy_(torch.from_numpy(weight))
            self.bias.zero_()

    def reset_parameters(self) -> None:
        """Do nothing: torch's own weights would come from the global generator."""

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Return the weighted sums of the inputs."""
        n_missing = -X.shape[-1] % TILE
        padded = F.pad(X, (0, n_missing)) if n_missing else X
        weight, inputs, bias = self.as_factors(
            pad_to_tiles(self.weight), padded, pad_to_tiles(self.bias)
        )
        if X.dtype == torch.float64:
            sums = inputs @ _row_major(weight.T) + bias
        else:
            sums = F.linear(inputs, weight, bias).to(X.dtype)
        # In one piece: what comes next would be shared out by rows otherwise.
        return sums[..., : self.out_features].contiguous()

    def as_factors(
        self, weight: torch.Tensor, inputs: torch.Tensor, bias: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return weights, inputs and biases in the type in which they multiply."""
        dtype = inputs.dtype if self.is_last else find_factor_dtype(inputs)
        if dtype == inputs.dtype:
            return weight, inputs, bias
        return weight.to(dtype), inputs.to(dtype), bias.to(dtype)

    def in_tiles(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return weights and biases in whole tiles, without a copy in most steps."""
        weight, bias = self.weight, self.bias
        if self.n_missing:
            value = -math.inf if self.is_last else 0.0
            weight = self._in_tiles("weight", weight, 0.0)
            bias = self._in_tiles("bias", bias, value)
        if self.n_missing_inputs:
            weight = F.pad(weight, (0, self.n_missing_inputs))
        return weight, bias

    def gradients_in_tiles(self) -> list[torch.Tensor | None]:
        """Return the memory for the gradients, None for what is frozen."""
        return [
            self._gradient_in_tiles(name, parameter)
            for name, parameter in self._parameters.items()
        ]

    def _in_tiles(self, name, parameter, value):
        tiles = self.tiles.get(name)
        # Anew where the parameter has been moved, loaded or replaced.
        if tiles is None or tiles.data_ptr() != parameter.data_ptr():
            padding = (0, 0) * (parameter.dim() - 1) + (0, self.n_missing)
            tiles = self.tiles[name] = F.pad(parameter.data, padding, value=value)
            parameter.data = tiles[: self.out_features]
        return tiles

    def _gradient_in_tiles(self, name, parameter):
        if not parameter.requires_grad:  # frozen, by skorch's Freezer for example
            parameter.grad = None
            return None
        gradient = parameter.grad
        if not self.n_missing:
            if gradient is None:
                gradient = parameter.grad = torch.empty_like(parameter)
            return gradient
        tiles = self.gradient_tiles.get(name)
        if tiles is None or not _is_alike(tiles, parameter):
            n_rows = self.out_features + self.n_missing
            tiles = parameter.new_empty(n_rows, *parameter.shape[1:])
            self.gradient_tiles[name] = tiles
        if gradient is None or gradient.data_ptr() != tiles.data_ptr():
            parameter.grad = tiles[: self.out_features]
        return tiles


def _is_alike(tensor, other):
    return tensor.device == other.device and tensor.dtype == other.dtype
