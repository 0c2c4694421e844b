"""A fitted net to plain objects and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.utils import check_array
from skorch import NeuralNet

from skmnist._engine.network import MLP
from skmnist._engine.optimizer import KNOWN
from skmnist._parameters import (
    OtherLayersError,
    as_sizes,
    check_parameters,
    named_in_errors,
    select_of_net,
)

if TYPE_CHECKING:
    import pandas as pd

# skorch's loggers leave out what begins so.
RNG_KEY = "event_rng"
HISTORY_COLUMNS = (
    "epoch",
    "train_loss",
    "train_accuracy",
    "valid_loss",
    "valid_accuracy",
    "duration",
)


def plain_state(net: NeuralNet) -> dict[str, Any]:
    """Return weights, optimizer state, history and generator as plain objects.

    Parameters
    ----------
    net : skorch.NeuralNet
        The net.

    Returns
    -------
    state : dict
        `weights` and `optimizer` as torch's state dicts, with arrays for tensors, and
        `history`, whose last epoch holds the state of the generator.

    Raises
    ------
    OtherLayersError
        If a callback has changed the layers of the module.
    """
    if not has_own_layers(net):
        raise OtherLayersError(
            "The layers of the module do not match the parameters, so the classifier "
            "cannot be saved; save its module with "
            "torch.save(classifier.module_, path)."
        )
    return {
        "weights": _map_tensors(_to_numpy, dict(net.module_.state_dict())),
        "optimizer": _map_tensors(_to_numpy, net.optimizer_.state_dict()),
        "history": [dict(epoch) for epoch in net.history],
    }


def has_own_layers(net: NeuralNet) -> bool:
    """Tell whether the layers of a net are those that its parameters ask for."""
    return type(net.module_) is MLP and net.module_.has_built_layers()


def plain_layers(net: NeuralNet) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the weights, of shape (n_outputs, n_inputs), and biases of each layer."""
    return [
        (_to_numpy(each.weight), _to_numpy(each.bias)) for each in _linear_layers(net)
    ]


def replace_layers(net: NeuralNet, coefs: Any, intercepts: Any) -> None:
    """Replace the weights and biases of all layers, or none if one does not fit.

    Parameters
    ----------
    net : skorch.NeuralNet
        A net with the layers that were built.
    coefs : list of array-like of shape (n_inputs, n_units)
        The weights of each layer.
    intercepts : list of array-like of shape (n_units,)
        The biases of each layer.

    Raises
    ------
    ValueError
        If they are not finite, or not of the shapes of the layers.
    """
    layers = _linear_layers(net)
    weights = _check_arrays("coefs", coefs, [layer.weight.T for layer in layers])
    biases = _check_arrays("intercepts", intercepts, [layer.bias for layer in layers])
    with torch.no_grad():
        for layer, weight, bias in zip(layers, weights, biases, strict=True):
            # Into their memory, which the optimizer and whole tiles share.
            layer.weight.copy_(_to_tensor(weight).T)
            layer.bias.copy_(_to_tensor(bias))


def load_plain_state(net: NeuralNet, state: dict[str, Any]) -> NeuralNet:
    """Restore what :func:`plain_state` returned, and return the net.

    Parameters
    ----------
    net : skorch.NeuralNet
        A new net of the same layers.
    state : dict
        What :func:`plain_state` returned.

    Returns
    -------
    net : skorch.NeuralNet
        The net.

    Raises
    ------
    ValueError
        If the state does not fit the net.
    """
    if not _fits_optimizer(state["optimizer"], net.optimizer_):
        raise ValueError(
            "The optimizer's state does not match the weights; the saved model is "
            "damaged."
        )
    net.module_.load_state_dict(_map_tensors(_to_tensor, state["weights"]))
    net.module_.eval()
    net.optimizer_.load_state_dict(_map_tensors(_to_tensor, state["optimizer"]))
    net.history.clear()
    net.history.extend(dict(epoch) for epoch in state["history"])
    if net.history:
        restore_rng(net.history, net.rng)
    return net


def copy_state(net: NeuralNet, new: NeuralNet) -> NeuralNet:
    """Return a new net, perhaps on another device, with the state of a net."""
    return load_plain_state(new, plain_state(net))


