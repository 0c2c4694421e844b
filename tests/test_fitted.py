"""The attributes that scikit-learn's MLPClassifier has, and weights that are set."""

import pickle
import warnings

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.neural_network import MLPClassifier

from listeners import OnTrainBegin, Recorder, StopAt
from skmnist import MNISTMLPClassifier
from small_models import deterministic, small

with warnings.catch_warnings():
    warnings.simplefilter("ignore", ConvergenceWarning)
    MLP = MLPClassifier(max_iter=1).fit([[0.0], [1.0]], [0, 1])
ATTRIBUTES = sorted(
    name for name in vars(MLP) if name.endswith("_") and not name.startswith("_")
)


@pytest.fixture(scope="module")
def fitted(digits):
    return small(hidden_layer_sizes=(16, 8), max_epochs=3).fit(*digits)


@pytest.mark.parametrize("name", [*ATTRIBUTES, "history_", "module_"])
def test_every_attribute_of_mlp_classifier_is_there_after_a_fit_only(fitted, name):
    unfitted = MNISTMLPClassifier()

    assert hasattr(fitted, name)
    assert not hasattr(unfitted, name)
    if name not in ("classes_", "n_features_in_"):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            getattr(unfitted, name)


def test_weights_and_biases_are_those_that_predict(fitted, digits):
    outputs = digits[0]
    for coef, intercept in zip(fitted.coefs_, fitted.intercepts_, strict=True):
        outputs = np.maximum(outputs, 0) @ coef + intercept

    np.testing.assert_allclose(outputs, fitted.decision_function(digits[0]), rtol=1e-3)
    assert [coef.shape for coef in fitted.coefs_] == [(64, 16), (16, 8), (8, 10)]
    assert [each.shape for each in fitted.intercepts_] == [(16,), (8,), (10,)]


def test_changing_the_returned_weights_changes_no_network(fitted, digits):
    expected = fitted.predict_proba(digits[0])

    for array in fitted.coefs_ + fitted.intercepts_:
        array[:] = 0

    assert_array_equal(fitted.predict_proba(digits[0]), expected)


def test_figures_are_those_of_the_history(fitted):
    history = fitted.history_

    assert fitted.loss_curve_ == history["train_loss"].tolist()
    assert fitted.loss_ == history["train_loss"].iloc[-1]
    assert fitted.best_loss_ == history["train_loss"].min()
    assert fitted.validation_scores_ is fitted.best_validation_score_ is None
    assert (fitted.n_layers_, fitted.n_outputs_) == (4, 10)
    assert fitted.out_activation_ == "softmax"


def test_early_stopping_has_validation_scores_in_place_of_a_best_loss(digits):
    model = small(early_stopping=True).fit(*digits)

    scores = model.history_["valid_accuracy"]
    assert model.validation_scores_ == scores.tolist()
    assert model.best_validation_score_ == scores.max()
    assert model.best_loss_ is None
    model.partial_fit(*digits)  # which validates nothing
    assert model.validation_scores_ is None
    assert model.best_loss_ == model.history_["train_loss"].min()


def test_a_loss_that_is_nan_is_not_the_best(digits):
    X, y = digits
    model = deterministic().fit(X, y)
    best = model.best_loss_

    with pytest.warns(ConvergenceWarning, match="loss became nan"):
        model.partial_fit(np.full_like(X, 3e38), y)

    assert np.isnan(model.loss_)
    assert model.best_loss_ == best


def test_a_fit_without_a_whole_epoch_has_no_losses(digits):
    model = small(callbacks=[StopAt("on_batch_end", epoch=1)]).fit(*digits)

    assert model.loss_curve_ == []
    assert np.isnan(model.loss_)
    assert model.best_loss_ == np.inf
    assert model.t_ == 0


@pytest.mark.parametrize("callbacks", [[], [Recorder()]], ids=["plain", "by batch"])
def test_t_counts_the_images_of_all_epochs(digits, callbacks):
    X, y = digits
    weight = np.arange(500) % 2  # half of them are left out
    model = small(max_epochs=3, batch_size=32, callbacks=callbacks, warm_start=True)

    model.fit(X, y, sample_weight=weight)
    model.set_params(batch_size=48, max_epochs=1).fit(X[:100], y[:100])
    model.partial_fit(X[:70], y[:70])

    assert model.t_ == 3 * 200 + 80 + 70
    assert pickle.loads(pickle.dumps(model)).t_ == model.t_


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_that_are_set_predict_like_the_network_they_come_from(digits, dtype):
    X, y = digits[0].astype(dtype), digits[1]
    source, model = small().fit(X, y), small(random_state=1, max_epochs=1).fit(X, y)

    returned = model.set_weights(source.coefs_, source.intercepts_)

    assert returned is model
    assert_array_equal(model.predict_proba(X), source.predict_proba(X))
    assert model.n_iter_ == 1
    assert model.coefs_[0].dtype == dtype


