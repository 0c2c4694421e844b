"""Classifiers that train in a blink, and what they are fitted on."""

import numpy as np

from skmnist import MNISTMLPClassifier

WORDS = np.array(
    ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
)
PIXELS = np.linspace(0, 1, 20 * 12, dtype=np.float32).reshape(20, 12)


def spoil(value):
    """Images of which one pixel has this value."""
    X = PIXELS.copy()
    X[3, 3] = value
    return X


def small(**parameters):
    """A classifier that trains in a blink."""
    defaults = {"hidden_layer_sizes": (16,), "max_epochs": 2, "random_state": 0}
    return MNISTMLPClassifier(**{**defaults, **parameters})


def deterministic(**parameters):
    """No dropout, no split, one batch: what is left is plain gradient descent."""
    defaults = {"dropout": 0.0, "validation_split": None, "batch_size": 10_000}
    return small(**{**defaults, **parameters})


def fit(digits, *callbacks, **parameters):
    """Fit a small classifier for three epochs with callbacks."""
    defaults = {"max_epochs": 3, "callbacks": list(callbacks)}
    return small(**{**defaults, **parameters}).fit(*digits)
