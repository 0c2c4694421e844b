"""Where the pixels of a distorted image come from."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skmnist._engine.distortion import distort, make_spline

NOTHING = {
    "rotation": 0.0,
    "scale": 0.0,
    "shear": 0.0,
    "shift": 0.0,
    "elastic": 0.0,
    "smoothness": 5.0,
}
SOMETHING = {
    "rotation": 10.0,
    "scale": 0.15,
    "shear": 11.0,
    "shift": 2.0,
    "elastic": 0.45,
    "smoothness": 5.0,
}


def make_rng():
    return np.random.Generator(np.random.SFC64(0))


def find_sources(shape, n_images=300, **settings):
    """Return the (x, y) that pixels near the middle come from, less those they have."""
    rows, columns = shape
    y, x = np.mgrid[:rows, :columns].astype(float)
    middle = np.s_[:, rows // 3 : -(rows // 3), columns // 3 : -(columns // 3)]
    sources = []
    for ramp in (x, y):  # what is linear is interpolated exactly
        images = torch.from_numpy(ramp).expand(n_images, 1, rows, columns)
        moved = distort(images, make_rng(), **{**NOTHING, **settings})
        sources.append((moved[:, 0].numpy() - ramp)[middle])
    return sources


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (8, 8), (28, 28), (20, 30)])
def test_no_distortion_leaves_an_image_as_it_is(shape):
    images = torch.rand(3, 1, *shape)

    assert_allclose(distort(images, make_rng(), **NOTHING), images, atol=1e-5)


@pytest.mark.parametrize("shape", [(28, 28), (20, 40), (40, 20)])
def test_a_rotation_turns_by_pixels_whatever_the_shape(shape):
    dx, dy = find_sources(shape, rotation=30)

    x_by_x, x_by_y = 1 + np.diff(dx, axis=2), np.diff(dx, axis=1)
    y_by_x, y_by_y = np.diff(dy, axis=2), 1 + np.diff(dy, axis=1)
    angle = np.degrees(np.arctan2(x_by_y.mean((1, 2)), y_by_y.mean((1, 2))))
    assert_allclose(x_by_x[:, 1:] ** 2 + y_by_x[:, 1:] ** 2, 1, atol=1e-4)
    assert_allclose(x_by_y[:, :, 1:], -y_by_x[:, 1:], atol=1e-4)
    assert 28 < abs(angle).max() <= 30
    assert abs(angle.mean()) < 3


def test_rows_and_columns_are_scaled_apart():
    dx, dy = find_sources((28, 28), scale=0.2)

    of_columns = 1 / (1 + np.diff(dx, axis=2).mean((1, 2)))
    of_rows = 1 / (1 + np.diff(dy, axis=1).mean((1, 2)))
    for factor in (of_columns, of_rows):
        assert 0.8 <= factor.min() < 0.81
        assert 1.19 < factor.max() <= 1.2001
    assert abs(np.corrcoef(of_rows, of_columns)[0, 1]) < 0.2


def test_a_shear_slants_vertical_lines_alone():
    dx, dy = find_sources((20, 30), shear=20)

    slant = np.degrees(np.arctan(np.diff(dx, axis=1).mean((1, 2))))
    assert_allclose(dy, 0, atol=1e-4)
    assert 19 < slant.max() <= 20.01
    assert -20.01 <= slant.min() < -19


def test_a_shift_is_uniform_in_pixels_along_both_axes():
    for distance in find_sources((20, 30), shift=3):
        assert_allclose(np.ptp(distance, axis=(1, 2)), 0, atol=1e-4)
        assert distance.std() == pytest.approx(3 / np.sqrt(3), rel=0.1)
        assert 2.9 < abs(distance).max() <= 3.001


@pytest.mark.parametrize("shape", [(28, 28), (20, 30)])
@pytest.mark.parametrize("smoothness", [3, 5, 8.5])
def test_elastic_is_the_standard_deviation_of_a_points_distance(shape, smoothness):
    sources = find_sources(shape, 1000, elastic=0.5, smoothness=smoothness)
    for distance in sources:
        assert distance.std() == pytest.approx(0.5, rel=0.1)
        assert abs(distance.mean()) < 0.05
        assert abs(distance).max() > 1.3  # it is nearly normal


def test_a_field_is_as_smooth_as_asked():
    rough, smooth = (
        np.diff(find_sources((28, 28), elastic=1, smoothness=each)[0], axis=2).std()
        for each in (3, 9)
    )

    assert rough > 2.5 * smooth


def test_each_image_has_a_distortion_of_its_own():
    images = torch.rand(1, 1, 28, 28).expand(8, 1, 28, 28)

    distorted = distort(images, make_rng(), **SOMETHING)

    assert len(torch.unique(distorted, dim=0)) == 8


def test_what_comes_from_outside_is_zero():
    images = torch.ones(50, 1, 28, 28)

    shifted = distort(images, make_rng(), **{**NOTHING, "shift": 28})

    assert (shifted == 0).any(dim=0).any()
    assert shifted.min() == 0
    assert shifted.max() <= 1 + 1e-5


@pytest.mark.parametrize("size", [1, 2, 8, 28, 30])
@pytest.mark.parametrize("smoothness", [1, 5, 6.3, 1000])
def test_a_spline_passes_through_what_is_linear(size, smoothness):
    spline = make_spline(size, smoothness)

    weights = spline.weights[:size, : len(spline.positions)].numpy()

    assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)
    pixels = np.arange(size) - (size - 1) / 2
    assert_allclose(weights @ spline.positions, pixels, atol=1e-4 * smoothness)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(8, 8), (28, 28), (20, 30), (33, 17)])
@pytest.mark.parametrize("n_images", [1, 7, 128, 1000])
def test_threads_change_no_bit(n_images, shape, dtype, two_threads):
    images = torch.rand(n_images, 1, *shape, dtype=dtype)
    results = []
    for n_threads in (1, 2, 3):
        torch.set_num_threads(n_threads)
        results.append(distort(images, make_rng(), **SOMETHING))

    assert results[0].dtype == dtype
    for other in results[1:]:
        assert_array_equal(results[0], other)
