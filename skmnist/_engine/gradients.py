"""A training step's gradients, written out by hand."""

from __future__ import annotations

import torch

from skmnist._engine.activations import ACTIVATIONS
from skmnist._engine.loss import Criterion
from skmnist._engine.network import MLP, TiledLayer
from skmnist._engine.products import (
    TILE,
    multiply,
    multiply_back,
    multiply_forward,
    pad_to_tiles,
    row_major,
    sum_rows,
)


def compute_gradients(
    module: MLP,
    criterion: Criterion,
    X: torch.Tensor,
    y: torch.Tensor,
    sample_weight: torch.Tensor | None = None,
    layers: list[TiledLayer] | None = None,
) -> torch.Tensor:
    """Go forward and back through a network and write its gradients into `grad`.

    The same numbers as autograd's for the weighted mean of the losses, written out by
    hand because autograd's bookkeeping takes a fifth of a step of a small network. To
    be called under :class:`torch.no_grad`.

    Units are rows here and images are columns, so that the threads divide the products
    by units, as they do the optimizer's step, and each finds its part of the weights in
    its own cache.

    Parameters
    ----------
    module : MLP
        The network, in training mode.
    criterion : CrossEntropy or BinaryCrossEntropies
        The loss of an image.
    X : tensor of shape (n_samples, n_pixels)
        The images.
    y : tensor
        Their labels, as the criterion takes them.
    sample_weight : tensor of shape (n_samples,), default=None
        The weights of the images.
    layers : list of TiledLayer, default=None
        What `module.in_tiles()` returned, if it is still valid.

    Returns
    -------
    logits : tensor of shape (n_samples, n_classes)
        The logits, with dropout on.
    """
    activation = ACTIVATIONS[module.activation]
    *hidden, last = module.in_tiles() if layers is None else layers
    n_samples = X.shape[0]
    passes = []
    inputs = row_major(pad_to_tiles(X).T)
    for layer in hidden:
        weight, inputs, bias = layer.as_factors(inputs)
        sums = multiply_forward(weight, inputs, bias).to(X.dtype)
        outputs = activation.function(sums)
        mask = None
        if layer.dropout is not None:
            mask = _draw_mask(layer, outputs, n_samples)
        passes.append((layer, inputs, weight, sums, outputs, mask))
        if mask is None:
            inputs = outputs
        elif activation.takes_dropped:
            inputs = outputs.mul_(mask)
        else:
            inputs = outputs * mask
    weight, inputs, bias = last.as_factors(inputs)
    logits = multiply_forward(weight, inputs, bias)
    logits = logits if n_samples % TILE == 0 else logits[:, :n_samples]
    gradient = criterion.gradient(logits, y, sample_weight, last.n_outputs)
    gradient = pad_to_tiles(gradient)
    _write_gradients(last, inputs, gradient)
    for layer, inputs, weight_below, sums, outputs, mask in reversed(passes):
        gradient = multiply_back(weight, gradient.to(weight.dtype)).to(X.dtype)
        if mask is not None:
            gradient.mul_(mask)
        gradient = activation.gradient(gradient, sums, outputs)
        _write_gradients(layer, inputs, gradient)
        weight = weight_below
    return logits[: last.n_outputs].T


def _draw_mask(layer, outputs, n_samples):
    # Of the outputs that there are, without those of padding: autograd's masks.
    if outputs.shape == (layer.n_outputs, n_samples):
        return layer.dropout.draw_mask(outputs)
    outputs = outputs[: layer.n_outputs, :n_samples]
    return pad_to_tiles(layer.dropout.draw_mask(outputs))


def _write_gradients(layer, inputs, gradient):
    if layer.weight_gradient is not None:
        multiply(gradient, row_major(inputs.T), out=layer.weight_gradient)
    if layer.bias_gradient is not None:
        sum_rows(gradient, out=layer.bias_gradient)
