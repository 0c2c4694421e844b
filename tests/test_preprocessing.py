import re
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError

from listeners import NoteTasks, needs_callbacks
from skmnist import ImageScaler

IMAGES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


@pytest.mark.filterwarnings("ignore:X looks scaled already")
@pytest.mark.parametrize("shape", [(2, 12), (2, 3, 4), (2, 3, 4, 1)])
@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, np.float64, bool])
def test_any_shape_and_type_becomes_the_same_float32(shape, dtype):
    images = (IMAGES % 2).astype(dtype).reshape(shape)

    scaled = ImageScaler(max_intensity=2).fit_transform(images)

    assert scaled.dtype == np.float32
    assert_array_equal(scaled, (IMAGES % 2).reshape(2, 12) / np.float32(2))


def test_every_intensity_is_divided_exactly():
    intensities = np.arange(256, dtype=np.uint8).reshape(1, 256)

    scaled = ImageScaler().fit_transform(intensities)

    assert_array_equal(scaled[0], np.arange(256, dtype=np.float32) / np.float32(255))


def test_nested_lists_are_images():
    assert_array_equal(
        ImageScaler().fit_transform(IMAGES.tolist()),
        ImageScaler().fit_transform(IMAGES),
    )


@pytest.mark.parametrize("output_shape", [(3, 4), (3, 4, 1), (12,), [4, 3]])
def test_output_shape_is_the_shape_of_one_image(output_shape):
    scaled = ImageScaler(output_shape=output_shape).fit_transform(IMAGES)

    assert scaled.shape == (2, *output_shape)
    assert_array_equal(scaled.ravel(), IMAGES.ravel() / np.float32(255))


@pytest.mark.parametrize("max_intensity", [23, 255.0])
def test_inverse_transform_gives_back_the_intensities(max_intensity):
    scaler = ImageScaler(max_intensity, output_shape=(3, 4, 1))
    scaled = scaler.fit_transform(IMAGES)

    original = scaler.inverse_transform(scaled)

    assert original.dtype == np.float32
    assert_array_equal(original.round(), IMAGES.reshape(2, 12))


def test_no_float64_copy_is_made():
    images = np.zeros((2000, 784), dtype=np.uint8)
    scaler = ImageScaler().fit(images)
    tracemalloc.start()

    scaler.transform(images)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 1.1 * 4 * images.size


def test_feature_names_and_set_output():
    frame = pd.DataFrame(IMAGES.reshape(2, 12)).add_prefix("pixel_")

    scaled = ImageScaler().set_output(transform="pandas").fit_transform(frame)

    assert list(scaled.columns) == list(frame.columns)
    assert (scaled.dtypes == np.float32).all()


@pytest.mark.parametrize(
    "value", [0, -1, np.nan, np.inf, 1e-50, 1e39, "255", None, True]
)
def test_a_wrong_max_intensity_is_named(value):
    with pytest.raises(ValueError, match=r"max_intensity=.* is not a positive number"):
        ImageScaler(max_intensity=value).fit(IMAGES)


def test_scaled_images_go_back_without_the_names_of_a_frame(recwarn):
    frame = pd.DataFrame(IMAGES.reshape(2, -1)).add_prefix("pixel")
    scaler = ImageScaler().fit(frame)

    back = scaler.inverse_transform(scaler.transform(frame))

    assert_allclose(back, frame, rtol=1e-6)
    assert not recwarn.list
    with pytest.raises(ValueError, match=r"11 features, but .* is expecting 12"):
        scaler.inverse_transform(back[:, 1:])


@pytest.mark.parametrize("output_shape", [12, (3.0, 4), (-3, -4), (0, 12), "34"])
def test_what_is_no_output_shape_is_named(output_shape):
    scaler = ImageScaler(output_shape=output_shape)

    with pytest.raises(ValueError, match="is not a tuple of positive ints"):
        scaler.fit(IMAGES)
    with pytest.raises(NotFittedError):
        scaler.transform(IMAGES)


def test_a_wrong_output_shape_is_named():
    with pytest.raises(ValueError, match=r"output_shape=\(3, 5\) .* of 12 pixels"):
        ImageScaler(output_shape=(3, 5)).fit(IMAGES)


@pytest.mark.filterwarnings("ignore:X has intensities up to")
def test_values_that_overflow_float32_are_an_error():
    with pytest.raises(ValueError, match="too large for float32"):
        ImageScaler().fit_transform(np.full((1, 4), 1e300))


@pytest.mark.parametrize("shape", [(2, 3, 4, 3), (2, 3, 4, 1, 1)])
def test_colour_images_are_refused(shape):
    with pytest.raises(ValueError, match="X has shape"):
        ImageScaler().fit(np.zeros(shape))


@pytest.mark.parametrize("largest", [0.9, 1.0])
def test_images_that_are_scaled_already_get_a_warning(largest):
    words = f"looks scaled already, with intensities up to {largest:g}"
    with pytest.warns(UserWarning, match=re.escape(words)):
        ImageScaler().fit(np.linspace(0, largest, 12).reshape(3, 4))


def test_intensities_above_the_maximum_get_a_warning():
    with pytest.warns(UserWarning, match=r"up to 4095, more than max_intensity=255\.0"):
        ImageScaler().fit(np.array([[0, 4095]]))


@pytest.mark.parametrize(
    "X",
    [
        np.array([[0, 1]], np.uint8),
        np.array([[0, 255]], np.uint8),
        np.array([[0.0, 200.0]]),
        np.zeros((2, 3)),
    ],
)
def test_ordinary_images_get_no_warning(X, recwarn):
    ImageScaler().fit(X)
    ImageScaler(max_intensity=1).fit(X / 255)

    assert not recwarn.list


@needs_callbacks
def test_the_scaler_is_a_task_too(digits):
    noter = NoteTasks()

    ImageScaler(1.0).set_callbacks(noter).fit(digits[0])

    assert noter.tasks == ["setup", "begin fit 0", "end fit 0", "teardown"]
