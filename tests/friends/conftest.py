"""What the tests of other tools share: digits, a model, and no network."""

import os
import sys

# Before any of the tools is imported.
os.environ.update(
    DO_NOT_TRACK="1",
    MLFLOW_DISABLE_TELEMETRY="true",
    NUMBA_DISABLE_JIT="1",  # which takes longer than what is compiled
    WANDB_MODE="offline",
    WANDB_SILENT="true",
)

import matplotlib.pyplot as plt
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from skmnist import ImageScaler, MNISTMLPClassifier

LOCAL = ("localhost", "127.0.0.1", "::1")
asked = []


def refuse_the_network(event, arguments):
    """Let nothing out, and remember what was asked for."""
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    if host not in LOCAL:
        asked.append(host)
        raise OSError(f"no test may reach {host}")


sys.addaudithook(refuse_the_network)


@pytest.fixture(autouse=True)
def no_network():
    asked.clear()
    yield
    assert asked == []


@pytest.fixture(autouse=True)
def no_figures_left():
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def digits():
    """Images and labels of 1,297 digits to train on and of 500 others."""
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=500, stratify=y, random_state=0
    )
    return X_train, X_test, y_train, y_test


@pytest.fixture
def make_classifier():
    """Make a classifier that learns the digits in a tenth of a second."""

    def make_classifier(**parameters):
        defaults = {
            "hidden_layer_sizes": (64,),
            "dropout": 0.2,
            "learning_rate": 0.01,
            "validation_split": None,
            "random_state": 0,
        }
        return MNISTMLPClassifier(**{**defaults, **parameters})

    return make_classifier


@pytest.fixture
def model(make_classifier):
    """Scale images and classify them, not yet fitted."""
    return make_pipeline(ImageScaler(16), make_classifier())


@pytest.fixture
def fitted(model, digits):
    """A model that knows the training digits."""
    X_train, _, y_train, _ = digits
    return model.fit(X_train, y_train)


@pytest.fixture
def module(fitted):
    """The torch module of that model, without dropout."""
    return fitted[-1].module_
