"""Rules for the values in a model's file: functions that tell whether one may stand.

A rule is called with a value and with the sizes of those axes whose names are known, to
which it adds: all axes of an estimator that have the same name must be as long.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection import (
    KFold,
    ShuffleSplit,
    StratifiedKFold,
    StratifiedShuffleSplit,
)

from skmnist._parameters import VALID_SPLIT

SPLITTERS = (
    KFold,
    ShuffleSplit,
    StratifiedKFold,
    StratifiedShuffleSplit,
    pkgutil.resolve_name(VALID_SPLIT),
)

# What is longer is refused: a few bytes for each could cost much more.
MAX_ITEMS = 10_000
MAX_STEPS = 100
MAX_JOBS = 64
MAX_THREADS = 256
# Of polynomials: a sparse one of a higher degree is made column by column.
MAX_DEGREE = 3
# In Python, ten microseconds each: half a second for 50 images.
MAX_UPDATES = 1_000
MAX_NAME = 100
# Axes that a user's data also have, or that no result has.
UNBOUNDED = ("features", "thresholds", "samples")
# Columns of a history: it becomes a table of all epochs by all names.
MAX_COLUMNS = 200

Sizes = dict[str, int]
Rule = Callable[[Any, Sizes], bool]


@dataclass
class Saved:
    """An object of a trusted class as its attributes, before it is built."""

    cls: type
    attributes: dict[str, Any]


# Scalars.


def is_a(*types: type) -> Rule:
    """Return a rule for values of these types, or for objects of them in a file."""
    return lambda value, sizes: (
        value.cls in types if type(value) is Saved else type(value) in types
    )


def is_one_of(*values: str | int) -> Rule:
    """Return a rule for these texts or ints."""
    return lambda value, sizes: type(value) in (str, int) and value in values


def is_if(is_valid: Callable[[Any], bool]) -> Rule:
    """Return a rule for what is a valid value of a parameter."""
    return lambda value, sizes: is_valid(value)


def is_none(value: Any, sizes: Sizes) -> bool:
    """Tell whether a value is None."""
    return value is None


def is_number(value: Any, sizes: Sizes) -> bool:
    """Tell whether a value is a number of Python's or of NumPy's."""
    return type(value) in (int, float) or isinstance(value, np.number)


def is_int(value: Any, sizes: Sizes) -> bool:
    """Tell whether a value is an int that fits 64 bits."""
    is_int = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    return is_int and abs(int(value)) < 2**63


def is_scalar(value: Any, sizes: Sizes) -> bool:
    """Tell whether a value is a number, a boolean, a text or None."""
    kinds = (bool, int, float, str, bytes, np.number, np.bool_)
    return value is None or isinstance(value, kinds)


def is_amount(value: Any, sizes: Sizes) -> bool:
    """Tell whether a value is a name, or a number for which fit may allocate."""
    return value is None or (
        type(value) is str or (is_number(value, sizes) and value <= MAX_ITEMS)
    )


def is_degree(value: Any, sizes: Sizes) -> bool:
    """Tell whether a value is a degree of polynomials."""
    return type(value) is int and 0 <= value <= MAX_DEGREE


def is_size_of(axis: str) -> Rule:
    """Return a rule for ints that are the size of an axis."""
    return lambda value, sizes: (
        is_int(value, sizes)
        and 0 <= value <= MAX_ITEMS
        and sizes.setdefault(axis, int(value)) == value
    )


def is_side(value: Any, sizes: Sizes) -> bool:
    """Tell whether a value is a side of a frame, whose pixels are the outputs."""
    if not is_int(value, sizes) or value < 1 or int(value) ** 2 > MAX_ITEMS:
        return False
    sizes["outputs"] = max(sizes.get("outputs", 0), int(value) ** 2)
    return True


def is_number_of_iterations(value: Any, sizes: Sizes) -> bool:
    """Tell whether a value may be how often `transform` goes over its components."""
    if not is_int(value, sizes) or not 0 <= value <= MAX_ITEMS:
        return False
    sizes["passes"] = max(sizes.get("passes", 0), int(value))
    return True


def is_number_of_updates(value: Any, sizes: Sizes) -> bool:
    """Tell whether a value may be how often `transform` does so for each image."""
    return is_number_of_iterations(value, sizes) and value <= MAX_UPDATES


def is_number_of_threads(value: Any, sizes: Sizes) -> bool:
    """Tell whether a value is as many threads as a machine may have."""
    return type(value) is int and 1 <= value <= MAX_THREADS


def is_name_of_importances(value: Any, sizes: Sizes) -> bool:
    """Tell whether a value names coefficients of an estimator or of its parts."""
    return type(value) is str and (
        re.fullmatch(r"auto|([a-z]\w*\.)*[a-z]\w*_", value) is not None
    )


def has_short_names(value: Any, sizes: Sizes) -> bool:
    """Tell whether a value is an array of names that may be joined to longer ones."""
    return has_labels("features")(value, sizes) and (
        max(map(len, map(str, value)), default=0) <= MAX_NAME
    )


def is_version(value: Any, sizes: Sizes) -> bool:
    """Tell whether a value may be a version, which warnings print."""
    return type(value) is str and re.fullmatch(r"[\w.+-]{1,50}", value) is not None


def is_number_of_jobs(value: Any, sizes: Sizes) -> bool:
    """Tell whether a value asks for a bearable number of processes."""
    return value is None or (type(value) is int and abs(value) <= MAX_JOBS)


def is_pre_dispatch(value: Any, sizes: Sizes) -> bool:
    """Tell whether a value is a number of jobs in joblib's words, not a formula."""
    return type(value) is int or (
        type(value) is str and re.fullmatch(r"all|(\d+\*)?n_jobs", value) is not None
    )


