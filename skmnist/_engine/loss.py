"""The losses: criteria of torch, which also know their gradients by hand.

Logits have one column for each image here, as in :mod:`skmnist._engine.gradients`, and
perhaps rows of minus infinity after the last class.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from skmnist._engine.internals import has_hooks


class CrossEntropy(torch.nn.CrossEntropyLoss):
    """The cross-entropy of each image, which has one label.

    Parameters
    ----------
    label_smoothing : float, default=0.0
        The share of the probability that is spread over all classes evenly.
    """

    def __init__(self, label_smoothing: float = 0.0):
        super().__init__(reduction="none", label_smoothing=label_smoothing)

    def evaluate(
        self,
        logits: torch.Tensor,
        y: torch.Tensor,
        sample_weight: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the weighted mean of the losses.

        Parameters
        ----------
        logits : tensor of shape (n_classes, n_samples)
            The logits.
        y : tensor of int64, shape (n_samples,)
            The labels, encoded as 0 to n_classes - 1.
        sample_weight : tensor of shape (n_samples,), default=None
            The weights of the images.

        Returns
        -------
        loss : tensor of shape ()
            The mean.
        """
        return self._mean(_log_softmax(logits), y, sample_weight, len(logits))

    def gradient(
        self,
        logits: torch.Tensor,
        y: torch.Tensor,
        sample_weight: torch.Tensor | None,
        n_classes: int,
    ) -> torch.Tensor:
        """Return the gradient of what `evaluate` returns, over the logits.

        Parameters
        ----------
        logits, y, sample_weight
            As for `evaluate`; there may be more rows than classes.
        n_classes : int
            The number of classes.

        Returns
        -------
        gradient : tensor of shape (n_rows, n_samples)
            The gradient.
        """
        if logits.is_cuda:  # in one kernel
            gradient = logits.T.softmax(dim=1).T
        else:  # softmax itself has other bits with another number of threads
            gradient = logits.log_softmax(dim=0).exp_()
        share = self.label_smoothing
        gradient.scatter_(0, y.unsqueeze(0), share - 1, reduce="add")
        if share:
            gradient[:n_classes] -= share / n_classes
        return _weigh(gradient, sample_weight)

    def _mean(self, log_probabilities, y, sample_weight, n_classes):
        share = self.label_smoothing
        if sample_weight is None and not share:
            return F.nll_loss(log_probabilities.T, y)
        losses = F.nll_loss(log_probabilities.T, y, reduction="none")
        if share:
            even = log_probabilities[:n_classes].sum(dim=0) / n_classes
            losses = (1 - share) * losses - share * even
        return _mean(losses, sample_weight)


class BinaryCrossEntropies(torch.nn.Module):
    """The sum of the binary cross-entropies of the labels of each image.

    Its functions are those of `CrossEntropy`, with `y` of floats, of shape (n_samples,
    n_labels): 1 for the labels that an image has, 0 for the others.

    Parameters
    ----------
    label_smoothing : float, default=0.0
        The share of the probability that is spread over both answers evenly.
    """

    def __init__(self, label_smoothing: float = 0.0):
        super().__init__()
        self.label_smoothing = label_smoothing
        self.answer_weight: torch.Tensor | None = None

    def weigh_answers(self, weight: np.ndarray | None, like: torch.Tensor) -> None:
        """Set the weights in the sum.

        Parameters
        ----------
        weight : ndarray of shape (2, n_labels) or None
            Those of labels that an image has not, and of labels that it has.
        like : tensor
            Has the device and the float type of the logits.
        """
        self.answer_weight = None if weight is None else like.new_tensor(weight)

    def forward(self, logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return the loss of each image, from logits of shape (n_samples, n_labels)."""
        return self._losses(logits.T, y)

    def evaluate(
        self,
        logits: torch.Tensor,
        y: torch.Tensor,
        sample_weight: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the weighted mean of the losses."""
        return _mean(self._losses(logits, y), sample_weight)

    def gradient(
        self,
        logits: torch.Tensor,
        y: torch.Tensor,
        sample_weight: torch.Tensor | None,
        n_classes: int,
    ) -> torch.Tensor:
        """Return the gradient of what `evaluate` returns, over the first logits."""
        errors = logits[:n_classes].sigmoid() - self._targets(y)
        return _weigh(self._weigh_answers(errors, y), sample_weight)

    def _losses(self, logits, y):
        losses = F.binary_cross_entropy_with_logits(
            logits, self._targets(y), reduction="none"
        )
        return self._weigh_answers(losses, y).sum(dim=0)

    def _targets(self, y):
        share = self.label_smoothing
        return (y * (1 - share) + share / 2 if share else y).T

    def _weigh_answers(self, values, y):
        if self.answer_weight is None:
            return values
        without, with_it = self.answer_weight
        return values * torch.where(y > 0, with_it, without).T


Criterion = CrossEntropy | BinaryCrossEntropies


def is_as_built(criterion: torch.nn.Module) -> bool:
    """Tell whether a criterion computes what its functions by hand do."""
    if type(criterion) is CrossEntropy:
        is_changed = (
            criterion.weight is not None
            or criterion.ignore_index != -100
            or criterion.reduction != "none"
        )
        return not is_changed and not has_hooks(criterion)
    return type(criterion) is BinaryCrossEntropies and not has_hooks(criterion)


def _log_softmax(logits):
    # On a GPU an image is a row in memory, see `products`.
    return logits.T.log_softmax(dim=1).T if logits.is_cuda else logits.log_softmax(0)


def _mean(losses, sample_weight):
    return losses.mean() if sample_weight is None else (losses * sample_weight).mean()


def _weigh(gradient, sample_weight):
    if sample_weight is not None:
        gradient *= sample_weight
    return gradient.div_(gradient.shape[1])