def check_plain_state(
    state: dict[str, Any],
    *,
    parameters: Mapping[str, Any],
    n_features: int,
    n_classes: int,
    dtype: str,
) -> None:
    """Raise an error if weights do not fit a net, before it is built.

    A file of a few bytes could ask for a net of any size.

    Parameters
    ----------
    state : dict
        What :func:`plain_state` returned, or what a file claims is one.
    parameters : dict
        The parameters of :class:`MNISTMLPClassifier` that the net was built from.
    n_features, n_classes : int
        The number of pixels of an image and of classes.
    dtype : {"float32", "float64"}
        The float type of the weights.

    Raises
    ------
    ValueError
        If it does not fit.
    """
    # All that there must be; the device is looked for later, and may be missing.
    check_parameters(select_of_net(parameters))
    weights = list(state["weights"].values())
    sizes = (n_features, *as_sizes(parameters["hidden_layer_sizes"]), n_classes)
    shapes = [
        shape for n_in, n_out in pairwise(sizes) for shape in ((n_out, n_in), (n_out,))
    ]
    fits = (
        [weight.shape for weight in weights] == shapes
        and dtype in ("float32", "float64")
        and all(weight.dtype == dtype for weight in weights)
    )
    if not fits:
        raise ValueError(
            "The weights do not match hidden_layer_sizes="
            f"{parameters['hidden_layer_sizes']!r}; the saved model is damaged."
        )


def record_rng(history: Any, rng: np.random.Generator) -> None:
    """Put the state of a generator into the last epoch of skorch's history.

    skorch's Checkpoint keeps the history, so that a training can continue from there.
    """
    for epoch in history[-2:]:  # of the epoch before, and of this one if recorded
        epoch.pop(RNG_KEY, None)
    state = rng.bit_generator.state
    words = state["state"]["state"].tolist()  # plain, for JSON
    history.record(RNG_KEY, {**state, "state": {"state": words}})


def restore_rng(history: Any, rng: np.random.Generator) -> None:
    """Restore the state that :func:`record_rng` recorded."""
    last = history[-1]
    if "rng" in last:  # as earlier versions named it
        last[RNG_KEY] = last.pop("rng")
    state = last[RNG_KEY]
    words = np.array(state["state"]["state"], dtype=np.uint64)
    rng.bit_generator.state = {**state, "state": {"state": words}}


def make_history_table(history: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return the history of a net as a table, one row per epoch.

    Parameters
    ----------
    history : sequence of dict
        skorch's history.

    Returns
    -------
    table : DataFrame
        What the net records, then what callbacks do.
    """
    import pandas as pd

    epochs = [
        {
            "duration" if name == "dur" else name: value
            for name, value in epoch.items()
            if name not in ("batches", RNG_KEY)
            and not name.endswith(("_best", "_batch_count"))
        }
        for epoch in history
    ]
    table = pd.DataFrame(epochs, columns=None if epochs else HISTORY_COLUMNS)
    first = [name for name in HISTORY_COLUMNS if name in table]
    return table[first + [name for name in table if name not in first]]


def _fits_optimizer(state, optimizer):
    """Tell whether a state has the shapes that an optimizer of ours believes it has."""
    if type(optimizer) not in KNOWN:
        return True  # a class of the user's keeps what it likes
    shapes = {
        index: parameter.shape
        for group, saved in zip(
            optimizer.param_groups, state["param_groups"], strict=True
        )
        for index, parameter in zip(saved["params"], group["params"], strict=True)
    }
    return all(
        value is None
        or np.shape(value) == (() if name == "step" else shapes.get(index))
        for index, values in state["state"].items()
        for name, value in values.items()
    )


def _linear_layers(net):
    return [linear for linear, _ in net.module_.blocks] + [net.module_.output]


def _check_arrays(name, given, parameters):
    """Return arrays that can replace parameters, in their float type."""
    expected = (
        f"a list of {len(parameters)} arrays, one for each hidden layer and the output"
    )
    if not hasattr(given, "__len__"):
        raise ValueError(f"{name}={given!r} is not valid; give {expected}.")
    if len(given) != len(parameters):
        raise ValueError(f"{name} has {len(given)} arrays; give {expected}.")
    arrays = []
    for number, (array, parameter) in enumerate(zip(given, parameters, strict=True)):
        with (
            named_in_errors(f"{name}[{number}]"),
            np.errstate(over="ignore"),  # which is found to be infinite then
        ):
            if isinstance(array, torch.Tensor):
                array = array.detach().cpu().numpy()
            array = check_array(
                array,
                dtype=str(parameter.dtype).removeprefix("torch."),
                ensure_2d=False,
                allow_nd=True,
                ensure_min_samples=0,
                input_name=f"{name}[{number}]",
            )
        if array.shape != parameter.shape:
            raise ValueError(
                f"{name}[{number}] has shape {array.shape}; expected "
                f"{tuple(parameter.shape)}, as in {name}_[{number}]."
            )
        arrays.append(array)
    return arrays


def _map_tensors(function, tree):
    if isinstance(tree, (torch.Tensor, np.ndarray)):
        return function(tree)
    if isinstance(tree, dict):
        return {key: _map_tensors(function, value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(_map_tensors(function, value) for value in tree)
    return tree


def _to_numpy(tensor):
    return tensor.detach().cpu().numpy().copy()


def _to_tensor(array):
    return torch.from_numpy(np.array(array))
