"""Images that have several labels each, as scikit-learn's MLPClassifier takes them."""

import pickle

import numpy as np
import pytest
import scipy.sparse
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import make_multilabel_classification
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.estimator_checks import check_classifier_multioutput

from skmnist import (
    ImageGridDisplay,
    ImageScaler,
    MNISTMLPClassifier,
    evaluate,
    load_model,
    misclassified,
    save_model,
)
from small_models import small


def describe(y):
    """Whether a digit is even, greater than four, and has a hole."""
    return np.column_stack([y % 2 == 0, y > 4, np.isin(y, [0, 6, 8, 9])]).astype(int)


@pytest.fixture
def described(digits):
    X, y = digits
    return X, describe(y)


def test_the_default_network_learns_several_labels_of_mnist(mnist):
    X, y, X_test, y_test = mnist
    X, y, y_test = X[:10_000], describe(y[:10_000]), describe(y_test)

    model = make_pipeline(
        ImageScaler(), MNISTMLPClassifier(device="cpu", random_state=0)
    )
    model.fit(X, y)

    assert model.score(X_test, y_test) > 0.92
    assert_array_equal(model.classes_, [0, 1, 2])


def test_predictions_are_those_of_an_indicator(described):
    X, y = described
    classifier = small(max_epochs=20, learning_rate=0.01).fit(X, y)

    logits = classifier.decision_function(X)
    probabilities = classifier.predict_proba(X)

    assert logits.shape == probabilities.shape == y.shape
    assert_allclose(probabilities, 1 / (1 + np.exp(-logits)), rtol=1e-5)
    assert_allclose(
        classifier.predict_log_proba(X), np.log(probabilities), rtol=1e-4, atol=1e-6
    )
    assert_array_equal(classifier.predict(X), probabilities > 0.5)
    assert classifier.predict(X).dtype == np.int64
    assert classifier.score(X, y) == accuracy_score(y, classifier.predict(X)) > 0.6
    assert_array_equal(classifier.net_.predict(X), classifier.predict(X))


def test_improbable_labels_have_a_logarithm(described):
    X, y = described
    classifier = small(learning_rate=0.1).fit(X, y)

    assert np.isfinite(classifier.predict_log_proba(X * 1000)).all()


@pytest.mark.parametrize(
    "as_given",
    [
        lambda y: y.tolist(),
        lambda y: y.astype(bool),
        lambda y: y.astype(np.float64),
        torch.from_numpy,
        scipy.sparse.csr_matrix,
        scipy.sparse.coo_array,
    ],
    ids=["lists", "bool", "float", "tensor", "csr", "coo"],
)
def test_indicators_of_all_kinds_are_the_same(described, as_given):
    X, y = described
    expected = small().fit(X, y)

    classifier = small().fit(X, as_given(y))

    assert_array_equal(classifier.predict_proba(X), expected.predict_proba(X))
    predicted = classifier.predict(X)
    assert scipy.sparse.issparse(predicted) == scipy.sparse.issparse(as_given(y))
    assert classifier.score(X, as_given(y)) == expected.score(X, y)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_history_has_the_sum_of_losses_and_the_subset_accuracy(
    described, weighted, smoothing
):
    X, y = described[0].astype(np.float64), described[1]
    weight = np.tile([3.0, 1.0], 50) if weighted else None

    classifier = small(label_smoothing=smoothing).fit(
        X[100:], y[100:], X_val=X[:100], y_val=y[:100], sample_weight_val=weight
    )

    probabilities = classifier.predict_proba(X[:100])
    targets = y[:100] * (1 - smoothing) + smoothing / 2
    losses = -targets * np.log(probabilities) - (1 - targets) * np.log1p(-probabilities)
    last = classifier.history_.iloc[-1]
    assert_allclose(
        last["valid_loss"], np.average(losses.sum(axis=1), weights=weight), rtol=1e-10
    )
    assert_allclose(
        last["valid_accuracy"],
        accuracy_score(y[:100], classifier.predict(X[:100]), sample_weight=weight),
    )


