import warnings

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from matplotlib.colors import same_color
from numpy.testing import assert_array_equal
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline

from skmnist import ImageGridDisplay, ImageScaler, MNISTMLPClassifier
from skmnist.inspection import misclassified, weight_matrices
from small_models import small

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

IMAGES = np.arange(3 * 4 * 5).reshape(3, 4, 5)
RIGHT, WRONG = "#0072B2", "#D55E00"


def titles_of(display):
    return [ax.get_title() for ax in display.ax_.flat]


@pytest.mark.parametrize("shape", [(3, 4, 5), (3, 4, 5, 1), (3, 20)])
def test_images_of_any_shape_are_drawn_as_they_are(shape):
    display = ImageGridDisplay.from_images(
        IMAGES.reshape(shape), ["a", "b", "c"], image_shape=(4, 5), n_columns=2
    )

    assert display.ax_.shape == (2, 2)
    assert titles_of(display) == ["a", "b", "c", ""]
    for im, image in zip(display.im_, IMAGES, strict=True):
        np.testing.assert_array_equal(im.get_array(), image)
        assert im.get_clim() == (0, 59)


def test_right_and_wrong_differ_in_words_and_colors():
    display = ImageGridDisplay.from_images(
        IMAGES, [0, 1, 2], predictions=[0, 2, 2], probabilities=[0.5, 0.75, 1]
    )

    assert titles_of(display) == ["0 (0.50)", "1 predicted as 2 (0.75)", "2 (1.00)"]
    colors = [ax.title.get_color() for ax in display.ax_.flat]
    assert all(map(same_color, colors, [RIGHT, WRONG, RIGHT]))


def test_predictions_alone_are_neither_right_nor_wrong():
    display = ImageGridDisplay.from_images(
        IMAGES, predictions=["a", "b", "c"], probabilities=np.eye(3) * 0.5
    )

    assert titles_of(display) == ["a (0.50)", "b (0.50)", "c (0.50)"]
    assert not any(
        same_color(ax.title.get_color(), color)
        for ax in display.ax_.flat
        for color in (RIGHT, WRONG)
    )


@pytest.mark.parametrize("names", [["cat", "dog", "emu"], {0: "cat", 1: "dog"}])
def test_classes_can_have_names(names):
    display = ImageGridDisplay.from_images(
        IMAGES[:2], np.array([0, 1]), predictions=[0, 0], class_names=names
    )

    assert titles_of(display) == ["cat", "dog predicted as cat"]


@pytest.mark.parametrize("names", [["zero"], {0: "zero"}])
@pytest.mark.parametrize("label", [7, "seven"])
def test_a_label_without_a_name_is_named(names, label):
    with pytest.raises(ValueError, match=f"no name for the label {label!r}; give"):
        ImageGridDisplay.from_images(IMAGES[:1], [label], class_names=names)


def test_only_the_first_images_are_drawn():
    many = np.zeros((60, 2, 2))

    assert len(ImageGridDisplay.from_images(many, range(60)).im_) == 25
    assert len(ImageGridDisplay.from_images(many, n_images=7).im_) == 7
    assert len(ImageGridDisplay.from_images(many, n_images=None).im_) == 60


def test_labels_of_another_length_are_refused():
    with pytest.raises(ValueError, match="labels has 2 entries for 3 images"):
        ImageGridDisplay.from_images(IMAGES, [1, 2])


def test_mistakes_are_drawn_the_most_confident_first(model, digits):
    X, y = digits
    mistakes = misclassified(model, X, y)

    display = ImageGridDisplay.from_misclassified(model, X, y, n_images=4, n_columns=4)

    assert len(mistakes) > 4
    for im, title, row in zip(
        display.im_, titles_of(display), mistakes.itertuples(), strict=False
    ):
        np.testing.assert_array_equal(im.get_array(), X[row[1]].reshape(8, 8))
        assert (
            title == f"{row.true} predicted as {row.predicted} ({row.probability:.2f})"
        )
    assert f"the most confident 4 of {len(mistakes)}" in display.figure_.get_suptitle()


