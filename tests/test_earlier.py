"""Files that were written before the code moved, with the oldest versions."""

import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_digits

from skmnist import load_model, save_model

FOLDER = Path(__file__).parent / "earlier"


def unpickle(path):
    return pickle.loads(path.read_bytes())


@pytest.fixture(params=[("model.pickle", unpickle), ("model.skmnist", load_model)])
def model(request):
    name, load = request.param
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other versions
        return load(FOLDER / name)


def test_they_predict_what_they_did(model):
    X, _ = load_digits(return_X_y=True)

    expected = np.load(FOLDER / "probabilities.npy")

    assert_allclose(model.predict_proba(X[:20]), expected, atol=1e-5)


def test_they_know_how_they_were_trained(model):
    classifier = model[-1]

    assert list(classifier.classes_) == list("abcdefghij")
    assert classifier.n_iter_ == len(classifier.history_) == 8
    assert classifier.best_epoch_ == classifier.history_["valid_loss"].idxmin() + 1
    assert classifier.validation_split.stratified


def test_their_training_goes_on(model):
    X, y = load_digits(return_X_y=True)
    labels = np.array(list("abcdefghij"))[y]
    classifier = model[-1]

    classifier.partial_fit(X / 16, labels)
    classifier.set_params(warm_start=True, max_epochs=2).fit(X / 16, labels)

    assert classifier.n_iter_ == 11
    assert model.score(X, labels) > 0.9


def test_they_can_be_saved_again(model, tmp_path):
    save_model(model, tmp_path / "model.skmnist")

    assert load_model(tmp_path / "model.skmnist")[-1].n_iter_ == 8