def test_weights_may_be_the_parameters_of_a_module(digits):
    source, model = small().fit(*digits), small(random_state=1).fit(*digits)
    parameters = list(source.module_.parameters())

    model.set_weights([weight.T for weight in parameters[::2]], parameters[1::2])

    assert_array_equal(model.coefs_[0], source.coefs_[0])
    assert_array_equal(model.intercepts_[-1], source.intercepts_[-1])


def test_training_continues_from_weights_that_are_set(digits):
    model = deterministic(learning_rate=1e-9).fit(*digits)
    coefs = [np.full_like(coef, 0.5) for coef in model.coefs_]

    model.set_weights(coefs, model.intercepts_).partial_fit(*digits)

    np.testing.assert_allclose(model.coefs_[0], 0.5, rtol=1e-4)
    np.testing.assert_allclose(model.coefs_[1], 0.5, rtol=1e-4)


def test_the_optimizer_keeps_its_state_where_weights_are_set(digits):
    X, y = digits
    model = small().fit(X, y)
    unchanged = pickle.loads(pickle.dumps(model)).partial_fit(X, y)

    model.set_weights(model.coefs_, model.intercepts_).partial_fit(X, y)

    assert_array_equal(model.predict_proba(X), unchanged.predict_proba(X))


def test_a_partial_fit_of_one_image_is_enough_to_set_weights(digits):
    X, y = digits
    server = small().fit(X, y)
    client = small().partial_fit(X[:1], y[:1], classes=np.arange(10))

    client.set_weights(server.coefs_, server.intercepts_)

    assert_array_equal(client.predict(X), server.predict(X))


def with_change(arrays, number, change):
    return [change(each) if i == number else each for i, each in enumerate(arrays)]


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("coefs", lambda a: a[:1], "coefs has 1 arrays; give a list of 3 arrays"),
        ("coefs", lambda a: 3, "coefs=3 is not valid; give a list of 3 arrays"),
        (
            "coefs",
            lambda a: with_change(a, 1, np.transpose),
            r"coefs\[1\] has shape \(8, 16\); expected \(16, 8\)",
        ),
        (
            "intercepts",
            lambda a: with_change(a, 2, lambda b: b[:, None]),
            r"intercepts\[2\] has shape \(10, 1\); expected \(10,\)",
        ),
        (
            "intercepts",
            lambda a: with_change(a, 0, lambda b: b * np.nan),
            r"Input intercepts\[0\] contains NaN",
        ),
        (
            "coefs",
            lambda a: with_change(a, 2, lambda b: b.astype(float) + 1e300),
            r"Input coefs\[2\] contains infinity or a value too large",
        ),
        (
            "coefs",
            lambda a: with_change(a, 1, lambda b: [[1], [1, 2]]),
            r"In coefs\[1\]: setting an array element with a sequence",
        ),
        (
            "intercepts",
            lambda a: with_change(a, 1, lambda b: torch.tensor(b).bfloat16()),
            r"In intercepts\[1\]: Got unsupported ScalarType BFloat16",
        ),
    ],
)
def test_weights_that_do_not_fit_change_nothing(fitted, name, change, message):
    arguments = {"coefs": fitted.coefs_, "intercepts": fitted.intercepts_}
    before = fitted.coefs_
    arguments["coefs"] = [coef + 1 for coef in before]
    arguments[name] = change(arguments[name])

    with pytest.raises((TypeError, ValueError), match=message):
        fitted.set_weights(**arguments)

    for coef, expected in zip(fitted.coefs_, before, strict=True):
        assert_array_equal(coef, expected)


def test_weights_are_set_after_a_fit_only():
    with pytest.raises(NotFittedError, match="not fitted yet"):
        small().set_weights([], [])


def test_layers_that_a_callback_has_put_in_have_no_coefs(digits):
    def replace(net):
        net.module_.output = torch.nn.Linear(16, 10).to(net.device)

    model = small(callbacks=[OnTrainBegin(replace)]).fit(*digits)

    with pytest.raises(AttributeError, match="has changed the layers"):
        model.set_weights([], [])
    assert not hasattr(model, "coefs_")
