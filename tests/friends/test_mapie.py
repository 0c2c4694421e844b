"""MAPIE: sets of labels that hold the true one as often as promised."""

import pytest
from mapie.classification import CrossConformalClassifier, SplitConformalClassifier
from mapie.metrics.classification import classification_coverage_score


def coverage(conformal, X, y):
    _, sets = conformal.predict_set(X)
    return classification_coverage_score(y, sets)[0]


def test_split_conformal_sets_cover(digits, model):
    X_train, X_test, y_train, y_test = digits
    model.fit(X_train[:900], y_train[:900])

    conformal = SplitConformalClassifier(model, confidence_level=0.95, prefit=True)
    conformal.conformalize(X_train[900:], y_train[900:])

    assert coverage(conformal, X_test, y_test) == pytest.approx(0.95, abs=0.03)


def test_cross_conformal_sets_cover(digits, model):
    X_train, X_test, y_train, y_test = digits

    conformal = CrossConformalClassifier(
        model, confidence_level=0.95, cv=3, random_state=0
    ).fit_conformalize(X_train, y_train)

    assert coverage(conformal, X_test, y_test) > 0.93
