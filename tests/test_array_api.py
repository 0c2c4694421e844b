"""Arrays of other libraries than NumPy, where scikit-learn dispatches them."""

import pickle

import numpy as np
import pytest
import sklearn
import torch
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal, assert_series_equal
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from listeners import NoteTasks
from skmnist import (
    ImageCenterer,
    ImageScaler,
    evaluate,
    load_model,
    misclassified,
    save_model,
)
from skmnist._sklearn import HAS_ARRAY_API
from small_models import WORDS, small

if not HAS_ARRAY_API:
    pytest.skip(
        "unavailable here: array API support, which needs scikit-learn 1.9",
        allow_module_level=True,
    )

import array_api_strict
from sklearn.utils._array_api import move_estimator_to

METHODS = ["predict", "predict_proba", "predict_log_proba", "decision_function"]
SPACES = {
    "torch": (torch, torch.device("cpu")),
    "strict": (array_api_strict, array_api_strict.Device("CPU_DEVICE")),
    "another device": (array_api_strict, array_api_strict.Device("device1")),
}


@pytest.fixture(autouse=True)
def dispatch(monkeypatch):
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    with sklearn.config_context(array_api_dispatch=True):
        yield


@pytest.fixture(params=SPACES.values(), ids=SPACES)
def space(request):
    return request.param


def as_numpy(array):
    if isinstance(array, array_api_strict._array_object.Array):
        return np.asarray(array.to_device(array_api_strict.Device("CPU_DEVICE")))
    return np.asarray(array)


def make_model(**parameters):
    return make_pipeline(ImageScaler(1), small(**parameters))


def fit_all(X, y, weight, convert):
    """Fit on training and validation data and go on with some more."""
    X, y, weight = convert(X), convert(y), convert(weight)
    classifier = small(early_stopping=True).fit(
        X[:300, :], y[:300], weight[:300], X_val=X[300:, :], y_val=y[300:]
    )
    return classifier.partial_fit(X[:99, :], y[:99], sample_weight=weight[:99])


def test_a_fit_and_its_predictions_are_those_of_numpy(digits, space):
    (X, y), (xp, device) = digits, space
    weight = np.arange(len(y)) % 3

    expected = fit_all(X, y, weight, np.asarray)
    fitted = fit_all(X, y, weight, lambda array: xp.asarray(array, device=device))

    images = xp.asarray(X, device=device)
    for method in METHODS:
        result = getattr(fitted, method)(images)
        assert type(result) is type(images)
        assert result.device == device
        assert_array_equal(as_numpy(result), getattr(expected, method)(X))
    score = fitted.score(images, xp.asarray(y, device=device))
    assert score == pytest.approx(expected.score(X, y), abs=1e-6)


def test_several_labels_of_an_image_are_those_of_numpy(digits, space):
    (X, y), (xp, device) = digits, space
    y = np.column_stack([y % 2, y > 4]).astype(int)
    expected = small().fit(X, y)
    images, labels = (xp.asarray(each, device=device) for each in (X, y))

    fitted = small().fit(images, labels)

    for method in METHODS:
        result = getattr(fitted, method)(images)
        assert type(result) is type(images)
        assert_array_equal(as_numpy(result), getattr(expected, method)(X))


class NoteMetadata(NoteTasks):
    """A callback of scikit-learn's that keeps the metadata of the last task."""

    def on_fit_task_end(self, estimator, context, *, metadata=None):
        self.metadata = metadata


def test_the_rows_of_a_split_are_scored_and_handed_on_as_they_came(digits, space):
    (X, y), (xp, device) = digits, space
    images, labels = (xp.asarray(each, device=device) for each in (X, y))
    parameters = {"early_stopping": True, "monitor": "f1_macro"}
    expected, noted = NoteMetadata(), NoteMetadata()
    model = small(**parameters).set_callbacks(expected).fit(X, y, y + 1)

    fitted = small(**parameters).set_callbacks(noted).fit(images, labels, labels + 1)

    assert_frame_equal(
        fitted.history_.drop(columns="duration"),
        model.history_.drop(columns="duration"),
    )
    assert type(noted.metadata["X_val"]) is type(images)
    for name in ("X_val", "y_val", "sample_weight_val"):
        assert_array_equal(as_numpy(noted.metadata[name]), expected.metadata[name])


