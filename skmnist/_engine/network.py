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

from skmnist._engine.activations import ACTIVATIONS
from skmnist._engine.internals import has_global_hooks, has_gradient_hooks, has_hooks
from skmnist._engine.products import TILE, find_factor_dtype, pad_to_tiles, row_major

# Outputs that dropout draws masks for at once.
OUTPUTS_AHEAD = 2**18
# For each byte of random bits the mask of eight outputs, a half of which is dropped.
HALVES = 2.0 * (1 - np.unpackbits(np.arange(256, dtype=np.uint8)).reshape(256, 8))


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
    activation : {"relu", "tanh", "gelu", "logistic", "identity"}
        The activation function of the hidden layers.
    dropout : float
        The fraction of each hidden layer's outputs that is dropped in training.
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
        activation: str,
        dropout: float,
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

    def has_built_layers(self) -> bool:
        """Tell whether all layers are those that were built."""
        return [(layer, type(layer)) for layer in self.children()] == self.built_of

    def is_as_built(self) -> bool:
        """Tell whether `compute_gradients` computes what the modules would.

        It does not where a user listens by a hook, or has put in a module or a method.
        """
        return (
            self.has_built_layers()
            and not any(map(has_hooks, (self, *self.children())))
            and not any(map(has_gradient_hooks, self.parameters()))
            and not has_global_hooks()
        )

    def discard_masks(self) -> None:
        """Forget the dropout masks that were drawn ahead.

        What follows then depends on the state of the generator alone.
        """
        for _, dropout in self.blocks:
            if dropout is not None:
                dropout.discard_masks()

    def in_tiles(self) -> list[TiledLayer]:
        """Return the layers as steps by hand see them, the output last."""
        return [TiledLayer(*block) for block in self.blocks] + [TiledLayer(self.output)]

    def mask_generators(self) -> list[torch.Generator]:
        """Return the generators on a GPU that dropout masks come from."""
        layers = [dropout for _, dropout in self.blocks if dropout is not None]
        return [layer.generator for layer in layers if layer.generator is not None]


