import copy
import io
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import skorch.callbacks
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import (
    ConvergenceWarning,
    InconsistentVersionWarning,
    NotFittedError,
)
from sklearn.model_selection import (
    GridSearchCV,
    PredefinedSplit,
    ShuffleSplit,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from skorch.dataset import ValidSplit

from skmnist import ImageScaler, MNISTMLPClassifier, evaluate
from skmnist._data import split_rows
from skmnist._engine.device import resolve_device

WORDS = np.array(
    ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
)


def small(**parameters):
    """A classifier that trains in a blink."""
    defaults = {"hidden_layer_sizes": (16,), "max_epochs": 2, "random_state": 0}
    return MNISTMLPClassifier(**{**defaults, **parameters})


def deterministic(**parameters):
    """No dropout, no split, one batch: what is left is plain gradient descent."""
    defaults = {"dropout": 0.0, "validation_split": None, "batch_size": 10_000}
    return small(**{**defaults, **parameters})


# Input


@pytest.mark.parametrize("shape", [(-1, 64), (-1, 8, 8), (-1, 8, 8, 1)])
def test_images_of_any_shape_are_the_same_images(digits, shape):
    X, y = digits
    expected = small().fit(X, y)

    classifier = small().fit(X.reshape(shape), y)

    assert classifier.n_features_in_ == 64
    assert_array_equal(
        classifier.predict_proba(X.reshape(shape)), expected.predict_proba(X)
    )


@pytest.mark.parametrize(
    "convert",
    [
        np.asfortranarray,
        pd.DataFrame,
        lambda X: X.tolist(),
        lambda X: X[:, ::-1][:, ::-1],
    ],
    ids=["fortran", "frame", "list", "negative strides"],
)
def test_images_in_any_container_are_the_same_images(digits, convert):
    X, y = digits
    X = X.astype(np.float64)
    expected = small().fit(X, y).predict_proba(X)

    X = convert(X)

    assert_array_equal(small().fit(X, y).predict_proba(X), expected)


def test_a_read_only_memory_map_trains_without_a_warning(digits, tmp_path):
    X, y = digits
    joblib.dump(X, tmp_path / "X")
    mapped = joblib.load(tmp_path / "X", mmap_mode="r")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier = small().fit(mapped, y)

    assert_array_equal(classifier.predict(mapped), small().fit(X, y).predict(X))
    assert_array_equal(mapped, X)


@pytest.mark.parametrize(
    ("given", "trained"),
    [
        (np.float32, np.float32),
        (np.float64, np.float64),
        (np.float16, np.float32),
        (np.uint8, np.float32),
        (np.int64, np.float32),
        (bool, np.float32),
    ],
)
def test_the_network_trains_in_the_float_type_that_it_is_given(digits, given, trained):
    X, y = digits
    classifier = small().fit((X > 0.5).astype(given), y)

    assert classifier.predict_proba(X).dtype == trained
    assert next(classifier.module_.parameters()).detach().numpy().dtype == trained


def test_raw_images_train_with_a_warning_that_names_the_scaler(digits):
    X, y = digits

    with pytest.warns(UserWarning, match=r"up to 255\. Put an ImageScaler"):
        small().fit((X * 255).astype(np.uint8), y)


def test_raw_images_are_warned_of_once(digits):
    X, y = digits
    raw = (X * 255).astype(np.float32)
    with pytest.warns(UserWarning, match="Put an ImageScaler"):
        classifier = small(warm_start=True).partial_fit(raw, y, classes=range(10))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier.partial_fit(raw, y).fit(raw, y, X_val=raw, y_val=y).predict(raw)


@pytest.mark.parametrize("scale", [(-1, 255), (0, 127), (0, 256)])
def test_images_of_another_range_are_not_warned_of(digits, scale):
    low, high = scale
    X = (low + digits[0] * (high - low)).astype(np.float32)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(max_epochs=1).fit(X, digits[1])


def test_fit_does_not_change_the_data(digits):
    X, y = digits
    weight = np.linspace(1, 2, len(X))
    copies = X.copy(), y.copy(), weight.copy()

    small().fit(X, y, sample_weight=weight)

    for array, before in zip((X, y, weight), copies, strict=True):
        assert_array_equal(array, before)


# Labels


@pytest.mark.parametrize(
    "encode",
    [
        lambda y: y.astype(np.uint8),
        lambda y: y - 4,
        lambda y: y.astype(float),
        lambda y: WORDS[y],
        lambda y: WORDS[y].astype(object),
        lambda y: pd.Series(WORDS[y]),
        lambda y: pd.Categorical(WORDS[y]),
        lambda y: WORDS[y].tolist(),
    ],
    ids=[
        "uint8",
        "negative",
        "float",
        "str",
        "object",
        "series",
        "categorical",
        "list",
    ],
)
def test_labels_of_any_kind_come_back_as_given(digits, encode):
    X, y = digits
    labels = encode(y)
    classifier = small(max_epochs=20, learning_rate=0.02).fit(X, labels)

    predicted = classifier.predict(X)

    assert_array_equal(classifier.classes_, np.unique(np.asarray(labels)))
    assert predicted.dtype == np.asarray(labels).dtype
    assert np.mean(predicted == np.asarray(labels)) > 0.8


def test_boolean_labels_are_two_classes(digits):
    X, y = digits
    classifier = small(max_epochs=10).fit(X, y >= 5)

    assert classifier.classes_.dtype == bool
    assert classifier.predict_proba(X).shape == (len(X), 2)
    decision = classifier.decision_function(X)
    assert decision.shape == (len(X),)
    assert_array_equal(classifier.predict(X), decision > 0)


def test_one_class_is_always_predicted(digits):
    X, _ = digits
    classifier = small().fit(X, ["only"] * len(X))

    assert set(classifier.predict(X)) == {"only"}
    assert_array_equal(classifier.predict_proba(X), np.ones((len(X), 1)))
    assert classifier.decision_function(X).shape == (len(X),)


def test_a_hundred_classes_are_learned():
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(100), 10)
    X = np.eye(100, dtype=np.float32)[y] + rng.normal(0, 0.1, (1000, 100))
    classifier = small(hidden_layer_sizes=(64,), max_epochs=30, learning_rate=0.01)

    assert classifier.fit(X, y).score(X, y) > 0.95
    assert classifier.decision_function(X).shape == (1000, 100)