# Arrays.


def has_axes(axes: str, kinds: str = "biuf") -> Rule:
    """Return a rule for arrays with axes of these names, and of these kinds of type."""
    names = axes.split()

    def rule(value, sizes):
        return (
            type(value) is np.ndarray
            and value.dtype.kind in kinds
            and value.ndim == len(names)
            and all(
                sizes.setdefault(name, n) == n and (n <= MAX_ITEMS or name in UNBOUNDED)
                for name, n in zip(names, value.shape, strict=True)
            )
        )

    return rule


def has_fast_axes(axes: str) -> Rule:
    """Return a rule for arrays that need no other type for each product."""
    rule = has_axes(axes, "f")
    return lambda value, sizes: rule(value, sizes) and value.dtype.itemsize in (4, 8)


def has_labels(axis: str) -> Rule:
    """Return a rule for arrays of numbers, booleans or text along an axis."""
    has_axis = has_axes(axis, kinds="biufSUO")
    return lambda value, sizes: has_axis(value, sizes) and _has_scalars(value)


def are_categories(value: Any, sizes: Sizes) -> bool:
    """Tell whether a value is an array of categories, in order if they are numbers.

    An encoder searches numbers by bisection, which would lead it behind others.
    """
    return has_labels("categories")(value, {}) and (
        value.dtype.kind in "SUO"
        or np.array_equal(np.sort(value), value, equal_nan=True)
    )


def is_array(value: Any, sizes: Sizes) -> bool:
    """Tell whether a value is an array of numbers or booleans."""
    return type(value) is np.ndarray and value.dtype.kind in "biuf"


def is_short_array(value: Any, sizes: Sizes) -> bool:
    """Tell whether a value is a short array of scalars."""
    return has_labels("items")(value, {})


def _has_scalars(array):
    return array.dtype != object or all(is_scalar(item, {}) for item in array)


# Containers, and combinations.


def either(*rules: Rule) -> Rule:
    """Return a rule for what one of several rules allows."""
    return lambda value, sizes: any(rule(value, sizes) for rule in rules)


def or_none(rule: Rule) -> Rule:
    """Return a rule that also allows None."""
    return either(is_none, rule)


