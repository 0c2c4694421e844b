"""Fixtures that the tests of both displays share."""

import os
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from sklearn.pipeline import make_pipeline

from skmnist import ImageScaler, MNISTMLPClassifier


@pytest.fixture(autouse=True)
def close_figures(request):
    """Close the figures of a test, and keep them where SKMNIST_PICTURES says."""
    yield
    if folder := os.environ.get("SKMNIST_PICTURES"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        for number in plt.get_fignums():
            name = f"{request.node.name}-{number}.png".replace("/", "-")
            plt.figure(number).savefig(Path(folder) / name)
    plt.close("all")


@pytest.fixture(scope="session")
def model(digits):
    X, y = digits
    return make_pipeline(
        ImageScaler(1.0), MNISTMLPClassifier((16,), max_epochs=4, random_state=0)
    ).fit(X, y)
