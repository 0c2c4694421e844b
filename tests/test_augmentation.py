"""Distorted images, and training on them or on those of a user's callable."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import skorch.callbacks
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skmnist import ImageScaler, MNISTMLPClassifier, RandomDistortion, evaluate
from small_models import fit, small

DISTORTION = RandomDistortion(shift=0.5, elastic=0.2)


def flip(images):
    return images.flip(3)


def test_distorted_images_keep_their_shape_and_float_type(digits):
    X = digits[0][:5]
    for shape in [(5, 64), (5, 8, 8), (5, 8, 8, 1), (5, 4, 16)]:
        for dtype, expected in [("f4", "f4"), ("f8", "f8"), ("u1", "f4"), (bool, "f4")]:
            distorted = DISTORTION.distort(X.reshape(shape).astype(dtype))

            assert distorted.shape == shape
            assert distorted.dtype == expected


@pytest.mark.parametrize("container", [np.ndarray.tolist, pd.DataFrame, np.copy])
def test_images_of_any_container_are_distorted_alike(digits, container):
    X = digits[0][:5]

    distorted = DISTORTION.distort(container(X), random_state=0)

    expected = DISTORTION.distort(X.reshape(5, 8, 8), random_state=0)
    assert_allclose(distorted.reshape(5, 8, 8), expected, atol=1e-6)


def test_the_random_state_draws_the_distortions(digits):
    X = digits[0][:5]
    first, again, other, free = (
        DISTORTION.distort(X, random_state=state) for state in (0, 0, 1, None)
    )

    assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, free)
    assert not np.array_equal(first, X)


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (np.zeros((2, 10)), "10 pixels, which are not square; give a stack"),
        (np.zeros((2, 4, 4, 3)), "X has shape"),
        (np.full((2, 16), np.nan), "NaN"),
        (np.zeros(16), "Expected 2D array"),
    ],
)
def test_what_are_no_images_is_not_distorted(X, words):
    with pytest.raises(ValueError, match=words):
        DISTORTION.distort(X)


@pytest.mark.parametrize("value", ["1", None, True, -1, np.nan, np.inf, 1e308, [1]])
@pytest.mark.parametrize("name", RandomDistortion().get_params())
def test_a_wrong_parameter_is_named(digits, name, value):
    distortion = RandomDistortion(**{name: value})

    with pytest.raises(ValueError, match=rf"^{name}=.* is not valid; give a"):
        distortion.distort(digits[0])
    with pytest.raises(ValueError, match=rf"^augmentation__{name}=.* is not valid"):
        small(augmentation=distortion).fit(*digits)


class Named(RandomDistortion):
    """A distortion with one more parameter."""

    def __init__(self, *, name="", shift=0.5, elastic=0.2):
        super().__init__(shift=shift, elastic=elastic)
        self.name = name


def test_a_subclass_may_have_other_parameters(digits):
    fitted = small(augmentation=Named()).fit(*digits)

    expected = small(augmentation=DISTORTION).fit(*digits)
    assert_array_equal(
        fitted.predict_proba(digits[0]), expected.predict_proba(digits[0])
    )


def test_an_augmentation_that_is_refused_leaves_the_fit_before(digits):
    X, y = digits
    model = small().fit(X, y)
    expected = model.predict_proba(X)

    with pytest.raises(ValueError, match="augmentation__scale=1"):
        model.set_params(augmentation=RandomDistortion(scale=1)).fit(X, y)
    with pytest.raises(ValueError, match="augmentation="):
        model.set_params(augmentation=DISTORTION).fit(X[:, :40], y)
    with pytest.raises(ValueError, match="augmentation returned"):
        model.set_params(augmentation=torch.flatten).fit(X, y)

    assert_array_equal(model.predict_proba(X), expected)


class Watch(skorch.callbacks.Callback):
    """Keeps the images of each batch."""

    def __init__(self, training, validation):
        self.seen = {True: training, False: validation}

    def on_batch_begin(self, net, batch, training, **kwargs):
        self.seen[training].append(batch[0].cpu().numpy().copy())


def test_training_images_alone_are_augmented(digits):
    X, y = digits
    training, validation = [], []
    model = small(augmentation=flip, callbacks=[Watch(training, validation)])

    model.fit(X[:400], y[:400], X_val=X[400:], y_val=y[400:])

    flipped = X.reshape(-1, 8, 8)[:, :, ::-1].reshape(X.shape)
    assert_array_equal(
        np.unique(np.vstack(training), axis=0), np.unique(flipped[:400], axis=0)
    )
    assert_array_equal(np.vstack(validation), np.vstack([X[400:], X[400:]]))


def test_images_to_predict_are_not_augmented(digits):
    X, y = digits[0][:400], digits[1][:400]
    X_val, y_val = digits[0][400:], digits[1][400:]

    model = small(augmentation=DISTORTION).fit(X, y, X_val=X_val, y_val=y_val)

    figures = evaluate(model, X_val, y_val)
    loss = model.history_["valid_loss"].iloc[-1]
    assert figures["loss"] == pytest.approx(loss, rel=1e-5)
    assert_array_equal(model.predict_proba(X_val), model.predict_proba(X_val))


def test_partial_fit_augments_too(digits):
    X, y = digits
    flipped = X.reshape(-1, 8, 8)[:, :, ::-1].reshape(X.shape)

    augmented = small(augmentation=flip).partial_fit(X, y, classes=range(10))

    plain = small().partial_fit(flipped, y, classes=range(10))
    assert_array_equal(augmented.predict_proba(X), plain.predict_proba(X))


def test_each_epoch_has_new_distortions(digits):
    batches = []

    fit(digits, Watch(batches, []), augmentation=DISTORTION, validation_split=None)

    assert len(np.unique(np.vstack(batches), axis=0)) == 3 * 500


CONTAINERS = {
    "stack": lambda X: X.reshape(-1, 8, 8),
    "channel": lambda X: X.reshape(-1, 8, 8, 1),
    "list": lambda X: X.reshape(-1, 8, 8).tolist(),
    "frame": pd.DataFrame,
    "sparse": scipy.sparse.csr_matrix,
    "float64": lambda X: X.astype(np.float64),
}


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
def test_any_images_are_augmented_alike(digits, container):
    X, y = digits
    model = small(augmentation=DISTORTION)

    fitted = clone(model).fit(container(X), y)

    expected = model.fit(X, y).history_["train_loss"]
    assert_allclose(fitted.history_["train_loss"], expected, rtol=1e-5)


def test_an_augmentation_gets_images_with_their_own_rows_and_columns(digits):
    X, y = digits
    shapes = set()
    model = small(augmentation=lambda images: shapes.add(images.shape[1:]) or images)

    make_pipeline(ImageScaler(1.0, output_shape=(4, 16)), model).fit(X[:320], y[:320])

    assert shapes == {(1, 4, 16)}


@pytest.mark.parametrize("augmentation", [DISTORTION, flip])
def test_images_that_are_no_squares_need_rows_and_columns(digits, augmentation):
    with pytest.raises(ValueError, match=r"augmentation=.*output_shape=\(rows, col"):
        small(augmentation=augmentation).fit(digits[0][:, :40], digits[1])


@pytest.mark.parametrize(
    ("augmentation", "words"),
    [
        (lambda images: images[:, :, :4], r"of shape \(2, 1, 4, 8\); give one that"),
        (lambda images: images.flatten(1), r"of shape \(2, 64\)"),
        (lambda images: images[:1], r"of shape \(1, 1, 8, 8\)"),
        (lambda images: images.int(), r"a tensor of torch\.int32"),
        (lambda images: images.cpu().numpy(), "a ndarray"),
        (lambda images: None, "a NoneType; give one that returns a float tensor"),
        (lambda images: images / 0, "NaN or infinite values"),
    ],
)
def test_a_callable_that_returns_no_such_images_is_named(digits, augmentation, words):
    with pytest.raises(ValueError, match=f"augmentation returned .*{words}"):
        small(augmentation=augmentation).fit(*digits)


@pytest.mark.parametrize("value", ["flip", 1, RandomDistortion, [flip]])
def test_what_is_no_augmentation_is_refused(digits, value):
    with pytest.raises(ValueError, match=r"augmentation=.* give None, a RandomDist"):
        small(augmentation=value).fit(*digits)


def test_floats_of_another_precision_are_cast(digits):
    cast = small(augmentation=lambda images: images.flip(3).double()).fit(*digits)

    expected = small(augmentation=flip).fit(*digits).predict_proba(digits[0])
    assert_array_equal(cast.predict_proba(digits[0]), expected)


def test_a_module_may_augment(digits):
    conv = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 1))
    model = small(augmentation=conv, device="cpu")

    assert clone(model).fit(*digits).n_iter_ == 2


def test_an_augmentation_may_change_its_images_in_place(digits):
    X, y = digits[0].copy(), digits[1]

    small(augmentation=lambda images: images.mul_(0)).fit(X, y)

    assert_array_equal(X, digits[0])


def test_a_fit_with_distortions_leaves_the_global_generators_alone(digits):
    before = torch.get_rng_state(), np.random.get_state()[1].copy()

    small(augmentation=DISTORTION).fit(*digits)

    assert torch.equal(torch.get_rng_state(), before[0])
    assert_array_equal(np.random.get_state()[1], before[1])


def test_a_fit_with_distortions_is_the_same_to_the_bit(digits):
    first, second = (small(augmentation=DISTORTION).fit(*digits) for _ in range(2))

    assert_array_equal(first.predict_proba(digits[0]), second.predict_proba(digits[0]))


def continue_by_warm_start(model, X, y):
    model.set_params(warm_start=True, max_epochs=2).fit(X, y)
    return model.fit(X, y)


def continue_from_a_pickle(model, X, y):
    model = pickle.loads(pickle.dumps(model.set_params(max_epochs=3).fit(X, y)))
    return model.partial_fit(X, y)


def continue_from_a_checkpoint(model, X, y, folder):
    checkpoint = skorch.callbacks.Checkpoint(monitor=None, dirname=folder)
    clone(model).set_params(max_epochs=2, callbacks=[checkpoint]).fit(X, y)
    load = skorch.callbacks.LoadInitState(checkpoint)
    return model.set_params(callbacks=[load]).fit(X, y)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_training_with_distortions_goes_on_as_if_uninterrupted(
    digits, tmp_path, dropout
):
    X, y = digits[0][:400], digits[1][:400]  # 4 whole batches: masks would be left over
    model = small(
        max_epochs=4,
        batch_size=100,
        dropout=dropout,
        validation_split=None,
        augmentation=DISTORTION,
    )
    expected = clone(model).fit(X, y).predict_proba(X)

    for continued in (
        continue_by_warm_start(clone(model), X, y),
        continue_from_a_pickle(clone(model), X, y),
        continue_from_a_checkpoint(clone(model), X, y, tmp_path),
    ):
        assert continued.n_iter_ == 4
        assert_array_equal(continued.predict_proba(X), expected)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_training_goes_on_with_a_new_augmentation(digits, method):
    X, y = digits
    model = small(warm_start=True, augmentation=DISTORTION).fit(X, y)
    blank = copy.deepcopy(model).set_params(augmentation=lambda images: images * 0)
    plain = copy.deepcopy(model).set_params(augmentation=None)

    getattr(blank, method)(X, y)
    getattr(plain, method)(X * 0, y)

    assert_array_equal(blank.predict_proba(X), plain.predict_proba(X))


def test_parameters_are_nested():
    model = MNISTMLPClassifier(augmentation=RandomDistortion(shift=1))

    copied = clone(model).set_params(augmentation__rotation=3)

    assert copied.get_params()["augmentation__rotation"] == 3
    assert copied.augmentation.shift == 1
    assert model.augmentation.rotation == 10.0
    assert repr(copied) == (
        "MNISTMLPClassifier(augmentation=RandomDistortion(rotation=3, shift=1))"
    )


def test_a_search_finds_a_distortion_with_any_number_of_jobs(digits):
    name = "mnistmlpclassifier__augmentation"
    model = make_pipeline(ImageScaler(1.0), small(max_epochs=8, learning_rate=0.01))
    grid = [{name: [None, flip]}, {name: [DISTORTION], f"{name}__rotation": [0, 10]}]

    searches = [GridSearchCV(model, grid, cv=2, n_jobs=n).fit(*digits) for n in (1, 2)]

    scores = [search.cv_results_["mean_test_score"] for search in searches]
    assert_array_equal(*scores)
    assert len(np.unique(scores)) > 2
    assert DISTORTION.rotation == 10.0


def test_distortions_help_where_images_are_few(mnist):
    X, y, X_test, y_test = mnist
    X, y = (X[:1000] / 255).astype(np.float32), y[:1000]
    model = small(hidden_layer_sizes=256, max_epochs=40, validation_split=None)

    plain, distorted = (
        clone(model).set_params(augmentation=augmentation).fit(X, y)
        for augmentation in (None, RandomDistortion())
    )

    figures = [each.score(X_test / 255, y_test) for each in (plain, distorted)]
    assert figures[1] > figures[0] + 0.02