# Outputs


def test_outputs_agree_with_each_other(digits):
    X, y = digits
    classifier = small().fit(X.astype(np.float64), y)

    probabilities = classifier.predict_proba(X)
    logits = classifier.decision_function(X)

    assert_allclose(probabilities.sum(axis=1), 1)
    assert_allclose(np.log(probabilities), classifier.predict_log_proba(X))
    assert_allclose(np.diff(np.log(probabilities)), np.diff(logits), atol=1e-10)
    assert_array_equal(
        classifier.classes_[logits.argmax(axis=1)], classifier.predict(X)
    )


def test_small_probabilities_have_finite_logarithms(digits):
    X, y = digits
    classifier = small().fit(X, y)

    assert np.isfinite(classifier.predict_log_proba(X * 1e4)).all()


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
def test_an_unfitted_classifier_says_so(digits, method):
    with pytest.raises(NotFittedError):
        getattr(MNISTMLPClassifier(), method)(digits[0])
    assert not hasattr(MNISTMLPClassifier(), "history_")


# History


def test_history_is_a_frame_with_a_row_an_epoch(digits):
    X, y = digits
    classifier = small(max_epochs=3).fit(X, y)

    history = classifier.history_

    assert list(history.columns) == [
        *("epoch", "train_loss", "train_accuracy", "valid_loss", "valid_accuracy"),
        "duration",
    ]
    assert history["epoch"].tolist() == [1, 2, 3]
    assert classifier.n_iter_ == 3
    assert (history["duration"] > 0).all()


def test_history_goes_to_csv_and_back(digits):
    history = small().fit(*digits).history_
    text = history.to_csv(index=False)

    again = pd.read_csv(io.StringIO(text))

    pd.testing.assert_frame_equal(again, history, rtol=1e-12)


def test_validation_columns_are_those_of_the_rows_held_out(digits):
    X, y = digits
    classifier = small().fit(X[:400], y[:400], X_val=X[400:], y_val=y[400:])

    figures = evaluate(classifier, X[400:], y[400:])

    last = classifier.history_.iloc[-1]
    assert last["valid_loss"] == pytest.approx(figures["loss"], rel=1e-5)
    assert last["valid_accuracy"] == pytest.approx(figures["accuracy"])


def test_training_columns_are_means_over_the_epoch(digits):
    X, y = digits
    classifier = deterministic(max_epochs=2).fit(X, y)
    after_one = deterministic(max_epochs=1).fit(X, y)

    figures = evaluate(after_one, X, y)

    second = classifier.history_.iloc[1]
    assert second["train_loss"] == pytest.approx(figures["loss"], rel=1e-5)
    assert second["train_accuracy"] == pytest.approx(figures["accuracy"])


def test_without_validation_there_are_no_validation_columns(digits):
    history = small(validation_split=None).fit(*digits).history_

    assert list(history.columns) == [
        "epoch",
        "train_loss",
        "train_accuracy",
        "duration",
    ]


def test_callbacks_may_add_columns(digits):
    scoring = skorch.callbacks.EpochScoring(
        "f1_macro", name="valid_f1", lower_is_better=False
    )

    history = small(callbacks=[scoring]).fit(*digits).history_

    assert history["valid_f1"].between(0, 1).all()


# Validation split


def test_a_fraction_is_drawn_at_random_and_stratified():
    codes = np.repeat([0, 1], [90, 10])

    train, valid = split_rows(0.2, codes, seed=0)

    assert len(train) == 80
    assert codes[valid].sum() == 2
    assert sorted([*train, *valid]) == list(range(100))
    assert list(train) != sorted(train)


def test_a_class_with_a_row_for_each_fold_is_stratified():
    codes = np.repeat([0, 1], [27, 3])

    _, valid = split_rows(3, codes, seed=0)

    assert codes[valid].sum() == 1


class HeldOut(skorch.callbacks.Callback):
    """Notes which rows are validated on."""

    def __init__(self, rows):
        self.rows = rows

    def __sklearn_clone__(self):
        return self

    def on_epoch_begin(self, net, dataset_valid=None, **kwargs):
        self.rows.append(sorted(dataset_valid.indices))


def test_the_random_state_draws_the_rows_held_out(digits):
    rows = []

    for seed in (1, 1, 2):
        small(random_state=seed, max_epochs=1, callbacks=[HeldOut(rows)]).fit(*digits)

    assert rows[0] == rows[1] != rows[2]


def test_a_class_of_one_row_is_split_plainly():
    train, valid = split_rows(0.2, np.array([0] * 9 + [1]), seed=0)

    assert (len(train), len(valid)) == (8, 2)


@pytest.mark.parametrize(
    "validation_split",
    [
        5,
        ValidSplit(5, stratified=True),
        ValidSplit(0.2),
        StratifiedKFold(5),
        ShuffleSplit(1, test_size=0.2, random_state=0),
        PredefinedSplit(np.repeat([-1, 0], [80, 20])),
    ],
)
def test_other_splits_are_taken_as_they_are(validation_split):
    train, valid = split_rows(validation_split, np.tile([0, 1], 50), seed=0)

    assert (len(train), len(valid)) == (80, 20)
    assert not set(train) & set(valid)


def test_rows_held_out_are_not_trained_on(digits):
    X, y = digits
    held_out = np.arange(len(X)) >= 400
    poisoned = X.copy()
    poisoned[held_out] = 1.0
    splitter = PredefinedSplit(np.where(held_out, 0, -1))

    clean = small(validation_split=splitter).fit(X, y)
    other = small(validation_split=splitter).fit(poisoned, y)

    assert_array_equal(clean.predict_proba(X), other.predict_proba(X))
    assert clean.history_["valid_loss"].iloc[0] != other.history_["valid_loss"].iloc[0]


