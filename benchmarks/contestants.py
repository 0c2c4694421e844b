"""The contestants: each fits the same network to the same images in its own way.

Libraries are imported where they are used, so that the process of one contestant
holds no other's.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

N_CLASSES = 10
# Of the arrays of a step: for the default network 150 MB.
N_COLD_COPIES = 64


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
    learning_rate : float, default=1e-3
        The step size of Adam.
    seed : int, default=0
        Determines weights, order and dropout.
    device : str, default="cpu"
        Where those that use torch fit; JAX is told by the environment.
    """

    n_rows: int = 48_000
    hidden_layer_sizes: tuple[int, ...] = (256,)
    batch_size: int = 128
    epochs: int = 1
    dropout: float = 0.5
    learning_rate: float = 1e-3
    seed: int = 0
    device: str = "cpu"

    @property
    def n_valid(self) -> int:
        """The number of images to validate on."""
        return self.n_rows // 4


class Fitted(NamedTuple):
    """A model, its accuracy on the validation set after each epoch, and what is once.

    `compile_seconds` is what a fit takes to compile its program, each time anew.
    """

    model: Any
    valid_accuracies: list[float]
    compile_seconds: float = 0.0


@dataclass(frozen=True)
class Contestant:
    """One way to fit the network.

    Parameters
    ----------
    label : str
        What it is called in tables and pictures.
    packages : tuple of str
        What it imports.
    fit : callable
        Takes float32 images in [0, 1] and int labels to train on, the same to validate
        on, and a :class:`Setting`; returns a :class:`Fitted`.
    predict : callable or None
        Takes a fitted model and images; None for what has no model.
    environment : dict, default={}
        The environment variables that it needs.
    is_compiled : bool, default=False
        Whether its first fit to data of a size compiles a program for all later ones.
    """

    label: str
    packages: tuple[str, ...]
    fit: Callable[..., Fitted | None]
    predict: Callable[[Any, np.ndarray], np.ndarray] | None
    environment: dict[str, str] = field(default_factory=dict)
    is_compiled: bool = False

    def load(self) -> None:
        """Import what takes long."""
        os.environ.update(self.environment)
        for package in self.packages:
            importlib.import_module(package)

    def find_missing(self) -> list[str]:
        """Return the packages that are not installed."""
        return [name for name in self.packages if not importlib.util.find_spec(name)]


def fit_skmnist(X_train, y_train, X_valid, y_valid, setting):
    """Fit with this package."""
    from skmnist import MNISTMLPClassifier

    model = MNISTMLPClassifier(
        setting.hidden_layer_sizes,
        dropout=setting.dropout,
        learning_rate=setting.learning_rate,
        batch_size=setting.batch_size,
        max_epochs=setting.epochs,
        device=setting.device,
        random_state=setting.seed,
    )
    model.fit(X_train, y_train, X_val=X_valid, y_val=y_valid)
    return Fitted(model, model.history_["valid_accuracy"].tolist())


def fit_skmnist_at(precision, *data_and_setting):
    """Fit with this package, with torch allowed to multiply at another precision.

    "medium" is bfloat16 on some processors, "high" TF32 on some GPUs.
    """
    import torch

    torch.set_float32_matmul_precision(precision)
    return fit_skmnist(*data_and_setting)


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
        lr=setting.learning_rate,
        batch_size=setting.batch_size,
        max_epochs=setting.epochs,
        train_split=predefined_split(Dataset(X_valid, y_valid)),
        callbacks=[train_accuracy],
        device=setting.device,
        verbose=0,
    )
    net.fit(X_train, y_train)
    return Fitted(net, net.history[:, "valid_acc"])


