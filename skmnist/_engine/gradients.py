"""The loss, and a training step's gradients written out by hand."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from skmnist._engine.activations import ACTIVATIONS
from skmnist._engine.internals import has_hooks
from skmnist._engine.network import MLP
from skmnist._engine.products import TILE, multiply, pad_to_tiles, row_major


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

    Units are rows here and images are columns, so that the threads divide the products
    by units, as they do the optimizer's step, and each finds its part of the weights in
    its own cache.

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
    passes = []
    inputs = row_major(pad_to_tiles(X).T)
    for layer, dropout in module.blocks:
        weight, bias = layer.in_tiles()
        weight, inputs, bias = layer.as_factors(weight, inputs, bias)
        sums = torch.addmm(bias.unsqueeze(1), weight, inputs).to(X.dtype)
        outputs = activation.function(sums)
        mask = None
        if dropout is not None:
            mask = _draw_mask(dropout, outputs, layer.out_features, n_samples)
        passes.append((layer, inputs, weight, sums, outputs, mask))
        if mask is None:
            inputs = outputs
        elif activation.takes_dropped:
            inputs = outputs.mul_(mask)
        else:
            inputs = outputs * mask
    layer = module.output
    weight, bias = layer.in_tiles()
    logits = torch.addmm(bias.unsqueeze(1), weight, inputs)
    is_whole = n_samples % TILE == 0
    logits = logits if is_whole else logits[:, :n_samples]
    log_probabilities = logits.log_softmax(dim=0)
    loss = cross_entropy(log_probabilities, y, sample_weight)
    gradient = _cross_entropy_gradient(log_probabilities, y, sample_weight)
    gradient = gradient if is_whole else pad_to_tiles(gradient)
    _write_gradients(layer, inputs, gradient)
    for layer, inputs, weight_below, sums, outputs, mask in reversed(passes):
        gradient = (weight.T @ gradient.to(weight.dtype)).to(X.dtype)
        if mask is not None:
            gradient.mul_(mask)
        gradient = activation.gradient(gradient, sums, outputs)
        _write_gradients(layer, inputs, gradient)
        weight = weight_below
    return loss, logits[: module.output.out_features].T


def cross_entropy(
    log_probabilities: torch.Tensor,
    y: torch.Tensor,
    sample_weight: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the weighted mean of the cross-entropy: the loss of the package.

    Parameters
    ----------
    log_probabilities : tensor of shape (n_classes, n_samples)
        The logarithms of the probabilities.
    y : tensor of int64, shape (n_samples,)
        The labels, encoded as 0 to n_classes - 1.
    sample_weight : tensor of shape (n_samples,), default=None
        The weights of the images.

    Returns
    -------
    loss : tensor of shape ()
        The mean.
    """
    if sample_weight is None:
        return F.nll_loss(log_probabilities.T, y)
    losses = F.nll_loss(log_probabilities.T, y, reduction="none")
    return (losses * sample_weight).mean()


def is_cross_entropy(criterion: torch.nn.Module) -> bool:
    """Tell whether a criterion of torch's is :func:`cross_entropy`, image by image."""
    return (
        type(criterion) is torch.nn.CrossEntropyLoss
        and criterion.weight is None
        and criterion.ignore_index == -100
        and criterion.reduction == "none"
        and criterion.label_smoothing == 0
        and not has_hooks(criterion)
    )


def _cross_entropy_gradient(log_probabilities, y, sample_weight):
    """Return the gradient of :func:`cross_entropy` over the logits, in their place."""
    gradient = log_probabilities.exp_().scatter_(0, y.unsqueeze(0), -1, reduce="add")
    if sample_weight is not None:
        gradient *= sample_weight
    return gradient.div_(y.shape[0])


def _draw_mask(dropout, outputs, n_units, n_samples):
    # Of the outputs that there are, without those of padding: autograd's masks.
    if outputs.shape == (n_units, n_samples):
        return dropout.draw_mask(outputs)
    return pad_to_tiles(dropout.draw_mask(outputs[:n_units, :n_samples]))


def _write_gradients(layer, inputs, gradient):
    weight_gradient, bias_gradient = layer.gradients_in_tiles()
    if weight_gradient is not None:
        multiply(gradient, row_major(inputs.T), out=weight_gradient)
    if bias_gradient is not None:
        torch.sum(gradient, 1, out=bias_gradient)