@pytest.mark.parametrize("validation_split", [0.2, 5])
def test_too_few_rows_to_split_is_an_error_that_counts_them(validation_split):
    with pytest.raises(ValueError, match=r"validation_split=.*n_samples=1"):
        small(validation_split=validation_split).fit([[0.0, 1.0]], [0])


def test_explicit_validation_data_replace_the_split(digits):
    X, y = digits
    classifier = small(validation_split=0.5).fit(X, y, X_val=X[:50], y_val=y[:50])
    expected = small(validation_split=None).fit(X, y)

    assert_array_equal(classifier.predict_proba(X), expected.predict_proba(X))


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"X_val": [[0.0] * 64]}, "y_val=None; give X_val and y_val together"),
        ({"y_val": [0]}, "X_val=None; give X_val and y_val together"),
        ({"sample_weight_val": [1.0]}, "sample_weight_val is given, but X_val"),
        ({"X_val": [[0.0] * 64], "y_val": [77]}, r"y_val has the labels \[77\]"),
        ({"X_val": [[0.0] * 64], "y_val": ["1"]}, r"y_val has the labels \['1'\]"),
        ({"X_val": [[0.0] * 63], "y_val": [0]}, "63 features"),
    ],
)
def test_wrong_validation_data_are_an_error(digits, parameters, words):
    with pytest.raises(ValueError, match=words):
        small().fit(*digits, **parameters)


# Early stopping


def test_early_stopping_goes_back_to_the_best_epoch(digits):
    X, y = digits
    parameters = {"learning_rate": 0.05, "dropout": 0.0, "hidden_layer_sizes": (64,)}
    classifier = small(
        early_stopping=True, patience=3, max_epochs=100, **parameters
    ).fit(X, y)
    best = classifier.best_epoch_

    assert best == classifier.history_["valid_loss"].idxmin() + 1
    assert classifier.n_iter_ == best + 3 < 100
    expected = small(max_epochs=best, **parameters).fit(X, y)
    assert_array_equal(classifier.predict_proba(X), expected.predict_proba(X))


def test_without_early_stopping_there_is_no_best_epoch(digits):
    classifier = small(early_stopping=True).fit(*digits)

    classifier.set_params(early_stopping=False).fit(*digits)

    assert classifier.n_iter_ == 2
    assert not hasattr(classifier, "best_epoch_")


def test_early_stopping_needs_validation(digits):
    with pytest.raises(
        ValueError, match="early_stopping=True needs data to validate on"
    ):
        small(early_stopping=True, validation_split=None).fit(*digits)


# Weights


def test_a_weight_of_two_is_two_rows_and_of_zero_none(digits):
    X, y = digits[0][:60].astype(np.float64), digits[1][:60]
    weight = np.tile([2, 0, 1], 20)
    classifier = deterministic(max_epochs=20)

    weighted = clone(classifier).fit(X, y, sample_weight=weight)
    repeated = clone(classifier).fit(np.repeat(X, weight, 0), np.repeat(y, weight))
    ignored = clone(classifier).fit(X, y)

    expected = repeated.predict_proba(X)
    assert_allclose(weighted.predict_proba(X), expected, atol=1e-6)
    assert_allclose(
        weighted.history_["train_loss"], repeated.history_["train_loss"], rtol=1e-6
    )
    assert np.abs(ignored.predict_proba(X) - expected).max() > 1e-3


def test_rows_of_weight_zero_leave_no_trace(digits):
    X, y = digits
    weight = np.ones(len(X))
    weight[::3] = 0

    weighted = small().fit(X, y, sample_weight=weight)
    dropped = small().fit(X[weight > 0], y[weight > 0])

    assert_array_equal(weighted.predict_proba(X), dropped.predict_proba(X))


@pytest.mark.parametrize("scale", [1e-60, 3.0, 1e60])
def test_the_size_of_all_weights_means_nothing(digits, scale):
    X, y = digits[0].astype(np.float64), digits[1]
    weight = np.linspace(0.5, 1.5, len(X))

    one = small().fit(X, y, sample_weight=weight)
    other = small().fit(X, y, sample_weight=weight * scale)

    assert_allclose(one.predict_proba(X), other.predict_proba(X), rtol=1e-6)


def test_validation_is_weighted_too(digits):
    X, y = digits
    weight = np.tile([3.0, 1.0], 50)
    classifier = small().fit(
        X[100:], y[100:], X_val=X[:100], y_val=y[:100], sample_weight_val=weight
    )

    figures = evaluate(classifier, X[:100], y[:100], sample_weight=weight)

    last = classifier.history_.iloc[-1]
    assert last["valid_loss"] == pytest.approx(figures["loss"], rel=1e-5)
    assert last["valid_accuracy"] == pytest.approx(figures["accuracy"])


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        (np.full(500, -1.0), "Negative values in data passed to `sample_weight`"),
        (np.zeros(500), "All weights are zero"),
        (np.full(499, 1.0), r"sample_weight has shape \(499,\)"),
        (np.ones((500, 2)), r"sample_weight has shape \(500, 2\)"),
        (np.full(500, np.nan), "sample_weight contains NaN"),
    ],
)
def test_wrong_sample_weights_are_an_error(digits, weight, words):
    with pytest.raises(ValueError, match=words):
        small().fit(*digits, sample_weight=weight)


def test_balanced_classes_weigh_alike():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 4)), np.repeat(["rare", "common"], [10, 90])
    balanced = np.where(y == "rare", 5.0, 5.0 / 9)

    one = deterministic(class_weight="balanced").fit(X, y)
    other = deterministic().fit(X, y, sample_weight=balanced)

    assert_allclose(one.predict_proba(X), other.predict_proba(X), rtol=1e-6)


def test_class_weights_count_the_sample_weights():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 4)), np.tile([0, 1, 1], 20)
    weight = np.tile([2, 1, 0], 20)

    weighted = deterministic(class_weight="balanced").fit(X, y, sample_weight=weight)
    repeated = deterministic(class_weight="balanced").fit(
        np.repeat(X, weight, 0), np.repeat(y, weight)
    )

    assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-6)


