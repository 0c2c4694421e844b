"""The shapes of images, and what is no image."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from numpy.testing import assert_array_equal

from skmnist import ImageScaler, MNISTMLPClassifier
from skmnist._images import find_image_shape, flatten_images, stack_images
from small_models import PIXELS, small, spoil

IMAGES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


def test_flatten_images_makes_no_copy():
    assert np.shares_memory(flatten_images(IMAGES), IMAGES)
    assert flatten_images(IMAGES).shape == (2, 12)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 3, 4, 1)])
def test_a_row_of_pixels_holds_the_rows_of_its_image_in_turn(shape, order):
    images = np.asarray(IMAGES.reshape(shape), order=order)

    assert_array_equal(flatten_images(images), [range(12), range(12, 24)])


@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 3, 4, 1)])
def test_stack_images_keeps_the_rows_and_columns_that_it_is_given(shape):
    assert_array_equal(stack_images(IMAGES.reshape(shape)), IMAGES)


@pytest.mark.parametrize("shape", [(2, 12), (2, 3, 4), (2, 3, 4, 1)])
def test_stack_images_gives_rows_and_columns(shape):
    assert_array_equal(stack_images(IMAGES.reshape(shape), (3, 4)), IMAGES)


def test_stack_images_takes_rows_of_pixels_for_squares():
    assert stack_images(np.zeros((5, 49))).shape == (5, 7, 7)


@pytest.mark.parametrize(
    ("X", "shape"),
    [
        (np.zeros((5, 49)), (7, 7)),
        (np.zeros((5, 48)), None),
        (np.zeros((5, 6, 8)), (6, 8)),
        (np.zeros((5, 6, 8, 1)), (6, 8)),
        ([[[0, 0, 0], [0, 0, 0]]], (2, 3)),
        (scipy.sparse.csr_matrix(np.zeros((5, 49))), (7, 7)),
        (pd.DataFrame(np.zeros((5, 49))), (7, 7)),
    ],
)
def test_an_image_has_the_shape_of_its_stack_or_is_square(X, shape):
    n_pixels = np.prod(np.shape(X)[1:])

    assert find_image_shape(X, int(n_pixels)) == shape


def test_stack_images_asks_for_a_shape_it_cannot_tell():
    with pytest.raises(ValueError, match=r"image_shape=.* does not fit"):
        stack_images(np.zeros((5, 48)))


def test_stack_images_asks_for_a_stack():
    with pytest.raises(ValueError, match="give a stack of one"):
        stack_images(np.zeros(49))


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
    with pytest.raises(
        ValueError, match=f"In X_val, y_val, sample_weight_val: .*{words}"
    ):
        model.fit(PIXELS, np.arange(20) % 2, X_val=X, y_val=np.zeros(len(X)))


def test_huge_finite_pixels_are_no_infinity(recwarn):
    model = MNISTMLPClassifier(max_epochs=1).fit(PIXELS, np.arange(20) % 2)
    huge = np.full((1, 12), 1e38, dtype=np.float32)

    assert model.predict(huge).shape == (1,)
    assert not recwarn.list


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


@pytest.mark.parametrize("largest", [128, 255])
def test_images_in_the_range_of_raw_ones_are_warned_of(digits, largest):
    X, y = digits
    with pytest.warns(UserWarning, match="Put an ImageScaler"):
        small(max_epochs=1).fit((X * largest).astype(np.float32), y)


@pytest.mark.parametrize("scale", [(-1, 255), (0, 127), (0, 256)])
def test_images_of_another_range_are_not_warned_of(digits, scale):
    low, high = scale
    X = (low + digits[0] * (high - low)).astype(np.float32)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(max_epochs=1).fit(X, digits[1])


@pytest.mark.parametrize(("scale", "scale_val"), [(1, 255), (1, 16), (16, 1)])
def test_validation_images_of_another_scale_are_warned_of(digits, scale, scale_val):
    X, y = digits
    X_val = X[400:] * np.float32(scale_val)
    words = rf"X_val .* up to {scale_val}, X up to {scale}; .*\[\"X_val\"\]\.$"

    with pytest.warns(UserWarning, match=words):
        small(max_epochs=1).fit(X * np.float32(scale), y, X_val=X_val, y_val=y[400:])


@pytest.mark.parametrize("scale_val", [0, 0.1, 1, 10])
def test_validation_images_of_about_the_same_scale_are_not(digits, scale_val):
    X, y = digits
    X_val = X[400:] * np.float32(scale_val)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(max_epochs=1).fit(X, y, X_val=X_val, y_val=y[400:])


@pytest.mark.parametrize("as_given", [np.asarray, np.ndarray.tolist, pd.Series])
def test_the_error_for_a_single_image_says_how_to_give_it(digits, as_given):
    X, y = digits
    model = small(max_epochs=1).fit(X, y)

    with pytest.raises(ValueError, match=r"shape \(64,\).* stack of one: X\[i:i\+1"):
        model.predict_proba(as_given(X[0]))


@pytest.mark.parametrize("as_given", [np.asarray, np.ndarray.tolist, pd.DataFrame])
def test_the_error_for_rows_and_columns_of_one_image_says_so_too(digits, as_given):
    X, y = digits
    image = as_given(X[0].reshape(8, 8))

    for estimator in (small(max_epochs=1).fit(X, y), ImageScaler(1).fit(X)):
        method = getattr(estimator, "predict", None) or estimator.transform
        with pytest.raises(
            ValueError, match=r"8 features, .* 64 .* X\[i:i\+1\] instead"
        ):
            method(image)


def test_errors_of_validation_data_name_them(digits):
    X, y = digits

    with pytest.raises(ValueError, match=r"^In X_val, .*: .*samples: \[10, 9\]"):
        small().fit(X, y, X_val=X[:10], y_val=y[:9])
    with pytest.raises(ValueError, match=r"^In X_val, .*: sample_weight .* \(3,\)"):
        small().fit(X, y, X_val=X[:3], y_val=y[:3], sample_weight_val=[1, 2])
    with pytest.raises(ValueError, match=r"^y_val is multilabel"):
        small().fit(X, y, X_val=X[:3], y_val=np.eye(3))
    with pytest.raises(TypeError, match=r"^In X_val, "):
        small().fit(X, y, X_val=object(), y_val=y[:3])
