"""The promises of scikit-learn's tests of MLPClassifier, with our parameters.

In the order of its `test_mlp.py`, without what that tests of regressors, lbfgs and
`tol`, which have no counterpart here.
"""

import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, softmax
from sklearn.datasets import load_digits, load_iris, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import LRScheduler
from torch.optim.lr_scheduler import ReduceLROnPlateau

from skmnist import MNISTMLPClassifier

ACTIVATIONS = ["identity", "logistic", "tanh", "relu", "gelu"]


def make_mlp(**parameters):
    """Our classifier with scikit-learn's ideas of dropout and validation: none."""
    defaults = {"hidden_layer_sizes": 10, "dropout": 0.0, "validation_split": None}
    return MNISTMLPClassifier(**{**defaults, "random_state": 1, **parameters})


def load_few_digits(n_classes):
    X, y = load_digits(n_class=n_classes, return_X_y=True)
    return X[:200] / 16, y[:200]


@pytest.fixture(scope="module", params=[2, 3], ids=["two classes", "three classes"])
def few_digits(request):
    return load_few_digits(request.param)


@pytest.fixture(scope="module")
def two_digits():
    return load_few_digits(2)


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def test_more_weight_decay_means_smaller_weights(two_digits):
    def sum_weights(weight_decay):
        model = make_mlp(
            max_epochs=50, optimizer_params={"weight_decay": weight_decay}
        ).fit(*two_digits)
        return np.array([np.abs(coef).sum() for coef in model.coefs_])

    assert (sum_weights(0.0) > sum_weights(1.0)).all()


def test_a_step_from_given_weights_is_the_worked_out_one():
    x, rate = np.array([0.6, 0.8, 0.7]), 0.1
    coefs = [np.array([[0.1, 0.2], [0.3, 0.1], [0.5, 0]]), np.array([[0.1, 0], [0, 1]])]
    intercepts = [np.array([0.1, 0.1]), np.array([0.5, 1.0])]
    model = make_mlp(
        optimizer="sgd", learning_rate=rate, activation="logistic", hidden_layer_sizes=2
    ).partial_fit([x], [0], classes=[0, 1])

    model.set_weights(coefs, intercepts).partial_fit([x], [0])

    hidden = expit(x @ coefs[0] + intercepts[0])
    outputs_error = softmax(hidden @ coefs[1] + intercepts[1]) - [1, 0]
    hidden_error = coefs[1] @ outputs_error * hidden * (1 - hidden)
    for layer, (inputs, error) in enumerate(
        [(x, hidden_error), (hidden, outputs_error)]
    ):
        expected = coefs[layer] - rate * np.outer(inputs, error)
        assert_allclose(model.coefs_[layer], expected, rtol=1e-12)
        expected = intercepts[layer] - rate * error
        assert_allclose(model.intercepts_[layer], expected, rtol=1e-12)