def test_class_weights_are_of_the_users_own_labels(digits):
    X, y = digits
    classifier = deterministic(class_weight={"seven": 3.0})
    weight = np.where(y == 7, 3.0, 1.0)

    one = classifier.fit(X.astype(float), WORDS[y]).predict_proba(X)
    other = deterministic().fit(X.astype(float), WORDS[y], sample_weight=weight)

    assert_allclose(one, other.predict_proba(X), rtol=1e-6)


def test_a_class_weight_for_a_label_that_is_not_there_is_an_error(digits):
    with pytest.raises(ValueError, match=r"class_weight has the labels \['sevn'\]"):
        small(class_weight={"sevn": 2.0}).fit(digits[0], WORDS[digits[1]])


# Partial fit and warm start


def test_partial_fit_is_one_pass_over_all_rows(digits):
    X, y = digits
    classifier = small(validation_split=0.2)

    classifier.partial_fit(X, y, classes=np.arange(10))
    expected = small(validation_split=None, max_epochs=1).fit(X, y)

    assert classifier.n_iter_ == 1
    assert_array_equal(classifier.predict_proba(X), expected.predict_proba(X))


def test_partial_fits_go_on_as_epochs_do(digits):
    X, y = digits
    classifier = small(validation_split=None, max_epochs=3)
    expected = clone(classifier).fit(X, y)

    for _ in range(3):
        classifier.partial_fit(X, y, classes=np.arange(10))

    assert_array_equal(classifier.predict_proba(X), expected.predict_proba(X))
    assert classifier.history_["epoch"].tolist() == [1, 2, 3]


def test_partial_fit_takes_classes_that_come_later(digits):
    X, y = digits
    classifier = small().partial_fit(X[y < 3], y[y < 3], classes=np.arange(10))

    classifier.partial_fit(X[y >= 3], y[y >= 3])

    assert classifier.predict_proba(X).shape == (len(X), 10)


def test_partial_fit_refuses_what_does_not_fit(digits):
    X, y = digits
    classifier = small()
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        classifier.partial_fit(X, y)
    classifier.partial_fit(X[y < 3], y[y < 3], classes=[0, 1, 2])

    with pytest.raises(ValueError, match=r"y has the labels \[3, 4, 5, 6, 7, 8, 9\]"):
        classifier.partial_fit(X, y)
    with pytest.raises(ValueError, match="are not those of the earlier fit"):
        classifier.partial_fit(X, y, classes=np.arange(10))
    with pytest.raises(ValueError, match="63 features"):
        classifier.partial_fit(X[:, 1:], y)


def test_fit_after_partial_fit_begins_anew(digits):
    X, y = digits
    classifier = small().partial_fit(X, y, classes=np.arange(10))

    classifier.fit(X, y)

    assert_array_equal(classifier.predict_proba(X), small().fit(X, y).predict_proba(X))
    assert classifier.n_iter_ == 2


def test_partial_fit_weighs_its_rows(digits):
    X, y = digits
    weight = (y < 5).astype(float)

    weighted = small().partial_fit(X, y, classes=np.arange(10), sample_weight=weight)
    dropped = small().partial_fit(X[y < 5], y[y < 5], classes=np.arange(10))

    assert_array_equal(weighted.predict_proba(X), dropped.predict_proba(X))


def test_a_copy_goes_on_as_the_model_itself(digits):
    X, y = digits[0][:400], digits[1][:400]  # 4 whole batches: masks would be left over
    model = small(batch_size=100, validation_split=None).fit(X, y)

    copied = pickle.loads(pickle.dumps(model))

    assert_array_equal(
        copied.partial_fit(X, y).predict_proba(X),
        model.partial_fit(X, y).predict_proba(X),
    )


def test_warm_start_goes_on_with_the_same_rows_held_out(digits):
    X, y = digits
    classifier = small(warm_start=True, max_epochs=2)
    expected = small(max_epochs=4).fit(X, y)

    classifier.fit(X, y).fit(X, y)

    assert_array_equal(classifier.predict_proba(X), expected.predict_proba(X))
    assert classifier.n_iter_ == 4


def test_warm_start_takes_up_a_new_learning_rate(digits):
    X, y = digits
    classifier = small(warm_start=True).fit(X, y)
    before = classifier.predict_proba(X)

    classifier.set_params(learning_rate=1e-12).fit(X, y)

    assert_allclose(classifier.predict_proba(X), before, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"hidden_layer_sizes": (8,)}, r"hidden_layer_sizes=\(8,\) is new"),
        ({"optimizer": "sgd"}, "optimizer='sgd' is new"),
        ({"dropout": 0.1}, "dropout=0.1 is new"),
    ],
)
def test_warm_start_refuses_another_network(digits, change, words):
    classifier = small(warm_start=True).fit(*digits)

    with pytest.raises(ValueError, match=words):
        classifier.set_params(**change).fit(*digits)


def test_warm_start_knows_a_network_by_its_sizes(digits):
    classifier = small(hidden_layer_sizes=16, warm_start=True).fit(*digits)

    classifier.set_params(hidden_layer_sizes=(16,), dropout=np.float64(0.5))

    assert classifier.fit(*digits).n_iter_ == 4


def test_warm_start_lets_go_of_a_setting_that_was_taken_out(digits):
    classifier = small(
        warm_start=True, optimizer="sgd", optimizer_params={"momentum": 0.9}
    ).fit(*digits)

    classifier.set_params(optimizer_params=None).fit(*digits)

    (group,) = classifier.net_.optimizer_.param_groups
    assert group["momentum"] == 0


