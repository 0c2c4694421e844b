"""What the estimators share."""

import copy

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone

from listeners import HeldOut
from skmnist import ImageScaler, MNISTMLPClassifier, RandomDistortion
from small_models import PIXELS, WORDS, small, spoil


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
    ("parameters", "data", "words"),
    [
        ({}, {"X": spoil(np.nan)}, "contains NaN"),
        ({}, {"X": PIXELS[:, :5], "y": np.linspace(0, 1, 20)}, "Unknown label type"),
        ({}, {"y": np.arange(20) % 3, "sample_weight": -np.ones(20)}, "Negative"),
        ({}, {"y": WORDS[np.arange(20) % 2], "sample_weight": [1.0]}, "has shape"),
        ({}, {"X_val": PIXELS[:2], "y_val": [7, 8]}, "y_val has"),
        ({"validation_split": 25}, {}, "validation_split=25 cannot split"),
        ({"optimizer_params": {"no_such": 1}}, {}, "does not accept"),
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
    ("change", "words"),
    [
        ({"optimizer_params": {"bettas": (0.9, 0.99)}}, "does not accept .*bettas"),
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


@pytest.mark.filterwarnings("ignore:X looks scaled already")
@pytest.mark.parametrize("estimator", [ImageScaler(), small()])
def test_the_html_repr_links_to_the_documentation(estimator, digits):
    html = estimator.fit(*digits)._repr_html_()

    name = type(estimator).__name__
    assert f"skmnist.{name}.html" in html


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        (
            {"optimizer_params__weight_decay": 0.1},
            r"optimizer_params=None has no .* \[\{'weight_decay': 0.1\}, \.\.\.\]\.$",
        ),
        ({"augmentation__rotation": 5}, "augmentation=None .* use a list of values.$"),
        ({"callbacks": [1], "callbacks__x": 5}, r"callbacks=\[1\] has no parameters"),
        ({"no_such__x": 5}, "Invalid parameter 'no_such'"),
    ],
)
def test_parts_of_a_parameter_that_has_none_are_refused(parameters, words):
    with pytest.raises(ValueError, match=words):
        small().set_params(**parameters)


def test_a_parameter_can_be_set_with_its_parts():
    estimator = small()

    parts = {"augmentation": RandomDistortion(), "augmentation__rotation": 5}
    assert estimator.set_params(**parts) is estimator
    assert estimator.augmentation.rotation == 5
