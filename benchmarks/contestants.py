"""The contestants: each fits the same network to the same images in its own way.

Libraries are imported where they are used, so that the process of one contestant
holds no other's.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

LEARNING_RATE = 1e-3
N_CLASSES = 10


@dataclass(frozen=True)
class Setting:
    """What is fitted: a size of the data and a network.

    Parameters
    ----------
    n_rows : int, default=48_000
        The number of images to fit; a quarter as many are there to validate on.
    hidden_layer_sizes : tuple of int, default=(256,)
        The number of units of each hidden layer.
    batch_size : int, default=128
        The number of images of a training step.
    epochs : int, default=1
        The number of passes over the images.
    dropout : float, default=0.5
        The share of each hidden layer's outputs that is dropped in training.
    seed : int, default=0
        Determines weights, order and dropout.
    """

    n_rows: int = 48_000
    hidden_layer_sizes: tuple[int, ...] = (256,)
    batch_size: int = 128
    epochs: int = 1
    dropout: float = 0.5
    seed: int = 0

    @property
    def n_valid(self) -> int:
        """The number of images to validate on."""
        return self.n_rows // 4


class Contestant(NamedTuple):
    """One way to fit the network.

    `fit` takes float32 images in [0, 1] and int labels to train on, the same to
    validate on, and a :class:`Setting`. `predict` takes what `fit` returned and images.
    """

    label: str
    package: str
    fit: Callable[..., Any]
    predict: Callable[[Any, np.ndarray], np.ndarray] | None


def fit_skmnist(X_train, y_train, X_valid, y_valid, setting):
    """Fit with this package."""
    from skmnist import MNISTMLPClassifier

    model = MNISTMLPClassifier(
        setting.hidden_layer_sizes,
        dropout=setting.dropout,
        learning_rate=LEARNING_RATE,
        batch_size=setting.batch_size,
        max_epochs=setting.epochs,
        device="cpu",
        random_state=setting.seed,
    )
    return model.fit(X_train, y_train, X_val=X_valid, y_val=y_valid)


def fit_skmnist_medium(X_train, y_train, X_valid, y_valid, setting):
    """Fit with this package, with torch allowed to multiply in bfloat16."""
    import torch

    torch.set_float32_matmul_precision("medium")
    return fit_skmnist(X_train, y_train, X_valid, y_valid, setting)


def fit_skorch(X_train, y_train, X_valid, y_valid, setting):
    """Fit with skorch's defaults, which lack training accuracy, and that as well."""
    import torch
    from skorch import NeuralNetClassifier
    from skorch.callbacks import EpochScoring
    from skorch.dataset import Dataset
    from skorch.helper import predefined_split

    torch.manual_seed(setting.seed)
    train_accuracy = EpochScoring(
        "accuracy",
        name="train_acc",
        on_train=True,
        use_caching=True,
        lower_is_better=False,
    )
    net = NeuralNetClassifier(
        make_module(X_train.shape[1], setting),
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=LEARNING_RATE,
        batch_size=setting.batch_size,
        max_epochs=setting.epochs,
        train_split=predefined_split(Dataset(X_valid, y_valid)),
        callbacks=[train_accuracy],
        verbose=0,
    )
    return net.fit(X_train, y_train)


def fit_sklearn(X_train, y_train, X_valid, y_valid, setting):
    """Fit with scikit-learn, which has no dropout and splits the rows by itself."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        setting.hidden_layer_sizes,
        learning_rate_init=LEARNING_RATE,
        batch_size=setting.batch_size,
        max_iter=setting.epochs,
        early_stopping=True,
        validation_fraction=len(X_valid) / (len(X_train) + len(X_valid)),
        n_iter_no_change=setting.epochs + 1,
        random_state=setting.seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(_rejoin(X_train, X_valid), _rejoin(y_train, y_valid))


def fit_keras(X_train, y_train, X_valid, y_valid, setting):
    """Fit with Keras; the environment says on which backend."""
    import keras

    keras.utils.set_random_seed(setting.seed)
    layers = [keras.layers.Input(X_train.shape[1:])]
    for n_units in setting.hidden_layer_sizes:
        layers.append(keras.layers.Dense(n_units, activation="relu"))
        layers.append(keras.layers.Dropout(setting.dropout))
    layers.append(keras.layers.Dense(N_CLASSES, activation="softmax"))
    model = keras.Sequential(layers)
    model.compile(
        optimizer=keras.optimizers.Adam(LEARNING_RATE),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    model.fit(
        X_train,
        y_train,
        validation_data=(X_valid, y_valid),
        batch_size=setting.batch_size,
        epochs=setting.epochs,
        verbose=0,
    )
    return model


def fit_data_loader(X_train, y_train, X_valid, y_valid, setting):
    """Fit with the loop of torch's tutorials, which fetches its rows one by one."""
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    torch.manual_seed(setting.seed)
    train, valid = (
        TensorDataset(torch.from_numpy(X), torch.from_numpy(y))
        for X, y in ((X_train, y_train), (X_valid, y_valid))
    )
    train_batches = DataLoader(train, batch_size=setting.batch_size, shuffle=True)
    valid_batches = DataLoader(valid, batch_size=setting.batch_size)
    model = make_module(X_train.shape[1], setting)
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    criterion = torch.nn.CrossEntropyLoss()
    history = []
    for _ in range(setting.epochs):
        model.train()
        train_sums = np.zeros(2)
        for X, y in train_batches:
            optimizer.zero_grad()
            logits = model(X)
            loss = criterion(logits, y)
            loss.backward()
            optimizer.step()
            train_sums += loss.item() * len(y), (logits.argmax(1) == y).sum().item()
        model.eval()
        valid_sums = np.zeros(2)
        with torch.no_grad():
            for X, y in valid_batches:
                logits = model(X)
                loss = criterion(logits, y)
                valid_sums += loss.item() * len(y), (logits.argmax(1) == y).sum().item()
        history.append((*train_sums / len(train), *valid_sums / len(valid)))
    return model


