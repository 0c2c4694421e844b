import re
import tracemalloc

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from listeners import NoteTasks, needs_callbacks
from skmnist import ImageCenterer, ImageScaler

PAGE = np.full((60, 90), 230, np.uint8)
PAGE[10:50, 20:28] = 30  # an L
PAGE[42:50, 20:50] = 30
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
def test_color_images_are_refused(shape):
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


@needs_callbacks
def test_the_centerer_is_a_task_too():
    noter = NoteTasks()

    ImageCenterer().set_callbacks(noter).fit([PAGE])

    assert noter.tasks == ["setup", "begin fit 0", "end fit 0", "teardown"]


def in_colors(page):
    return np.stack([page] * 3, axis=2)


def on_glass(page):
    """The same ink with alpha, on nothing."""
    alpha = 255 - page
    return np.stack([np.zeros_like(page)] * 3 + [alpha], axis=2)


@pytest.mark.parametrize(
    "X",
    [
        PAGE[None],
        PAGE[None, :, :, None],
        in_colors(PAGE)[None],
        on_glass(PAGE)[None],
        [PAGE],
        (PAGE[..., None],),
        [in_colors(PAGE)],
        [PAGE.tolist()],
        [Image.fromarray(PAGE)],
        [Image.fromarray(PAGE).convert("P")],
        [Image.fromarray(in_colors(PAGE)).convert("CMYK")],
        np.array([PAGE, None], object)[:1],
        [np.pad(PAGE, 15, constant_values=230)],
        [255 - PAGE],
    ],
    ids=range(14),
)
def test_the_same_ink_in_any_kind_of_image_is_the_same_frame(X):
    expected = ImageCenterer().transform([PAGE])

    assert_allclose(ImageCenterer().fit_transform(X), expected, atol=9)
    assert expected.shape == (1, 784)


def test_black_and_white_and_a_transparent_color_are_as_other_images():
    drawn = np.where(PAGE == 30, 0, 255).astype(np.uint8)
    clear = Image.fromarray(in_colors(np.where(drawn == 0, 9, 0).astype(np.uint8)))
    clear.info["transparency"] = (0, 0, 0)
    expected = ImageCenterer().transform([drawn])

    two_levels = ImageCenterer().transform([Image.fromarray(drawn).convert("1")])

    assert_array_equal(two_levels, expected)
    assert_allclose(ImageCenterer().transform([clear]), expected, atol=9)


def test_rows_of_pixels_are_square_images():
    images = np.zeros((2, 40, 40), np.uint8)
    images[:, 5:20, 9:12] = 200

    framed = ImageCenterer().fit(images.reshape(2, -1)).transform(images)

    assert_array_equal(framed, ImageCenterer().transform(images.reshape(2, -1)))


def test_images_of_any_sizes_are_one_stack_of_frames():
    larger = PAGE.repeat(3, axis=0).repeat(3, axis=1)

    framed = ImageCenterer(20, box=12).fit([PAGE]).transform([PAGE, larger])

    assert framed.shape == (2, 400)
    assert np.abs(framed[0].astype(int) - framed[1]).mean() < 4


@pytest.mark.parametrize(
    ("dtype", "largest", "result"),
    [
        *[(np.uint8, 255, np.uint8), (np.int64, 16, np.int64), (bool, 1, np.float32)],
        *[(np.uint16, 65535, np.uint16), (np.int8, 127, np.int8)],
        *[(np.float32, 1, np.float32), (np.float64, 255, np.float64)],
        *[(np.float16, 1, np.float32), (np.float32, 12.5, np.float32)],
    ],
)
def test_the_type_and_the_range_of_intensities_are_kept(dtype, largest, result):
    page = np.where(PAGE == 30, largest, 0).astype(dtype)

    framed = ImageCenterer().transform([page])

    assert framed.dtype == result
    assert framed.min() == 0
    assert framed.max() == pytest.approx(largest, rel=0.01)


def test_blank_images_stay_blank_with_one_warning():
    noise = np.random.default_rng(0).normal(200, 5, (60, 90)).astype(np.uint8)
    blank = np.zeros((28, 28), np.uint8)

    with pytest.warns(UserWarning, match=r"^3 of 4 images are blank") as warned:
        framed = ImageCenterer().transform([noise, PAGE, blank, blank + 255])

    assert len(warned) == 1
    assert_array_equal(framed.any(axis=1), [False, True, False, False])


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"size": 0}, "size=0 is not an int of at least 1"),
        ({"size": 28.0}, "size=28.0 is not an int"),
        ({"box": True}, "box=True is not an int"),
        ({"box": 29}, "box=29 does not fit into size=28"),
        ({"invert": "yes"}, "invert='yes' is not valid; give True, False or 'auto'"),
        ({"invert": "True"}, "invert='True' is not valid"),
    ],
)
def test_a_wrong_parameter_of_the_centerer_is_named(parameters, words):
    for method in ("fit", "transform"):
        with pytest.raises(ValueError, match=words):
            getattr(ImageCenterer(**parameters), method)([PAGE])


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (PAGE, r"shape \(60, 90\), but rows of 90 pixels .* a list of one, \[image\]"),
        (Image.fromarray(PAGE), r"one Pillow image; give a list of one, \[image\]"),
        (np.empty((0, 28, 28)), "without any image"),
        (in_colors(PAGE), r"like one image in color; give a list of one"),
        ([PAGE * np.nan], "X contains NaN"),
        (np.full((1, 5, 5), np.inf), "X contains infinity"),
        ([PAGE, PAGE[:0]], r"an image of shape \(0, 90\)"),
        (np.zeros((2, 5, 5, 5)), r"an image of shape \(5, 5, 5\)"),
        ([PAGE.astype(str)], "type <U3; images are numbers"),
        ([PAGE, np.array(["a"])], "sequence|inhomogeneous|could not"),
        ([], "Expected 2D array|0 sample"),
        ([np.full((5, 5), 1e300)], "too large for float32"),
    ],
)
def test_what_are_no_images_of_the_centerer_is_named(X, words):
    with pytest.raises(ValueError, match=words):
        ImageCenterer().fit_transform(X)


@pytest.mark.filterwarnings("ignore:.* images are blank")
def test_images_of_another_size_are_refused_as_rows_only():
    centerer = ImageCenterer().fit(np.zeros((2, 784)))

    with pytest.raises(ValueError, match=r"16 features, but .* expecting 784"):
        centerer.transform(np.ones((1, 16)))
    assert centerer.transform([PAGE]).any()
    assert not hasattr(centerer.fit([PAGE]), "n_features_in_")


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_frames_have_the_names_of_mnists_pixels(container):
    centerer = ImageCenterer(3, box=2).set_output(transform=container)

    framed = centerer.fit_transform([PAGE])

    assert list(framed.columns) == [f"pixel_{i}_{j}" for i in "012" for j in "012"]


def test_a_pipeline_fitted_on_frames_takes_photos(tmp_path):
    model = make_pipeline(ImageCenterer(), ImageScaler()).fit(np.eye(28)[None] * 255)
    joblib.dump(model, tmp_path / "model")

    loaded = joblib.load(tmp_path / "model")

    framed = ImageCenterer().transform([PAGE]) / np.float32(255)
    for same in (model, loaded):
        assert_array_equal(same.transform([PAGE]), framed)