@pytest.mark.parametrize("n_labels", [2, 3])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_are_those_of_the_loss(activation, n_labels):
    rng = np.random.default_rng(42)
    X, y = rng.random((5, 10)), 1 + np.arange(5) % n_labels
    model = make_mlp(activation=activation, optimizer="sgd", learning_rate=1.0)
    model.fit(X, y)
    before = model.coefs_ + model.intercepts_
    model.partial_fit(X, y)
    after = model.coefs_ + model.intercepts_
    gradient = [old - new for old, new in zip(before, after, strict=True)]

    def compute_loss(shift, directions):
        shifted = [w + shift * d for w, d in zip(before, directions, strict=True)]
        model.set_weights(shifted[:2], shifted[2:])
        return log_loss(y, model.predict_proba(X))

    for _ in range(5):
        directions = [rng.standard_normal(weights.shape) for weights in before]
        rise = compute_loss(1e-5, directions) - compute_loss(-1e-5, directions)
        slope = sum((g * d).sum() for g, d in zip(gradient, directions, strict=True))
        assert rise / 2e-5 == pytest.approx(slope, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_each_activation_learns_digits(few_digits, activation):
    X, y = few_digits
    model = make_mlp(hidden_layer_sizes=50, activation=activation, learning_rate=0.01)

    predicted = model.set_params(max_epochs=30).fit(X[:150], y[:150]).predict(X[150:])

    assert model.score(X[:150], y[:150]) > 0.95
    assert (predicted.shape, predicted.dtype) == ((50,), y.dtype)


def test_a_warm_start_keeps_a_constant_learning_rate(iris):
    model = make_mlp(optimizer="sgd", max_epochs=1, warm_start=True).fit(*iris)
    rate = model.net_.optimizer_.param_groups[0]["lr"]

    model.fit(*iris)

    assert model.net_.optimizer_.param_groups[0]["lr"] == rate == 1e-3


def test_other_classes_in_partial_fit_are_refused():
    model = make_mlp().partial_fit([[3, 2]], [0], classes=[0, 1])

    with pytest.raises(ValueError, match="not those of the earlier fit"):
        model.partial_fit([[3, 2]], [0], classes=[1, 2])


def test_as_many_calls_of_partial_fit_are_one_fit(few_digits):
    X, y = few_digits
    model, parts = (make_mlp(optimizer="sgd", learning_rate=0.2) for _ in range(2))
    model.set_params(max_epochs=100).fit(X, y)

    for _ in range(100):
        parts.partial_fit(X, y, classes=np.unique(y))

    assert_array_equal(parts.predict_proba(X), model.predict_proba(X))
    assert parts.score(X, y) > 0.95


def test_a_class_may_come_late():
    model = make_mlp(random_state=0)

    model.partial_fit([[0.1], [0.2], [0.3]], ["a", "b", "c"], classes=list("abcd"))
    model.partial_fit([[0.4]], ["d"])

    assert model.score([[0.1], [0.2], [0.3], [0.4]], list("abcd")) > 0


def test_labels_that_are_not_among_the_classes_are_refused():
    with pytest.raises(ValueError, match=r"y has the labels \[0, 1\]"):
        make_mlp().partial_fit([[3, 2], [1, 6]], [1, 0], classes=[2])


def test_a_fit_of_huge_values_warns():
    rng = np.random.default_rng(0)
    X = np.finfo(np.float64).max * rng.random((10, 2))

    with pytest.warns(ConvergenceWarning, match="scale the images"):
        make_mlp().fit(X, np.arange(10) % 2)


def test_probabilities_and_their_logarithms_agree(few_digits):
    X, y = few_digits
    model = make_mlp(max_epochs=30, learning_rate=0.01).fit(X, y)

    probabilities = model.predict_proba(X)

    assert probabilities.shape == (200, len(np.unique(y)))
    assert_allclose(model.predict_log_proba(X), np.log(probabilities), atol=1e-12)
    scores = probabilities[:, 1] if probabilities.shape[1] == 2 else probabilities
    assert roc_auc_score(y, scores, multi_class="ovr") == 1.0


def test_images_are_shuffled_by_the_random_state(two_digits):
    X, y = two_digits[0][:20], two_digits[1][:20]
    one, two, in_order = (make_mlp(batch_size=1, max_epochs=1) for _ in range(3))

    for row in range(20):
        in_order.partial_fit(X[row : row + 1], y[row : row + 1], classes=[0, 1])

    assert_array_equal(one.fit(X, y).coefs_[0], two.fit(X, y).coefs_[0])
    assert not np.allclose(one.coefs_[0], in_order.coefs_[0])


@pytest.mark.parametrize("container", [scipy.sparse.csr_matrix, scipy.sparse.csr_array])
def test_sparse_and_dense_images_give_the_same(two_digits, container):
    X, y = two_digits
    model = make_mlp(max_epochs=5)

    dense = model.fit(X, y).predict_proba(X)

    assert_array_equal(model.fit(container(X), y).predict_proba(container(X)), dense)
    assert_array_equal(model.predict_proba(X), dense)


def test_verbose_prints_each_epoch_of_fit_and_partial_fit(capsys):
    X, y = [[0.3, 0.2], [0.1, 0.6]], [1, 0]

    make_mlp(max_epochs=2, verbose=10).fit(X, y).partial_fit(X, y)

    printed = capsys.readouterr().out
    assert "train_loss" in printed
    assert [line.split()[0] for line in printed.splitlines() if "." in line] == [
        *("1", "2", "3")
    ]


def test_early_stopping_stops_by_the_validation_data(two_digits):
    model = make_mlp(max_epochs=3000, early_stopping=True, validation_split=0.1)

    model.set_params(patience=2, learning_rate=0.05).fit(*two_digits)

    assert model.n_iter_ < 3000
    assert model.best_loss_ is None
    assert isinstance(model.validation_scores_, list)
    assert len(model.validation_scores_) == model.n_iter_
    assert model.best_validation_score_ == max(model.validation_scores_)
    # Of the validation loss, where scikit-learn takes the accuracy.
    assert model.n_iter_ == model.best_epoch_ + 2
    model.set_params(early_stopping=False, max_epochs=2).fit(*two_digits)
    assert model.validation_scores_ is None
    assert model.best_validation_score_ is None
    assert model.best_loss_ == min(model.loss_curve_)


def test_a_callback_makes_the_learning_rate_adaptive():
    rate = LRScheduler(
        *(ReduceLROnPlateau, "train_loss"),
        **{"patience": 1, "threshold": 0.5, "threshold_mode": "abs", "factor": 0.2},
    )
    model = make_mlp(optimizer="sgd", max_epochs=30, callbacks=[rate])

    model.fit([[3, 2], [1, 6]], [1, 0])

    assert model.net_.optimizer_.param_groups[0]["lr"] < 1e-6


@pytest.mark.parametrize(
    ("counts", "labels"),
    [
        ([75, 75], [0, 1]),
        ([50, 50, 50], [0, 1, 3]),
        ([37, 37, 38, 38], [0, 1, 2, 3]),
    ],
)
def test_a_warm_start_takes_the_same_classes_only(iris, counts, labels):
    X, y = iris
    model = make_mlp(max_epochs=1, warm_start=True).fit(X, y)
    model.fit(X, np.repeat([0, 1, 2], [40, 40, 70]))

    with pytest.raises(ValueError, match=r"not those of the earlier fit, \[0 1 2\]"):
        model.fit(X, np.repeat(labels, counts))


def test_each_warm_start_runs_max_epochs_more(iris):
    model = make_mlp(max_epochs=3, warm_start=True).fit(*iris)
    assert model.n_iter_ == 3

    model.fit(*iris)

    # scikit-learn's counts those of the last fit.
    assert model.n_iter_ == 6


@pytest.mark.parametrize("patience", [2, 5])
def test_it_stops_after_patience_epochs_without_improvement(two_digits, patience):
    model = make_mlp(max_epochs=300, early_stopping=True, validation_split=0.2)

    # A rate that is too high: the loss of the first epochs is not reached again.
    model.set_params(patience=patience, learning_rate=1.0).fit(*two_digits)

    losses = model.history_["valid_loss"]
    assert model.n_iter_ == model.best_epoch_ + patience < 300
    assert (losses[-patience:] >= losses.min()).all()


def test_a_class_with_one_image_is_split_all_the_same():
    # scikit-learn raises an error.
    X = np.array([[1, 2], [2, 3], [3, 4], [4, 5]]) / 5
    model = make_mlp(early_stopping=True, validation_split=0.25)

    model.fit(X, [0, 0, 0, 1])

    assert len(model.validation_scores_) == model.n_iter_


def test_early_stopping_takes_string_labels(iris):
    X, y = iris
    labels = np.array(["class_a", "class_b", "class_c"], dtype=object)
    model = make_mlp(early_stopping=True, validation_split=0.2)

    model.fit(X, labels[y])

    assert len(model.validation_scores_) == model.n_iter_
    assert np.isfinite(model.validation_scores_).all()


def test_float_types_give_nearly_the_same(few_digits):
    X, y = few_digits
    double, single = (
        make_mlp(hidden_layer_sizes=(5, 3), max_epochs=100).fit(X.astype(dtype), y)
        for dtype in (np.float64, np.float32)
    )

    assert_array_equal(double.predict(X), single.predict(X))
    assert_allclose(double.predict_proba(X), single.predict_proba(X), rtol=1e-2)
    for model, dtype in [(double, np.float64), (single, np.float32)]:
        assert {each.dtype for each in model.coefs_ + model.intercepts_} == {
            np.dtype(dtype)
        }


def test_a_loaded_model_learns_anew(tmp_path):
    X = [[0.2], [0.8]]
    model = make_mlp(max_epochs=100, learning_rate=0.05, activation="tanh")
    model.fit(X, [0, 1])
    assert_array_equal(model.predict(X), [0, 1])
    joblib.dump(model, tmp_path / "model.joblib")

    loaded = joblib.load(tmp_path / "model.joblib")
    for _ in range(100):
        loaded.partial_fit(X, [1, 0])

    assert_array_equal(loaded.predict(X), [1, 0])


def test_early_stopping_of_a_frame_warns_of_no_feature_names():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.random((10, 2)), columns=["colname_a", "colname_b"])
    model = make_mlp(early_stopping=True, validation_split=0.2)

    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model.fit(X, pd.Series(np.full(10, 1)))

    assert_array_equal(model.feature_names_in_, X.columns)


