"""Warnings that point at the caller's line."""

from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from skmnist import ImageScaler, MNISTMLPClassifier
from small_models import small


def raw_images(digits):
    return (digits[0] * 255).astype(np.float32), digits[1]


@pytest.mark.parametrize(
    "call",
    [
        lambda X, y: small().fit(X, y),
        lambda X, y: small().partial_fit(X, y, classes=np.arange(10)),
        lambda X, y: make_pipeline(small()).fit(X, y),
        lambda X, y: make_pipeline(ImageScaler(16), "passthrough").fit(X, y),
        lambda X, y: ImageScaler(16).fit(X),
        lambda X, y: ImageScaler(16).fit_transform(X),
        lambda X, y: ImageScaler(16).set_output(transform="pandas").fit_transform(X),
        lambda X, y: small(learning_rate=1e30).fit(X / 255, y),
        lambda X, y: cross_val_score(small(), X, y, cv=2, error_score="raise"),
    ],
)
def test_a_warning_points_at_the_line_that_called(digits, call):
    X, y = raw_images(digits)

    with pytest.warns(UserWarning, match=r"raw images|more than max|loss") as warned:
        call(X, y)

    places = {(Path(warning.filename), warning.lineno) for warning in warned}
    assert places == {(Path(__file__), call.__code__.co_firstlineno)}


def test_a_model_of_another_version_is_loaded_with_a_warning(digits):
    state = small().fit(*digits).__getstate__() | {"_skmnist_version": "0.0.1"}

    with pytest.warns(
        InconsistentVersionWarning, match=r"saved with skmnist 0\.0\.1"
    ) as warned:
        MNISTMLPClassifier().__setstate__(state)

    assert warned[0].message.original_sklearn_version == "0.0.1"


def test_a_file_of_another_version_warns_on_the_line_that_loads(
    digits, tmp_path, monkeypatch
):
    model = small().fit(*digits)
    monkeypatch.setattr("skmnist._fitted.__version__", "0.0.1")
    joblib.dump(model, tmp_path / "model.joblib")
    monkeypatch.undo()

    with pytest.warns(InconsistentVersionWarning, match="saved with") as warned:
        joblib.load(tmp_path / "model.joblib")

    assert warned[0].filename == __file__
