import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

from skmnist import ImageCenterer, ImageScaler, MNISTMLPClassifier
from skmnist._framing import frame_image, to_gray
from wild_digits import draw_wild_digits


@pytest.fixture(scope="module")
def model(mnist):
    """A network that knows most digits in MNIST's frame."""
    network = MNISTMLPClassifier(max_epochs=4, random_state=0)
    return make_pipeline(ImageScaler(), network).fit(
        mnist[0][:30_000], mnist[1][:30_000]
    )


def as_images(X):
    return X.reshape(-1, 28, 28)


def draw_line(shape, rows, columns, page=0.0, ink=1.0):
    image = np.full(shape, page, np.float32)
    image[slice(*rows), slice(*columns)] = ink
    return image


def test_images_of_mnist_stay_as_they_are(mnist):
    X = mnist[2][:1000]

    framed = ImageCenterer().transform(X)

    assert (framed == X).all(axis=1).mean() > 0.98
    assert np.abs(framed.astype(int) - X).mean() < 0.02


def test_the_accuracy_on_mnist_stays(mnist, model):
    X, y = mnist[2][:3000], mnist[3][:3000]

    framed = ImageCenterer().transform(X)

    assert abs(model.score(framed, y) - model.score(X, y)) <= 0.002


def test_wild_digits_are_read_almost_as_mnists(mnist, model):
    X, y = mnist[2][:500], mnist[3][:500]
    pages = draw_wild_digits(as_images(X))
    shrunk = [ndimage.zoom(page, 28 / np.array(page.shape), order=1) for page in pages]

    accuracy = model.score(ImageCenterer().transform(pages), y)

    assert model.score(np.stack(shrunk), y) < 0.5
    assert accuracy > model.score(X, y) - 0.025


def test_pages_without_ink_are_blank():
    pages = draw_wild_digits(np.zeros((100, 28, 28), np.uint8))

    frames = [frame_image(to_gray(page), 28, 20) for page in pages]

    assert sum(frame is None for frame in frames) > 95


@pytest.mark.parametrize(
    ("size", "box", "rows", "columns"),
    [(28, 20, (4, 24), (12, 17)), (28, 28, (0, 28), (11, 18)), (9, 4, (3, 7), (4, 5))],
)
def test_the_longer_side_fills_the_box_in_the_center(size, box, rows, columns):
    image = draw_line((200, 150), (60, 140), (10, 30))

    framed = frame_image(image, size, box) > 0.5

    inked = np.flatnonzero(framed.any(1)), np.flatnonzero(framed.any(0))
    assert (inked[0].min(), inked[0].max() + 1) == pytest.approx(rows, abs=1)
    assert (inked[1].min(), inked[1].max() + 1) == pytest.approx(columns, abs=1)


@pytest.mark.parametrize("longest", [19, 20, 21])
def test_what_fits_nearly_is_moved_by_whole_pixels_only(longest):
    image = np.zeros((28, 28), np.float32)
    image[1 : 1 + longest, 3:9] = np.random.default_rng(0).uniform(0.9, 1, (longest, 6))

    framed = frame_image(image, 28, 20)

    assert_array_equal(np.sort(framed.ravel()), np.sort(image.ravel()))


def test_the_center_of_mass_is_in_the_center():
    image = draw_line((120, 120), (20, 100), (10, 20))
    image[90:100, 10:60] = 1  # an L

    framed = frame_image(image, 28, 20)

    assert ndimage.center_of_mass(framed) == pytest.approx((14, 14), abs=0.1)


@pytest.mark.parametrize("invert", [True, "auto"])
def test_dark_ink_becomes_bright(invert):
    image = draw_line((90, 90), (30, 70), (30, 40))

    framed = frame_image(1 - image, 28, 20, invert)

    assert_allclose(framed, frame_image(image, 28, 20, False), atol=1e-6)
    assert frame_image(1 - image, 28, 20, False) is None


def test_soft_shadows_and_specks_leave_no_trace():
    image = draw_line((120, 120), (20, 100), (60, 70), page=1.0, ink=0.2)
    shadow = 1 - 0.4 * np.linspace(0, 1, 120, dtype=np.float32) ** 2
    stained = image * shadow
    stained[5:8, 5:8] = 0.1

    framed = frame_image(stained, 28, 20)

    assert_allclose(framed, frame_image(image, 28, 20), atol=0.06)


@pytest.mark.parametrize("white", [1, 255])
def test_faint_ink_becomes_bright(white):
    image = draw_line((90, 90), (30, 70), (30, 40), page=0.9, ink=0.6)

    assert frame_image(image * white, 28, 20).max() == pytest.approx(white, rel=0.01)


def test_an_image_of_negative_intensities_is_framed():
    image = draw_line((90, 90), (30, 70), (30, 40), page=-1)

    framed = frame_image(image, 28, 20)

    assert framed.max() == pytest.approx(2, rel=0.01)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (2, 3), (3000, 2)])
def test_images_of_any_shape_are_framed_or_blank(shape):
    image = np.random.default_rng(0).random(shape, dtype=np.float32)

    framed = frame_image(image, 28, 20)

    assert framed is None or (np.isfinite(framed).all() and framed.shape == (28, 28))


def test_colors_become_gray_by_luma():
    colors = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)

    assert_allclose(to_gray(colors), [[76.2, 149.7, 29.1]], atol=0.1)


@pytest.mark.parametrize(("white", "n_colors"), [(1.0, 1), (255, 3)])
def test_what_is_transparent_is_white(white, n_colors):
    image = np.zeros((1, 2, n_colors + 1))
    image[0, 0, -1] = white

    assert_allclose(to_gray(image), [[0, white]])
    assert_allclose(to_gray(np.zeros_like(image)), 1)


def test_threads_change_no_frame():
    rng = np.random.default_rng(0)
    page = draw_line((220, 220), (60, 150), (100, 120), page=0.9, ink=0.2)
    page = page * np.linspace(1, 0.6, 220) + rng.normal(0, 0.02, page.shape)

    with threadpool_limits(1):
        alone = frame_image(page.astype(np.float32), 28, 20)

    assert_array_equal(frame_image(page.astype(np.float32), 28, 20), alone)
