"""A fit and its predictions are the same to the bit on any number of threads."""

import contextlib

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from skmnist import MNISTMLPClassifier, RandomDistortion
from skmnist._engine.products import have_same_bits

pytestmark = pytest.mark.skipif(
    not torch.backends.mkl.is_available(),
    reason="unavailable here: MKL, which this torch is built without",
)

SIZES = [(), (64,), (256,), (100, 30), (256, 256), (1024,)]
OPTIMIZERS = ["adam", "adamw", "sgd", "rmsprop", "adagrad"]
ACTIVATIONS = ["tanh", "gelu", "logistic", "identity"]
BATCH_SIZES = [1, 7, 32, 100, 500, 1000, 2048]


@pytest.fixture(scope="module")
def images(mnist):
    X = (mnist[0][:3000] / 255).astype(np.float32)
    return X[:2100], mnist[1][:2100], X[2100:]


@contextlib.contextmanager
def threads(n):
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def results(images, n_threads, n_rows=None, sample_weight=None, **parameters):
    X, y, X_test = images
    model = MNISTMLPClassifier(max_epochs=1, random_state=0, **parameters)
    with threads(n_threads):
        model.fit(X[:n_rows], y[:n_rows], sample_weight=sample_weight)
        history = model.history_.drop(columns="duration").to_numpy()
        # A batch of whole tiles, one with a rest, and one image.
        predictions = [model.predict_proba(X_test[:n]) for n in (512, 900, 7, 1)]
    return [history, *predictions]


def assert_threads_change_nothing(images, **settings):
    alone = results(images, 1, **settings)
    for n_threads in (2, 3):
        together = results(images, n_threads, **settings)
        for one, other in zip(alone, together, strict=True):
            assert_array_equal(one, other)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_of_every_optimizer(images, sizes, optimizer):
    assert_threads_change_nothing(images, hidden_layer_sizes=sizes, optimizer=optimizer)


@pytest.mark.parametrize("batch_size", BATCH_SIZES)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_of_every_batch_size(images, sizes, batch_size):
    n_rows = 200 if batch_size < 10 else None
    assert_threads_change_nothing(
        images, hidden_layer_sizes=sizes, batch_size=batch_size, n_rows=n_rows
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_of_every_activation_and_float_type(images, activation, dtype):
    X, y, X_test = images
    assert_threads_change_nothing(
        (X.astype(dtype), y, X_test.astype(dtype)),
        hidden_layer_sizes=(100, 64),
        activation=activation,
        batch_size=512,
    )


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_of_weights_and_other_dropout(images, sizes):
    weights = np.random.default_rng(0).uniform(0.1, 3, len(images[0]))
    assert_threads_change_nothing(
        images, hidden_layer_sizes=sizes, dropout=0.2, sample_weight=weights
    )


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_of_products_in_bfloat16(images, sizes, precision):
    precision("medium")
    if not have_same_bits():
        pytest.skip("unavailable here: AMX shares out long sums among the threads")

    assert_threads_change_nothing(images, hidden_layer_sizes=sizes)


@pytest.mark.parametrize("batch_size", [7, 128, 1000])
def test_of_distorted_images(images, batch_size):
    assert_threads_change_nothing(
        images,
        batch_size=batch_size,
        n_rows=200 if batch_size < 10 else None,
        augmentation=RandomDistortion(),
    )


@pytest.mark.parametrize("seed", range(4))
def test_of_weights_of_more_rows_than_torch_sums_in_one_thread(seed):
    rng = np.random.default_rng(seed)
    X, y = rng.random((60_000, 16), dtype=np.float32), rng.integers(3, size=60_000)
    weights = rng.uniform(0.1, 3, len(X))

    assert_threads_change_nothing(
        (X, y, X[:1000]), sample_weight=weights, batch_size=1000
    )


def test_of_images_with_an_odd_number_of_pixels(digits):
    X, y = digits
    X = np.hstack([X, X])[:, :101]
    assert_threads_change_nothing((X[:400], y[:400], X), hidden_layer_sizes=(50,))