def test_mistakes_of_one_kind_can_be_drawn(model, digits):
    X, y = digits
    mistakes = misclassified(model, X, y)
    kind = {"true": mistakes["true"][0], "predicted": mistakes["predicted"][0]}
    n_mistakes = len(misclassified(model, X, y, **kind))

    display = ImageGridDisplay.from_misclassified(model, X, y, n_images=None, **kind)

    titles = [title for title in titles_of(display) if title]
    words = f"{kind['true']} predicted as {kind['predicted']}"
    assert len(titles) == n_mistakes < len(mistakes)
    assert all(title.startswith(words) for title in titles)
    title = display.figure_.get_suptitle()
    assert title == f"{words} in 500 images: {n_mistakes}"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ({"true": 8}, "eight predicted as others in 500 images: "),
        ({"predicted": 8}, "Others predicted as eight in 500 images: "),
    ],
)
def test_half_a_kind_of_mistakes_is_named_too(model, digits, kind, words):
    names = ["", "", "", "", "", "", "", "", "eight", ""]
    display = ImageGridDisplay.from_misclassified(
        model, *digits, **kind, class_names=names
    )

    assert display.figure_.get_suptitle().startswith(words)


def test_no_mistakes_is_a_picture_that_says_so(model, digits):
    X, _ = digits

    display = ImageGridDisplay.from_misclassified(model, X, model.predict(X))

    assert display.im_ == []
    assert display.figure_.get_suptitle() == "Mistakes in 500 images: none"
    assert not display.ax_[0, 0].axison


def test_mistakes_of_a_plain_linear_model_are_drawn(digits):
    X, y = digits
    linear = LogisticRegression(max_iter=5).fit(X[:100], y[:100])

    with_names = ImageGridDisplay.from_misclassified(linear, pd.DataFrame(X), y)

    assert len(with_names.im_) == min(25, len(misclassified(linear, X, y)))


@pytest.mark.parametrize("kind", ["ours", "perceptron", "linear"])
def test_hidden_units_are_the_rows_of_the_first_weights(kind, model, digits):
    X, y = digits
    estimator = {
        "ours": model,
        "perceptron": MLPClassifier((12,), max_iter=300),
        "linear": LogisticRegression(max_iter=500),
    }[kind]
    if kind != "ours":
        estimator.fit(X, y)
    weights = weight_matrices(estimator[-1] if kind == "ours" else estimator)[0]

    display = ImageGridDisplay.from_hidden_units(estimator, n_images=5)

    norms = np.linalg.norm(weights, axis=1)
    name = "class " if kind == "linear" else "unit "
    units = [int(title.removeprefix(name)) for title in titles_of(display)]
    assert units == np.argsort(-norms)[:5].tolist()
    for im, unit in zip(display.im_, units, strict=True):
        np.testing.assert_array_equal(im.get_array(), weights[unit].reshape(8, 8))


def test_the_one_unit_of_two_classes_is_named_by_the_second(digits):
    X, y = digits
    linear = LogisticRegression().fit(X, np.where(y > 4, "large", "small"))

    display = ImageGridDisplay.from_hidden_units(linear)

    assert titles_of(display) == ["class small"]
    assert display.figure_.get_suptitle() == "Weights of the classes"


def test_signed_pictures_have_a_color_bar_with_zero_in_its_middle(model):
    display = ImageGridDisplay.from_hidden_units(model)

    low, high = display.im_[0].get_clim()
    assert low == -high < 0
    assert "weight" in [ax.get_ylabel() for ax in display.figure_.axes]


def test_hidden_units_of_images_that_are_not_square_need_their_shape(digits):
    X, y = digits
    model = MNISTMLPClassifier((3,), max_epochs=1).fit(X[:, :56], y)

    with pytest.raises(ValueError, match="give the rows and columns of an image"):
        ImageGridDisplay.from_hidden_units(model)
    display = ImageGridDisplay.from_hidden_units(model, image_shape=(7, 8))
    assert display.im_[0].get_array().shape == (7, 8)


@pytest.mark.parametrize(
    ("door", "n_arguments"),
    [("from_misclassified", 2), ("from_hidden_units", 0), ("from_saliency", 1)],
)
def test_a_model_that_is_not_fitted_is_refused(door, n_arguments, digits):
    with pytest.raises(NotFittedError):
        getattr(ImageGridDisplay, door)(MNISTMLPClassifier(), *digits[:n_arguments])


