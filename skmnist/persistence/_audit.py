"""The audit of a model from a file, before anything is built."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.ensemble import StackingClassifier

from skmnist.persistence._consistency import WHOLE, WORK
from skmnist.persistence._rules import (
    MAX_ITEMS,
    Saved,
    are_candidates,
    are_steps,
    either,
    is_array,
    is_estimator,
    is_int,
    is_setting,
    is_setting_or_estimator,
)
from skmnist.persistence._transformers import PARAMETERS
from skmnist.persistence._trusted import OF_ALL, RULES

# Beyond these a file is refused. Each step is displayed, and each may copy the images.
MAX_ESTIMATORS = 2000
MAX_DEPTH = 12
MAX_COPIES = 16
# Columns that are not the images' own, and their copies.
MAX_OUTPUTS = MAX_COPIES * MAX_ITEMS
# Components by pixels, each time that a transformer goes over them: a second for 50
# images.
MAX_WORK = 15_000_000


def check_model(model: Any) -> None:
    """Raise an error unless a model is one that may stand in a file.

    Parameters
    ----------
    model : object
        What a file claims is a model, as plain values.

    Raises
    ------
    ValueError
        If it is not.
    """
    if not is_estimator(model, {}):
        raise ValueError("it contains no estimator.")
    n_outputs, work = 0, 0
    for number, (saved, depth) in enumerate(_find_saved(model), start=1):
        if number > MAX_ESTIMATORS or depth > MAX_DEPTH:
            raise ValueError(
                f"it has more than {MAX_ESTIMATORS} estimators, or more than "
                f"{MAX_DEPTH} within each other."
            )
        sizes = _check_attributes(saved)
        n_outputs += sizes.get("outputs", 0) + sizes.get("bases", 0)
        if saved.cls in WORK:
            work += WORK[saved.cls](saved.attributes, sizes)
    n_copies = _count_copies(model)
    if n_copies > MAX_COPIES:
        raise ValueError(f"its steps make more than {MAX_COPIES} copies of the images.")
    if n_copies * n_outputs > MAX_OUTPUTS:
        raise ValueError(f"its steps make more than {MAX_OUTPUTS} columns.")
    if work > MAX_WORK:
        raise ValueError("its steps would take too long.")


def is_allowed(value: Any) -> bool:
    """Tell whether a parameter may have a value in a file."""
    try:
        for saved, _ in _find_saved(value):
            _check_attributes(saved)
    except ValueError:
        return False
    rules = is_setting_or_estimator, is_array, are_steps, are_candidates
    return either(*rules)(value, {})


def _find_saved(value):
    values = [(value, 0)]
    while values:
        value, depth = values.pop()
        if type(value) is Saved:
            yield value, depth
            values += [(part, depth + 1) for part in value.attributes.values()]
        elif isinstance(value, dict):
            values += [(part, depth) for part in value.values()]
        elif isinstance(value, (list, tuple)):
            values += [(part, depth) for part in value]
        elif isinstance(value, np.ndarray) and value.dtype == object:
            values += [(part, depth) for part in np.asarray(value)]


def _check_attributes(saved):
    rules = RULES[saved.cls]
    if issubclass(saved.cls, BaseEstimator):
        rule = PARAMETERS.get(saved.cls, is_setting)
        parameters = dict.fromkeys(saved.cls._get_param_names(), rule)
        rules = parameters | OF_ALL | rules
    n_features = saved.attributes.get("n_features_in_")
    sizes = {"features": int(n_features)} if is_int(n_features, {}) else {}
    for name, value in saved.attributes.items():
        if name not in rules or hasattr(saved.cls, name):
            raise ValueError(
                f"it contains an attribute that {saved.cls.__name__} does not have or "
                f"whose values are not trusted: {name[:100]!r}."
            )
        if not rules[name](value, sizes):
            raise ValueError(
                f"it contains a value of {saved.cls.__name__}.{name} that does not fit "
                "or is not trusted."
            )
    check = WHOLE.get(saved.cls)
    # With more components than features, products of them would outgrow the file.
    if sizes.get("components", 0) > sizes.get("features", 0) or (
        check is not None and not check(saved.attributes, sizes)
    ):
        raise ValueError(
            f"it contains attributes of {saved.cls.__name__} that do not fit together."
        )
    return sizes


def _count_copies(value):
    """Count how many copies of the images the steps of a model may put side by side."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return max(map(_count_copies, value), default=1)
    if type(value) is not Saved:
        return 1
    parts = dict(value.attributes)
    steps, union, columns = (
        parts.pop(name, None) or ()
        for name in ("steps", "transformer_list", "transformers_")
    )
    shares = [_share(step[2], parts.get("n_features_in_", 1)) for step in columns]
    return max(
        math.prod(_count_copies(step[1]) for step in steps),
        sum(_count_copies(step[1]) for step in union),
        sum(
            _count_copies(step[1]) * share
            for step, share in zip(columns, shares, strict=True)
        ),
        2 * parts.get("sample_steps", 1) - 1,
        2 if value.cls is StackingClassifier or parts.get("split_sign") else 1,
        *map(_count_copies, parts.values()),
    )


def _share(columns, n_features):
    """Return how much of the images some columns are; all where that is unclear."""
    if isinstance(columns, (list, np.ndarray)):
        return len(columns) / n_features
    return 1 / n_features if isinstance(columns, (int, str)) else 1
