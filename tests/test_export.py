import sys

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import scipy.sparse
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix
from sklearn import calibration
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import VarianceThreshold
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from skorch.callbacks import Callback

import skmnist
from skmnist import (
    ImageCenterer,
    ImageScaler,
    MNISTMLPClassifier,
    RandomDistortion,
    to_onnx,
)
from small_models import WORDS, small

TEMPERATURE = pytest.param(
    "temperature",
    marks=pytest.mark.skipif(
        not hasattr(calibration, "_TemperatureScaling"),
        reason="unavailable here: temperature, new in scikit-learn 1.8",
    ),
)


def run(onnx_model, X):
    """Predict with another runtime: labels, and probabilities where there are any."""
    session = onnxruntime.InferenceSession(
        onnx_model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"X": X})


def assert_predicts_the_same(model, X, atol=1e-5):
    onnx_model = to_onnx(model, X)

    onnx.checker.check_model(onnx_model, full_check=True)
    label, *probabilities = run(onnx_model, X)
    assert_array_equal(label, model.predict(X))
    if hasattr(model, "predict_proba"):
        assert_allclose(*probabilities, model.predict_proba(X), rtol=0, atol=atol)


def default(**parameters):
    return MNISTMLPClassifier(**{"max_epochs": 1, "random_state": 0, **parameters})


def scaled(**parameters):
    return make_pipeline(ImageScaler(), default(**parameters))


def two():
    return [("one", scaled()), ("two", scaled(activation="tanh"))]


PIPELINES = {
    "default": scaled(),
    "gelu": scaled(activation="gelu", hidden_layer_sizes=(64, 32)),
    "logistic": scaled(activation="logistic", hidden_layer_sizes=(64, 32, 16)),
    "linear": scaled(hidden_layer_sizes=()),
    "distorted": scaled(augmentation=RandomDistortion(rotation=8)),
    "components": make_pipeline(
        StandardScaler(), PCA(50, random_state=0, svd_solver="randomized"), default()
    ),
    "stack of images": make_pipeline(ImageScaler(output_shape=(28, 28, 1)), default()),
    "voting": VotingClassifier(two(), voting="soft", weights=[1, 2]),
    "stacking": StackingClassifier(two(), LogisticRegression(max_iter=200), cv=2),
    "calibration": CalibratedClassifierCV(scaled(), cv=2),
    "search": GridSearchCV(
        scaled(), {"mnistmlpclassifier__hidden_layer_sizes": [16, 64]}, cv=2
    ),
    "bagging": make_pipeline(
        ImageScaler(),
        VarianceThreshold(),
        BaggingClassifier(default(), 2, random_state=0),
    ),
}


@pytest.mark.parametrize("pipeline", PIPELINES.values(), ids=PIPELINES)
def test_a_pipeline_predicts_mnist_the_same(mnist, pipeline):
    X, y, X_test, _ = mnist
    model = pipeline.fit(X[:2000], y[:2000])

    assert_predicts_the_same(model, X_test)

    one = run(to_onnx(model, X_test), X_test[:1])
    assert_array_equal(one[0], model.predict(X_test[:1]))