@pytest.mark.parametrize("activation", ["tanh", "gelu", "relu"])
def test_saliency_is_the_gradient_of_the_logit(activation, digits):
    X, y = digits
    X = X.astype(np.float64)
    model = MNISTMLPClassifier(
        (9,), activation=activation, max_epochs=2, random_state=0
    )
    model.fit(X, y)
    step = 1e-6 * np.eye(64)

    display = ImageGridDisplay.from_saliency(model, X[:2], target=3)

    for im, image in zip(display.im_, X, strict=False):
        high, low = (model.decision_function(image + s)[:, 3] for s in (step, -step))
        np.testing.assert_allclose(
            im.get_array().ravel(), (high - low) / 2e-6, atol=1e-7
        )


def test_a_stack_is_drawn_with_its_own_rows_and_columns(digits):
    X, y = digits[0].reshape(-1, 16, 4), digits[1]
    model = make_pipeline(ImageScaler(1.0), MNISTMLPClassifier((16,), max_epochs=1))

    display = ImageGridDisplay.from_saliency(model.fit(X, y), X[:2])

    assert display.images.shape == (2, 16, 4)


def test_saliency_drops_nothing_out(digits):
    X, y = digits
    # Without validation data the network is left in training mode.
    model = MNISTMLPClassifier((16,), validation_split=None, max_epochs=1).fit(X, y)

    one, other = (
        ImageGridDisplay.from_saliency(model, X[:2], target=3) for _ in range(2)
    )

    np.testing.assert_array_equal(one.images, other.images)


def test_saliency_is_for_the_predicted_label_where_none_is_given(model, digits):
    X, _ = digits

    display = ImageGridDisplay.from_saliency(model, X[:3])

    expected = [f"for {label}" for label in model.predict(X[:3])]
    assert titles_of(display)[:3] == expected
    image = display.im_[0].get_array()
    target = model.predict(X[:1])[0]
    chosen = ImageGridDisplay.from_saliency(model, X[:1], target=target)
    np.testing.assert_array_equal(image, chosen.im_[0].get_array())


def test_saliency_sees_the_pixels_that_reach_the_classifier(model, digits):
    X, _ = digits
    raw = (X * 16).reshape(-1, 8, 8)
    scaled = make_pipeline(ImageScaler(16).fit(raw), model[-1])

    display = ImageGridDisplay.from_saliency(scaled, raw[:1])
    bare = ImageGridDisplay.from_saliency(model[-1], X[:1])

    np.testing.assert_allclose(display.im_[0].get_array(), bare.im_[0].get_array())
    outlines = [c for c in display.ax_[0, 0].collections if len(c.get_paths())]
    assert len(outlines) == 1


def test_saliency_wants_a_label_and_a_model_that_it_knows(model, digits):
    X, y = digits

    with pytest.raises(ValueError, match="target='cat' is not one of the labels"):
        ImageGridDisplay.from_saliency(model, X, target="cat")
    linear = LogisticRegression(max_iter=500).fit(X, y)
    with pytest.raises(TypeError, match="LogisticRegression has no gradients"):
        ImageGridDisplay.from_saliency(linear, X)
    components = make_pipeline(PCA(10), MNISTMLPClassifier(max_epochs=1)).fit(X, y)
    with pytest.raises(ValueError, match="does not fit images of 10 pixels"):
        ImageGridDisplay.from_saliency(components, X)


def test_a_grid_draws_on_given_axes_or_divides_one():
    figure, axes = plt.subplots(1, 4)

    three = ImageGridDisplay.from_images(IMAGES, ax=axes[:3])
    one = ImageGridDisplay.from_images(IMAGES, title="All", ax=axes[3], n_columns=1)

    assert three.ax_.tolist() == axes[:3].tolist()
    assert one.ax_.shape == (3, 1)
    assert one.figure_ is figure
    assert axes[3].get_title() == "All"