def test_evaluate_takes_several_labels(described):
    X, y = described
    weight = np.arange(len(y)) % 3
    classifier = small().fit(X, scipy.sparse.csr_array(y))

    figures = evaluate(classifier, X, y, sample_weight=weight)

    expected = sum(
        log_loss(y[:, label], probability, sample_weight=weight)
        for label, probability in enumerate(classifier.predict_proba(X).T)
    )
    assert figures["loss"] == pytest.approx(expected)
    assert figures["accuracy"] == classifier.score(X, y, sample_weight=weight)


def test_a_fit_goes_on_and_is_saved_with_several_labels(tmp_path, described):
    X, y = described
    classifier = small(warm_start=True).fit(X, y)
    classifier.partial_fit(X[:50], y[:50])

    save_model(classifier, tmp_path / "model")
    copies = [load_model(tmp_path / "model"), pickle.loads(pickle.dumps(classifier))]

    for copy in copies:
        assert_array_equal(copy.predict(X), classifier.predict(X))
        assert_array_equal(
            copy.fit(X, y).predict_proba(X),
            pickle.loads(pickle.dumps(classifier)).fit(X, y).predict_proba(X),
        )


def test_parts_of_the_data_need_the_labels_once(described):
    X, y = described

    classifier = small().partial_fit(X, y, classes=[0, 1, 2]).partial_fit(X, y)

    assert classifier.n_iter_ == 2
    with pytest.raises(ValueError, match=r"one column for each .* \[0 1 2\]"):
        small().partial_fit(X, y, classes=["a", "b", "c"])
    with pytest.raises(ValueError, match=r"y should be a 1d array"):
        small().partial_fit(X, y, classes=y)


def test_the_bits_do_not_depend_on_the_threads(mnist):
    # 300 labels: sums over many columns are those that threads might share out.
    X = ImageScaler().fit_transform(mnist[0][:1_000])
    y = (np.arange(300) % (mnist[1][:1_000, None] + 2) == 0).astype(int)
    earlier = torch.get_num_threads()
    fitted = []
    for n_threads in (1, 2):
        torch.set_num_threads(n_threads)
        fitted.append(MNISTMLPClassifier(max_epochs=1, random_state=0).fit(X, y))
    torch.set_num_threads(earlier)

    first, second = fitted
    assert_array_equal(first.predict_proba(X), second.predict_proba(X))
    columns = ["train_loss", "valid_loss", "valid_accuracy"]
    assert_array_equal(first.history_[columns], second.history_[columns])


def test_rows_of_weight_zero_are_left_out(described):
    X, y = described
    weight = (np.arange(len(y)) < 200).astype(float)

    weighted = small(validation_split=None).fit(X, y, weight)
    fewer = small(validation_split=None).fit(X[:200], y[:200])

    assert_allclose(weighted.predict_proba(X), fewer.predict_proba(X), rtol=1e-5)


def test_searches_and_folds_take_several_labels(described):
    X, y = described
    model = make_pipeline(ImageScaler(1), small(max_epochs=10, validation_split=None))

    search = GridSearchCV(model, {"mnistmlpclassifier__dropout": [0.0, 0.3]}, cv=2)
    search.fit(X, y)
    probabilities = cross_val_predict(model, X, y, cv=3, method="predict_proba")

    assert search.best_score_ > 0.3
    assert ((probabilities > 0.5) == y).mean() > 0.7


@pytest.mark.parametrize("split", [0.25, 4])
def test_rows_are_held_out(described, split):
    classifier = small(validation_split=split, early_stopping=True).fit(*described)

    assert classifier.history_["valid_loss"].notna().all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y": [[0, 2]] * 6}, r"y has shape \(6, 2\) and values such as .*2"),
        ({"y": [[0, 1], [1]] * 3}, "y should be a 1d array|inhomogeneous"),
        ({"y": [[0, np.nan]] * 6}, "Input y contains NaN"),
        ({"y": np.array([["a", 1]] * 6, dtype=object)}, "such as 'a'; .* the number 1"),
        ({"y": [["0", "1"]] * 6}, "such as '0'; .* the number 1"),
        (
            {"y": [[0, 1]] * 6, "X_val": np.eye(6), "y_val": [0, 1] * 3},
            "y_val is multiclass, but the classifier was given a multilabel y",
        ),
        (
            {"y": [[0, 1]] * 6, "X_val": np.eye(6), "y_val": [[0, 1, 1]] * 6},
            r"y_val has one column for each of the labels \[0 1 2\]",
        ),
    ],
)
def test_what_is_no_indicator_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        small().fit(np.eye(6), **arguments)


