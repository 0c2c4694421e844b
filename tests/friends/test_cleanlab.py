"""cleanlab: wrong labels are found, and trained around."""

import numpy as np
import pytest
from cleanlab.classification import CleanLearning
from cleanlab.filter import find_label_issues
from sklearn.model_selection import cross_val_predict


@pytest.fixture
def planted(digits):
    """Training digits of which 60 have a wrong label, and which these are."""
    X_train, _, y_train, _ = digits
    rng = np.random.default_rng(0)
    rows = rng.choice(len(y_train), size=60, replace=False)
    labels = y_train.copy()
    labels[rows] = (labels[rows] + rng.integers(1, 10, size=60)) % 10
    return X_train, labels, rows


def test_most_planted_errors_are_found(planted, model):
    X, labels, rows = planted
    probabilities = cross_val_predict(model, X, labels, cv=3, method="predict_proba")

    found = find_label_issues(labels, probabilities, n_jobs=1)

    assert found[rows].mean() > 0.7
    assert found.sum() < 2 * len(rows)


def test_clean_learning_finds_them_and_predicts(planted, digits, model):
    X, labels, rows = planted
    _, X_test, _, y_test = digits

    learning = CleanLearning(model, cv_n_folds=3, seed=0).fit(X, labels)

    assert learning.get_label_issues()["is_label_issue"].iloc[rows].mean() > 0.7
    assert learning.score(X_test, y_test) > 0.9