def test_tables_are_those_of_numpy(digits, space):
    (X, y), (xp, device) = digits, space
    images, labels = (xp.asarray(each, device=device) for each in (X, y))
    expected, fitted = small().fit(X, y), small().fit(images, labels)

    assert_series_equal(evaluate(fitted, images, labels), evaluate(expected, X, y))
    assert_frame_equal(
        misclassified(fitted, images, labels), misclassified(expected, X, y)
    )


def test_the_classes_of_partial_fit_may_be_an_array(digits, space):
    (X, y), (xp, device) = digits, space
    X, y, classes = (xp.asarray(each, device=device) for each in (X, y, np.arange(11)))

    classifier = small().partial_fit(X, y, classes)

    assert_array_equal(classifier.classes_, np.arange(11))
    assert type(classifier.predict(X)) is type(X)


@pytest.mark.parametrize("dtype", ["uint8", "bool", "float16", "float64"])
def test_the_scaler_gives_what_it_gives_for_numpy(space, dtype, recwarn):
    xp, device = space
    X = (np.arange(2 * 12).reshape(2, 3, 4) % (2 if dtype == "bool" else 24)) + 0
    if dtype == "float16":
        xp, device = SPACES["torch"]  # the standard does not know it
    images = xp.asarray(X.astype(dtype), device=device)
    scaler, expected = (
        ImageScaler(24, output_shape=(4, 3, 1)).fit(each) for each in (images, X)
    )

    scaled = scaler.transform(images)
    back = scaler.inverse_transform(scaled)

    assert type(scaled) is type(back) is type(images)
    assert scaled.device == back.device == device
    assert_array_equal(as_numpy(scaled), expected.transform(X))
    assert_array_equal(as_numpy(back).round(), X.reshape(2, 12))
    assert not recwarn.list


@pytest.fixture
def no_numpy(monkeypatch):
    """Images, which have two axes at least, stay where they are."""
    for name in ("numpy", "__array__", "cpu", "tolist", "__dlpack__"):
        original = getattr(torch.Tensor, name)

        def method(tensor, *args, original=original, name=name, **kwargs):
            assert tensor.ndim < 2, f"{name} of a tensor of shape {tensor.shape}"
            return original(tensor, *args, **kwargs)

        monkeypatch.setattr(torch.Tensor, name, method)


def test_tensors_take_no_way_through_numpy(digits, no_numpy):
    X, y = map(torch.asarray, digits)
    model = make_model(early_stopping=True).fit(X.view(-1, 8, 8), y)

    for method in METHODS:
        assert isinstance(getattr(model, method)(X), torch.Tensor)
    assert isinstance(model.score(X, y), float)
    assert model[0].inverse_transform(X).shape == X.shape
    with pytest.raises(AssertionError, match="numpy of a tensor of shape"):
        X.numpy()


def test_labels_that_are_no_numbers_come_back_as_numpy(digits):
    X, words = digits[0], WORDS[digits[1]]
    tensor = torch.asarray(X)

    labels = small(max_epochs=9).fit(tensor, words).predict(tensor)

    assert_array_equal(labels, small(max_epochs=9).fit(X, words).predict(X))
    assert len(set(labels)) > 1


@pytest.mark.parametrize("dtype", ["bool", "uint16", "int8", "float32"])
def test_labels_of_any_type_come_back_in_that_type(digits, space, dtype):
    (X, y), (xp, device) = digits, space
    X, labels = (xp.asarray(each, device=device) for each in (X, (y % 2).astype(dtype)))

    predicted = small().fit(X, labels).predict(X)

    assert predicted.dtype == labels.dtype
    assert predicted.device == device


@pytest.mark.filterwarnings("ignore:torch.asarray. unspecified requires_grad")
def test_predictions_are_ordinary_tensors(digits):
    X, y = torch.asarray(digits[0]).requires_grad_(), digits[1]

    logits = small().fit(X.detach(), y).decision_function(X)

    assert not logits.requires_grad
    assert not logits.is_inference()


@pytest.mark.filterwarnings("ignore:torch.asarray. unspecified requires_grad")
def test_the_scaler_keeps_the_gradient():
    X = torch.ones((2, 4), requires_grad=True)

    ImageScaler(2).fit(X.detach()).transform(X).sum().backward()

    assert_array_equal(X.grad, np.full((2, 4), 0.5))