def test_balanced_answers_have_the_same_weight_for_each_label(described):
    X, y = described[0].astype(np.float64), described[1]
    balanced = small(class_weight="balanced").fit(X, y, X_val=X[:100], y_val=y[:100])

    probabilities = balanced.predict_proba(X[:100])
    weight = np.column_stack(
        [compute_sample_weight("balanced", label) for label in y.T]
    )
    losses = np.where(y[:100], -np.log(probabilities), -np.log1p(-probabilities))
    expected = (losses * weight[:100]).sum(axis=1).mean()
    assert_allclose(balanced.history_["valid_loss"].iloc[-1], expected, rtol=1e-10)
    assert balanced.t_ == 2 * len(y)


def test_a_rare_label_is_found_with_balanced_weights(digits):
    X, y = digits[0], (digits[1][:, None] == np.arange(8)).astype(int)
    y[np.flatnonzero(y[:, 7])[:40], 7] = 0

    plain, balanced = (
        small(class_weight=weight, max_epochs=30).fit(X, y).predict(X)
        for weight in (None, "balanced")
    )

    assert plain[y[:, 7] == 1, 7].mean() < balanced[y[:, 7] == 1, 7].mean()


def test_balanced_weights_are_of_the_last_fit(described):
    X, y = described
    classifier = small(class_weight="balanced", warm_start=True).fit(X, y)
    other = small(class_weight="balanced", warm_start=True).fit(X, y)

    classifier.set_params(class_weight=None).fit(X, y)
    other.set_params(class_weight="balanced").fit(X, y)

    assert classifier.net_.criterion_.answer_weight is None
    assert not np.array_equal(classifier.predict_proba(X), other.predict_proba(X))


def test_an_indicator_of_objects_is_one_of_numbers(described):
    X, y = described
    expected = small().fit(X, y).predict_proba(X)

    assert_array_equal(small().fit(X, y.astype(object)).predict_proba(X), expected)


def test_a_sparse_column_is_refused_as_by_scikit_learn(described):
    X, y = described

    for classifier in (small(), MLPClassifier()):
        with pytest.raises(TypeError, match=r"[Ss]parse"):
            classifier.fit(X, scipy.sparse.csc_matrix(y[:, :1]))


def test_a_dict_cannot_weigh_several_labels(described):
    with pytest.raises(ValueError, match=r"class_weight={0: 2} needs one label"):
        small(class_weight={0: 2}).fit(*described)


def test_a_fit_that_goes_on_keeps_the_kind_of_labels(described, digits):
    classifier = small(warm_start=True).fit(*described)

    with pytest.raises(ValueError, match="y is multiclass, but"):
        classifier.fit(*digits)
    assert classifier.predict(described[0]).shape == described[1].shape


def test_displays_of_one_label_refuse_several(described):
    X, y = described
    classifier = small().fit(X, y)

    with pytest.raises(ValueError, match="misclassified needs one label for each"):
        misclassified(classifier, X, scipy.sparse.csr_array(y))
    with pytest.raises(ValueError, match=r"target=None, .* one of \[0, 1, 2\]"):
        ImageGridDisplay.from_saliency(classifier, X[:4])
    ImageGridDisplay.from_saliency(classifier, X[:4], target=2)


def test_scikit_learns_check_of_several_outputs_passes():
    # It runs for estimators whose outputs may also have several classes each.
    check_classifier_multioutput("MNISTMLPClassifier", MNISTMLPClassifier())


def test_it_is_as_good_as_scikit_learns():
    X, y = make_multilabel_classification(n_samples=600, n_classes=4, random_state=0)
    X = (X / X.max()).astype(np.float32)
    ours = small(
        hidden_layer_sizes=(50,), max_epochs=80, learning_rate=0.01, dropout=0.0
    ).fit(X[:500], y[:500])
    theirs = MLPClassifier(50, learning_rate_init=0.01, max_iter=80, random_state=0)

    scores = (
        ours.score(X[500:], y[500:]),
        theirs.fit(X[:500], y[:500]).score(X[500:], y[500:]),
    )

    assert scores[0] > scores[1] - 0.05