def test_warm_start_scales_a_schedule_by_the_new_learning_rate(digits):
    schedule = skorch.callbacks.LRScheduler("LambdaLR", lr_lambda=lambda n: 1 / (n + 1))
    classifier = small(warm_start=True, callbacks=[schedule]).fit(*digits)
    goes_on = copy.deepcopy(classifier).fit(*digits)

    classifier.set_params(learning_rate=0.1).fit(*digits)

    rates = [m.net_.optimizer_.param_groups[0]["lr"] for m in (classifier, goes_on)]
    assert rates[0] == pytest.approx(100 * rates[1])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"optimizer_params": {"bettas": (0.9, 0.99)}}, "does not take .*bettas"),
        ({"optimizer_params": {"amsgrad": True}}, "needs max_exp_avg_sq, which the"),
        ({"learning_rate": 1.0, "class_weight": {"one": 2}}, "class_weight"),
        ({"learning_rate": 1.0, "batch_size": 0}, "batch_size=0"),
        (
            {"learning_rate": 1.0, "callbacks": [("a", HeldOut([]))] * 2},
            "duplicate user-set callback name",
        ),
    ],
)
def test_a_refused_warm_start_changes_nothing(digits, change, words):
    X, y = digits
    classifier = small(warm_start=True).fit(X, y)
    expected = copy.deepcopy(classifier).fit(X, y).predict_proba(X)

    with pytest.raises(ValueError, match=words):
        classifier.set_params(**change).fit(X, y)
    classifier.set_params(**small(warm_start=True).get_params())

    assert_array_equal(classifier.fit(X, y).predict_proba(X), expected)


def test_warm_start_refuses_other_labels(digits):
    X, y = digits
    classifier = small(warm_start=True).fit(X, y)

    with pytest.raises(ValueError, match="are not those of the earlier fit"):
        classifier.fit(X, WORDS[y])


# Reproducibility


def test_the_same_random_state_is_the_same_to_the_bit(digits):
    X, y = digits
    one, other, third = (
        small(random_state=state).fit(X, y).predict_proba(X) for state in (7, 7, 8)
    )

    assert_array_equal(one, other)
    assert not np.array_equal(one, third)


def test_no_random_state_is_different_each_time(digits):
    X, y = digits
    one, other = (small(random_state=None).fit(X, y) for _ in range(2))

    assert not np.array_equal(one.predict_proba(X), other.predict_proba(X))


def test_a_random_state_instance_is_drawn_from(digits):
    X, y = digits
    rng = np.random.RandomState(0)
    one, other = (small(random_state=rng).fit(X, y).predict_proba(X) for _ in range(2))
    again = small(random_state=np.random.RandomState(0)).fit(X, y).predict_proba(X)

    assert_array_equal(one, again)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("random_state", [0, None])
def test_a_fit_leaves_the_global_generators_alone(digits, random_state):
    before = torch.get_rng_state(), np.random.get_state()

    small(random_state=random_state).fit(*digits)

    assert torch.equal(before[0], torch.get_rng_state())
    assert_array_equal(before[1][1], np.random.get_state()[1])
    assert before[1][2] == np.random.get_state()[2]


def test_threads_do_not_disturb_each_other(digits):
    X, y = digits
    expected = small(max_epochs=5).fit(X, y).predict_proba(X)
    results = [None] * 4

    def fit(i):
        results[i] = small(max_epochs=5).fit(X, y).predict_proba(X)

    threads = [threading.Thread(target=fit, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for result in results:
        assert_array_equal(result, expected)


IN_ANOTHER_PROCESS = """
import sys, joblib, numpy as np, torch
threads, data, saved, refitted, loaded = sys.argv[1:]
torch.set_num_threads(int(threads))
from skmnist import MNISTMLPClassifier
X, y = joblib.load(data)
np.random.seed(99); torch.manual_seed(99)
classifier = MNISTMLPClassifier((16,), max_epochs=2, random_state=0).fit(X, y)
np.save(refitted, classifier.predict_proba(X))
np.save(loaded, joblib.load(saved).predict_proba(X))
"""


@pytest.fixture(scope="module")
def another_process(digits, tmp_path_factory):
    """A model saved here, and what another process makes of it and of the data."""
    folder = tmp_path_factory.mktemp("process")
    X, y = digits
    model = make_pipeline(ImageScaler(1), small()).fit(X, WORDS[y])
    names = ("data", "saved.joblib", "refitted.npy", "loaded.npy")
    data, saved, refitted, loaded = (str(folder / name) for name in names)
    joblib.dump(digits, data)
    joblib.dump(model, saved)
    arguments = [str(torch.get_num_threads()), data, saved, refitted, loaded]
    subprocess.run([sys.executable, "-c", IN_ANOTHER_PROCESS, *arguments], check=True)
    return model, np.load(refitted), np.load(loaded)


def test_two_processes_give_the_same_numbers(digits, another_process):
    _, refitted, _ = another_process

    assert_array_equal(refitted, small().fit(*digits).predict_proba(digits[0]))


# Persistence


def test_a_saved_pipeline_is_the_same_in_a_fresh_process(digits, another_process):
    model, _, loaded = another_process

    assert_array_equal(loaded, model.predict_proba(digits[0]))


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "rmsprop", "adagrad"])
def test_a_loaded_classifier_trains_on_exactly(digits, optimizer):
    X, y = digits
    classifier = small(optimizer=optimizer).fit(X, y)
    loaded = pickle.loads(pickle.dumps(classifier))

    for each in (classifier, loaded):
        each.partial_fit(X, y)

    assert_array_equal(loaded.predict_proba(X), classifier.predict_proba(X))
    pd.testing.assert_frame_equal(
        loaded.history_.drop(columns="duration"),
        classifier.history_.drop(columns="duration"),
    )


def test_a_pickle_holds_no_torch_or_skorch_object(digits):
    text = pickle.dumps(small().fit(*digits), protocol=0)

    assert b"skmnist.classifier" in text
    assert b"torch" not in text
    assert b"skorch" not in text


def test_a_pickle_does_not_grow_with_the_data(digits):
    X, y = digits
    few, many = (len(pickle.dumps(small().fit(X[:n], y[:n]))) for n in (200, 500))

    assert abs(few - many) < 100


def test_a_fitted_classifier_survives_new_parameters(digits):
    X, y = digits
    classifier = small().fit(X, y)
    expected = classifier.predict_proba(X)

    classifier.set_params(hidden_layer_sizes=(3, 3), optimizer="sgd", dropout=0.0)
    loaded = pickle.loads(pickle.dumps(classifier))

    assert_array_equal(loaded.predict_proba(X), expected)
    loaded.partial_fit(X, y)


