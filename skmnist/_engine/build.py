"""A new net for given parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from skmnist._engine.batches import ImageDataset
from skmnist._engine.loss import BinaryCrossEntropies, CrossEntropy
from skmnist._engine.net import MLPNet
from skmnist._engine.network import MLP
from skmnist._engine.optimizer import explained_refusal, resolve_optimizer
from skmnist._parameters import as_sizes


def build_net(
    *,
    parameters: Mapping[str, Any],
    n_features: int,
    n_classes: int,
    is_multilabel: bool,
    dtype: str,
    seed: int,
    device: torch.device,
) -> MLPNet:
    """Return a net that is ready to be trained.

    Parameters
    ----------
    parameters : dict
        The parameters of :class:`MNISTMLPClassifier` that a net is built from.
    n_features, n_classes : int
        The number of pixels of an image and of classes.
    is_multilabel : bool
        Whether an image may have any number of the classes.
    dtype : {"float32", "float64"}
        The float type of the weights.
    seed : int
        Seeds the generator of first weights, dropout and shuffling.
    device : torch.device
        Where the net is.

    Returns
    -------
    net : MLPNet
        The net.

    Raises
    ------
    ValueError
        If the optimizer rejects its settings.
    """
    rng = np.random.Generator(np.random.SFC64(seed))
    optimizer, settings = resolve_optimizer(
        parameters["optimizer"], parameters["optimizer_params"], device.type
    )
    net = MLPNet(
        MLP,
        module__n_features=n_features,
        module__hidden_layer_sizes=as_sizes(parameters["hidden_layer_sizes"]),
        module__n_classes=n_classes,
        module__activation=parameters["activation"],
        module__dropout=parameters["dropout"],
        module__rng=rng,
        module__dtype=getattr(torch, dtype),
        criterion=BinaryCrossEntropies if is_multilabel else CrossEntropy,
        predict_nonlinearity=torch.sigmoid if is_multilabel else "auto",
        optimizer=optimizer,
        lr=parameters["learning_rate"],
        **{f"optimizer__{name}": value for name, value in settings.items()},
        classes=np.arange(n_classes),
        device=str(device),
        dataset=ImageDataset,
        train_split=None,  # the classifier splits
        rng=rng,
    )
    with explained_refusal(parameters):
        return net.initialize()