def test_a_warm_start_with_early_stopping_goes_on(iris):
    model = make_mlp(early_stopping=True, validation_split=0.1, warm_start=True)
    n_scores = len(model.fit(*iris).validation_scores_)

    model.fit(*iris)

    assert len(model.validation_scores_) > n_scores


def test_partial_fit_works_after_early_stopping(iris):
    # scikit-learn raises an error.
    model = make_mlp(early_stopping=True, validation_split=0.2).fit(*iris)

    assert model.partial_fit(*iris).n_iter_ == model.history_["epoch"].max()
    assert not hasattr(model, "best_epoch_")


def test_a_diverging_loss_does_not_break_early_stopping(iris):
    model = make_mlp(activation="identity", optimizer="sgd", learning_rate=1e100)

    with pytest.warns(ConvergenceWarning, match="training loss became"):
        model.set_params(early_stopping=True, validation_split=0.2).fit(*iris)

    assert isinstance(model.validation_scores_[-1], float)


def test_weights_of_one_are_none(iris):
    X, y = iris
    parameters = {"early_stopping": True, "validation_split": 0.1, "batch_size": 10}
    weighted, plain = make_mlp(**parameters), make_mlp(**parameters)

    weighted.fit(X, y, sample_weight=np.ones(len(y)))

    assert_allclose(weighted.predict_proba(X), plain.fit(X, y).predict_proba(X))


