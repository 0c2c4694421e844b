"""A model and its file, which the tests look at and do not change."""

import pytest

from skmnist import save_model
from small_models import small


@pytest.fixture(scope="module")
def model(digits):
    return small(hidden_layer_sizes=(8,)).fit(*digits)


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model.skmnist"
    save_model(model, path)
    return path
