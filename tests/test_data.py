"""Labels, weights and splits."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.metrics import log_loss
from sklearn.model_selection import PredefinedSplit, ShuffleSplit, StratifiedKFold
from skorch.dataset import ValidSplit

from listeners import HeldOut
from skmnist import MNISTMLPClassifier, evaluate
from skmnist._data import LabelledImages, draw_seed, find_codes, split_rows
from small_models import PIXELS, WORDS, deterministic, small


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


def test_labels_that_cannot_be_sorted_are_named():
    y = np.array([1, "one", None], dtype=object)

    with pytest.raises(ValueError, match=r"y has the labels \['one', None\]"):
        find_codes(y, np.array([1, 2]))


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (np.arange(30) % 2, r"inconsistent numbers of samples: \[20, 30\]"),
        (np.linspace(0, 1, 20), "Unknown label type: continuous"),
        (np.full((20, 2), 2), r"y has shape \(20, 2\) and values such as .*2"),
        (np.where(np.arange(20) % 2, np.nan, 0), "y contains NaN"),
        (np.array([1, None] * 10, dtype=object), "Unknown label type"),
        (None, "requires y to be passed"),
    ],
)
def test_what_are_no_labels_is_refused(y, words):
    with pytest.raises(ValueError, match=words):
        MNISTMLPClassifier().fit(PIXELS, y)


RARE = np.array([0] * 60 + [1] * 39 + [2])
COMMON = np.random.default_rng(0).integers(3, size=100)


@pytest.mark.parametrize(
    ("codes", "is_stratified"), [(COMMON, True), (RARE, False)], ids=["common", "rare"]
)
@pytest.mark.parametrize("cv", [0.2, 0.25, 1 / 3, 2, 5])
def test_rows_are_those_of_skorchs_own_split(codes, is_stratified, cv):
    seed = 7 if isinstance(cv, float) else None  # skorch wants it where it plays a part
    skorchs = ValidSplit(cv, stratified=is_stratified, random_state=seed)
    expected = [subset.indices for subset in skorchs(codes, codes)]

    for rows, expected_rows in zip(split_rows(cv, codes, 7), expected, strict=True):
        assert_array_equal(rows, expected_rows)


@pytest.mark.parametrize("fraction", [0.2, 0.8])
def test_a_part_with_fewer_rows_than_classes_is_split_as_skorch_splits_plainly(
    fraction,
):
    codes = np.repeat(np.arange(10), 2)
    skorchs = ValidSplit(fraction, random_state=0)(codes, codes)

    for rows, subset in zip(split_rows(fraction, codes, 0), skorchs, strict=True):
        assert_array_equal(rows, subset.indices)


def test_seeds_are_drawn_from_many():
    random_state = np.random.RandomState(0)

    assert len({draw_seed(random_state) for _ in range(100)}) == 100
    assert len({draw_seed(None) for _ in range(100)}) == 100
    assert draw_seed(np.int64(7)) == 7


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


def test_a_splitter_counts_rows_of_weight_zero_too(digits):
    held_out = np.arange(500) >= 400
    weight = np.where(np.arange(500) % 3 == 0, 0.0, 1.0)
    splitter, rows = PredefinedSplit(np.where(held_out, 0, -1)), []

    model = small(validation_split=splitter, callbacks=[HeldOut(rows)])
    model.fit(*digits, sample_weight=weight)

    assert_array_equal(rows[0], np.flatnonzero(held_out & (weight > 0)))


def test_a_splitter_without_a_split_is_an_error(digits):
    with pytest.raises(ValueError, match="leaves 500 rows to train on and 0 to valid"):
        small(validation_split=PredefinedSplit(np.full(500, -1))).fit(*digits)


def test_a_splitter_that_leaves_nothing_to_train_on_is_an_error(digits):
    weight = np.where(np.arange(500) < 400, 0.0, 1.0)
    splitter = PredefinedSplit(np.where(weight, 0, -1))

    with pytest.raises(ValueError, match="leaves 0 rows to train on and 100 to valid"):
        small(validation_split=splitter).fit(*digits, sample_weight=weight)


@pytest.mark.parametrize("validation_split", [0.2, 5])
def test_too_few_rows_to_split_is_an_error_that_counts_them(validation_split):
    with pytest.raises(ValueError, match=r"validation_split=.*n_samples=1"):
        small(validation_split=validation_split).fit([[0.0, 1.0]], [0])


def test_the_random_state_draws_the_rows_held_out(digits):
    rows = []

    for seed in (1, 1, 2):
        small(random_state=seed, max_epochs=1, callbacks=[HeldOut(rows)]).fit(*digits)

    assert rows[0] == rows[1] != rows[2]


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


def test_explicit_validation_data_replace_the_split(digits):
    X, y = digits
    classifier = small(validation_split=0.5).fit(X, y, X_val=X[:50], y_val=y[:50])
    expected = small(validation_split=None).fit(X, y)

    assert_array_equal(classifier.predict_proba(X), expected.predict_proba(X))


def test_a_class_that_validation_lacks_is_no_trouble():
    y = np.array(["rare", *["a", "b"] * 9, "a"])
    valid = PredefinedSplit([-1] * 10 + [0] * 10)

    model = MNISTMLPClassifier(validation_split=valid, max_epochs=1).fit(PIXELS, y)

    assert model.classes_.tolist() == ["a", "b", "rare"]
    assert np.isfinite(model.history_.to_numpy()).all()


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


def test_normalized_weights_have_mean_one_over_their_rows():
    weight = np.array([1.0, 2.0, 3.0, 100.0], dtype=np.float32)
    before = weight.copy()
    data = LabelledImages(PIXELS[:4], np.zeros(4, int), weight, rows=np.arange(3))

    normalized = data.normalized_weight()

    assert normalized[data.rows].mean() == 1
    assert_array_equal(normalized, before / 2)
    assert_array_equal(weight, before)
    assert normalized.dtype == np.float32


def test_images_without_weights_stay_without():
    data = LabelledImages(PIXELS[:4], np.zeros(4, int), None, rows=np.arange(3))

    assert data.normalized_weight() is None


def test_training_and_validation_rows_are_weighed_apart(digits):
    X, y = digits[0].astype(np.float64), digits[1]
    is_valid = np.arange(len(X)) >= 400
    model = small(validation_split=PredefinedSplit(np.where(is_valid, 0, -1)))

    weighted = clone(model).fit(X, y, sample_weight=np.where(is_valid, 1e-3, 5.0))
    plain = clone(model).fit(X, y)

    columns = ["train_loss", "train_accuracy", "valid_loss", "valid_accuracy"]
    assert_allclose(weighted.history_[columns], plain.history_[columns], rtol=1e-9)
    assert_allclose(weighted.predict_proba(X), plain.predict_proba(X), rtol=1e-9)


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


def test_weights_that_multiply_to_infinity_are_an_error(digits):
    with pytest.raises(ValueError, match="too large for float64; give smaller"):
        small(class_weight={3: 1e200}).fit(*digits, sample_weight=np.full(500, 1e200))


def test_balanced_classes_weigh_alike():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 4)), np.repeat(["rare", "common"], [10, 90])
    balanced = np.where(y == "rare", 5.0, 5.0 / 9)

    one = deterministic(class_weight="balanced").fit(X, y)
    other = deterministic().fit(X, y, sample_weight=balanced)

    assert_allclose(one.predict_proba(X), other.predict_proba(X), rtol=1e-6)


@pytest.mark.parametrize("class_weight", ["balanced", {0: 5.0, 1: 5 / 9}])
def test_validation_data_are_weighed_by_the_classes_of_the_training_data(class_weight):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 4)), np.repeat([0, 1], [10, 90])
    X_val, y_val = X[:20], np.repeat([0, 1], [10, 10])
    weight = np.where(y_val == 0, 5.0, 5 / 9)

    model = deterministic(class_weight=class_weight, max_epochs=1)
    model.fit(X, y, X_val=X_val, y_val=y_val)

    expected = log_loss(y_val, model.predict_proba(X_val), sample_weight=weight)
    assert model.history_["valid_loss"].item() == pytest.approx(expected)


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


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("class_weight", [None, "balanced", {3: 2.0}], ids=str)
def test_fit_does_not_change_the_data(digits, dtype, class_weight):
    X, y = digits[0].astype(dtype), digits[1]
    weight = np.linspace(1, 2, len(X), dtype=dtype)
    copies = X.copy(), y.copy(), weight.copy()

    small(class_weight=class_weight).fit(X, y, sample_weight=weight)

    for array, before in zip((X, y, weight), copies, strict=True):
        assert_array_equal(array, before)


def test_validating_and_predicting_do_not_change_the_images(digits):
    X, y = digits[0][:480].copy(), digits[1][:480]  # whole tiles, which nobody copies

    small(activation="identity").fit(X, y, X_val=X, y_val=y).predict_proba(X)

    assert_array_equal(X, digits[0][:480])