def is_list_of(rule: Rule, longest: float = MAX_ITEMS) -> Rule:
    """Return a rule for lists and tuples, whose parts each have sizes of their own."""
    return lambda value, sizes: (
        type(value) in (list, tuple)
        and len(value) <= longest
        and all(rule(part, {}) for part in value)
    )


def is_dict_of(rule: Rule, key_type: type = str) -> Rule:
    """Return a rule for dicts, whose values each have sizes of their own."""
    return lambda value, sizes: (
        isinstance(value, dict)
        and len(value) <= MAX_ITEMS
        and all(type(key) is key_type for key in value)
        and all(rule(part, {}) for part in value.values())
    )


def is_setting(value: Any, sizes: Sizes) -> bool:
    """Tell whether a value is plain: scalars, names, short containers of them."""
    if isinstance(value, dict):
        return len(value) <= MAX_ITEMS and all(
            is_setting(part, {}) for part in value.values()
        )
    if type(value) is Saved:
        return value.cls in SPLITTERS
    return (
        is_scalar(value, sizes)
        or is_short_array(value, sizes)
        or is_list_of(is_setting)(value, sizes)
        or isinstance(value, (np.dtype, slice, np.random.RandomState))
        or callable(value)  # a type or function by name; the file has no others
    )


is_text, is_bool = is_a(str), is_a(bool, np.bool_)
is_indices = or_none(has_axes("indices", "iu"))
features = or_none(has_axes("features"))
labels = has_labels("classes")


# Estimators and their parts.


def is_estimator(value: Any, sizes: Sizes) -> bool:
    """Tell whether a value is an estimator."""
    return type(value) is Saved and issubclass(value.cls, BaseEstimator)


are_estimators = is_list_of(is_estimator)
is_setting_or_estimator = either(is_estimator, is_setting)
is_transformer = either(is_estimator, is_none, is_one_of("drop", "passthrough"))
is_method = is_one_of("predict", "predict_proba", "decision_function", "default")


def is_step(value: Any, sizes: Sizes) -> bool:
    """Tell whether a value is a name, a transformer and perhaps its columns."""
    return (
        type(value) is tuple
        and len(value) in (2, 3)
        and type(value[0]) is str
        and is_transformer(value[1], {})
        and all(is_setting(columns, {}) for columns in value[2:])
    )


are_steps = is_list_of(is_step, longest=MAX_STEPS)


def are_candidates(value: Any, sizes: Sizes) -> bool:
    """Tell whether a value is a grid of parameters for a search, or several."""
    grid = is_dict_of(either(is_setting, is_list_of(is_setting_or_estimator)))
    return either(grid, is_list_of(grid))(value, {})


def are_results(value: Any, sizes: Sizes) -> bool:
    """Tell whether a value is the `cv_results_` of a search."""
    candidates = is_list_of(is_dict_of(is_setting_or_estimator))
    return is_dict_of(either(candidates, _is_column))(value, {})


def _is_column(value, sizes):
    return isinstance(value, np.ndarray) and value.ndim == 1


def is_net_state(value: Any, sizes: Sizes) -> bool:
    """Tell whether a value has the parts of a net's plain state.

    Whether its arrays fit the net is checked before that is built.
    """
    if not isinstance(value, dict) or value.keys() != {
        "weights",
        "optimizer",
        "history",
    }:
        return False
    state = value["optimizer"]
    return (
        is_dict_of(is_array)(value["weights"], {})
        and isinstance(state, dict)
        and state.keys() == {"state", "param_groups"}
        and is_dict_of(is_dict_of(or_none(is_array)), int)(state["state"], {})
        and is_list_of(is_dict_of(is_setting))(state["param_groups"], {})
        and _is_history(value["history"])
    )


def _is_history(value):
    epochs = is_list_of(is_dict_of(is_setting), longest=float("inf"))
    return epochs(value, {}) and (
        len({name for epoch in value for name in epoch}) <= MAX_COLUMNS
    )