def test_a_model_of_a_missing_device_loads_on_the_cpu(digits):
    X, y = digits
    classifier = small().fit(X, y)
    state = pickle.loads(pickle.dumps(classifier.__getstate__()))
    state["_built_with"]["device"] = "cuda:77"

    loaded = MNISTMLPClassifier.__new__(MNISTMLPClassifier)
    loaded.__setstate__(state)

    assert_array_equal(loaded.predict_proba(X), classifier.predict_proba(X))


# Parameters


PIXELS = np.linspace(0, 1, 20 * 12, dtype=np.float32).reshape(20, 12)


def spoil(value):
    X = PIXELS.copy()
    X[3, 3] = value
    return X


@pytest.mark.parametrize("estimator", [MNISTMLPClassifier(), ImageScaler(1.0)])
@pytest.mark.parametrize(
    ("X", "words"),
    [
        (spoil(np.nan), "contains NaN"),
        (spoil(np.inf), "contains infinity"),
        (PIXELS[:0], r"0 sample\(s\)"),
        (PIXELS[:, :0], r"0 feature\(s\)"),
        (PIXELS[0], "Expected 2D array, got 1D array"),
        (PIXELS.reshape(20, 2, 2, 3), r"X has shape \(20, 2, 2, 3\); images are"),
        (PIXELS.reshape(20, 2, 2, 3, 1), r"X has shape \(20, 2, 2, 3, 1\)"),
        ([[1, 2], [3]], "X is a list of images of different lengths"),
        (PIXELS + 1j, "Complex data not supported"),
        (np.full((20, 12), "a"), "string"),
        (np.full((20, 12), object()), "not 'object'"),
        (None, "Expected 2D array"),
    ],
)
def test_what_are_no_images_is_refused(estimator, X, words):
    y = np.arange(20 if X is None else np.shape(X)[0] if hasattr(X, "shape") else 2) % 2

    with pytest.raises((ValueError, TypeError), match=words):
        clone(estimator).fit(X, y)


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (np.arange(30) % 2, r"inconsistent numbers of samples: \[20, 30\]"),
        (np.linspace(0, 1, 20), "Unknown label type: continuous"),
        (np.ones((20, 2)), "y should be a 1d array"),
        (np.where(np.arange(20) % 2, np.nan, 0), "y contains NaN"),
        (np.array([1, None] * 10, dtype=object), "Unknown label type"),
        (None, "requires y to be passed"),
    ],
)
def test_what_are_no_labels_is_refused(y, words):
    with pytest.raises(ValueError, match=words):
        MNISTMLPClassifier().fit(PIXELS, y)


@pytest.mark.parametrize(
    ("parameters", "data", "words"),
    [
        ({}, {"X": spoil(np.nan)}, "contains NaN"),
        ({}, {"X": PIXELS[:, :5], "y": np.linspace(0, 1, 20)}, "Unknown label type"),
        ({}, {"y": np.arange(20) % 3, "sample_weight": -np.ones(20)}, "Negative"),
        ({}, {"y": WORDS[np.arange(20) % 2], "sample_weight": [1.0]}, "has shape"),
        ({}, {"X_val": PIXELS[:2], "y_val": [7, 8]}, "y_val has"),
        ({"validation_split": 25}, {}, "validation_split=25 cannot split"),
        ({"optimizer_params": {"no_such": 1}}, {}, "does not take"),
    ],
)
def test_a_fit_that_is_refused_leaves_the_fit_before(parameters, data, words):
    arguments = {"X": PIXELS, "y": np.arange(20) % 2}
    model = small(early_stopping=True).fit(**arguments)
    expected, best_epoch = model.predict_proba(PIXELS), model.best_epoch_

    with pytest.raises(ValueError, match=words):
        model.set_params(**parameters).fit(**{**arguments, **data})

    assert_array_equal(model.predict_proba(PIXELS), expected)
    assert_array_equal(model.classes_, [0, 1])
    assert model.best_epoch_ == best_epoch


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (PIXELS[:, :5], "X has 5 features, but MNISTMLPClassifier is expecting 12"),
        (spoil(np.nan), "contains NaN"),
        (spoil(-np.inf), "contains infinity"),
        (PIXELS[0], "Expected 2D array"),
        (PIXELS[:0], r"0 sample\(s\)"),
    ],
)
def test_images_to_predict_are_looked_at_too(X, words):
    model = MNISTMLPClassifier(max_epochs=1).fit(PIXELS, np.arange(20) % 2)

    with pytest.raises(ValueError, match=words):
        model.predict(X)
    with pytest.raises(ValueError, match=words):
        model.fit(PIXELS, np.arange(20) % 2, X_val=X, y_val=np.zeros(len(X)))


def test_huge_finite_pixels_are_no_infinity(recwarn):
    model = MNISTMLPClassifier(max_epochs=1).fit(PIXELS, np.arange(20) % 2)
    huge = np.full((1, 12), 1e38, dtype=np.float32)

    assert model.predict(huge).shape == (1,)
    assert not recwarn.list


def test_a_batch_may_be_larger_than_the_data():
    model = MNISTMLPClassifier(batch_size=10_000, max_epochs=2)

    assert model.fit(PIXELS, np.arange(20) % 2).n_iter_ == 2


def test_one_image_is_enough_where_nothing_is_held_out():
    model = MNISTMLPClassifier(validation_split=None, max_epochs=1)

    assert model.fit(PIXELS[:1], ["a"]).predict(PIXELS[:2]).tolist() == ["a", "a"]


def test_a_class_that_validation_lacks_is_no_trouble():
    y = np.array(["rare", *["a", "b"] * 9, "a"])
    valid = PredefinedSplit([-1] * 10 + [0] * 10)

    model = MNISTMLPClassifier(validation_split=valid, max_epochs=1).fit(PIXELS, y)

    assert model.classes_.tolist() == ["a", "b", "rare"]
    assert np.isfinite(model.history_.to_numpy()).all()


def test_early_stopping_works_on_string_labels_and_weights(digits):
    X, y = digits
    labels = np.array(list("abcdefghij"))[y]
    model = MNISTMLPClassifier(
        early_stopping=True, patience=1, max_epochs=30, learning_rate=0.05
    )

    model.fit(X, labels, sample_weight=1.0 + (y == 3))

    assert 1 <= model.best_epoch_ <= model.n_iter_ <= 30
    assert model.score(X, labels) > 0.8


