"""skore: reports of one fit, and of a cross-validation."""

import pytest
from skore import CrossValidationReport, EstimatorReport


def test_an_estimator_report_has_the_score_of_the_model(digits, model):
    X_train, X_test, y_train, y_test = digits

    report = EstimatorReport(
        model, X_train=X_train, y_train=y_train, X_test=X_test, y_test=y_test
    )

    score = model.fit(X_train, y_train).score(X_test, y_test)
    assert report.metrics.accuracy() == pytest.approx(score)
    assert report.metrics.log_loss() < 0.5


def test_a_cross_validation_report_has_a_score_for_each_fold(digits, model):
    X_train, _, y_train, _ = digits

    report = CrossValidationReport(model, X_train, y_train, splitter=3)

    scores = report.metrics.accuracy(aggregate=None)
    assert scores.shape == (1, 3)
    assert (scores > 0.85).all(axis=None)
