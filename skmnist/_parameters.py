"""What each parameter of the classifier may be.

No torch here and no skorch: the command checks its options without them.
"""

from __future__ import annotations

import contextlib
import math
import numbers
import pickle
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

ACTIVATIONS = ("relu", "tanh", "gelu", "logistic", "identity")
OPTIMIZERS = ("adam", "adamw", "sgd", "rmsprop", "adagrad")

# What each epoch measures on the validation data, whether or not it is asked for.
MEASURED = ("valid_loss", "valid_accuracy")

# Classes by their names: to import them would load more than a check needs.
VALID_SPLIT = "skorch.dataset.ValidSplit"
RANDOM_DISTORTION = "skmnist.augmentation.RandomDistortion"

# The parameters that a net is built from; a fitted classifier keeps their values, so
# that it can be built again after a `set_params`.
NET_PARAMETERS = (
    "hidden_layer_sizes",
    "activation",
    "dropout",
    "optimizer",
    "learning_rate",
    "optimizer_params",
    "device",
)
# Those of them that may change where training continues.
CHANGEABLE = ("learning_rate", "optimizer_params", "device")


class OtherLayersError(pickle.PicklingError):
    """A net has other layers than the parameters say, so it cannot be built again."""


def check_parameters(parameters: Mapping[str, Any]) -> None:
    """Raise an error if a parameter is not valid.

    Parameters
    ----------
    parameters : dict
        Parameters of :class:`MNISTMLPClassifier` and their values. Those that only
        torch or scikit-learn can check, `device` and `random_state`, are skipped.

    Raises
    ------
    ValueError
        If one of them is not valid.
    """
    _check(parameters, RULES)
    augmentation = parameters.get("augmentation")
    if is_random_distortion(augmentation):
        check_distortion(vars(augmentation), "augmentation__")


def check_distortion(parameters: Mapping[str, Any], prefix: str = "") -> None:
    """Raise an error if a parameter of a distortion is not valid.

    Parameters
    ----------
    parameters : dict
        Parameters of :class:`RandomDistortion` and their values.
    prefix : str, default=""
        What stands before their names where they are nested.

    Raises
    ------
    ValueError
        If one of them is not valid.
    """
    _check(parameters, DISTORTION_RULES, prefix)


def check_validation_set(
    parameters: Mapping[str, Any], X_val: Any, y_val: Any, sample_weight_val: Any
) -> None:
    """Raise an error if validation data are incomplete, or needed and missing.

    Parameters
    ----------
    parameters : dict
        The parameters `validation_split` and `early_stopping`.
    X_val, y_val, sample_weight_val : object
        The arguments of `fit`; None where they were not given.

    Raises
    ------
    ValueError
        If they are.
    """
    if (X_val is None) != (y_val is None):
        missing = "y_val" if y_val is None else "X_val"
        raise ValueError(f"{missing}=None; give X_val and y_val together, or neither.")
    if X_val is None and sample_weight_val is not None:
        raise ValueError("sample_weight_val is given, but X_val and y_val are None.")
    has_validation = X_val is not None or parameters["validation_split"] is not None
    if parameters["early_stopping"] and not has_validation:
        raise ValueError(
            "early_stopping=True needs data to validate on, but validation_split=None; "
            "give a fraction in (0, 1), a splitter, or X_val and y_val."
        )


def check_same_network(
    parameters: Mapping[str, Any], earlier: Mapping[str, Any]
) -> None:
    """Raise an error if parameters ask for another network than there is.

    Parameters
    ----------
    parameters, earlier : dict
        The parameters that a net is built from, now and in the fit before.

    Raises
    ------
    ValueError
        If one differs that may not change.
    """
    for name in NET_PARAMETERS:
        new, old = parameters[name], earlier[name]
        if name not in CHANGEABLE and not _is_same(name, new, old):
            raise ValueError(
                f"{name}={new!r} is new, but training continues a network with "
                f"{name}={old!r}; use a new classifier, or fit with warm_start=False."
            )