def fit_sklearn(X_train, y_train, X_valid, y_valid, setting):
    """Fit with scikit-learn, which has no dropout and splits the rows by itself."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        setting.hidden_layer_sizes,
        learning_rate_init=setting.learning_rate,
        batch_size=setting.batch_size,
        max_iter=setting.epochs,
        early_stopping=True,
        validation_fraction=len(X_valid) / (len(X_train) + len(X_valid)),
        n_iter_no_change=setting.epochs + 1,
        random_state=setting.seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(_rejoin(X_train, X_valid), _rejoin(y_train, y_valid))
    return Fitted(model, model.validation_scores_)


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
        optimizer=keras.optimizers.Adam(setting.learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    ends = [time.perf_counter()]
    timer = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter())
    )
    history = model.fit(
        X_train,
        y_train,
        validation_data=(X_valid, y_valid),
        batch_size=setting.batch_size,
        epochs=setting.epochs,
        callbacks=[timer],
        verbose=0,
    )
    first, *others = np.diff(ends)
    compile_seconds = first - np.median(others) if others else 0.0
    return Fitted(model, history.history["val_accuracy"], compile_seconds)


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
    optimizer = torch.optim.Adam(model.parameters(), lr=setting.learning_rate)
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
    return Fitted(model, [metrics[-1] for metrics in history])


def fit_by_hand(X_train, y_train, X_valid, y_valid, setting):
    """Fit with the loop of someone who knows torch and wants it quick."""
    import torch
    from torch.nn.functional import cross_entropy

    torch.manual_seed(setting.seed)
    X, y, X_valid, y_valid = (
        torch.from_numpy(array).to(setting.device)
        for array in (X_train, y_train, X_valid, y_valid)
    )
    model = make_module(X.shape[1], setting).to(setting.device)
    optimizer = torch.optim.Adam(
        model.parameters(), lr=setting.learning_rate, fused=True
    )
    history = []
    for _ in range(setting.epochs):
        model.train()
        loss_sum = n_correct = 0
        order = torch.randperm(len(X), device=X.device)
        for rows in order.split(setting.batch_size):
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
    return Fitted(model, [metrics[-1] for metrics in history])


def fit_jax(X_train, y_train, X_valid, y_valid, setting):
    """Fit with the loop of someone who knows JAX: an epoch is one compiled program."""
    import jax
    from jax import numpy as jnp

    initialize_state, run_epoch, predict = make_jax_program(
        setting.batch_size, setting.dropout, setting.learning_rate
    )
    sizes = (X_train.shape[1], *setting.hidden_layer_sizes, N_CLASSES)
    state = initialize_state(jax.random.key(setting.seed, impl="rbg"), sizes)
    data = X_train, y_train.astype("int32"), X_valid, y_valid.astype("int32")
    data = tuple(map(jnp.asarray, data))
    history = []
    for _ in range(setting.epochs):
        state, metrics = run_epoch(state, *data)
        history.append([float(value) for value in metrics])
    model = functools.partial(predict, state[0])
    return Fitted(model, [metrics[-1] for metrics in history])


@functools.cache
def make_jax_program(batch_size, dropout, learning_rate):
    """Return how JAX begins, runs an epoch and predicts; compiled once a process."""
    import jax
    import optax
    from jax import lax
    from jax import numpy as jnp

    optimizer = optax.adam(learning_rate)

    def initialize_state(key, sizes):
        key, *keys = jax.random.split(key, len(sizes))
        initialize = jax.nn.initializers.glorot_uniform()
        params = [
            (initialize(layer_key, shape, jnp.float32), jnp.zeros(shape[1]))
            for layer_key, shape in zip(keys, pairwise(sizes), strict=True)
        ]
        return params, optimizer.init(params), key

    def forward(params, X, key=None):
        *hidden, (last_weight, last_bias) = params
        for number, (weight, bias) in enumerate(hidden):
            X = jax.nn.relu(X @ weight + bias)
            if key is not None:
                layer_key = jax.random.fold_in(key, number)
                kept = jax.random.bernoulli(layer_key, 1 - dropout, X.shape)
                X = jnp.where(kept, X / (1 - dropout), 0)
        return X @ last_weight + last_bias

    def measure(params, X, y, key=None):
        logits = forward(params, X, key)
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, y)
        return losses.mean(), (logits.argmax(axis=1) == y).sum()

    find_gradients = jax.value_and_grad(measure, has_aux=True)

    @functools.partial(jax.jit, donate_argnums=0)
    def run_epoch(state, X, y, X_valid, y_valid):
        params, moments, key = state
        key, order_key, mask_key = jax.random.split(key, 3)
        order = jax.random.permutation(order_key, len(X))
        n_steps, n_left = divmod(len(X), batch_size)

        def step(carry, batch):
            params, moments, loss_sum, n_correct = carry
            number, rows = batch
            step_key = jax.random.fold_in(mask_key, number)
            (loss, correct), gradients = find_gradients(
                params, X[rows], y[rows], step_key
            )
            updates, moments = optimizer.update(gradients, moments)
            params = optax.apply_updates(params, updates)
            return (
                params,
                moments,
                loss_sum + loss * len(rows),
                n_correct + correct,
            ), None

        whole = order[: n_steps * batch_size].reshape(n_steps, batch_size)
        carry, _ = lax.scan(
            step, (params, moments, 0.0, 0), (jnp.arange(n_steps), whole)
        )
        if n_left:
            carry, _ = step(carry, (n_steps, order[-n_left:]))
        params, moments, loss_sum, n_correct = carry
        valid_loss, n_valid_correct = measure(params, X_valid, y_valid)
        metrics = (
            loss_sum / len(X),
            n_correct / len(X),
            valid_loss,
            n_valid_correct / len(X_valid),
        )
        return (params, moments, key), metrics

    predict = jax.jit(lambda params, X: forward(params, X).argmax(axis=1))
    return initialize_state, run_epoch, predict


def multiply_only(X_train, y_train, X_valid, y_valid, setting, n_copies=1):
    """Do the matrix products of the training steps and nothing else: the floor."""
    import torch

    sizes = (X_train.shape[1], *setting.hidden_layer_sizes, N_CLASSES)
    copies = _make_steps(sizes, setting.batch_size, n_copies)
    n_steps = setting.epochs * -(-len(X_train) // setting.batch_size)
    with torch.inference_mode():
        for step in range(n_steps):
            layers = copies[step % n_copies]
            for forward, _, _ in layers:
                forward()
            for number, (_, weight_gradient, input_gradient) in enumerate(layers):
                weight_gradient()
                if number > 0:
                    input_gradient()


def multiply_cold(*data_and_setting):
    """Do the products with weights, images and results that no cache holds."""
    multiply_only(*data_and_setting, n_copies=N_COLD_COPIES)


def scale(images: np.ndarray) -> np.ndarray:
    """Return float32 images in [0, 1]."""
    return np.divide(images, np.float32(255), dtype=np.float32)


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


def predict_jax(model, X):
    """Predict with what the loop in JAX returned."""
    return np.asarray(model(X))


def predict_module(model, X):
    """Predict with a bare torch module."""
    import torch

    with torch.inference_mode():
        X = torch.from_numpy(X).to(next(model.parameters()).device)
        return model.eval()(X).argmax(dim=1).cpu().numpy()


@functools.cache
def _make_steps(sizes, batch_size, n_copies):
    return [
        [_make_products(*pair, batch_size) for pair in pairwise(sizes)]
        for _ in range(n_copies)
    ]


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
    "skmnist": Contestant("skmnist", ("skmnist",), fit_skmnist, predict_estimator),
    "skmnist_medium": Contestant(
        'skmnist, "medium" precision',
        ("skmnist",),
        functools.partial(fit_skmnist_at, "medium"),
        predict_estimator,
    ),
    "jax": Contestant(
        "hand-written loop (JAX)",
        ("jax", "optax"),
        fit_jax,
        predict_jax,
        is_compiled=True,
    ),
    "keras_jax": Contestant(
        "Keras (JAX)",
        ("keras", "jax"),
        fit_keras,
        predict_keras,
        {"KERAS_BACKEND": "jax"},
    ),
    "by_hand": Contestant(
        "hand-written loop (torch)", ("torch",), fit_by_hand, predict_module
    ),
    "sklearn": Contestant(
        "scikit-learn MLPClassifier (no dropout)",
        ("sklearn",),
        fit_sklearn,
        predict_estimator,
    ),
    "skorch": Contestant("skorch", ("skorch",), fit_skorch, predict_estimator),
    "keras_tensorflow": Contestant(
        "Keras (TensorFlow)",
        ("keras", "tensorflow"),
        fit_keras,
        predict_keras,
        {"KERAS_BACKEND": "tensorflow"},
    ),
    "keras_torch": Contestant(
        "Keras (torch)",
        ("keras", "torch"),
        fit_keras,
        predict_keras,
        {"KERAS_BACKEND": "torch"},
    ),
    "data_loader": Contestant(
        "DataLoader loop (torch)", ("torch",), fit_data_loader, predict_module
    ),
    "floor": Contestant(
        "floor: matrix products alone", ("torch",), multiply_only, predict=None
    ),
    "floor_cold": Contestant(
        "floor with cold weights", ("torch",), multiply_cold, predict=None
    ),
}
# On a GPU. JAX multiplies in TF32 there unless it is told not to, torch only if it is.
GPU_CONTESTANTS = {
    "skmnist": CONTESTANTS["skmnist"],
    "skmnist_tf32": Contestant(
        "skmnist, TF32",
        ("skmnist",),
        functools.partial(fit_skmnist_at, "high"),
        predict_estimator,
    ),
    "jax_float32": replace(
        CONTESTANTS["jax"], environment={"JAX_DEFAULT_MATMUL_PRECISION": "float32"}
    ),
    "jax_tf32": replace(CONTESTANTS["jax"], label="hand-written loop (JAX), TF32"),
    "by_hand": CONTESTANTS["by_hand"],
    "skorch": CONTESTANTS["skorch"],
}