def test_a_diverged_training_is_not_taken_for_the_best(digits):
    model = MNISTMLPClassifier(
        early_stopping=True, patience=2, optimizer="sgd", learning_rate=1e30
    )

    with pytest.warns(ConvergenceWarning, match="lower learning_rate"):
        model.fit(*digits)

    assert model.n_iter_ == 2


def test_early_stopping_counts_the_smallest_improvement(digits):
    model = small(
        early_stopping=True, patience=2, optimizer="sgd", learning_rate=1e-6,
        dropout=0.0, max_epochs=8,
    )  # fmt: skip

    assert model.fit(*digits).n_iter_ == 8
    assert np.ptp(model.history_["valid_loss"]) < 1e-4


class Overflow(skorch.callbacks.Callback):
    def on_epoch_end(self, net, **kwargs):
        net.history.record("train_loss", np.inf)


def test_an_infinite_loss_is_warned_of(digits):
    with pytest.warns(ConvergenceWarning, match="training loss became inf"):
        small(callbacks=[Overflow]).fit(*digits)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("hidden_layer_sizes", (0,), "a positive int or a tuple"),
        ("hidden_layer_sizes", (16, -1), "a positive int or a tuple"),
        ("hidden_layer_sizes", (1.5,), "a positive int or a tuple"),
        ("hidden_layer_sizes", "256", "a positive int or a tuple"),
        ("activation", "rleu", "one of 'relu', 'tanh'"),
        ("dropout", 1.5, r"a number in \[0, 1\)"),
        ("dropout", 1.0, r"a number in \[0, 1\)"),
        ("dropout", -0.1, r"a number in \[0, 1\)"),
        ("dropout", np.nan, r"a number in \[0, 1\)"),
        ("dropout", "0.5", r"a number in \[0, 1\)"),
        ("optimizer", "adma", "one of 'adam', 'adamw'"),
        ("optimizer", dict, "subclass of torch.optim.Optimizer"),
        ("learning_rate", 0, "a positive number"),
        ("learning_rate", np.inf, "a positive number"),
        ("optimizer_params", {"lr": 1}, "for lr use learning_rate"),
        ("optimizer_params", [("eps", 1)], "None or a dict"),
        ("batch_size", 0, "an int of at least 1"),
        ("batch_size", 12.0, "an int of at least 1"),
        ("max_epochs", 0, "an int of at least 1"),
        ("patience", True, "an int of at least 1"),
        ("validation_split", 1.0, r"a fraction in \(0, 1\)"),
        ("validation_split", 0.0, r"a fraction in \(0, 1\)"),
        ("validation_split", 1, r"an int of at least 2"),
        ("validation_split", "0.2", r"a fraction in \(0, 1\)"),
        ("early_stopping", 1, "True or False"),
        ("warm_start", "no", "True or False"),
        ("class_weight", "balance", "None, 'balanced', or a dict"),
        ("class_weight", {0: -1.0}, "weights of zero or more"),
        ("callbacks", "EarlyStopping", "a list of skorch callbacks"),
        ("callbacks", [print], "a list of skorch callbacks"),
        ("verbose", -1, "0, 1 or 2"),
    ],
)
def test_a_wrong_parameter_is_named_with_what_is_allowed(digits, name, value, allowed):
    classifier = small(**{name: value})

    with pytest.raises(
        ValueError, match=rf"(?s){name}=.* is not valid; give .*{allowed}"
    ):
        classifier.fit(*digits)

    assert not hasattr(classifier, "net_")


