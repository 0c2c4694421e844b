"""A model and its file, which the tests look at and do not change."""

import time

import pytest

from skmnist import load_model, save_model
from small_models import small


@pytest.fixture(scope="module")
def model(digits):
    return small(hidden_layer_sizes=(8,)).fit(*digits)


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model.skmnist"
    save_model(model, path)
    return path


@pytest.fixture
def refused(peak_memory):
    """A function that expects a file to be refused, at once and with little memory."""

    def refuse(path, match):
        assert path.stat().st_size < 10**6
        start = time.process_time()  # of our own, however busy the machine is
        with peak_memory() as peak, pytest.raises(ValueError, match=match):
            load_model(path)
        assert time.process_time() - start < 2
        assert peak.megabytes < 200

    return refuse