def select_of_net(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the parameters that a net is built from."""
    return {name: parameters[name] for name in NET_PARAMETERS}


def as_sizes(hidden_layer_sizes: int | Sequence[int]) -> tuple[int, ...]:
    """Return `hidden_layer_sizes`, an int or a tuple, as a tuple of ints."""
    return tuple(int(size) for size in np.atleast_1d(hidden_layer_sizes))


def is_valid_split(value: Any) -> bool:
    """Tell whether a `validation_split` is skorch's."""
    return _inherits(type(value), VALID_SPLIT)


def is_random_distortion(value: Any) -> bool:
    """Tell whether an `augmentation` is skmnist's own."""
    return _inherits(type(value), RANDOM_DISTORTION)


def _check(parameters, rules, prefix=""):
    for name, (is_valid, allowed) in rules.items():
        if name in parameters and not is_valid(parameters[name]):
            raise ValueError(
                f"{prefix}{name}={parameters[name]!r} is not valid; give {allowed}."
            )


def _is_same(name, value, earlier):
    if name == "hidden_layer_sizes":
        return as_sizes(value) == as_sizes(earlier)
    return bool(value == earlier)


def _inherits(cls, name):
    # By name: the class itself would have to be imported.
    return any(f"{base.__module__}.{base.__qualname__}" == name for base in cls.__mro__)


def _listed(names):
    return ", ".join(repr(name) for name in names)


def _is_real(value):
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _is_int(value):
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_positive_int(value):
    return _is_int(value) and value >= 1


def _is_bool(value):
    return isinstance(value, (bool, np.bool_))


def _are_sizes(value):
    sizes = value if isinstance(value, (tuple, list, np.ndarray)) else (value,)
    return all(map(_is_positive_int, sizes))


def _is_optimizer(value):
    if isinstance(value, type):
        return _inherits(value, "torch.optim.optimizer.Optimizer")
    return isinstance(value, str) and value in OPTIMIZERS


def _is_validation_split(value):
    if _is_int(value):
        return value >= 2
    if _is_real(value):
        return 0 < value < 1
    if isinstance(value, (str, bytes, type)):  # which can have a method named split
        return False
    return value is None or is_valid_split(value) or hasattr(value, "split")


def _is_monitor(value):
    if not isinstance(value, str):
        return False
    if value in MEASURED:
        return True
    from sklearn.metrics import get_scorer_names  # slow to import

    return value in get_scorer_names()


def _is_class_weight(value):
    if isinstance(value, dict):
        return all(_is_real(w) and 0 <= w < math.inf for w in value.values())
    return value is None or (isinstance(value, str) and value == "balanced")


def _is_augmentation(value):
    if isinstance(value, type):  # which can be called, but not with images
        return False
    return value is None or is_random_distortion(value) or callable(value)


def _are_callbacks(value):
    def is_callback(item):
        if isinstance(item, tuple) and len(item) == 2:
            item = item[1]
        cls = item if isinstance(item, type) else type(item)
        return _inherits(cls, "skorch.callbacks.base.Callback")

    return value is None or (
        isinstance(value, (list, tuple)) and all(map(is_callback, value))
    )


def _are_optimizer_params(value):
    if isinstance(value, dict):
        # skorch would take parameter groups; a loaded or continued net would not.
        return all(
            isinstance(name, str) and name not in ("lr", "param_groups")
            for name in value
        )
    return value is None


RULES = {
    "hidden_layer_sizes": (
        _are_sizes,
        "a positive int or a tuple of them, such as (256,)",
    ),
    "activation": (
        lambda value: isinstance(value, str) and value in ACTIVATIONS,
        f"one of {_listed(ACTIVATIONS)}",
    ),
    "dropout": (
        lambda value: _is_real(value) and 0 <= value < 1,
        "a number in [0, 1)",
    ),
    "optimizer": (
        _is_optimizer,
        f"one of {_listed(OPTIMIZERS)}, or a subclass of torch.optim.Optimizer",
    ),
    "learning_rate": (
        lambda value: _is_real(value) and 0 < value < math.inf,
        "a positive number",
    ),
    "optimizer_params": (
        _are_optimizer_params,
        "None or a dict of the optimizer's keyword arguments (for lr use "
        "learning_rate)",
    ),
    "batch_size": (_is_positive_int, "an int of at least 1"),
    "max_epochs": (_is_positive_int, "an int of at least 1"),
    "validation_split": (
        _is_validation_split,
        "a fraction in (0, 1), an int of at least 2, a skorch ValidSplit, a "
        "scikit-learn splitter, or None",
    ),
    "early_stopping": (_is_bool, "True or False"),
    "monitor": (
        _is_monitor,
        f"one of {_listed(MEASURED)}, or of sklearn.metrics.get_scorer_names()",
    ),
    "patience": (_is_positive_int, "an int of at least 1"),
    "label_smoothing": (
        lambda value: _is_real(value) and 0 <= value < 1,
        "a number in [0, 1)",
    ),
    "class_weight": (
        _is_class_weight,
        "None, 'balanced', or a dict from labels to weights of zero or more",
    ),
    "augmentation": (
        _is_augmentation,
        "None, a RandomDistortion, or a callable from a batch of images to another",
    ),
    "callbacks": (_are_callbacks, "None or a list of skorch callbacks"),
    "warm_start": (_is_bool, "True or False"),
    "verbose": (
        lambda value: _is_bool(value) or (_is_int(value) and value >= 0),
        "0, 1 or 2",
    ),
}


def _is_between(low, high):
    return lambda value: _is_real(value) and low <= value <= high


# The bounds keep a position within float32, and the control points fewer than pixels.
_PIXELS = (_is_between(0, 1000), "a number of pixels in [0, 1000]")

DISTORTION_RULES = {
    "rotation": (_is_between(0, 180), "a number of degrees in [0, 180]"),
    "scale": (_is_between(0, 0.9), "a share in [0, 0.9]"),
    "shear": (_is_between(0, 80), "a number of degrees in [0, 80]"),
    "shift": _PIXELS,
    "elastic": _PIXELS,
    "smoothness": (_is_between(1, 1000), "a number of pixels in [1, 1000]"),
}


@contextlib.contextmanager
def named_in_errors(*names: str) -> Iterator[None]:
    """Put names before the message of an error that has none of them.

    Parameters
    ----------
    *names : str
        The parameters of which one is not valid.

    Raises
    ------
    TypeError, ValueError
        What is raised within the context.
    """
    try:
        yield
    except (TypeError, ValueError, RuntimeError) as error:
        if any(name in str(error) for name in names):
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"In {', '.join(names)}: {error}") from error
