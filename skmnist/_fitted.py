"""The attributes of a fitted classifier, each derived from its net; its pickles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skmnist import _arrays, _sklearn
from skmnist._engine import build, callbacks, device, outputs, state
from skmnist._estimator import ImageEstimator
from skmnist._parameters import as_sizes
from skmnist._version import __version__

if TYPE_CHECKING:
    import pandas as pd
    import torch
    from numpy.typing import ArrayLike


# Parameters that earlier versions had not, and so their files lack.
ADDED = {"monitor": "valid_loss", "label_smoothing": 0.0, "augmentation": None}


class FittedNetwork(ImageEstimator):
    """A classifier whose `net_` is a fitted net.

    Attributes of the names that :class:`sklearn.neural_network.MLPClassifier` has mean
    what they mean there.
    """

    def set_weights(
        self, coefs: Sequence[ArrayLike], intercepts: Sequence[ArrayLike]
    ) -> Self:
        """Replace the weights and biases of all layers.

        The history and the state of the optimizer, such as Adam's averages of the
        gradients, are kept, and training continues with them.

        Parameters
        ----------
        coefs : list of array-like or tensor of shape (n_inputs, n_units)
            The weights of each layer, as in `coefs_`.
        intercepts : list of array-like or tensor of shape (n_units,)
            The biases of each layer, as in `intercepts_`.

        Returns
        -------
        self : MNISTMLPClassifier
            The classifier.

        Raises
        ------
        NotFittedError, TypeError, ValueError
            If the classifier is not fitted, or if the weights are no dense arrays of
            finite numbers in the shapes of the layers; then no weight is changed.
        AttributeError
            If a callback has changed the layers.
        """
        state.replace_layers(self._own_net, coefs, intercepts)
        return self

    @property
    def coefs_(self) -> list[np.ndarray]:
        """The weights of each layer, of shape (n_inputs, n_units); copies."""
        layers = state.plain_layers(self._own_net)
        return [np.ascontiguousarray(weight.T) for weight, _ in layers]

    @property
    def intercepts_(self) -> list[np.ndarray]:
        """The biases of each layer, of shape (n_units,); copies."""
        return [bias for _, bias in state.plain_layers(self._own_net)]

    @property
    def history_(self) -> pd.DataFrame:
        """The training history, one row per epoch."""
        return state.make_history_table(self._net.history)

    @property
    def module_(self) -> torch.nn.Module:
        """The fitted torch module, from pixels to logits."""
        return self._net.module_

    @property
    def n_iter_(self) -> int:
        """The number of epochs run."""
        return len(self._net.history)

    @property
    def t_(self) -> int:
        """The number of training images seen, each once in each epoch."""
        return sum(map(self._count_images, self._net.history))

    @property
    def loss_curve_(self) -> list[float]:
        """The training loss of each epoch."""
        return [epoch["train_loss"] for epoch in self._net.history]

    @property
    def loss_(self) -> float:
        """The training loss of the last epoch; NaN if none was completed."""
        return self._net.history[-1]["train_loss"] if self.n_iter_ else math.nan

    @property
    def best_loss_(self) -> float | None:
        """The lowest training loss; None with `early_stopping`."""
        if self._has_stopped_early:
            return None
        losses = [loss for loss in self.loss_curve_ if not math.isnan(loss)]
        return min(losses, default=math.inf)

    @property
    def validation_scores_(self) -> list[float] | None:
        """The validation accuracy of each epoch; None without `early_stopping`."""
        if not self._has_stopped_early:
            return None
        return [
            epoch["valid_accuracy"]
            for epoch in self._net.history
            if "valid_accuracy" in epoch
        ]

    @property
    def best_validation_score_(self) -> float | None:
        """The highest of `validation_scores_`; None without `early_stopping`."""
        scores = self.validation_scores_
        return None if scores is None else max(scores)

    @property
    def n_layers_(self) -> int:
        """The number of layers, with those of inputs and outputs."""
        check_is_fitted(self, "net_")
        return len(as_sizes(self._built_with["hidden_layer_sizes"])) + 2

    @property
    def n_outputs_(self) -> int:
        """The number of outputs, one for each of `classes_`, also of two."""
        check_is_fitted(self, "net_")
        return len(self.classes_)

    @property
    def out_activation_(self) -> str:
        """What makes probabilities of the outputs: "softmax", also for two classes.

        "logistic" where an image may have several labels.
        """
        check_is_fitted(self, "net_")
        return "logistic" if self._is_multilabel else "softmax"

    def _forward(self, method, X):
        # What a method makes of the logits of images, in the images' array library.
        check_is_fitted(self, "net_")
        self._check_library(X, method)
        heads = (
            outputs.OF_SEVERAL_LABELS if self._is_multilabel else outputs.OF_ONE_LABEL
        )
        rows = self._validate_rows(X, self._dtype)
        space = _arrays.find_space(rows)
        if space is None:
            return self.net_.forward_numpy(rows, heads[method])
        return space.move(self.net_.forward_tensor(rows, heads[method]))

    def _count_images(self, epoch):
        last = [each for each in epoch["batches"] if "train_batch_size" in each][-1]
        if "train_images" in last:
            return last["train_images"]
        # An earlier version recorded the size of the last batch only.
        n_before = epoch["train_batch_count"] - 1
        return n_before * self.batch_size + last["train_batch_size"]

    @property
    def _net(self):
        check_is_fitted(self, "net_")
        return self.net_

    @property
    def _own_net(self):
        if not state.has_own_layers(self._net):
            raise AttributeError(
                "A callback has changed the layers of the network, so coefs_ and "
                "intercepts_ are unavailable; use module_."
            )
        return self.net_

    @property
    def _has_stopped_early(self):
        # Of the last fit, not of the parameter, which may have been set since.
        check_is_fitted(self, "net_")
        return hasattr(self, "best_epoch_")

    @property
    def _device(self):
        # Of the fit, not of the parameter; the CPU if a loaded model's is unavailable.
        return device.resolve_device(self._built_with["device"], is_needed=False)

    @property
    def _structure(self):
        return {
            "parameters": self._built_with,
            "n_features": self.n_features_in_,
            "n_classes": len(self.classes_),
            "dtype": self._dtype,
        }

    def _build_net(self):
        return build.build_net(
            **self._structure,
            is_multilabel=self._is_multilabel,
            seed=self._seed,
            device=self._device,
        )

    def __sklearn_clone__(self):
        try:
            return super().__sklearn_clone__()
        except Exception:  # of a callback that cannot be cloned
            template: Any = object.__new__(type(self))
            shared = callbacks.SharedCallbacks(self.callbacks)
            template.__dict__.update(vars(self), callbacks=shared)
            return super(FittedNetwork, template).__sklearn_clone__()

    def __getstate__(self):  # plain: no skorch net, no torch tensor on any device
        attributes = dict(super().__getstate__(), _skmnist_version=__version__)
        if "net_" in attributes:
            attributes["_net_state"] = state.plain_state(attributes.pop("net_"))
        return attributes

    def __setstate__(self, attributes):
        attributes = dict(attributes)
        _sklearn.check_version(self, attributes.pop("_skmnist_version", "unknown"))
        net_state = attributes.pop("_net_state", None)
        for name, value in ADDED.items():
            attributes.setdefault(name, value)
        if net_state is not None:
            attributes.setdefault("_is_multilabel", False)
            attributes.setdefault("_has_sparse_labels", False)
        super().__setstate__(attributes)
        if net_state is not None:
            state.check_plain_state(net_state, **self._structure)
            self.net_ = state.load_plain_state(self._build_net(), net_state)