def test_several_labels_are_predicted_the_same(mnist):
    X, y, X_test, _ = mnist
    y = np.column_stack([y % 2 == 0, y > 4])[:2000]
    model, of_sparse = scaled().fit(X[:2000], y), scaled().fit(X[:2000], csr_matrix(y))

    assert_predicts_the_same(model, X_test)
    label, _ = run(to_onnx(of_sparse, X_test), X_test)
    assert_array_equal(label, model.predict(X_test))


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu", "logistic", "identity"])
@pytest.mark.parametrize("hidden_layer_sizes", [(), 16, (16, 8), (16, 8, 4)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_networks_of_any_activation_and_depth(
    digits, activation, hidden_layer_sizes, dtype
):
    X, y = digits
    X = X.astype(dtype)
    model = small(activation=activation, hidden_layer_sizes=hidden_layer_sizes)

    assert_predicts_the_same(model.fit(X, y), X)


def test_dropout_is_left_out(digits):
    onnx_model = to_onnx(small(dropout=0.9).fit(*digits), digits[0])

    assert "Dropout" not in {node.op_type for node in onnx_model.graph.node}


@pytest.mark.parametrize(
    "label",
    [
        lambda y: y,
        lambda y: y.astype(np.uint8),
        lambda y: y.astype(float) - 3,
        lambda y: y - 4,
        lambda y: y % 2 == 1,
        lambda y: WORDS[y],
        lambda y: WORDS[y].astype(object),
        lambda y: pd.Series(WORDS[y], dtype="category"),
    ],
)
@pytest.mark.parametrize(
    "make",
    [
        small,
        lambda: VotingClassifier([("one", small()), ("two", small(dropout=0))]),
        lambda: StackingClassifier([("one", small()), ("two", small())], cv=2),
        lambda: CalibratedClassifierCV(small(), cv=2),
    ],
    ids=["alone", "voting", "stacking", "calibration"],
)
def test_labels_of_any_kind_come_out(digits, make, label):
    X, y = digits

    assert_predicts_the_same(make().fit(X, label(y)), X)


@pytest.mark.parametrize(
    "dtype", [np.uint8, np.int64, np.uint16, np.float16, np.float32, np.float64, bool]
)
@pytest.mark.parametrize("shape", [(64,), (8, 8), (8, 8, 1)])
def test_images_go_in_as_they_are(digits, dtype, shape):
    X = (digits[0] * 16).reshape(-1, *shape).astype(dtype)
    model = make_pipeline(ImageScaler(16), small()).fit(X, digits[1])

    assert_predicts_the_same(model, X)


@pytest.mark.parametrize(
    "container", [scipy.sparse.csr_matrix, scipy.sparse.coo_array, pd.DataFrame, list]
)
def test_images_may_be_shown_in_any_container(digits, container):
    X, y = digits
    rows = X.tolist() if container is list else container(X)
    model = small().fit(rows, y)

    onnx_model = to_onnx(model, rows)

    images = np.asarray(X, float if container is list else np.float32)
    assert_array_equal(run(onnx_model, images)[0], model.predict(rows))


either_float = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@either_float
@pytest.mark.parametrize("n_classes", [2, 10])
@pytest.mark.parametrize("ensemble", [True, False])
@pytest.mark.parametrize("method", ["sigmoid", "isotonic", TEMPERATURE])
def test_each_calibration_is_converted(digits, method, ensemble, n_classes, dtype):
    X, y = digits[0].astype(dtype), digits[1]
    model = CalibratedClassifierCV(
        make_pipeline(ImageScaler(1), small()), method=method, ensemble=ensemble, cv=2
    )

    # Where thresholds are close, an isotonic function is steep.
    atol = 1e-3 if method == "isotonic" else 1e-5
    assert_predicts_the_same(model.fit(X, y % n_classes), X, atol)


@pytest.mark.parametrize("method", ["sigmoid", TEMPERATURE])
def test_probabilities_are_calibrated_where_there_is_no_decision(digits, method):
    X, y = digits
    votes = VotingClassifier([("one", small()), ("two", small())], voting="soft")
    model = CalibratedClassifierCV(votes, method=method, cv=2)

    assert_predicts_the_same(model.fit(X, y), X)
    assert_predicts_the_same(model.fit(X, y % 2), X)


def test_a_frozen_classifier_is_calibrated(digits):
    frozen = FrozenEstimator(small().fit(*digits))

    assert_predicts_the_same(
        CalibratedClassifierCV(frozen, cv=2).fit(*digits), digits[0]
    )
    assert_predicts_the_same(frozen, digits[0])


@either_float
@pytest.mark.parametrize("voting", ["hard", "soft"])
def test_votes_count_what_they_should(digits, voting, dtype):
    X, y = digits[0].astype(dtype), digits[1]
    estimators = [("one", small(random_state=1)), ("drop", "drop")]
    estimators += [("two", small(random_state=2)), ("three", small(random_state=3))]
    model = VotingClassifier(estimators, voting=voting, weights=[1, 90, 2, 3])

    assert_predicts_the_same(model.fit(X, y), X)


@pytest.mark.filterwarnings("ignore:Attribute `prob._` was deprecated:FutureWarning")
@pytest.mark.parametrize("n_classes", [2, 10])
def test_what_an_estimator_predicts_need_not_have_its_highest_score(digits, n_classes):
    X, y = digits[0], digits[1] % n_classes
    votes = [("ours", small()), ("other", SVC()), ("line", LinearSVC())]

    assert_predicts_the_same(VotingClassifier(votes, weights=[1, 3, 1]).fit(X, y), X)
    stacking = StackingClassifier([("one", small()), ("two", small())], SVC(), cv=2)
    label, _ = run(to_onnx(stacking.fit(X, y), X), X)
    assert_array_equal(label, stacking.predict(X))


@either_float
@pytest.mark.parametrize("n_classes", [2, 10])
@pytest.mark.parametrize("passthrough", [True, False])
@pytest.mark.parametrize("method", ["predict_proba", "decision_function"])
def test_each_stacking_is_converted(digits, method, passthrough, n_classes, dtype):
    X, y = digits[0].astype(dtype), digits[1]
    model = StackingClassifier(
        [("one", small()), ("two", make_pipeline(ImageScaler(1), small()))],
        small(max_epochs=9),
        cv=2,
        stack_method=method,
        passthrough=passthrough,
    )

    assert_predicts_the_same(model.fit(X, y % n_classes), X)


def test_frozen_classifiers_and_searches_are_converted_wherever_they_are(digits):
    X, y = digits
    frozen = FrozenEstimator(small().fit(X, y))
    calibrated = CalibratedClassifierCV(make_pipeline(ImageScaler(1), frozen), cv=2)
    # The one classifier is asked for scores of either kind.
    for estimators in (
        [("a", frozen), ("b", calibrated)],
        [("b", calibrated), ("a", frozen)],
    ):
        assert_predicts_the_same(
            VotingClassifier(estimators, voting="soft").fit(X, y), X
        )
    search = GridSearchCV(small(), {"dropout": [0.0, 0.5]}, cv=2)
    model = make_pipeline(ImageScaler(1), FrozenEstimator(search.fit(X, y)))
    assert_predicts_the_same(model.fit(X, y), X)


def test_steps_that_pass_everything_through_are_left_out(digits):
    model = Pipeline([("scale", ImageScaler(1)), ("no", "passthrough"), ("m", small())])

    assert_predicts_the_same(model.fit(*digits), digits[0])
    model.set_params(scale=None)
    assert_predicts_the_same(model.fit(*digits), digits[0])


def test_a_scaler_is_converted(digits):
    X = (digits[0] * 16).astype(np.uint8)
    scaler = ImageScaler(16, output_shape=(8, 8)).fit(X)

    [images] = run(to_onnx(scaler, X), X)

    assert_array_equal(images, scaler.transform(X))


def fail_to_convert(model, X, match):
    with pytest.raises(ValueError, match=match):
        to_onnx(model, X)


def test_what_is_not_fitted_is_refused(digits):
    with pytest.raises(NotFittedError):
        to_onnx(make_pipeline(ImageScaler(1), small()), digits[0])


@pytest.mark.parametrize(
    ("X", "match"),
    [
        (np.zeros((3, 63), np.float32), "X has 63 features, but MNISTMLPClassifier is"),
        (np.full((3, 64), np.nan), "Input X contains NaN"),
        (None, r"Expected 2D array, got 0D array: X has shape \(\)"),
        (np.zeros((0, 64), np.float32), r"X has shape \(0, 64\) .* one or more images"),
        (np.full((3, 64), "a"), r"X has shape \(3, 64\) and type <U1; "),
        (np.zeros(64, np.float32), r"X has shape \(64,\)"),
        (np.zeros((3, 8, 8, 3)), r"X has shape \(3, 8, 8, 3\); images are"),
    ],
)
def test_what_are_no_such_images_is_refused(digits, X, match):
    fail_to_convert(small().fit(*digits), X, match)


def test_a_centerer_is_refused(digits):
    X, y = digits
    model = make_pipeline(ImageCenterer(8, 6), small()).fit(X, y)

    fail_to_convert(model, X, "Pipeline cannot be .*: ImageCenterer accepts images of")
    assert_predicts_the_same(model[1:], X)


class Replace(Callback):
    def on_train_begin(self, net, **kwargs):
        net.module_.activation_1 = torch.nn.SiLU()


def test_layers_of_a_callback_are_refused(digits):
    model = small(callbacks=[Replace()]).fit(*digits)

    fail_to_convert(model, digits[0], "match the parameters; use torch.onnx.export")


class Unknown(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


def test_an_unknown_classifier_is_named(digits):
    X, y = digits

    fail_to_convert(Unknown().fit(X, y), X, "This Unknown cannot be converted to ONNX")


def test_what_does_not_predict_is_refused(digits):
    fail_to_convert(LinearRegression().fit(*digits), digits[0], "is neither a class")


def test_calibration_on_a_part_of_the_classes_is_refused(digits):
    X, y = digits
    y = np.where(np.arange(len(y)) < 250, y % 3, 3 + y % 2)
    model = CalibratedClassifierCV(small(), cv=KFold(2))

    fail_to_convert(model.fit(X, y), X, "fitted without some of the classes")


def test_labels_of_another_kind_are_refused(digits):
    model = small().fit(digits[0], digits[1].astype(np.uint64) + np.uint64(2**63))

    fail_to_convert(model, digits[0], "are neither int64 nor text")


def test_stacked_labels_are_refused(digits):
    model = StackingClassifier([("one", small())], cv=2, stack_method="predict")

    fail_to_convert(
        model.fit(*digits), digits[0], "stack_method='predict' is not supported"
    )


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_a_conversion_that_predicts_something_else_is_refused(
    digits, monkeypatch, method
):
    model = small().fit(*digits)
    was = getattr(MNISTMLPClassifier, method)

    def predict(self, X):
        outputs = was(self, X)
        outputs[60] += 1
        return outputs

    monkeypatch.setattr(MNISTMLPClassifier, method, predict)

    fail_to_convert(model, digits[0], f"the results of {method} would differ")


def test_without_onnx_the_extra_is_named(digits, monkeypatch):
    model = small().fit(*digits)
    monkeypatch.setitem(sys.modules, "skmnist.export._conversion", None)
    monkeypatch.delattr(skmnist.export, "_conversion", raising=False)

    with pytest.raises(ImportError, match=r"pip install 'skmnist\[onnx\]'"):
        to_onnx(model, digits[0])