@pytest.mark.parametrize("estimator", [small(), ImageScaler(1)])
def test_images_of_another_library_than_in_fit_are_refused(digits, estimator):
    X, y = digits
    estimator.fit(torch.asarray(X), y)
    methods = METHODS if hasattr(estimator, "predict") else ["transform"]

    for method in methods:
        with pytest.raises(ValueError, match=rf"{method}\(\) must .* torch, .* numpy"):
            getattr(estimator, method)(X)
    with sklearn.config_context(array_api_dispatch=False):
        assert isinstance(getattr(estimator, methods[0])(X), np.ndarray)
    moved = move_estimator_to(make_pipeline(estimator), np, "cpu")
    for model in (moved, estimator.fit(X, y)):
        assert isinstance(getattr(model, methods[0])(X), np.ndarray)


def test_a_model_that_was_fitted_on_numpy_takes_any(digits, space):
    (X, y), (xp, device) = digits, space
    model = make_model().fit(X, y)

    probabilities = model.predict_proba(xp.asarray(X, device=device))

    assert probabilities.device == device
    assert_array_equal(as_numpy(probabilities), model.predict_proba(X))


def test_a_model_of_tensors_is_saved_as_any_other(digits, tmp_path):
    X, y = map(torch.asarray, digits)
    model = make_model().fit(X, y)
    save_model(model, tmp_path / "model.skmnist")

    for loaded in (
        load_model(tmp_path / "model.skmnist"),
        pickle.loads(pickle.dumps(model)),
    ):
        assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
        assert isinstance(loaded[-1].classes_, np.ndarray)
        assert isinstance(loaded.predict(digits[0]), np.ndarray)


def test_a_search_over_tensors(digits):
    grid = {"mnistmlpclassifier__dropout": [0.0, 0.5]}

    tensors, arrays = (
        GridSearchCV(make_model(), grid, cv=2).fit(*data).cv_results_["mean_test_score"]
        for data in (map(torch.asarray, digits), digits)
    )

    assert tensors == pytest.approx(arrays, abs=1e-6)


@pytest.mark.parametrize("estimator", [small(), ImageScaler(1)])
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda X: X * torch.nan, "contains NaN"),
        (lambda X: X + 1j, "Complex data not supported: X is of type complex64"),
        (lambda X: X[:, :5], "X has 5 features, but"),
        (lambda X: X[:0], r"0 sample\(s\)"),
        (lambda X: X[..., None, None, None], r"X has shape \(500, 64, 1, 1, 1\)"),
    ],
)
def test_what_are_no_images_is_refused(digits, estimator, spoil, words):
    X, y = map(torch.asarray, digits)
    estimator.fit(X, y)
    method = getattr(estimator, "transform", None) or estimator.predict

    with pytest.raises(ValueError, match=words):
        method(spoil(X))


@pytest.mark.filterwarnings("ignore:X has intensities up to")
def test_scaled_values_that_overflow_are_an_error():
    X = torch.full((1, 4), 1e300, dtype=torch.float64)

    with pytest.raises(ValueError, match="too large for float32"):
        ImageScaler(3e38).fit(X).transform(X)


def test_images_get_the_warnings_of_numpy(digits):
    X, y = map(torch.asarray, digits)

    with pytest.warns(UserWarning, match="raw images, with intensities up to 255"):
        small().fit(X * 255, y)
    with pytest.warns(UserWarning, match="scaled already, with intensities up to 1"):
        ImageScaler().fit(X)


def test_the_centerer_returns_numpy(digits):
    X = torch.asarray(digits[0][:3] * 16)

    framed = ImageCenterer().fit_transform(X)

    assert_array_equal(framed, ImageCenterer().fit_transform(digits[0][:3] * 16))


def test_tensors_come_back_as_numpy_without_dispatch(digits):
    X, y = map(torch.asarray, digits)

    with sklearn.config_context(array_api_dispatch=False):
        model = make_model().fit(X, y)
        assert isinstance(model.predict_proba(X), np.ndarray)
    assert isinstance(model.predict_proba(X), torch.Tensor)