@pytest.mark.parametrize(
    ("process", "expected"),
    [("MainProcess", 0), ("LokyProcess-1", 0), ("LokyProcess-2", 1), ("Loky-3", 0)],
)
def test_processes_are_spread_over_gpus(monkeypatch, process, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(multiprocessing.current_process(), "name", process)

    assert resolve_device("auto") == torch.device("cuda", expected)


@pytest.mark.skipif(
    torch.cuda.is_available(), reason="unavailable here: a machine without CUDA"
)
def test_a_device_that_is_not_there_is_named(digits):
    with pytest.raises(ValueError, match=r"device='cuda' cannot be used here: .*Give"):
        small(device="cuda").fit(*digits)


@pytest.mark.parametrize("device", ["gpu", "meta", 3.5])
def test_what_is_no_device_is_named(digits, device):
    with pytest.raises(ValueError, match=f"device={device!r} cannot be used here"):
        small(device=device).fit(*digits)


def test_what_an_optimizer_does_not_take_is_named(digits):
    classifier = small(optimizer="adam", optimizer_params={"momentum": 0.9})

    with pytest.raises(
        ValueError, match=r"optimizer='adam' does not take .*'momentum'"
    ):
        classifier.fit(*digits)


def test_a_wrong_random_state_is_an_error(digits):
    with pytest.raises(ValueError, match="cannot be used to seed"):
        small(random_state="zero").fit(*digits)


@pytest.mark.parametrize(
    "parameters",
    [
        {"hidden_layer_sizes": 8},
        {"hidden_layer_sizes": ()},
        {"hidden_layer_sizes": [8, 8]},
        {"hidden_layer_sizes": np.array([8])},
        {"activation": "gelu"},
        {"optimizer": torch.optim.NAdam},
        {"optimizer": torch.optim.LBFGS, "learning_rate": 0.1},
        {"optimizer": "sgd", "optimizer_params": {"momentum": 0.9, "nesterov": True}},
        {"batch_size": 100_000},
        {"batch_size": 1},
        {"device": torch.device("cpu")},
    ],
)
def test_each_kind_of_parameter_trains(digits, parameters):
    X, y = digits
    classifier = small(**{"max_epochs": 3, **parameters}).fit(X[:200], y[:200])

    assert np.isfinite(classifier.history_["train_loss"]).all()
    assert clone(classifier).get_params().keys() == classifier.get_params().keys()


def test_a_diverged_loss_is_a_warning_that_names_the_learning_rate(digits):
    X, y = digits
    classifier = small(optimizer="sgd", learning_rate=1e30)

    with pytest.warns(ConvergenceWarning, match=r"rate of 1e\+30; lower learning"):
        classifier.fit(X, y)


# Inside scikit-learn


def test_grid_search_over_a_pipeline_with_string_labels(digits):
    X, y = digits
    model = make_pipeline(ImageScaler(1), small(max_epochs=20, dropout=0.0))
    grid = {"mnistmlpclassifier__learning_rate": [1e-5, 1e-2]}

    search = GridSearchCV(model, grid, cv=3).fit(X, WORDS[y])

    assert search.best_params_ == {"mnistmlpclassifier__learning_rate": 1e-2}
    assert search.best_score_ > 0.8
    assert set(search.predict(X)) == set(WORDS)


# Real MNIST


def test_the_defaults_on_mnist(mnist):
    X, y, X_test, y_test = mnist
    model = make_pipeline(
        ImageScaler(), MNISTMLPClassifier(max_epochs=3, random_state=0)
    )

    model.fit(X, y)

    classifier = model[-1]
    assert classifier.net_.history[-1, "train_batch_count"] == 375
    assert sum(p.numel() for p in classifier.module_.parameters()) == 203_530
    assert model.score(X_test, y_test) > 0.955


LECTURE = pd.DataFrame(
    [
        (0.9042, 0.7397, 0.4263, 0.8947),
        (0.4929, 0.8600, 0.3365, 0.9104),
        (0.4153, 0.8813, 0.2967, 0.9190),
        (0.3709, 0.8933, 0.2707, 0.9260),
        (0.3395, 0.9040, 0.2521, 0.9302),
        (0.3177, 0.9095, 0.2362, 0.9356),
        (0.2984, 0.9155, 0.2229, 0.9391),
        (0.2816, 0.9213, 0.2123, 0.9415),
        (0.2678, 0.9248, 0.2040, 0.9438),
        (0.2601, 0.9265, 0.1960, 0.9463),
    ],
    columns=["train_loss", "train_accuracy", "valid_loss", "valid_accuracy"],
)


def test_the_lecture_is_reproduced(mnist):
    X, y, X_test, y_test = mnist
    X = ImageScaler().fit_transform(X)
    classifier = MNISTMLPClassifier(
        optimizer="adagrad",
        learning_rate=0.01,
        optimizer_params={"initial_accumulator_value": 0.1, "eps": 1e-7},
        random_state=0,
    )

    classifier.fit(X[:48_000], y[:48_000], X_val=X[48_000:], y_val=y[48_000:])

    figures = evaluate(classifier, ImageScaler().fit_transform(X_test), y_test)
    assert figures["accuracy"] == pytest.approx(0.9453, abs=0.008)
    assert figures["loss"] == pytest.approx(0.1982, abs=0.015)
    difference = classifier.history_[LECTURE.columns] - LECTURE
    assert (np.sqrt((difference**2).mean()) < 0.02).all()


# Warnings point at the caller's line


def raw_images(digits):
    return (digits[0] * 255).astype(np.float32), digits[1]


@pytest.mark.parametrize(
    "call",
    [
        lambda X, y: small().fit(X, y),
        lambda X, y: small().partial_fit(X, y, classes=np.arange(10)),
        lambda X, y: make_pipeline(small()).fit(X, y),
        lambda X, y: make_pipeline(ImageScaler(16), "passthrough").fit(X, y),
        lambda X, y: ImageScaler(16).fit(X),
        lambda X, y: ImageScaler(16).fit_transform(X),
        lambda X, y: ImageScaler(16).set_output(transform="pandas").fit_transform(X),
        lambda X, y: small(learning_rate=1e30).fit(X / 255, y),
        lambda X, y: cross_val_score(small(), X, y, cv=2, error_score="raise"),
    ],
)
def test_a_warning_points_at_the_line_that_called(digits, call):
    X, y = raw_images(digits)

    with pytest.warns(UserWarning, match=r"raw images|more than max|loss") as warned:
        call(X, y)

    places = {(Path(warning.filename), warning.lineno) for warning in warned}
    assert places == {(Path(__file__), call.__code__.co_firstlineno)}


def test_a_model_of_another_version_is_loaded_with_a_warning(digits):
    state = small().fit(*digits).__getstate__() | {"_skmnist_version": "0.0.1"}

    with pytest.warns(
        InconsistentVersionWarning, match=r"saved with skmnist 0\.0\.1"
    ) as warned:
        MNISTMLPClassifier().__setstate__(state)

    assert warned[0].message.original_sklearn_version == "0.0.1"


def test_a_file_of_another_version_warns_on_the_line_that_loads(
    digits, tmp_path, monkeypatch
):
    model = small().fit(*digits)
    monkeypatch.setattr("skmnist.classifier.__version__", "0.0.1")
    joblib.dump(model, tmp_path / "model.joblib")
    monkeypatch.undo()

    with pytest.warns(InconsistentVersionWarning, match="saved with") as warned:
        joblib.load(tmp_path / "model.joblib")

    assert warned[0].filename == __file__


# In scikit-learn's own tests

SUBSTITUTE = """
import sklearn.linear_model
from skmnist import MNISTMLPClassifier

class LogisticRegression(MNISTMLPClassifier):
    def __init__(self, C=1.0, solver="lbfgs", max_iter=100, random_state=None):
        super().__init__(random_state=random_state)
        self.C = C
        self.solver = solver
        self.max_iter = max_iter

sklearn.linear_model.LogisticRegression = LogisticRegression
"""


def test_meta_estimators_delegate_to_it(tmp_path):
    (tmp_path / "substitute.py").write_text(SUBSTITUTE)
    tests = ["--pyargs", "sklearn.tests.test_metaestimators"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "substitute", "-q", "-rA", *tests],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout[-3000:]
    assert done.stdout.count("\nPASSED ") > 20


def test_predicting_does_not_ask_for_the_number_of_features(digits):
    X, y = digits
    classifier = small().fit(X, y)
    expected = classifier.predict(X)

    del classifier.n_features_in_

    assert_array_equal(classifier.predict(X), expected)
