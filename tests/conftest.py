"""Fixtures that many tests share."""

import os
from pathlib import Path

os.environ["MPLBACKEND"] = "agg"
# Small networks gain nothing from more, and on a busy machine threads wait for others.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
from sklearn.datasets import load_digits

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def digits():
    """The bundled digits as float32 in [0, 1], 500 of them."""
    X, y = load_digits(return_X_y=True)
    return (X[:500] / 16).astype(np.float32), y[:500]


@pytest.fixture(scope="session")
def data_home():
    """A data home with the real MNIST files, which are read and never changed."""
    candidates = [os.environ.get("SCIKIT_LEARN_DATA"), ROOT.parent / "shared"]
    for home in filter(None, candidates):
        if (Path(home) / "mnist" / "t10k-labels-idx1-ubyte.gz").exists():
            return Path(home)
    pytest.skip(
        "the real MNIST files are neither in SCIKIT_LEARN_DATA nor in ../shared"
    )


@pytest.fixture(scope="session")
def mnist(data_home):
    """All of MNIST: training images and labels, test images and labels."""
    from skmnist import fetch_mnist

    train = fetch_mnist(subset="train", data_home=data_home)
    test = fetch_mnist(subset="test", data_home=data_home)
    return train.data, train.target, test.data, test.target
