"""Yellowbrick: pictures of a model's scores."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix
from sklearn.neural_network import MLPClassifier
from yellowbrick.classifier import ConfusionMatrix
from yellowbrick.exceptions import YellowbrickTypeError
from yellowbrick.model_selection import CVScores, LearningCurve, ValidationCurve


def test_a_learning_curve_rises(digits, model):
    X_train, _, y_train, _ = digits

    curve = LearningCurve(model, cv=2, train_sizes=[0.1, 1.0]).fit(X_train, y_train)

    assert curve.test_scores_mean_[1] > curve.test_scores_mean_[0]
    assert curve.ax.lines


def test_a_validation_curve_finds_the_better_learning_rate(digits, model):
    X_train, _, y_train, _ = digits

    curve = ValidationCurve(
        model,
        param_name="mnistmlpclassifier__learning_rate",
        param_range=[1e-6, 0.01],
        cv=2,
    ).fit(X_train, y_train)

    assert curve.test_scores_mean_[1] > curve.test_scores_mean_[0] + 0.5


def test_the_scores_of_the_folds_are_drawn(digits, model):
    X_train, _, y_train, _ = digits

    scores = CVScores(model, cv=3).fit(X_train, y_train)

    assert scores.cv_scores_mean_ > 0.9
    assert len(scores.ax.patches) == 3


def test_a_confusion_matrix_shows_the_counts(digits, fitted):
    _, X_test, _, y_test = digits

    picture = ConfusionMatrix(fitted, is_fitted=True, force_model=True)
    picture.score(X_test, y_test)

    np.testing.assert_array_equal(
        picture.confusion_matrix_, confusion_matrix(y_test, fitted.predict(X_test))
    )


def test_no_classifier_does_without_force_model(fitted):
    for classifier in (fitted, MLPClassifier()):
        with pytest.raises(YellowbrickTypeError, match="not a classifier"):
            ConfusionMatrix(classifier)