def fit_by_hand(X_train, y_train, X_valid, y_valid, setting):
    """Fit with the loop of someone who knows torch and wants it quick."""
    import torch
    from torch.nn.functional import cross_entropy

    torch.manual_seed(setting.seed)
    X, y, X_valid, y_valid = map(torch.from_numpy, (X_train, y_train, X_valid, y_valid))
    model = make_module(X.shape[1], setting)
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=True)
    history = []
    for _ in range(setting.epochs):
        model.train()
        loss_sum = n_correct = 0
        for rows in torch.randperm(len(X)).split(setting.batch_size):
            X_batch, y_batch = X[rows], y[rows]
            optimizer.zero_grad()
            logits = model(X_batch)
            loss = cross_entropy(logits, y_batch)
            loss.backward()
            optimizer.step()
            loss_sum += loss.detach() * len(rows)
            n_correct += (logits.argmax(1) == y_batch).sum()
        model.eval()
        with torch.inference_mode():
            logits = model(X_valid)
            valid_loss = cross_entropy(logits, y_valid)
            valid_accuracy = (logits.argmax(1) == y_valid).float().mean()
        metrics = loss_sum / len(X), n_correct / len(X), valid_loss, valid_accuracy
        history.append([value.item() for value in metrics])
    return model


def multiply_only(X_train, y_train, X_valid, y_valid, setting):
    """Do the matrix products of the training steps and nothing else: the floor."""
    import torch

    torch.manual_seed(setting.seed)
    sizes = (X_train.shape[1], *setting.hidden_layer_sizes, N_CLASSES)
    layers = [_make_products(*pair, setting.batch_size) for pair in pairwise(sizes)]
    n_steps = setting.epochs * -(-len(X_train) // setting.batch_size)
    with torch.inference_mode():
        for _ in range(n_steps):
            for forward, _, _ in layers:
                forward()
            for number, (_, weight_gradient, input_gradient) in enumerate(layers):
                weight_gradient()
                if number > 0:
                    input_gradient()


def make_module(n_features, setting):
    """Make the network of the contestants that bring a torch module of their own."""
    from torch import nn

    layers = []
    sizes = (n_features, *setting.hidden_layer_sizes)
    for n_in, n_out in pairwise(sizes):
        layers += [nn.Linear(n_in, n_out), nn.ReLU(), nn.Dropout(setting.dropout)]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], N_CLASSES))


def predict_estimator(model, X):
    """Predict with anything that has scikit-learn's `predict`."""
    return model.predict(X)


def predict_keras(model, X):
    """Predict with a Keras model."""
    return model.predict(X, verbose=0).argmax(axis=1)


def predict_module(model, X):
    """Predict with a bare torch module."""
    import torch

    with torch.inference_mode():
        return model.eval()(torch.from_numpy(X)).argmax(dim=1).numpy()


def _make_products(n_in, n_out, batch_size):
    import torch

    inputs, weight = torch.randn(batch_size, n_in), torch.randn(n_out, n_in)
    gradient = torch.randn(batch_size, n_out)
    outputs, weight_gradient, input_gradient = map(
        torch.empty_like, (gradient, weight, inputs)
    )
    return (
        lambda: torch.mm(inputs, weight.T, out=outputs),
        lambda: torch.mm(gradient.T, inputs, out=weight_gradient),
        lambda: torch.mm(gradient, weight, out=input_gradient),
    )


def _rejoin(first, second):
    # Both are slices of one array, which must not be copied only to be split again.
    whole = first.base
    is_split_in_two = (
        whole is not None
        and whole is second.base
        and len(whole) == len(first) + len(second)
    )
    return whole if is_split_in_two else np.concatenate([first, second])


CONTESTANTS = {
    "skmnist": Contestant("skmnist", "skmnist", fit_skmnist, predict_estimator),
    "skmnist_medium": Contestant(
        'skmnist, "medium" precision', "skmnist", fit_skmnist_medium, predict_estimator
    ),
    "skorch": Contestant("skorch", "skorch", fit_skorch, predict_estimator),
    "sklearn": Contestant(
        "scikit-learn MLPClassifier (no dropout)",
        "sklearn",
        fit_sklearn,
        predict_estimator,
    ),
    "keras": Contestant("Keras (torch backend)", "keras", fit_keras, predict_keras),
    "data_loader": Contestant(
        "DataLoader loop", "torch", fit_data_loader, predict_module
    ),
    "by_hand": Contestant("hand-written loop", "torch", fit_by_hand, predict_module),
    "floor": Contestant(
        "floor: matrix products alone", "torch", multiply_only, predict=None
    ),
}