def test_a_single_image_cannot_be_split():
    with pytest.raises(ValueError, match=r"validation_split=0\.2"):
        make_mlp(early_stopping=True, validation_split=0.2).fit([[0.5, 0.2]], [1])


@pytest.fixture(scope="module")
def several_labels():
    X, y = make_multilabel_classification(
        n_samples=50, random_state=0, return_indicator=True
    )
    return X / X.max(), y


def test_several_labels_are_learnt_by_fit_and_partial_fit(several_labels):
    X, y = several_labels
    parameters = {"hidden_layer_sizes": 50, "learning_rate": 0.02}
    model, parts = make_mlp(max_epochs=150, **parameters), make_mlp(**parameters)

    for _ in range(150):
        parts.partial_fit(X, y, classes=np.arange(5))

    assert model.fit(X, y).score(X, y) > 0.97
    assert_array_equal(parts.predict(X), model.predict(X))
    assert (model.n_outputs_, model.out_activation_) == (5, "logistic")


def test_early_stopping_takes_several_labels(several_labels):
    X, y = several_labels
    model = make_mlp(early_stopping=True, validation_split=0.1).fit(X, y)

    assert model.predict(X).shape == y.shape
    assert len(model.validation_scores_) == model.n_iter_


def test_probabilities_of_several_labels_do_not_add_up_to_one(several_labels):
    X, y = several_labels
    model = make_mlp(hidden_layer_sizes=30, max_epochs=150, learning_rate=0.02)

    probabilities = model.fit(X, y).predict_proba(X)

    assert_array_equal(probabilities > 0.5, y)
    assert np.abs(probabilities.sum(axis=1) - 1).max() > 0.5
    assert_allclose(model.predict_log_proba(X), np.log(probabilities), atol=1e-9)