class Dropout(nn.Module):
    """Dropout with a cheap exact mask from a generator of its own.

    torch draws its CPU masks one by one from the global generator, which takes a third
    of a training step of a small network. Here each output takes as few random bits as
    the kept fraction needs: 1 for a half, 8 for a multiple of 1 / 256, else 16, exact
    to 1 / 131,072. Small masks are drawn several at a time, ahead of use. On devices
    other than the CPU torch draws them, from a generator that `rng` seeds.

    Parameters
    ----------
    p : float
        The fraction of outputs to drop, in [0, 1).
    rng : numpy.random.Generator
        The source of the masks.
    """

    masks: list[torch.Tensor]
    generator: torch.Generator | None

    def __init__(self, p: float, rng: np.random.Generator):
        super().__init__()
        self.p = p
        self.rng = rng

    @property
    def p(self) -> float:
        """The fraction of outputs to drop; may be set while training."""
        return self._p

    @p.setter
    def p(self, p: float) -> None:
        self._p = p
        n_kept = max(1, round((1 - p) * 2**16))
        self.n_bits = 1 if n_kept == 2**15 else 8 if n_kept % 2**8 == 0 else 16
        self.n_kept = n_kept // 2 ** (16 - self.n_bits)
        self.discard_masks()

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Drop outputs and scale up the others in training; else pass them on."""
        # Transposed, so that the masks are those of `compute_gradients`.
        return (X.T * self.draw_mask(X.T)).T if self.training else X

    def draw_mask(self, X: torch.Tensor) -> torch.Tensor:
        """Return a new mask like `X`: 0 for what is dropped, else 1 / fraction kept."""
        if X.device.type != "cpu":
            return self._draw_on_device(X)
        masks = self.masks
        if not masks or masks[0].shape != X.shape or masks[0].dtype != X.dtype:
            masks = self.masks = self._draw(X)
        return masks.pop()

    def discard_masks(self) -> None:
        """Forget the masks that were drawn ahead, and the device's generator."""
        self.masks = []
        self.generator = None

    def __getstate__(self):
        # Masks ahead take megabytes, and a generator is of a device.
        return {**vars(self), "masks": [], "generator": None}

    def _draw(self, X):
        n_masks = max(1, OUTPUTS_AHEAD // X.numel())
        shape = (n_masks, *X.shape)
        scale = 2**self.n_bits / self.n_kept
        dtype = np.float64 if X.dtype == torch.float64 else np.float32
        n = math.prod(shape)
        raw = self.rng.bit_generator.random_raw(math.ceil(n * self.n_bits / 64))
        if self.n_bits == 1:
            masks = HALVES.astype(dtype).take(raw.view(np.uint8), axis=0).ravel()[:n]
        else:
            bits = raw.view(np.uint8 if self.n_bits == 8 else np.uint16)[:n]
            # NumPy: torch takes twice as long to make floats of booleans.
            masks = np.multiply(bits < self.n_kept, scale, dtype=dtype)
        return list(torch.from_numpy(masks.reshape(shape)))

    def _draw_on_device(self, X):
        if self.generator is None:
            seed = int(self.rng.integers(2**63))
            self.generator = torch.Generator(X.device).manual_seed(seed)
        kept = 1 - self.p
        # An image is a row in memory, as in the products on a GPU. In float32, so that
        # float64 has the same masks.
        mask = X.new_empty(X.shape[::-1], dtype=torch.float32)
        mask.bernoulli_(kept, generator=self.generator)
        return mask.to(X.dtype).div_(kept).T

    def extra_repr(self) -> str:
        """Name the rate where the module is printed."""
        return f"p={self.p}"


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
        self.n_missing_inputs = -n_in % TILE
        self.tiles: tuple[Tiles, Tiles] | None = None
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
        weight, bias = pad_to_tiles(self.weight), pad_to_tiles(self.bias)
        if X.dtype == torch.float64:
            sums = padded @ row_major(weight.T) + bias
        else:
            factors = _cast(self.factor_dtype, padded, weight, bias)
            sums = F.linear(*factors).to(X.dtype)
        # In one piece: what comes next would be shared out by rows otherwise.
        return sums[..., : self.out_features].contiguous()

    def find_tiles(self) -> tuple[Tiles, Tiles]:
        """Return the memory of weights and biases; a new one if they have moved."""
        tiles, weight, bias = self.tiles, self.weight, self.bias
        if tiles is None or not (tiles[0].hold(weight) and tiles[1].hold(bias)):
            beyond = -math.inf if self.is_last else 0.0
            self.tiles = tiles = Tiles(weight, 0.0), Tiles(bias, beyond)
        return tiles

    @property
    def factor_dtype(self) -> torch.dtype:
        """The float type in which the layer multiplies."""
        weight = self.weight
        return weight.dtype if self.is_last else find_factor_dtype(weight)


class TiledLayer:
    """A layer as steps by hand see it, looked up once for many of them.

    It is valid until a parameter moves, or is frozen, or the precision changes.

    Parameters
    ----------
    linear : Linear
        The weights and biases.
    dropout : Dropout or None
        The dropout of the layer's outputs.
    """

    def __init__(self, linear: Linear, dropout: Dropout | None = None):
        weight, bias = linear.find_tiles()
        self.weight, self.weight_gradient = weight.values, weight.gradient
        self.bias, self.bias_gradient = bias.values.unsqueeze(1), bias.gradient
        self.n_outputs = linear.out_features
        self.n_missing_inputs = linear.n_missing_inputs
        self.factor_dtype = linear.factor_dtype
        self.dropout = dropout

    def as_factors(
        self, inputs: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return weights, inputs and biases in the type in which they multiply."""
        weight = self.weight
        if self.n_missing_inputs:
            weight = F.pad(weight, (0, self.n_missing_inputs))
        return _cast(self.factor_dtype, weight, inputs, self.bias)


def _cast(dtype, *tensors):
    # To ask once takes less time than to ask each tensor.
    if tensors[0].dtype == dtype:
        return tensors
    return tuple(tensor.to(dtype) for tensor in tensors)


class Tiles:
    """Memory of whole tiles, whose first rows a parameter and its gradient become.

    Parameters
    ----------
    parameter : torch.Tensor
        The parameter, whose rows are units.
    beyond : float
        What the rows beyond the last unit hold.
    """

    def __init__(self, parameter: torch.Tensor, beyond: float):
        n_rows = len(parameter)
        padding = (0, 0) * (parameter.dim() - 1) + (0, -n_rows % TILE)
        self.values = F.pad(parameter.data, padding, value=beyond)
        parameter.data = self.values[:n_rows]
        self.gradient, self.rows = None, None
        if parameter.requires_grad:  # not frozen, by skorch's Freezer for example
            self.gradient = torch.empty_like(self.values)
            self.rows = self.gradient[:n_rows]
        parameter.grad = self.rows

    def hold(self, parameter: torch.Tensor) -> bool:
        """Attach the gradient, or tell that the parameter has moved or was frozen."""
        is_held = (
            parameter.data_ptr() == self.values.data_ptr()
            and parameter.requires_grad is (self.rows is not None)
        )
        if is_held and parameter.grad is not self.rows:
            parameter.grad = self.rows
        return is_held