@pytest.mark.parametrize(
    ("door", "names"),
    [
        ("from_images", ["X", "y"]),
        ("from_misclassified", ["model", "X", "y"]),
        ("from_hidden_units", ["model"]),
        ("from_saliency", ["model", "X"]),
    ],
)
def test_options_reach_matplotlib_from_every_door(door, names, model, digits):
    arguments = dict(zip(["model", "X", "y"], [model, *digits], strict=True))
    _, axes = plt.subplots(1, 2)
    kwargs = {"im_kw": {"cmap": "magma"}, "title_kw": {"fontsize": 3}}

    display = getattr(ImageGridDisplay, door)(
        *map(arguments.get, names), n_images=2, ax=axes, n_columns=1, **kwargs
    )

    assert display.ax_.tolist() == axes.tolist()
    assert [im.get_cmap().name for im in display.im_] == ["magma"] * 2
    assert [ax.title.get_fontsize() for ax in axes] == [3, 3]


def test_as_many_axes_as_images_are_enough():
    _, axes = plt.subplots(1, 7)

    display = ImageGridDisplay.from_images(np.ones((7, 2, 2)), ax=axes)

    assert display.ax_.tolist() == axes.tolist()


@pytest.mark.parametrize(
    "options",
    [{"size": 3, "c": "green"}, {"fontdict": {"size": 3, "color": "green"}}],
)
def test_options_can_have_matplotlibs_short_names(options):
    display = ImageGridDisplay.from_images(IMAGES, range(3), title_kw=options)

    assert {ax.title.get_fontsize() for ax in display.ax_.flat if ax.images} == {3}
    assert {ax.title.get_color() for ax in display.ax_.flat if ax.images} == {"green"}


@pytest.mark.parametrize("value_name", [None, "weight"])
def test_a_norm_takes_the_place_of_our_limits(value_name):
    norm = matplotlib.colors.Normalize(-7, 7)

    display = ImageGridDisplay(IMAGES, value_name=value_name)
    display.plot(im_kw={"norm": norm})

    assert all(im.norm is norm for im in display.im_)
    assert (norm.vmin, norm.vmax) == (-7, 7)


@pytest.mark.parametrize("norm", ["linear", None, matplotlib.colors.Normalize()])
def test_all_images_have_one_scale_whatever_the_norm(norm):
    images = np.stack([np.eye(3), 100 * np.eye(3)])

    display = ImageGridDisplay(images).plot(im_kw={"norm": norm})

    assert [im.get_clim() for im in display.im_] == [(0, 100), (0, 100)]


def test_a_missing_pixel_leaves_the_scale_of_the_others():
    images = np.stack([np.eye(3), np.full((3, 3), np.nan)])

    display = ImageGridDisplay(images).plot()

    assert display.im_[0].get_clim() == (0, 1)


def test_titles_may_be_an_array():
    display = ImageGridDisplay(IMAGES, titles=np.array(["a", "b", "c"])).plot()

    assert [ax.get_title() for ax in display.ax_.flat][:3] == ["a", "b", "c"]


@pytest.mark.parametrize("door", ["from_misclassified", "from_saliency"])
def test_sparse_images_are_drawn_as_dense_ones(door, model, digits):
    X, y = digits
    rest = [y] if door == "from_misclassified" else []
    draw = getattr(ImageGridDisplay, door)

    sparse = draw(model, scipy.sparse.csr_array(X), *rest, n_images=3)

    assert_array_equal(sparse.images, draw(model, X, *rest, n_images=3).images)


def test_saliency_of_a_frame_warns_of_no_names(digits):
    X, y = pd.DataFrame(digits[0]).add_prefix("pixel"), digits[1]
    model = small().fit(X, y)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ImageGridDisplay.from_saliency(model, X, n_images=2)


def test_titles_are_not_cut_off(model, digits):
    X, y = digits
    names = ["a rather long name of a class"] * 10

    display = ImageGridDisplay.from_misclassified(
        model, X, y, class_names=names, n_images=2
    )

    display.figure_.canvas.draw()
    frame = display.figure_.bbox
    boxes = [ax.title.get_window_extent() for ax in display.ax_.flat]
    assert all(frame.x0 <= box.x0 and box.x1 <= frame.x1 for box in boxes)
    assert boxes[0].x1 < boxes[1].x0
