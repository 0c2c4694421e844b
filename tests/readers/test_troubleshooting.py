"""A user meets an error, and finds its words on the page "Troubleshooting"."""

import pickle
import re
import threading
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback

from skmnist import ImageScaler, MNISTMLPClassifier, load_model

PAGE = Path(__file__).parents[2] / "docs" / "user_guide" / "troubleshooting.rst"
if not PAGE.exists():
    pytest.skip("unavailable here: docs, which an sdist lacks", allow_module_level=True)
TABLE = PAGE.read_text(encoding="utf-8").split("\nErrors\n")[1]
WORDS = re.findall(
    r"``([^`]+)``", " ".join(re.findall(r"^   \* - (.*)$", TABLE, re.MULTILINE))
)
# They need a network, or a machine without a GPU.
TESTED_ELSEWHERE = {
    "could not be downloaded from any mirror",
    "device='cuda' cannot be used here",
}

X, y = load_digits(return_X_y=True)
X, y = X[:100] / 16, y[:100]
IMAGES, LABELS = np.eye(28)[np.newaxis].repeat(20, axis=0), np.arange(20) % 2


class HoldLock(Callback):
    def __init__(self):
        self.lock = threading.Lock()


class PutIn(Callback):
    def __init__(self, layer):
        self.layer = layer

    def on_train_begin(self, net, **kwargs):
        net.module_.activation_1 = self.layer


def small(**parameters):
    return MNISTMLPClassifier(8, **{"max_epochs": 1, "random_state": 0, **parameters})


def load_a_pickle():
    joblib.dump(small(), "model.joblib")
    load_model("model.joblib")


ERRORS = {
    "Expected 2D array, got 1D array": lambda: small().fit(X, y).predict_proba(X[0]),
    "X has 28 features, but ... is expecting 784": lambda: (
        small().fit(IMAGES, LABELS).predict(IMAGES[0])
    ),
    "Unknown label type: continuous": lambda: small().fit(X, y + 0.5),
    "Input X contains NaN": lambda: small().fit(X * np.nan, y),
    "images are (n_samples, n_pixels), ...": lambda: small().fit(
        np.zeros((20, 28, 28, 3)), LABELS
    ),
    "Pipeline.fit does not accept the X_val parameter": lambda: make_pipeline(
        ImageScaler(1), small()
    ).fit(X, y, X_val=X, y_val=y),
    "early_stopping=True needs data to validate on": lambda: small(
        early_stopping=True, validation_split=None
    ).fit(X, y),
    "optimizer_params__weight_decay cannot be set": lambda: small().set_params(
        optimizer_params__weight_decay=1e-4
    ),
    "classes must be passed on the first call to partial_fit": lambda: (
        small().partial_fit(X, y)
    ),
    "is not a file written by save_model": load_a_pickle,
    "cannot pickle '_thread.lock' object": lambda: pickle.dumps(
        small(callbacks=[HoldLock()])
    ),
    "mixed dtype (CPU)": lambda: small(
        callbacks=[PutIn(torch.nn.BatchNorm1d(8))], device="cpu"
    ).fit(X, y),
    "must have the same dtype": lambda: small(
        callbacks=[PutIn(torch.nn.Linear(8, 8))], device="cpu"
    ).fit(X, y),
}


def test_the_errors_of_the_page_are_tested():
    assert set(WORDS) == ERRORS.keys() | TESTED_ELSEWHERE


@pytest.mark.parametrize("words", ERRORS)
def test_an_error_has_the_words_of_the_page(words):
    if "save_model" in words:
        pytest.importorskip("skops")

    with pytest.raises(Exception, match=re.escape(words).replace(r"\.\.\.", ".*")):
        ERRORS[words]()
